"""Columns that were added: a warehouse of before opens fresh; they are filled where rows are made, and on request.

The warehouse is one that commit f94dd64 made, from five recorded days; see ``tests/support/kept``.
"""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from orchestration.engine.changes.changed import costs
from orchestration.reports.status import read_status
from resources.simulator.server import Simulator
from tests.support import oracle
from tests.support.kept.added import ADDED, lacks, of_then
from tests.support.kept.trees import KEPT_BEFORE_LOCAL_TIME, data_files, unpack
from tests.support.small_lake import Lake

pytestmark = pytest.mark.engine

OLD, NEW, FORCED = "2025-08-08..2025-08-12", "2025-08-13", "2025-08-10"
DAY_OF = {oracle.FACT_HOURLY: "date_utc", oracle.CITY_DAILY: "date_utc", oracle.EPISODE: "start_date_utc"}
LOCATIONS = [
    {"key": "hanoi", "name": "Hà Nội", "latitude": 21.0278, "longitude": 105.8342, "timezone": "Asia/Ho_Chi_Minh"},
    {"key": "hcmc", "name": "TP.HCM", "latitude": 10.8231, "longitude": 106.6297, "timezone": "Asia/Ho_Chi_Minh"},
    {"key": "danang", "name": "Đà Nẵng", "latitude": 16.0544, "longitude": 108.2022, "timezone": "Asia/Ho_Chi_Minh"},
]


@pytest.fixture(scope="session")
def _before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(tmp_path_factory.mktemp("before") / "warehouse", KEPT_BEFORE_LOCAL_TIME)


@pytest.fixture
def shared(request: pytest.FixtureRequest) -> Any:
    """The embedded engine, unless a test names another one."""
    return request.getfixturevalue(getattr(request, "param", "embedded"))


@pytest.fixture
def lake(tmp_path: Path, _before: Path, shared: Any) -> Lake:
    shutil.copytree(_before, tmp_path / "warehouse")
    return Lake(tmp_path / "warehouse", shared, "http://127.0.0.1:9", now=datetime(2026, 1, 1, tzinfo=UTC))


def without(lake: Lake) -> dict[str, set[date]]:
    """By table, the days of partitions that are marked to lack all that was added; all partitions are fresh."""
    found: dict[str, set[date]] = {}
    for item in read_status(lake.workspace, lake.workspace.catalog.keys):
        assert item.state == "fresh", item
        assert item.marks in ((), lacks(item.asset)), item
        if item.marks:
            assert item.partition.day is not None
            found.setdefault(item.asset, set()).add(item.partition.day)
    return found


def filled(lake: Lake, key: str) -> set[date]:
    """The days whose rows have values in all that was added; no row has some of them."""
    days = set()
    for row in lake.rows(key):
        there = {row[name] is not None for name in ADDED[key]}
        assert len(there) == 1, row
        days |= {row[DAY_OF[key]]} if there == {True} else set()
    return days


def old_rows(lake: Lake, key: str) -> list[dict[str, Any]]:
    """The rows of the old days in the columns of then."""
    rows = of_then((row for row in lake.rows(key) if row[DAY_OF[key]] <= date(2025, 8, 12)), key)
    return sorted(rows, key=lambda row: (row["location_key"], row.get("ts_utc") or row[DAY_OF[key]], str(row)))


OLD_DAYS = {date(2025, 8, day) for day in range(8, 13)}


def test_it_opens_fresh_and_grows_without_a_row(lake: Lake) -> None:
    files = data_files(lake.folder)
    assert without(lake) == dict.fromkeys(ADDED, OLD_DAYS)
    told = costs(lake.workspace, lake.workspace.catalog.keys)
    assert told.steps == () and told.plan.left_out == ()
    assert {change.asset: change.added for change in told.plan.tables if change.added} == ADDED
    assert lake.materialize(OLD).outcomes == ()
    assert data_files(lake.folder) == files
    assert without(lake) == dict.fromkeys(ADDED, OLD_DAYS)


@pytest.mark.parametrize(
    "shared", ["embedded", pytest.param("on_spark", marks=[pytest.mark.spark, pytest.mark.slow])], indirect=True
)
def test_new_days_and_forced_ones_have_the_columns_and_old_ones_stay(lake: Lake) -> None:
    """Old values and ids are untouched; a time zone that changes concerns the days alone that have local time."""
    then = {key: old_rows(lake, key) for key in ADDED}
    with Simulator(now=lambda: lake.now) as simulator:
        lake.base_url = simulator.url
        assert lake.materialize(NEW).ok
    new, forced = date.fromisoformat(NEW), date.fromisoformat(FORCED)
    hours = [row for row in lake.rows(oracle.FACT_HOURLY) if row["date_utc"] == new]
    assert len(hours) == 3 * 24 and {row["ts_local"][-6:] for row in hours} == {"+07:00"}
    assert filled(lake, oracle.FACT_HOURLY) == filled(lake, oracle.CITY_DAILY) == {new}
    assert filled(lake, oracle.EPISODE) <= {date(2025, 8, 12), new}, "an episode that goes on is made anew"
    lacking = without(lake)
    assert lacking[oracle.FACT_HOURLY] == lacking[oracle.CITY_DAILY] == OLD_DAYS

    facts = f"{oracle.FACT_HOURLY} or {oracle.CITY_DAILY} or {oracle.EPISODE}"
    assert lake.materialize(FORCED, facts, force=True).ok
    assert without(lake)[oracle.FACT_HOURLY] == OLD_DAYS - {forced}
    assert filled(lake, oracle.FACT_HOURLY) == filled(lake, oracle.CITY_DAILY) == {forced, new}
    assert {key: old_rows(lake, key) for key in ADDED} == then
    silver = [row for row in lake.rows(oracle.SILVER) if row["date_utc"] in (forced, new)]
    want = oracle.canonical(oracle.fact_hourly(silver), oracle.COLUMNS[oracle.FACT_HOURLY])
    rows = [row for row in lake.rows(oracle.FACT_HOURLY) if row["date_utc"] in (forced, new)]
    assert oracle.canonical(rows, oracle.COLUMNS[oracle.FACT_HOURLY]) == want

    lake.flags = {"locations": [LOCATIONS[0] | {"timezone": "Asia/Kathmandu"}, *LOCATIONS[1:]]}
    stale = {str(key) for key in lake.states(oracle.FACT_HOURLY)[oracle.FACT_HOURLY]["stale"]}
    assert stale == {f"{FORCED}/hanoi", f"{NEW}/hanoi"}
    assert lake.materialize(f"2025-08-08..{NEW}").ok
    offsets = {
        (row["date_utc"], row["location_key"], (row["ts_local"] or "")[-6:]) for row in lake.rows(oracle.FACT_HOURLY)
    }
    assert {one for one in offsets if one[1] == "hanoi" and one[2]} == {
        (forced, "hanoi", "+05:45"),
        (new, "hanoi", "+05:45"),
    }
    assert {key: old_rows(lake, key) for key in ADDED} == then
    assert without(lake)[oracle.FACT_HOURLY] == OLD_DAYS - {forced}
