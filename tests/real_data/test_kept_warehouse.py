"""What commit d35dc26 made opens in this version, and changes of code, contracts and configuration keep it.

Each change is made in a copy of the project, on a copy of the kept warehouse; `aqi plan --changed` says beforehand what
the run then does. The source is not there: what would fetch, fails.
"""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from orchestration.cli.progress import Quiet
from orchestration.core.errors import UsageError
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.planning.plan import Obstacle
from orchestration.core.runs.outcome import RunSummary
from orchestration.engine.changes.changed import costs
from orchestration.engine.changes.locations import check_swapped, locations_of
from orchestration.engine.changes.rename import run_rename
from orchestration.engine.wipe import run_wipes
from orchestration.reports.status import read_status
from resources.machine.clock import system_clock
from resources.simulator.server import Simulator
from tests.support.kept.added import ADDED, grown, lacks, of_then
from tests.support.kept.trees import RANGE, Tree, all_of_then, commits, data_files, unpack
from tests.support.small_lake import FETCHED, Lake

pytestmark = pytest.mark.engine

BRONZE, SILVER, QUARANTINE = (
    "bronze.open_meteo_hourly",
    "silver.air_quality_hourly_clean",
    "silver.air_quality_hourly_quarantine",
)
HOURLY, DAILY, EPISODE = "gold.fact_air_quality_hourly", "gold.fact_city_daily", "gold.fact_episode"
DIM_LOCATION = "gold.dim_location"
FRESH = {("fresh", ())}
IDENTIFIERS = "from assets.identifiers import identifier, iso_day, iso_instant\n"


@pytest.fixture(scope="session")
def _kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(tmp_path_factory.mktemp("kept") / "warehouse")


@pytest.fixture
def tree(tmp_path: Path, _kept: Path) -> Tree:
    """A copy of the project on a copy of the kept warehouse."""
    shutil.copytree(_kept, tmp_path / "warehouse")
    return Tree.copy(tmp_path / "project", tmp_path / "warehouse")


def steps(planned: Any) -> dict[str, int]:
    """Partitions per asset that a plan, or a run's summary, has steps for."""
    return {step["asset"]: len(step["partitions"]) + len(step["may_rewrite"]) for step in planned["steps"]}


def runs_as_planned(tree: Tree, *, refetch: bool = False) -> tuple[Any, Any]:
    """`aqi plan --changed`, then the run over everything: the same steps, the same left out. Gives both."""
    costs = tree.json("plan", "--changed", status=3 if refetch else 0)
    summary = tree.json("materialize", all_of_then(), "--partitions", RANGE)
    for name in ("id", "asset", "partitions", "may_rewrite", "inputs", "reason"):
        assert [step[name] for step in costs["steps"]] == [step[name] for step in summary["steps"]]
    assert costs["left_out"] == summary["left_out"]
    assert costs["tables"] == summary.get("tables", [])
    return costs, summary


def written(summary: Any) -> dict[str, int]:
    return {step["asset"]: len(step["written"]) for step in summary["steps"] if step["written"]}


def test_it_opens_fresh_without_a_row_and_a_request(tree: Tree) -> None:
    """A commit of metadata for each table whose contract has grown, or has other descriptions."""
    before, files = commits(tree.warehouse), data_files(tree.warehouse)
    opened = {key: {("fresh", lacks(key))} for key in before}
    assert tree.states() == opened
    assert commits(tree.warehouse) == before
    costs, _ = runs_as_planned(tree)
    assert costs["steps"] == costs["left_out"] == []
    assert {table["asset"]: tuple(table["added"]) for table in costs["tables"] if table["added"]} == ADDED
    assert {item["asset"] for item in costs["accepted"]} == set(before)
    assert grown(before, tree.warehouse) == {table["asset"] for table in costs["tables"]}
    assert data_files(tree.warehouse) == files
    assert tree.states() == opened
    again, _ = runs_as_planned(tree)
    assert again["steps"] == again["tables"] == []


# Configuration ------------------------------------------------------------------------------------------------------


@pytest.fixture
def shared(request: pytest.FixtureRequest) -> Any:
    """The embedded engine, unless a test names another one."""
    return request.getfixturevalue(getattr(request, "param", "embedded"))


@pytest.fixture
def lake(tmp_path: Path, _kept: Path, shared: Any) -> Lake:
    """The kept warehouse for runs on a shared engine; nobody answers at the source."""
    shutil.copytree(_kept, tmp_path / "warehouse")
    return Lake(tmp_path / "warehouse", shared, "http://127.0.0.1:9", now=datetime(2026, 1, 1, tzinfo=UTC))


LOCATIONS = [
    {"key": "hanoi", "name": "Hà Nội", "latitude": 21.0278, "longitude": 105.8342, "timezone": "Asia/Ho_Chi_Minh"},
    {"key": "hcmc", "name": "TP.HCM", "latitude": 10.8231, "longitude": 106.6297, "timezone": "Asia/Ho_Chi_Minh"},
    {"key": "danang", "name": "Đà Nẵng", "latitude": 16.0544, "longitude": 108.2022, "timezone": "Asia/Ho_Chi_Minh"},
]


def configured(lake: Lake, **hanoi: Any) -> None:
    """With other values of Hà Nội; ``key=None``: without it."""
    locations = [LOCATIONS[0] | hanoi, *LOCATIONS[1:]] if hanoi.get("key", "") is not None else LOCATIONS[1:]
    lake.flags = {**lake.flags, "locations": locations}


def run_as_planned(lake: Lake, *, status: int = 0) -> RunSummary:
    """What `aqi plan --changed` says is what a run over everything does, and leaves."""
    told = costs(lake.workspace, lake.workspace.catalog.keys)
    assert told.exit_status == status
    summary = lake.materialize(RANGE)
    assert [cost.step for cost in told.steps] == list(summary.plan.steps)
    assert told.plan.left_out == summary.plan.left_out
    assert told.plan.tables == summary.plan.tables
    assert all(not outcome.not_made for outcome in summary.outcomes)
    return summary


def planned(summary: RunSummary) -> dict[str, int]:
    return {step.asset: len(step.all_partitions) for step in summary.plan.steps}


def made(summary: RunSummary) -> dict[str, int]:
    return {outcome.step.asset: len(outcome.written) for outcome in summary.outcomes if outcome.written}


def all_fresh(lake: Lake) -> bool:
    return all(set(found) == {"fresh"} for found in lake.states(all_of_then()).values())


def marks(lake: Lake, key: str) -> set[tuple[str, ...]]:
    return {item.marks for item in read_status(lake.workspace, [key])}


def test_a_display_name_and_a_time_zone(lake: Lake) -> None:
    """Only the table of locations is made; and what was made under the old name stays fresh although it is gone."""
    configured(lake, name="Ha Noi", timezone="Asia/Bangkok")
    before, files = commits(lake.folder), data_files(lake.folder)
    summary = run_as_planned(lake)
    assert planned(summary) == made(summary) == {DIM_LOCATION: 1}
    more = {key: number - before[key] for key, number in commits(lake.folder).items() if number != before[key]}
    grew = {table.asset for table in summary.plan.tables}
    assert more == dict.fromkeys(grew, 1) | {DIM_LOCATION: more[DIM_LOCATION]}
    assert data_files(lake.folder) == files | {DIM_LOCATION: files[DIM_LOCATION] + 1}
    assert all_fresh(lake)
    assert run_as_planned(lake).plan.is_empty
    configured(lake, name="Hanoi again")
    assert planned(run_as_planned(lake)) == {DIM_LOCATION: 1}
    assert all_fresh(lake)


def test_the_old_name_is_known_when_its_rows_are_gone_for_good(lake: Lake) -> None:
    """The table of locations is wiped and made anew: its commits carry what bronze's versions hang on."""
    configured(lake, name="Ha Noi")
    workspace = lake.workspace
    assert run_wipes(workspace, workspace.requested([DIM_LOCATION], None), Quiet(Console(stderr=True)))
    assert planned(lake.materialize(RANGE)) == {DIM_LOCATION: 1}
    assert all_fresh(lake)


def test_a_threshold_is_of_episodes_only(lake: Lake) -> None:
    lake.flags = {"rules": {"episode": {"threshold": 120}}}
    summary = run_as_planned(lake)
    assert set(planned(summary)) == {EPISODE}
    assert all_fresh(lake)


@pytest.mark.parametrize(
    "shared", ["embedded", pytest.param("on_spark", marks=[pytest.mark.spark, pytest.mark.slow])], indirect=True
)
def test_coordinates_that_move_a_little_are_rewritten(lake: Lake) -> None:
    """0.001 degrees: bronze of that location from its own rows, without the network, and what follows from it."""
    then = {key: lake.rows(key) for key in (BRONZE, DAILY, EPISODE)}
    configured(lake, latitude=21.0288)
    summary = run_as_planned(lake)
    hours = {BRONZE: 14, SILVER: 14, HOURLY: 14, DIM_LOCATION: 1}
    assert made(summary) == hours | {DAILY: 14, EPISODE: 4}, "with the columns that were added"
    assert set(planned(summary)) == {BRONZE, SILVER, QUARANTINE, HOURLY, DAILY, EPISODE, DIM_LOCATION}
    assert all_fresh(lake)
    anew = {"latitude": 21.0288, "model_domain": "auto"}  # which is what was asked for
    want = [row | (anew if row["location_key"] == "hanoi" else {}) for row in then[BRONZE]]
    assert lake.rows(BRONZE) == want
    assert {key: of_then(lake.rows(key), key) for key in (DAILY, EPISODE)} == {
        key: then[key] for key in (DAILY, EPISODE)
    }
    assert run_as_planned(lake).plan.is_empty
    configured(lake, latitude=21.0298)
    assert made(run_as_planned(lake)) == hours, "a day's figures know no coordinates"


def test_small_moves_add_up(lake: Lake) -> None:
    """Twice 0.06 degrees lie farther than 0.1 from where the source was asked: what it was asked counts."""
    configured(lake, latitude=21.0878)
    assert made(run_as_planned(lake))[BRONZE] == 14
    configured(lake, latitude=21.1478)
    summary = run_as_planned(lake, status=3)
    assert set(planned(summary)) == {DIM_LOCATION}
    assert "21.0278" in summary.plan.left_out[0].reason


def test_coordinates_that_move_far_are_another_question(lake: Lake) -> None:
    """1 degree: what is stored stays, the plan says why, and only who is told to asks the source: that location."""
    configured(lake, latitude=22.0278)
    summary = run_as_planned(lake, status=3)
    assert set(planned(summary)) == {DIM_LOCATION}
    (left,) = summary.plan.left_out
    assert (left.asset, len(left.partitions), left.obstacle) == (BRONZE, 14, Obstacle.REFETCH)
    assert "21.0278" in left.reason and "22.0278" in left.reason and "--refetch" in left.reason
    assert {key: set(found) for key, found in lake.states(all_of_then()).items() if set(found) != {"fresh"}} == {
        BRONZE: {"fresh", "stale"}
    }
    with Simulator(now=system_clock, injected=False) as simulator:
        lake.base_url = simulator.url
        workspace = lake.workspace
        summary = lake.run(workspace.repair(workspace.catalog.keys, None, refetch=True))
        assert simulator.requests_served.total() == 1
    assert made(summary)[BRONZE] == 14 and all(step.asset != DIM_LOCATION for step in summary.plan.steps)
    assert all_fresh(lake)
    assert run_as_planned(lake).plan.is_empty


def test_exactly_the_limit_is_near(lake: Lake) -> None:
    """21.0278 and 21.1278 differ by a little more than 0.1 as floating point numbers."""
    configured(lake, latitude=21.1278)
    assert costs(lake.workspace, lake.workspace.catalog.keys).exit_status == 0


def test_an_hourly_run_does_not_ask_anew_about_ended_days_of_a_location_that_moved(lake: Lake) -> None:
    """Today is fetched where it is now; days that were answered whole to another question stay as they are."""
    lake.now = datetime(2025, 8, 22, 8, 30, tzinfo=UTC)
    configured(lake, latitude=22.0278)
    with Simulator(now=lambda: lake.now) as simulator:
        lake.base_url = simulator.url
        summary = lake.hourly(FETCHED)
    assert all(outcome.not_made == PartitionSet.empty() for outcome in summary.outcomes)
    fetched = next(outcome for outcome in summary.outcomes if outcome.step.asset == BRONZE).written
    assert fetched.days_of("hanoi").pieces == ((date(2025, 8, 22), date(2025, 8, 22)),)
    assert fetched.days_of("hcmc").first <= date(2025, 8, 21), "of the others the provider has other values now"


def test_two_locations_that_change_locations_are_asked_about(lake: Lake) -> None:
    one, other = ({name: location[name] for name in ("latitude", "longitude")} for location in LOCATIONS[:2])
    lake.flags = {"locations": [LOCATIONS[0] | other, LOCATIONS[1] | one, LOCATIONS[2]]}
    with pytest.raises(UsageError, match="hanoi and hcmc have each other's coordinates"):
        check_swapped(lake.workspace)
    configured(lake)
    check_swapped(lake.workspace)


def test_a_location_leaves_and_comes_back(lake: Lake) -> None:
    configured(lake, key=None)
    summary = run_as_planned(lake)
    assert set(planned(summary)) == {DIM_LOCATION}
    assert all_fresh(lake)
    for key in (BRONZE, SILVER, QUARANTINE, HOURLY, DAILY, EPISODE):
        assert marks(lake, key) == {lacks(key), (*lacks(key), "no longer configured")}
    found = locations_of(lake.workspace)
    assert (found.gone, found.without_row) == ({"hanoi": 6 * 14}, {})
    configured(lake)
    assert set(planned(run_as_planned(lake))) == {DIM_LOCATION}
    assert all_fresh(lake) and marks(lake, BRONZE) == {()}


def test_a_location_that_left_can_be_wiped(lake: Lake) -> None:
    configured(lake, key=None)
    lake.materialize(RANGE, DIM_LOCATION)
    workspace = lake.workspace
    request = workspace.to_wipe(workspace.catalog.keys, None, ["hanoi"])
    removed = run_wipes(workspace, request, Quiet(Console(stderr=True)))
    assert {item.asset for item in removed} == {BRONZE, SILVER, QUARANTINE, HOURLY, DAILY, EPISODE}
    assert all_fresh(lake)
    assert set(lake.workspace.states([BRONZE])[BRONZE].present.locations) == {"danang", "hcmc"}


def add_a_column(lake: Lake, key: str) -> None:
    """As an analyst does."""
    from deltalake import DeltaTable, Field
    from deltalake.schema import PrimitiveType

    DeltaTable(lake.uri(key)).alter.add_columns([Field("note", PrimitiveType("string"))])


def test_a_column_of_others_is_in_nobodys_way(lake: Lake) -> None:
    """Episodes read yesterday from the table and today from memory; a rename keeps what others wrote."""
    from deltalake import DeltaTable

    def rows() -> dict[str, Any]:
        return {key: of_then(lake.rows(key), key) for key in (HOURLY, DAILY, EPISODE)}

    then = rows()
    add_a_column(lake, HOURLY)
    assert all_fresh(lake)
    summary = lake.materialize("2025-08-12", f"{HOURLY}+", force=True)
    assert summary.ok, [outcome.problems for outcome in summary.outcomes]
    assert all_fresh(lake) and rows() == then
    DeltaTable(lake.uri(HOURLY)).update(updates={"note": "'seen'"}, predicate="location_key = 'hanoi'")
    workspace = lake.workspace
    assert lake.run(workspace.repair(workspace.catalog.keys, None)).ok, "the rows are those that were recorded"
    run_rename(lake.workspace, "hanoi", "ha_noi", Quiet(Console(stderr=True)), lake.shared.make)
    table = DeltaTable(lake.uri(HOURLY)).to_pyarrow_table()
    notes = {(row["location_key"], row["note"]) for row in table.select(["location_key", "note"]).to_pylist()}
    assert notes == {("ha_noi", "seen"), ("hcmc", None), ("danang", None)}


# Code and contracts ---------------------------------------------------------------------------------------------------


def test_code_that_moves_and_prose_that_changes(tree: Tree) -> None:
    """A function and its helpers in another module, other comments, docstrings and local names: nothing is made."""
    facts = (tree.folder / "assets/facts.py").read_text(encoding="utf-8")
    start, end = facts.index("DOMINANCE ="), facts.index("def _record_id")
    moved, rest = facts[start:end], facts[:start] + facts[end:]
    head = facts[: facts.index("DOMINANCE =")]
    tree.write("assets/daily.py", head.replace(IDENTIFIERS, "") + moved)
    names = "CATEGORIES, HOUR_SECONDS, LAST_HOUR, _at_earliest_peak, _dominant_pollutant, _outside_calendar"
    here = "from assets.bronze import DAILY\n"
    rest = rest.replace(here, f"{here}from assets.daily import {names}\n")
    rest = rest.replace("present = sum(", "there = sum(").replace('": present', '": there')
    rest = rest.replace("    hours = Window", "    # by location\n    hours = Window")
    tree.write("assets/facts.py", rest)
    bronze = (tree.folder / "assets/bronze.py").read_text(encoding="utf-8")
    bronze = bronze.replace("location = {location.key: location for location", "by_key = {one.key: one for one")
    tree.write("assets/bronze.py", bronze.replace("in location.items()", "in by_key.items()"))
    before, files = commits(tree.warehouse), data_files(tree.warehouse)
    costs, _ = runs_as_planned(tree)
    assert costs["steps"] == []
    assert grown(before, tree.warehouse) == {table["asset"] for table in costs["tables"]}
    assert data_files(tree.warehouse) == files


@pytest.mark.prefect
@pytest.mark.parametrize("engine", ["embedded", pytest.param("spark", marks=[pytest.mark.spark, pytest.mark.slow])])
def test_a_nullable_column_is_added(tree: Tree, server: str, engine: str) -> None:
    """To silver and to the hourly fact: a line for silver's code, a metadata commit each, and nothing is made."""
    tree.environment |= {"AQI_ENGINE": engine, "PREFECT_API_URL": server}
    grow(tree)
    parts = {asset["key"]: asset["code_part"] for asset in tree.json("lineage", "--format", "json")["assets"]}
    lines = (tree.folder / "assets/same_rows.yml").read_text(encoding="utf-8")
    tree.write(
        "assets/same_rows.yml", lines.replace(f"{SILVER}:\n", f"{SILVER}:\n  - same: ['1', '{parts[SILVER]}']\n")
    )
    before, files = commits(tree.warehouse), data_files(tree.warehouse)
    costs, summary = runs_as_planned(tree)
    assert summary["steps"] == []
    added = {change["asset"]: tuple(change["added"]) for change in costs["tables"] if change["added"]}
    assert added == ADDED | {SILVER: ("ozone_band",), HOURLY: ("ozone_band", *ADDED[HOURLY])}
    assert {SILVER, HOURLY} <= grown(before, tree.warehouse) == {table["asset"] for table in costs["tables"]}
    assert data_files(tree.warehouse) == files
    states = tree.states()
    assert states[SILVER] == {("fresh", ("without ozone_band",))}
    assert states[HOURLY] == {("fresh", (f"without {', '.join(added[HOURLY])}",))}
    downstream = {key: {("fresh", lacks(key))} for key in (DAILY, EPISODE)}
    assert {key: states[key] for key in (DAILY, EPISODE)} == downstream
    # An asset alone reads what the table upstream of it lacks as null; a forced run fills the column.
    summary = tree.json("materialize", f"{SILVER} or {HOURLY}", "--partitions", RANGE, "--force")
    assert written(summary) == {SILVER: 42, HOURLY: 42}
    states = tree.states()
    assert {key: states.pop(key) for key in (DAILY, EPISODE)} == downstream
    assert all(state == FRESH for state in states.values())
    rows = tree.json("show", HOURLY, "--limit", "2000")
    assert {row["ozone_band"] for row in rows} == {int(row["o3"] // 60) for row in rows}


def grow(tree: Tree) -> None:
    """A nullable column in silver and, passed on, in the hourly fact."""
    field = '    ozone_band: T.IntegerType = _number("Ozone in bands of 60 µg/m³", nullable=True)\n'
    time_key = '    time_key: T.IntegerType = _number("UTC hour as HH00, a key of gold.dim_time", of=["ts_utc"])\n'
    ingested = f"    {time_key}        ingested_at"  # of silver: a class in a function
    pollutant = '_text("Pollutant of the highest index", of=SUB_INDEXES, nullable=True)\n'
    tree.edit(
        "assets/contracts.py",
        (ingested, ingested.replace("        ingested_at", f"    {field}        ingested_at")),
        (pollutant, pollutant + field),
    )
    tree.edit(
        "assets/silver.py",
        (
            '            "time_key": F.hour("ts_utc") * 100,\n',
            '            "time_key": F.hour("ts_utc") * 100,\n'
            '            "ozone_band": F.floor(F.col("o3") / 60).cast("int"),\n',
        ),
    )
