"""The whole command on real data: `aqi materialize` against the recorded answers and the published gold rows."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from assets import CATALOG
from resources.embedded.scratch import FOLDER
from resources.machine.clock import system_clock
from resources.machine.failpoints import ENGINES_MODULE
from resources.prefect.server import EmbeddedServer
from resources.simulator.server import Simulator
from tests.support.aqi_process import AQI, Commands

pytestmark = pytest.mark.prefect

RANGE = "2025-08-08..2025-09-20"
LAST_DAY = "2025-09-20"
FIRST_RUN_SECONDS = 600


@pytest.fixture(scope="module")
def replay(recorded: Path) -> Iterator[Simulator]:
    with Simulator(now=system_clock, injected=False, replay=recorded) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def aqi(tmp_path_factory: pytest.TempPathFactory, replay: Simulator) -> Commands:
    home = tmp_path_factory.mktemp("home")
    return Commands(home, home / "warehouse", replay.url)


@pytest.fixture(scope="module")
def run(aqi: Commands) -> dict[str, Any]:
    """The plan, the summary of the run that follows it, and what that run left behind."""
    plan = aqi.json("plan", "*", "--partitions", RANGE)
    summary = aqi.json("materialize", "*", "--partitions", RANGE)
    return {"plan": plan, "summary": summary, "left": started_by(aqi), "aqi": aqi}


@pytest.fixture(scope="module")
def run_on_spark(tmp_path_factory: pytest.TempPathFactory, replay: Simulator, server: str) -> dict[str, Any]:
    """As ``run``, on a server that is there."""
    home = tmp_path_factory.mktemp("spark")
    aqi = Commands(home, home / "warehouse", replay.url, {"PREFECT_API_URL": server})
    summary = aqi.json("materialize", "*", "--partitions", RANGE, "--engine", "spark")
    return {"summary": summary, "left": started_by(aqi), "aqi": aqi}


@pytest.fixture
def either_run(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


on_both = pytest.mark.parametrize(
    "either_run", ["run", pytest.param("run_on_spark", marks=pytest.mark.spark)], indirect=True
)


def started_by(aqi: Commands) -> list[str]:
    """The command lines of what runs with the environment of these calls; others may use this machine meanwhile."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # gone: only its parent has not noticed; or somebody else's
            if process.environ().get("XDG_STATE_HOME") == aqi.env["XDG_STATE_HOME"]:
                found.append(" ".join(process.cmdline()))
    return found


def files_of_tables(warehouse: Path) -> list[str]:
    """Data and commits, without what explains them: the journal of runs."""
    found = (path for path in warehouse.rglob("*") if path.is_file())
    return sorted(str(path) for path in found if "_aqi" not in path.parts)


def published(recorded: Path, name: str) -> list[dict[str, str]]:
    with (recorded / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@on_both
@pytest.mark.timeout(FIRST_RUN_SECONDS)
def test_all_city_days_agree_with_the_published_ones(either_run: Any, recorded: Path) -> None:
    want = published(recorded, "expected_fact_city_daily.csv")
    got = {(row["location_key"], row["date_utc"]): row for row in either_run["aqi"].csv("gold.fact_city_daily")}
    assert len(want) == len(got) == 132
    for row in want:
        ours = got[(row["location_key"], row["date_utc"])]
        assert {name: ours[name] for name in row} == row


@on_both
@pytest.mark.timeout(FIRST_RUN_SECONDS)
def test_the_episodes_are_exactly_the_published_ones(either_run: Any, recorded: Path) -> None:
    def instant(text: str) -> str:
        return text.replace(" ", "T") + "Z"

    want = {
        (
            row["location_key"],
            instant(row["start_ts_utc"]),
            instant(row["end_ts_utc"]),
            row["duration_hours"],
            row["peak_aqi"],
        )
        for row in published(recorded, "expected_fact_episode.csv")
    }
    got = {
        tuple(row[name] for name in ("location_key", "start_ts_utc", "end_ts_utc", "duration_hours", "peak_aqi"))
        for row in either_run["aqi"].csv("gold.fact_episode")
        if row["end_ts_utc"] < LAST_DAY
    }
    assert len(want) == 29
    assert got == want


@pytest.mark.timeout(FIRST_RUN_SECONDS)
def test_the_plan_is_what_ran(run: Any) -> None:
    """Preview and summary hold the same steps; the summary adds outcomes."""
    plan, summary = run["plan"], run["summary"]
    assert set(plan) == {"steps", "left_out"}
    for planned, done in zip(plan["steps"], summary["steps"], strict=True):
        assert set(planned) == {"id", "asset", "partitions", "may_rewrite", "inputs", "reason"}
        assert {name: done[name] for name in planned} == planned
    assert summary["state"] == "completed"
    assert plan["left_out"] == summary["left_out"] == []


@on_both
@pytest.mark.timeout(FIRST_RUN_SECONDS)
def test_no_process_is_left_behind(either_run: Any) -> None:
    assert either_run["left"] == []
    assert not (either_run["aqi"].warehouse / FOLDER).exists(), "nor rows that an engine kept"


@pytest.mark.timeout(FIRST_RUN_SECONDS)
def test_prefects_history_has_one_flow_and_every_task(
    aqi: Commands, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Afterwards, in a server over the same database: one flow run, Completed, with n of n tasks, named."""
    for name in ("PREFECT_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, aqi.env[name])
    with EmbeddedServer(tmp_path / "server.log") as server:
        server.wait()
        flows = requests.post(f"{server.api_url}/flow_runs/filter", json={}, timeout=10).json()
        runs = requests.post(f"{server.api_url}/task_runs/filter", json={"limit": 200}, timeout=10).json()
    assert [flow["id"] for flow in flows] == [run["summary"]["flow_run_id"]]
    assert flows[0]["state"]["type"] == "COMPLETED"
    assert flows[0]["name"] == f"all tables · {RANGE}"
    assert {task["state"]["type"] for task in runs} == {"COMPLETED"}
    fetches = sorted(task["name"] for task in runs if task["name"].startswith("fetch "))
    steps = {task["name"]: task["state"]["message"] for task in runs if task["name"] not in fetches}
    assert "(2025-08-08..2025-09-20 × danang, hanoi, hcmc)" in steps["gold.fact_city_daily"]
    assert len(steps) == len(CATALOG) and not any("null" in told for told in [*steps, *steps.values()])
    assert fetches == [f"fetch {location} · {RANGE}" for location in ("danang", "hanoi", "hcmc")]


@pytest.mark.spark
@pytest.mark.timeout(FIRST_RUN_SECONDS)
def test_one_spark_application(run_on_spark: Any) -> None:
    """Spark's own log of the run names one application, the one in the summary; the run's log folder holds one JVM."""
    assert run_on_spark["summary"]["application_id"].startswith("local-")
    assert engine_logs(run_on_spark["aqi"]) == {"spark": 1}


@pytest.mark.timeout(FIRST_RUN_SECONDS)
def test_one_process_of_the_embedded_engine(run: Any) -> None:
    assert run["summary"]["application_id"].startswith("embedded-")
    assert engine_logs(run["aqi"]) == {"embedded": 1}


def engine_logs(aqi: Commands) -> dict[str, int]:
    """How many of each engine were started."""
    names = [log.stem.rpartition("-")[2] for log in (aqi.home / "state" / "aqi" / "logs").iterdir()]
    return {name: names.count(name) for name in ("embedded", "spark") if name in names}


@pytest.mark.spark
@pytest.mark.timeout(FIRST_RUN_SECONDS)
def test_the_engines_plan_and_record_the_same(run: Any, run_on_spark: Any, server: str) -> None:
    """Steps with partitions and rows; and each warehouse is one that the other engine has nothing to do in."""
    told = ("id", "asset", "partitions", "written", "rows", "state", "warnings")
    one, other = (
        [{name: step[name] for name in told} for step in made["summary"]["steps"]] for made in (run, run_on_spark)
    )
    assert one == other
    for made, engine in ((run, "spark"), (run_on_spark, "embedded")):
        aqi = replace(made["aqi"], environment={"PREFECT_API_URL": server})
        before = files_of_tables(aqi.warehouse)
        summary = aqi.json("materialize", "*", "--partitions", RANGE, "--engine", engine)
        assert (summary["steps"], summary["application_id"]) == ([], "")
        forced = aqi.json(
            "materialize", "bronze.open_meteo_hourly+", "--partitions", RANGE, "--force", "--engine", engine
        )
        assert {step["state"] for step in forced["steps"]} == {"unchanged"}
        assert files_of_tables(aqi.warehouse) == before


def flow_runs(server: str) -> set[str]:
    """The ids of the newest flow runs of a server that tests share."""
    wanted = {"sort": "EXPECTED_START_TIME_DESC", "limit": 200}
    return {flow["id"] for flow in requests.post(f"{server}/flow_runs/filter", json=wanted, timeout=60).json()}


@pytest.mark.timeout(FIRST_RUN_SECONDS)
def test_with_a_server_of_the_users_and_again_nothing_changes(aqi: Commands, run: Any, server: str) -> None:
    """The same command again, on the server that PREFECT_API_URL names: no file, no commit, no id changes."""
    files, flows = files_of_tables(aqi.warehouse), flow_runs(server)
    before = aqi.csv("gold.fact_episode")
    theirs = replace(aqi, environment={"PREFECT_API_URL": server})
    nothing = theirs.json("materialize", "*", "--partitions", RANGE)
    assert (nothing["steps"], nothing["application_id"]) == ([], "")
    assert flow_runs(server) == flows
    summary = theirs.json("materialize", "*", "--partitions", RANGE, "--force")
    assert flow_runs(server) - flows == {summary["flow_run_id"]}
    assert all(step["state"] == "unchanged" for step in summary["steps"])
    assert files_of_tables(aqi.warehouse) == files
    assert aqi.csv("gold.fact_episode") == before


@pytest.mark.timeout(FIRST_RUN_SECONDS)
def test_a_backfill_is_one_application_and_one_flow(aqi: Commands, server: str, tmp_path: Path) -> None:
    """Four weeks in weekly chunks: one engine, one flow run, the chunks as an artifact; again: nothing, without one."""
    flows = flow_runs(server)
    theirs = Commands(tmp_path, tmp_path / "warehouse", aqi.base_url, {"PREFECT_API_URL": server})
    call = ("backfill", "--start-date", "2025-08-08", "--end-date", "2025-09-04", "--chunk-mode", "weekly")
    done = theirs(*call, "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    started = time.monotonic()
    again = theirs.json(*call)
    seconds = time.monotonic() - started
    assert flow_runs(server) - flows == {summary["flow_run_id"]}
    of_this = {"artifacts": {"flow_run_id": {"any_": [summary["flow_run_id"]]}}}
    artifacts = requests.post(f"{server}/artifacts/filter", json=of_this, timeout=60).json()
    assert engine_logs(theirs) == {"embedded": 1}
    names = ["2025-08-08..2025-08-14", "2025-08-15..2025-08-21", "2025-08-22..2025-08-28", "2025-08-29..2025-09-04"]
    assert [(chunk["chunk"], chunk["state"]) for chunk in summary["chunks"]] == [(name, "written") for name in names]
    assert all(chunk["rows"] > 21 * 24 and chunk["seconds"] > 0 for chunk in summary["chunks"])
    [artifact] = [item for item in artifacts if item["key"] == "backfill-chunks"]
    assert [row["chunk"] for row in json.loads(artifact["data"])] == names
    assert "of 4 chunks" in done.stderr, "progress"
    assert (again["steps"], again["state"]) == ([], "completed")
    assert {chunk["state"] for chunk in again["chunks"]} == {"fresh"}
    assert seconds < 10, "it takes 1.2 s where nothing else runs"


def test_status_and_lineage_after_the_run(aqi: Commands, run: Any) -> None:
    found = aqi.json("status", "gold.fact_*", "--partitions", "2025-08-08..2025-08-09")
    assert len(found) == 3 * 6
    assert {item["state"] for item in found} == {"fresh"}
    assert {item["run_id"] for item in found} == {run["summary"]["run_id"]}
    missing = aqi.json("status", "gold.fact_episode", "--partitions", "2025-08-07")
    assert {item["state"] for item in missing} == {"missing"}
    edges = aqi.json("lineage", "*")["edges"]
    window = {"upstream": "gold.fact_air_quality_hourly", "downstream": "gold.fact_episode", "mapping": "RunWindow"}
    assert window in edges


@pytest.mark.timeout(FIRST_RUN_SECONDS)
def test_a_warehouse_in_use_names_its_holder(aqi: Commands, run: Any) -> None:
    """While a process holds the lock: exit status 1, the holder is named, nothing is changed."""
    import fcntl

    with (aqi.warehouse / ".aqi.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.seek(0)
        lock.write(json.dumps({"run_id": "other-run", "pid": os.getpid(), "host": "here", "since": "now"}))
        lock.truncate()
        lock.flush()
        impatient = Commands(aqi.home, aqi.warehouse, aqi.base_url, {"AQI_WAREHOUSE__LOCK_WAIT_SECONDS": "0.2"})
        done = impatient("materialize", "gold.dim_time", "--force")
    assert done.returncode == 1
    assert "other-run" in done.stderr
    assert str(os.getpid()) in done.stderr


def test_without_java_spark_is_not_started(aqi: Commands, tmp_path: Path) -> None:
    elsewhere = Commands(aqi.home, tmp_path / "warehouse", aqi.base_url, {"JAVA_HOME": str(tmp_path)})
    done: subprocess.CompletedProcess[str] = elsewhere("materialize", "gold.dim_time", "--engine", "spark")
    assert done.returncode == 2
    assert "there is no Java" in done.stderr
    assert "Install Java 17" in done.stderr
    assert not (tmp_path / "warehouse").exists()


@pytest.mark.parametrize("engine", ["embedded", pytest.param("spark", marks=[pytest.mark.spark, pytest.mark.slow])])
def test_an_interrupt_ends_the_run_and_everything_that_it_started(
    replay: Simulator, tmp_path: Path, engine: str
) -> None:
    """SIGINT while steps run: exit status 130 within seconds, a word on how to go on, no process left, no scratch."""
    elsewhere = Commands(tmp_path, tmp_path / "warehouse", replay.url, {"AQI_ENGINE": engine})
    process = subprocess.Popen(
        [AQI, "materialize", "*", "--partitions", RANGE], env=elsewhere.env, stderr=subprocess.PIPE, text=True
    )
    while not list((tmp_path / "warehouse").glob("gold/*/_delta_log")) and process.poll() is None:
        time.sleep(0.02)
    children = psutil.Process(process.pid).children(recursive=True)
    there = started_by(elsewhere)
    process_of_it = {"embedded": ENGINES_MODULE, "spark": "java"}[engine]
    assert all(any(what in line for line in there) for what in ("bin/aqi materialize", process_of_it, "prefect")), there
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted; call the same command again" in stderr
    _, alive = psutil.wait_procs(children, timeout=15)
    assert [child for child in alive if child.status() != psutil.STATUS_ZOMBIE] == []
    assert started_by(elsewhere) == []
    assert not (tmp_path / "warehouse" / FOLDER).exists()
