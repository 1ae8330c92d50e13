"""kill -9 of real runs at named and at random moments: nothing is lost or doubled; the next run finishes the work."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import time
from datetime import date
from pathlib import Path
from typing import Any

import psutil
import pytest

from orchestration.project import load, open_workspace
from resources.delta.log import DeltaLog
from resources.embedded.scratch import FOLDER
from resources.machine.clock import system_clock
from resources.machine.failpoints import ENGINES_MODULE, POINTS
from resources.simulator.server import Simulator
from tests.assets.test_tables import expected
from tests.support import oracle
from tests.support.aqi_process import AQI, Commands
from tests.support.cli_calls import tree
from tests.support.feed import Feed
from tests.support.small_lake import DATED, NOW
from tests.support.stored_tables import there_of
from tests.support.strategies import random_bronze

pytestmark = pytest.mark.prefect

FIRST, LAST = date(2025, 3, 1), date(2025, 3, 4)
BACKFILL = ("backfill", "--start-date", str(FIRST), "--end-date", str(LAST), "--chunk-mode", "daily")
LOCATIONS = ("--locations", "hanoi,danang")
KILLED = -signal.SIGKILL
OF_CHANGES = {"tables-changed", "rename-begun", "between-tables", "before-rename-ends"}
"""Points that only changes of tables reach: test_kill_changes has them."""
OF_A_COMMIT = ("before-commit", "after-files:1:both")
REST_OF_A_STEP = ("before-write", "after-commit")
IN_A_STEP = ("before-write", *OF_A_COMMIT, "after-commit")
BESIDE_STEPS = ("between-chunks", "before-journal")
"""Where the engine has nothing to do: what comes of a kill there is the same on each."""

embedded_and_slowly_spark = pytest.mark.parametrize(
    "engine", ["embedded", pytest.param("spark", marks=[pytest.mark.spark, pytest.mark.slow])]
)


def test_every_point_is_among_those_where_a_run_is_killed() -> None:
    named = {point.partition(":")[0] for point in IN_A_STEP + BESIDE_STEPS}
    assert named == set(POINTS) - OF_CHANGES


def unnamed_files(folder: Path) -> set[str]:
    """Data files of a table that no commit names."""
    log = DeltaLog(str(folder))
    named = {action["add"]["path"] for version in log.versions() for action in log.actions(version) if "add" in action}
    return {path.name for path in folder.glob("*.parquet")} - named


def check_status(aqi: Commands, days: str, want: dict[str, Any]) -> dict[str, set[str]]:
    """The command's states by asset; every partition that it calls fresh has exactly the rows that it should have."""
    found: dict[str, set[str]] = {}
    fresh: dict[str, set[str]] = {}
    for item in aqi.json("status", "--partitions", days, *LOCATIONS):
        found.setdefault(item["asset"], set()).add(item["state"])
        if item["state"] == "fresh":
            fresh.setdefault(item["asset"], set()).add(item["partition"])
    have = there_of(aqi.warehouse)
    for key in DATED:
        if key == oracle.EPISODE:  # as long as days are missing, episodes are those of the days that are there
            continue
        location, day = oracle.COLUMNS[key].index("location_key"), oracle.COLUMNS[key].index("date_utc")
        right, there = (
            [row for row in rows if f"{row[day]}/{row[location]}" in fresh.get(key, set())]
            for rows in (want[key], have[key])
        )
        assert there == right, key
    check_columns(aqi)
    return found


def check_columns(aqi: Commands) -> None:
    """What columns are made of is known of every table that has records: it came with the first of them."""
    workspace = open_workspace(load(environment={}, flags={"warehouse": {"uri": str(aqi.warehouse)}}))
    states = workspace.states(workspace.select("*"))
    recorded = {key: workspace.code_parts((key,))[key] in state.columns_of for key, state in states.items()}
    assert recorded == {key: bool(state.records) for key, state in states.items()}


def at_noon(server: str) -> dict[str, str]:
    """The environment of commands with a Prefect server and the clock of a feed."""
    return {"PREFECT_API_URL": server, "AQI_CLOCK__NOW": NOW.isoformat()}


@pytest.mark.parametrize(
    ("engine", "points"),
    [
        pytest.param("embedded", IN_A_STEP + BESIDE_STEPS, id="embedded"),
        pytest.param("spark", OF_A_COMMIT, id="spark", marks=pytest.mark.spark),
        pytest.param("spark", REST_OF_A_STEP, id="spark beside a commit", marks=[pytest.mark.spark, pytest.mark.slow]),
        pytest.param("spark", BESIDE_STEPS, id="spark beside steps", marks=[pytest.mark.spark, pytest.mark.slow]),
    ],
)
@pytest.mark.timeout(900)
def test_every_named_crash_point(server: str, tmp_path: Path, engine: str, points: tuple[str, ...]) -> None:
    """One backfill that is killed at one point after the other, and goes on each time from where it was."""
    rows = random_bronze(77, days=4, locations=["hanoi", "danang"], first=FIRST)
    want = expected(rows)
    with Feed(rows) as feed:
        aqi = Commands(tmp_path, tmp_path / "warehouse", feed.server.url, at_noon(server) | {"AQI_ENGINE": engine})
        hit = []
        for point in points:
            aqi.environment["AQI_CRASH_POINT"] = point
            done = aqi(*BACKFILL, *LOCATIONS)
            assert done.returncode == KILLED, (point, done.stdout, done.stderr)
            hit.append(point.partition(":")[0])
            del aqi.environment["AQI_CRASH_POINT"]
            if hit[-1] == "after-files":
                tables = [path.parent for path in aqi.warehouse.glob("*/*/_delta_log")]
                assert any(unnamed_files(folder) for folder in tables), "files without a commit that names them"
            states = check_status(aqi, f"{FIRST}..{LAST}", want)
            if hit[-1] != "before-journal":
                assert "missing" in states[oracle.EPISODE]
        last = aqi.json(*BACKFILL, *LOCATIONS)
        assert last["state"] == "completed"
    assert there_of(aqi.warehouse) == want
    states = check_status(aqi, f"{FIRST}..{LAST}", want)
    assert set().union(*states.values()) == {"fresh"}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("engine", "seed", "wanted"),
    [
        ("embedded", 1, 3),
        *(pytest.param("embedded", seed, 6, marks=pytest.mark.slow) for seed in (1, 2, 3, 4, 5, 6)),
        *(pytest.param("spark", seed, 6, marks=[pytest.mark.spark, pytest.mark.slow]) for seed in (1, 2)),
    ],
)
def test_random_kills(server: str, tmp_path: Path, recorded: Path, engine: str, seed: int, wanted: int) -> None:
    """So many kills of a backfill of recorded days: of Python, of the engine, of both; after one more run all is right.

    Three are of each once, in three weeks; six are in all the days that were recorded.
    """
    chance = random.Random(seed)
    print(f"seed {seed}")
    last = "2025-08-28" if wanted == 3 else "2025-09-20"
    call = ("backfill", "--start-date", "2025-08-08", "--end-date", last, "--chunk-mode", "weekly")
    environment = {"PREFECT_API_URL": server, "AQI_ENGINE": engine}
    with Simulator(now=system_clock, injected=False, replay=recorded) as simulator:
        undisturbed = Commands(tmp_path / "a", tmp_path / "undisturbed", simulator.url, dict(environment))
        started = time.monotonic()
        assert undisturbed.json(*call)["state"] == "completed"
        whole = time.monotonic() - started
        aqi = Commands(tmp_path / "b", tmp_path / "disturbed", simulator.url, dict(environment))
        kills: list[tuple[str, float]] = []
        for number in range(60):
            if len(kills) == wanted:
                break
            victim = ("python", "engine", "both")[number % 3]
            process = subprocess.Popen(
                [AQI, *call], env=aqi.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            seconds = chance.uniform(0.1, 1.0) * whole
            if kill_after(process, victim, seconds):
                kills.append((victim, round(seconds, 2)))
            out, err = process.communicate(timeout=300)
            assert process.returncode in (0, 1, KILLED), (out, err)
            if process.returncode == 0 and chance.random() < 0.7:  # it was through: give the next one work again
                done = aqi("wipe", "*", "--partitions", f"2025-08-{chance.randint(10, 28)}..2025-09-10", "--yes")
                assert done.returncode == 0, done.stderr
        print(f"kills: {kills}")
        assert len(kills) == wanted
        # The last kill may have come when all was made: a run that has nothing to make starts no engine, nor sweeps.
        assert aqi("wipe", "gold.fact_city_daily", "--partitions", "2025-08-20", "--yes").returncode == 0
        assert aqi.json(*call)["state"] == "completed"
    assert there_of(aqi.warehouse) == there_of(undisturbed.warehouse)
    states = {item["state"] for item in aqi.json("status", "--partitions", f"2025-08-08..{last}")}
    assert states == {"fresh"}
    assert scratch_of(aqi.warehouse) == []


def kill_after(process: subprocess.Popen[str], victim: str, seconds: float) -> bool:
    """kill -9 after a while; False where the run was over before."""
    time.sleep(seconds)
    if process.poll() is not None:
        return False
    python = psutil.Process(process.pid)
    engines = engines_of(python)
    targets = {"python": [python], "engine": engines, "both": [*engines, python]}[victim]
    for target in targets:
        target.kill()
    return bool(targets)


def engines_of(python: psutil.Process) -> list[psutil.Process]:
    """The JVM, or the embedded engine, of a run."""
    return [child for child in python.children(recursive=True) if is_an_engine(child)]


def is_an_engine(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):  # gone by now
        return process.name() == "java" or any(ENGINES_MODULE in word for word in process.cmdline())
    return False


def scratch_of(warehouse: Path) -> list[Path]:
    """What the embedded engine left in the warehouse."""
    return sorted((warehouse / FOLDER).glob("*"))


DIED = {"spark": "driver JVM ended", "embedded": "the embedded engine ended in mid-run: killed by signal 9"}


@embedded_and_slowly_spark
def test_an_engine_that_dies_fails_the_run_by_name_and_the_next_one_goes_on(
    server: str, tmp_path: Path, engine: str
) -> None:
    """The engine is killed after the first commit: exit status 1, every partition that is lost is named.

    It stands still before that: a step waits for it then, whatever was going on.
    """
    rows = random_bronze(78, days=3, locations=["hanoi"], first=FIRST, breaking=False)
    call = ("materialize", "*", "--partitions", "2025-03-01..2025-03-03", "--locations", "hanoi")
    with Feed(rows) as feed:
        aqi = Commands(tmp_path, tmp_path / "warehouse", feed.server.url, at_noon(server) | {"AQI_ENGINE": engine})
        process = subprocess.Popen([AQI, *call], env=aqi.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        silver = aqi.warehouse / "silver" / "air_quality_hourly_clean" / "_delta_log"
        while process.poll() is None and not silver.exists():
            time.sleep(0.01)
        (victim,) = engines_of(psutil.Process(process.pid))
        victim.suspend()
        time.sleep(2)
        victim.kill()
        out, err = process.communicate(timeout=120)
        assert process.returncode == 1, err
        assert "gold.fact_episode" in out
        assert DIED[engine] in out
        states = {(item["asset"], item["state"]) for item in aqi.json("status", "--partitions", "2025-03-01")}
        assert (oracle.EPISODE, "failed") in states
        assert aqi.json(*call)["state"] == "completed"
    assert there_of(aqi.warehouse) == expected(rows)
    assert scratch_of(aqi.warehouse) == []


def test_an_engine_that_outlives_its_run_commits_nothing_and_is_in_nobodys_way(server: str, tmp_path: Path) -> None:
    """Python alone is killed, while its engine stands still: the next run does not wait for that one, and completes.

    When it goes on, it ends, and no table has changed.
    """
    rows = random_bronze(80, days=3, locations=["hanoi"], first=FIRST, breaking=False)
    call = ("materialize", "*", "--partitions", "2025-03-01..2025-03-03", "--locations", "hanoi")
    with Feed(rows) as feed:
        aqi = Commands(tmp_path, tmp_path / "warehouse", feed.server.url, at_noon(server))
        process = subprocess.Popen([AQI, *call], env=aqi.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        silver = aqi.warehouse / "silver" / "air_quality_hourly_clean" / "_delta_log"
        while process.poll() is None and not silver.exists():
            time.sleep(0.01)
        (survivor,) = engines_of(psutil.Process(process.pid))
        survivor.suspend()
        try:
            time.sleep(1)  # by then a step waits for it
            process.kill()
            process.wait()
            summary = aqi.json(*call)
            assert summary["state"] == "completed"
            assert survivor.status() == psutil.STATUS_STOPPED, "it was there all the while"
            assert summary["application_id"] != f"embedded-{survivor.pid}"
            before = tree(aqi.warehouse)
        finally:
            survivor.resume()
        gone, _ = psutil.wait_procs([survivor], 10)
        assert gone == [survivor]
    assert tree(aqi.warehouse) == before
    assert scratch_of(aqi.warehouse) == []
    assert there_of(aqi.warehouse) == expected(rows)


@pytest.mark.parametrize("point", [pytest.param("before-write", marks=pytest.mark.slow), "after-commit"])
def test_an_engine_goes_with_its_run(server: str, tmp_path: Path, point: str) -> None:
    """Python alone is killed: its engine ends by itself, and takes with it what it kept."""
    rows = random_bronze(81, days=2, locations=["hanoi"], first=FIRST, breaking=False)
    call = ("materialize", "*", "--partitions", "2025-03-01..2025-03-02", "--locations", "hanoi")
    with Feed(rows) as feed:
        aqi = Commands(tmp_path, tmp_path / "warehouse", feed.server.url, at_noon(server))
        process = subprocess.Popen(
            [AQI, *call],
            env=aqi.env | {"AQI_CRASH_POINT": point},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        engines: list[psutil.Process] = []
        python = psutil.Process(process.pid)
        while process.poll() is None:
            with contextlib.suppress(psutil.Error):
                engines = engines_of(python) or engines
            time.sleep(0.01)
        assert (process.returncode, len(engines)) == (KILLED, 1)
        _, alive = psutil.wait_procs(engines, 10)
        assert alive == []
        assert [path for path in scratch_of(aqi.warehouse) if path.is_dir()] == []


@embedded_and_slowly_spark
def test_two_runs_at_once(server: str, tmp_path: Path, engine: str) -> None:
    """Two processes want the same days: one waits for the other, and then has nothing to do."""
    rows = random_bronze(79, days=3, locations=["hanoi"], first=FIRST, breaking=False)
    call = ("materialize", "*", "--partitions", "2025-03-01..2025-03-03", "--locations", "hanoi", "--json")
    with Feed(rows) as feed:
        aqi = Commands(tmp_path, tmp_path / "warehouse", feed.server.url, at_noon(server) | {"AQI_ENGINE": engine})
        runs = [
            subprocess.Popen([AQI, *call], env=aqi.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        said = [run.communicate(timeout=280) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    waited = [f"(process {other.pid} on" in err for (_, err), other in zip(said, reversed(runs), strict=True)]
    assert sorted(waited) == [False, True], said  # the second was told who is the first
    assert there_of(aqi.warehouse) == expected(rows)
    workspace = open_workspace(load(environment={}, flags={"warehouse": {"uri": str(aqi.warehouse)}}))
    for asset in workspace.catalog:
        records = workspace.warehouse.state(asset).records.values()
        assert len({record.run_id for record in records}) == 1, asset.key
