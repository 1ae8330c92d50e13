"""kill -9 of real runs at named and at random moments: nothing is lost or doubled; the next run finishes the work."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from orchestration.project import load, open_workspace
from resources.delta.log import DeltaLog
from resources.machine.crash_points import POINTS
from resources.simulator.server import Simulator
from tests.assets.test_tables import expected
from tests.support import oracle
from tests.support.aqi_process import AQI, Commands
from tests.support.feed import Feed
from tests.support.small_lake import DATED, NOW, Lake
from tests.support.strategies import random_bronze

pytestmark = [pytest.mark.spark, pytest.mark.prefect]

FIRST, LAST = date(2025, 3, 1), date(2025, 3, 4)
BACKFILL = ("backfill", "--start-date", str(FIRST), "--end-date", str(LAST), "--chunk-mode", "daily")
PLACES = ("--locations", "hanoi,danang")
KILLED = -signal.SIGKILL
OF_CHANGES = {"tables-changed", "rename-begun", "between-tables", "before-rename-ends"}
"""Points that only changes of tables reach: test_kill_changes has them."""


def tables_of(warehouse: Path) -> dict[str, Any]:
    """The dated tables; a table that is not there has no rows."""
    lake = Lake(warehouse, None, "http://127.0.0.1:9")
    there = [key for key, version in lake.versions().items() if version is not None and key in DATED]
    return {key: [] for key in DATED} | lake.tables(there)


def unnamed_files(folder: Path) -> set[str]:
    """Data files of a table that no commit names."""
    log = DeltaLog(str(folder))
    named = {action["add"]["path"] for version in log.versions() for action in log.actions(version) if "add" in action}
    return {path.name for path in folder.glob("*.parquet")} - named


def check_status(aqi: Commands, days: str, want: dict[str, Any]) -> dict[str, set[str]]:
    """The command's states by asset; every partition that it calls fresh has exactly the rows that it should have."""
    found: dict[str, set[str]] = {}
    fresh: dict[str, set[str]] = {}
    for item in aqi.json("status", "--partitions", days, *PLACES):
        found.setdefault(item["asset"], set()).add(item["state"])
        if item["state"] == "fresh":
            fresh.setdefault(item["asset"], set()).add(item["partition"])
    have = tables_of(aqi.warehouse)
    for key in DATED:
        if key == oracle.EPISODE:  # as long as days are missing, episodes are those of the days that are there
            continue
        place, day = oracle.COLUMNS[key].index("location_key"), oracle.COLUMNS[key].index("date_utc")
        right, there = (
            [row for row in rows if f"{row[day]}/{row[place]}" in fresh.get(key, set())]
            for rows in (want[key], have[key])
        )
        assert there == right, key
    return found


@pytest.mark.timeout(900)
def test_every_named_crash_point(server: str, tmp_path: Path) -> None:
    """One backfill that is killed at one point after the other, and goes on each time from where it was."""
    rows = random_bronze(77, days=4, locations=["hanoi", "danang"], first=FIRST)
    want = expected(rows)
    with Feed(rows) as feed:
        aqi = Commands(tmp_path, tmp_path / "warehouse", feed.server.url, {"PREFECT_API_URL": server})
        aqi.environment["AQI_CLOCK__NOW"] = NOW.isoformat()
        hit = []
        for point in (
            "before-write",
            "before-commit",
            "after-files:1:both",
            "after-commit",
            "between-chunks",
            "before-journal",
        ):
            aqi.environment["AQI_CRASH_POINT"] = point
            done = aqi(*BACKFILL, *PLACES)
            assert done.returncode == KILLED, (point, done.stdout, done.stderr)
            hit.append(point.partition(":")[0])
            del aqi.environment["AQI_CRASH_POINT"]
            if hit[-1] == "after-files":
                tables = [path.parent for path in aqi.warehouse.glob("*/*/_delta_log")]
                assert any(unnamed_files(folder) for folder in tables), "files without a commit that names them"
            states = check_status(aqi, f"{FIRST}..{LAST}", want)
            if hit[-1] != "before-journal":
                assert "missing" in states[oracle.EPISODE]
        assert sorted(hit) == sorted(set(POINTS) - OF_CHANGES)
        last = aqi.json(*BACKFILL, *PLACES)
        assert last["state"] == "completed"
    assert tables_of(aqi.warehouse) == want
    states = check_status(aqi, f"{FIRST}..{LAST}", want)
    assert set().union(*states.values()) == {"fresh"}


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_random_kills(server: str, tmp_path: Path, recorded: Path, seed: int) -> None:
    """Six kills a backfill of the recorded days, of Python, of the JVM, of both; after one more run all is right."""
    chance = random.Random(seed)
    print(f"seed {seed}")
    call = ("backfill", "--start-date", "2025-08-08", "--end-date", "2025-09-20", "--chunk-mode", "weekly")
    with Simulator(now=lambda: datetime(2026, 1, 1, tzinfo=UTC), replay=recorded) as simulator:
        undisturbed = Commands(tmp_path / "a", tmp_path / "undisturbed", simulator.url, {"PREFECT_API_URL": server})
        assert undisturbed.json(*call)["state"] == "completed"
        aqi = Commands(tmp_path / "b", tmp_path / "disturbed", simulator.url, {"PREFECT_API_URL": server})
        kills: list[tuple[str, float]] = []
        for number in range(60):
            if len(kills) == 6:
                break
            victim = ("python", "jvm", "both")[number % 3]
            process = subprocess.Popen(
                [AQI, *call], env=aqi.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            seconds = chance.uniform(1.0, 16.0)
            if kill_after(process, victim, seconds):
                kills.append((victim, round(seconds, 2)))
            out, err = process.communicate(timeout=300)
            assert process.returncode in (0, 1, KILLED), (out, err)
            if process.returncode == 0 and chance.random() < 0.7:  # it was through: give the next one work again
                done = aqi("wipe", "*", "--partitions", f"2025-08-{chance.randint(10, 28)}..2025-09-10", "--yes")
                assert done.returncode == 0, done.stderr
        print(f"kills: {kills}")
        assert len(kills) == 6
        last = aqi.json(*call)
        assert last["state"] == "completed"
    assert tables_of(aqi.warehouse) == tables_of(undisturbed.warehouse)
    states = {item["state"] for item in aqi.json("status", "--partitions", "2025-08-08..2025-09-20")}
    assert states == {"fresh"}


def kill_after(process: subprocess.Popen[str], victim: str, seconds: float) -> bool:
    """kill -9 after a while; False where the run was over before."""
    time.sleep(seconds)
    if process.poll() is not None:
        return False
    python = psutil.Process(process.pid)
    jvms = [child for child in python.children(recursive=True) if child.name() == "java"]
    targets = {"python": [python], "jvm": jvms, "both": [*jvms, python]}[victim]
    for target in targets:
        target.kill()
    return bool(targets)


def test_a_jvm_that_dies_fails_the_run_by_name_and_the_next_one_goes_on(server: str, tmp_path: Path) -> None:
    """The JVM is killed after the first commit: exit status 1, every partition that is lost is named."""
    rows = random_bronze(78, days=3, locations=["hanoi"], first=FIRST, breaking=False)
    call = ("materialize", "*", "--partitions", "2025-03-01..2025-03-03", "--locations", "hanoi")
    with Feed(rows) as feed:
        aqi = Commands(tmp_path, tmp_path / "warehouse", feed.server.url, {"PREFECT_API_URL": server})
        process = subprocess.Popen([AQI, *call], env=aqi.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        silver = aqi.warehouse / "silver" / "air_quality_hourly_clean" / "_delta_log"
        while process.poll() is None and not silver.exists():
            time.sleep(0.05)
        assert kill_after(process, "jvm", 0)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 1, err
        assert "gold.fact_episode" in out
        assert "driver JVM ended" in out
        states = {(item["asset"], item["state"]) for item in aqi.json("status", "--partitions", "2025-03-01")}
        assert (oracle.EPISODE, "failed") in states
        assert aqi.json(*call)["state"] == "completed"
    assert tables_of(aqi.warehouse) == expected(rows)


def test_two_runs_at_once(server: str, tmp_path: Path) -> None:
    """Two processes want the same days: one waits for the other, and then has nothing to do."""
    rows = random_bronze(79, days=3, locations=["hanoi"], first=FIRST, breaking=False)
    call = ("materialize", "*", "--partitions", "2025-03-01..2025-03-03", "--locations", "hanoi", "--json")
    with Feed(rows) as feed:
        aqi = Commands(tmp_path, tmp_path / "warehouse", feed.server.url, {"PREFECT_API_URL": server})
        runs = [
            subprocess.Popen([AQI, *call], env=aqi.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        said = [run.communicate(timeout=280) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    waited = [f"(process {other.pid} on" in err for (_, err), other in zip(said, reversed(runs), strict=True)]
    assert sorted(waited) == [False, True], said  # the second was told who is the first
    assert tables_of(aqi.warehouse) == expected(rows)
    workspace = open_workspace(load(environment={}, flags={"warehouse": {"uri": str(aqi.warehouse)}}))
    for asset in workspace.catalog:
        records = workspace.warehouse.state(asset).records.values()
        assert len({record.run_id for record in records}) == 1, asset.key
