"""A location gets another key: the tables are those that it would have made, and nothing is fetched or made."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from orchestration.cli.progress import Quiet
from orchestration.core.errors import UsageError, WarehouseError
from orchestration.engine.changes.rename import planned_rename, run_rename
from orchestration.engine.executor import materialize
from orchestration.engine.wipe import run_wipes
from resources.delta.pending import Pending
from resources.simulator.server import Simulator
from tests.support import oracle
from tests.support.kept.added import columns_of_then
from tests.support.kept.trees import RANGE, all_of_then, commits, unpack
from tests.support.small_lake import DATED, Lake

pytestmark = pytest.mark.engine

OLD, NEW = "hanoi", "ha_noi"
QUIET = Quiet(Console(stderr=True))
LOCATIONS = [
    {"key": NEW, "name": "Hà Nội", "latitude": 21.0278, "longitude": 105.8342, "timezone": "Asia/Ho_Chi_Minh"},
    {"key": "hcmc", "name": "TP.HCM", "latitude": 10.8231, "longitude": 106.6297, "timezone": "Asia/Ho_Chi_Minh"},
    {"key": "danang", "name": "Đà Nẵng", "latitude": 16.0544, "longitude": 108.2022, "timezone": "Asia/Ho_Chi_Minh"},
]


@pytest.fixture(scope="module")
def _kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(tmp_path_factory.mktemp("kept") / "warehouse")


@pytest.fixture
def shared(request: pytest.FixtureRequest) -> Any:
    """The embedded engine, unless a test names another one."""
    return request.getfixturevalue(getattr(request, "param", "embedded"))


@pytest.fixture
def lake(tmp_path: Path, _kept: Path, shared: Any) -> Lake:
    shutil.copytree(_kept, tmp_path / "warehouse")
    return Lake(tmp_path / "warehouse", shared, "http://127.0.0.1:9", now=datetime(2026, 1, 1, tzinfo=UTC))


def rename(lake: Lake, old: str = OLD, new: str = NEW) -> Any:
    return run_rename(lake.workspace, old, new, QUIET, lake.shared.make)


def all_fresh(lake: Lake) -> bool:
    return all(set(found) == {"fresh"} for found in lake.states(all_of_then()).values())


def under_the_new_key(lake: Lake) -> dict[str, Any]:
    """All dated tables, by the independent oracle, from bronze's rows with the new key in place of the old one."""
    bronze = [row | {"location_key": NEW} if row["location_key"] == OLD else row for row in lake.rows(oracle.BRONZE)]
    silver = oracle.silver(bronze)
    hourly = oracle.fact_hourly(silver)
    made = (bronze, silver, oracle.quarantine(bronze), hourly, oracle.city_daily(hourly), oracle.episodes(hourly))
    return {key: oracle.canonical(rows, columns_of_then(key)) for key, rows in zip(DATED, made, strict=True)}


def tables(lake: Lake) -> dict[str, Any]:
    """All dated tables, in the columns of then."""
    return {key: oracle.canonical(lake.rows(key), columns_of_then(key)) for key in DATED}


@pytest.mark.parametrize(
    ("first", "shared"),
    [
        ("the tables", "embedded"),
        ("the configuration", "embedded"),
        pytest.param("the configuration", "on_spark", marks=[pytest.mark.spark, pytest.mark.slow]),
    ],
    indirect=["shared"],
)
def test_a_location_is_renamed(lake: Lake, first: str) -> None:
    """A commit a table, whichever is changed first, the tables or the configuration; ids are the new key's."""
    want, before = under_the_new_key(lake), commits(lake.folder)
    if first == "the configuration":
        lake.flags = {"locations": LOCATIONS}
    done = rename(lake)
    assert done.still_named == (() if lake.flags else ("locations",))
    lake.flags = {"locations": LOCATIONS}
    assert tables(lake) == want
    assert {row["location_key"] for row in lake.rows("gold.dim_location")} == {NEW, "hcmc", "danang"}
    now = commits(lake.folder)
    assert {key for key in now if now[key] == before[key] + 1} == {*DATED, "gold.dim_location"}
    assert all_fresh(lake)
    plan = lake.materialize(RANGE).plan
    assert (plan.steps, plan.left_out) == ((), ())  # what contracts describe otherwise since is metadata
    assert Pending(str(lake.folder)).read() is None


def test_there_and_back(lake: Lake) -> None:
    """And a name is changed between: records of a version that hangs on it follow through both."""
    want = tables(lake)
    rename(lake)
    lake.flags = {"locations": [LOCATIONS[0] | {"name": "Hanoi"}, *LOCATIONS[1:]]}
    assert {step.asset for step in lake.materialize(RANGE).plan.steps} == {"gold.dim_location"}
    assert all_fresh(lake)
    rename(lake, NEW, OLD)
    lake.flags = {}
    assert tables(lake) == want
    assert {step.asset for step in lake.materialize(RANGE).plan.steps} == {"gold.dim_location"}
    assert all_fresh(lake)


def test_what_was_stale_stays_so(lake: Lake) -> None:
    """A partition whose upstream was wiped is as stale under the new key as it was under the old one."""
    workspace = lake.workspace
    request = workspace.requested([oracle.SILVER], "2025-08-10", [OLD])
    run_wipes(workspace, request, QUIET)
    rename(lake)
    lake.flags = {"locations": LOCATIONS}
    states = lake.states(all_of_then())
    assert states[oracle.FACT_HOURLY]["stale"] == [f"2025-08-10/{NEW}"]
    assert oracle.BRONZE in states and set(states[oracle.BRONZE]) == {"fresh"}
    assert lake.materialize(RANGE).ok
    assert all_fresh(lake)


def test_the_same_call_again_has_nothing_to_do(lake: Lake) -> None:
    rename(lake)
    before = commits(lake.folder)
    assert rename(lake).tables == ()
    assert commits(lake.folder) == before


def test_a_key_that_only_the_table_of_locations_has(lake: Lake) -> None:
    lake.flags = {
        "locations": [LOCATIONS[0] | {"key": OLD}, *LOCATIONS[1:], LOCATIONS[0] | {"key": "fiji", "latitude": -18.1}]
    }
    assert lake.materialize(RANGE, "gold.dim_location").ok
    lake.flags = {}
    with pytest.raises(UsageError, match=r"gold\.dim_location has both 'hanoi' and 'fiji'"):
        planned_rename(lake.workspace, OLD, "fiji")


def test_what_was_fetched_under_the_new_key_before_the_rename(lake: Lake) -> None:
    """The configuration came first, and a run: the remedy names just what that run fetched."""
    lake.flags = {"locations": LOCATIONS}
    with Simulator(now=lambda: lake.now) as simulator:
        lake.base_url = simulator.url
        assert lake.materialize("2025-08-20..2025-08-21", "bronze.*").ok
    with pytest.raises(UsageError, match="has 2 partitions of 'ha_noi' already") as refused:
        planned_rename(lake.workspace, OLD, NEW)
    assert f"aqi wipe '*' --partitions 2025-08-20..2025-08-21 --locations {NEW}" in refused.value.remedy
    workspace = lake.workspace
    run_wipes(workspace, workspace.to_wipe(workspace.catalog.keys, "2025-08-20..2025-08-21", [NEW]), QUIET)
    rename(lake)
    assert all_fresh(lake)


def test_rows_that_somebody_changed_while_it_was_broken_off(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are not vouched for: the table is restored first."""
    from deltalake import DeltaTable

    from resources.machine import failpoints

    def die(point: str) -> None:
        if point == "between-tables":
            raise Broken

    want = under_the_new_key(lake)
    monkeypatch.setattr(failpoints, "reach", die)
    with pytest.raises(Broken):
        rename(lake)
    monkeypatch.undo()
    table = DeltaTable(lake.uri(oracle.CITY_DAILY))
    table.update(updates={"hours_measured": "1"}, predicate="location_key = 'hanoi' and date_utc = '2025-08-09'")
    with pytest.raises(WarehouseError, match="somebody else changed it while the rename was under way") as refused:
        rename(lake)
    assert "Restore the table to its version 1" in refused.value.remedy
    DeltaTable(lake.uri(oracle.CITY_DAILY)).restore(1)
    rename(lake)
    assert tables(lake) == want


class Broken(BaseException):
    pass


@pytest.mark.parametrize("commit", [0, 1, 3, 6])
def test_broken_off_it_is_gone_on_with(lake: Lake, commit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any commit, or after some: runs and wipes are refused by name, the same call does the rest."""
    from orchestration.engine.changes import rename as module
    from resources.machine import failpoints

    want = under_the_new_key(lake)
    reached = []

    def die(point: str) -> None:
        if point == "between-tables" or (point == "rename-begun" and not commit):
            reached.append(point)
            if len(reached) >= max(1, commit):
                raise Broken

    monkeypatch.setattr(failpoints, "reach", die)
    with pytest.raises(Broken):
        rename(lake)
    monkeypatch.undo()
    workspace = lake.workspace
    request = workspace.requested([oracle.CITY_DAILY], RANGE)
    with pytest.raises(UsageError, match=f"`aqi location rename {OLD} {NEW}` is under way") as refused:
        materialize(workspace, request, QUIET, title="", make_engine=lake.shared.make)
    assert f"Call `aqi location rename {OLD} {NEW}` again" in refused.value.remedy
    with pytest.raises(UsageError, match="is under way"):
        run_wipes(workspace, request, QUIET)
    with pytest.raises(UsageError, match="is under way"):
        planned_rename(workspace, OLD, "elsewhere")
    lake.flags = {"locations": LOCATIONS}
    assert len(rename(lake).tables) == 7 - commit
    assert tables(lake) == want
    assert all_fresh(lake)
    assert module.Pending(str(lake.folder)).read() is None


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (OLD, "hcmc", "has 14 partitions of 'hcmc' already"),
        (OLD, "Hà Nội", "a key is lower-case letters"),
        (OLD, OLD, "the new key is the old one"),
        ("atlantis", "lemuria", "no table has it"),
    ],
)
def test_what_cannot_be_renamed(lake: Lake, old: str, new: str, says: str) -> None:
    before = commits(lake.folder)
    with pytest.raises(UsageError, match=says):
        planned_rename(lake.workspace, old, new)
    assert commits(lake.folder) == before
    assert Pending(str(lake.folder)).read() is None
