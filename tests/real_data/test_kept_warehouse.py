"""What commit d35dc26 made opens in this version, and changes of code, contracts and configuration keep it.

Each change is made in a copy of the project, on a copy of the kept warehouse; `aqi plan --changed` says beforehand what
the run then does. The source is not there: what would fetch, fails.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from resources.simulator import Simulator
from tests.kept.trees import RANGE, Tree, commits, data_files, unpack

pytestmark = pytest.mark.spark

BRONZE, SILVER, QUARANTINE = (
    "bronze.open_meteo_hourly",
    "silver.air_quality_hourly_clean",
    "silver.air_quality_hourly_quarantine",
)
HOURLY, DAILY, EPISODE = "gold.fact_air_quality_hourly", "gold.fact_city_daily", "gold.fact_episode"
DIM_LOCATION = "gold.dim_location"
FRESH = {("fresh", ())}
IDENTIFIERS = "from assets.identifiers import identifier, iso_day, iso_instant\n"
HANOI = "  - {key: hanoi, name: Hà Nội, latitude: 21.0278, longitude: 105.8342, timezone: Asia/Ho_Chi_Minh}"


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
    summary = tree.json("materialize", "*", "--partitions", RANGE)
    for name in ("id", "asset", "partitions", "may_rewrite", "inputs", "reason"):
        assert [step[name] for step in costs["steps"]] == [step[name] for step in summary["steps"]]
    assert costs["left_out"] == summary["left_out"]
    assert costs["tables"] == summary.get("tables", [])
    return costs, summary


def written(summary: Any) -> dict[str, int]:
    return {step["asset"]: len(step["written"]) for step in summary["steps"] if step["written"]}


def test_it_opens_fresh_without_a_commit_and_a_request(tree: Tree) -> None:
    before = commits(tree.warehouse)
    assert set(tree.states()) == set(before)
    assert all(state == FRESH for state in tree.states().values())
    costs, _ = runs_as_planned(tree)
    assert costs["steps"] == costs["left_out"] == costs["tables"] == []
    assert {item["asset"] for item in costs["accepted"]} == set(before)
    assert commits(tree.warehouse) == before


def test_a_display_name_and_a_time_zone(tree: Tree) -> None:
    """Only the table of locations is made; and what was made under the old name stays fresh although it is gone."""
    tree.edit("config/locations.yml", (HANOI, HANOI.replace("Hà Nội", "Ha Noi").replace("Ho_Chi_Minh", "Bangkok")))
    before = commits(tree.warehouse)
    _, summary = runs_as_planned(tree)
    assert steps(summary) == written(summary) == {DIM_LOCATION: 1}
    assert {key: n for key, n in commits(tree.warehouse).items() if n != before[key]} == {DIM_LOCATION: 3}
    assert all(state == FRESH for state in tree.states().values())
    assert tree.json("plan", "--changed")["steps"] == []


def test_code_that_moves_and_prose_that_changes(tree: Tree) -> None:
    """A function and its helpers in another module, other comments, docstrings and local names: nothing is made."""
    facts = (tree.folder / "assets/facts.py").read_text(encoding="utf-8")
    start, end = facts.index("CONCENTRATIONS ="), facts.index("def _record_id")
    moved, rest = facts[start:end], facts[:start] + facts[end:]
    head = facts[: facts.index("CONCENTRATIONS =")]
    tree.write("assets/daily.py", head.replace(IDENTIFIERS, "") + moved)
    names = "CATEGORIES, CONCENTRATIONS, HOUR_SECONDS, _at_earliest_peak, _dominant_pollutant, _outside_calendar"
    here = "from assets.bronze import DAILY\n"
    rest = rest.replace(here, f"{here}from assets.daily import {names}\n")
    rest = rest.replace("present = sum(", "there = sum(").replace('ness": present', 'ness": there')
    rest = rest.replace("    hours = Window", "    # by place\n    hours = Window")
    tree.write("assets/facts.py", rest)
    bronze = (tree.folder / "assets/bronze.py").read_text(encoding="utf-8")
    bronze = bronze.replace("place = {location.key: location for location", "by_key = {one.key: one for one")
    tree.write("assets/bronze.py", bronze.replace("in place.items()", "in by_key.items()"))
    before = commits(tree.warehouse)
    costs, _ = runs_as_planned(tree)
    assert costs["steps"] == [] and costs["tables"] == []
    assert commits(tree.warehouse) == before


def test_a_threshold_is_of_episodes_only(tree: Tree) -> None:
    tree.edit("config/rules.yml", ("threshold: 151", "threshold: 120"))
    _, summary = runs_as_planned(tree)
    assert set(steps(summary)) == {EPISODE}
    assert all(state == FRESH for state in tree.states().values())


def test_coordinates_that_move_a_little_are_rewritten(tree: Tree) -> None:
    """0.001 degrees: bronze of that location from its own rows, without the network, and what follows from it."""
    tree.edit("config/locations.yml", (HANOI, HANOI.replace("21.0278", "21.0288")))
    _, summary = runs_as_planned(tree)
    made = written(summary)
    assert made[BRONZE] == made[SILVER] == made[HOURLY] == 14
    assert DAILY not in made and EPISODE not in made, "a day's figures know no coordinates"
    assert set(steps(summary)) == {BRONZE, SILVER, QUARANTINE, HOURLY, DAILY, EPISODE, DIM_LOCATION}
    assert all(state == FRESH for state in tree.states().values())
    rows = tree.json("show", BRONZE, "--locations", "hanoi", "--limit", "1000")
    assert {row["latitude"] for row in rows} == {21.0288} and len(rows) == 14 * 24
    again = tree.json("plan", "--changed")
    assert again["steps"] == again["left_out"] == []


def test_coordinates_that_move_far_are_another_question(tree: Tree) -> None:
    """1 degree: what is stored stays, the plan says why, and only --refetch asks the source."""
    tree.edit("config/locations.yml", (HANOI, HANOI.replace("21.0278", "22.0278")))
    costs, summary = runs_as_planned(tree, refetch=True)
    assert set(steps(summary)) == {DIM_LOCATION}
    (left,) = costs["left_out"]
    assert left["asset"] == BRONZE and len(left["partitions"]) == 14
    assert "21.0278" in left["reason"] and "22.0278" in left["reason"] and "--refetch" in left["reason"]
    assert tree.states()[BRONZE] == {("fresh", ()), ("stale", ())}
    asked = tree("repair", "--refetch", "--yes")
    assert asked.returncode == 1, "nobody is there to be asked"
    assert f"failed {BRONZE} {RANGE} × hanoi" in asked.stdout


def test_what_lies_behind_its_question_is_fetched_if_told(tree: Tree) -> None:
    """By one request for that location alone; what follows from it is made too."""
    moved = HANOI.replace("21.0278", "22.0278")
    tree.edit("config/locations.yml", (HANOI, moved))
    tree.ok("materialize", DIM_LOCATION)
    with Simulator(now=lambda: datetime(2026, 1, 1, tzinfo=UTC)) as simulator:
        tree.base_url = simulator.url
        summary = tree.json("repair", "--refetch", "--yes")
        assert simulator.requests_served.total() == 1
    assert written(summary)[BRONZE] == 14
    assert all(state == FRESH for state in tree.states().values())
    assert tree.json("plan", "--changed")["steps"] == []


def test_a_location_leaves_and_comes_back(tree: Tree) -> None:
    tree.edit("config/locations.yml", (HANOI + "\n", ""))
    _, summary = runs_as_planned(tree)
    assert set(steps(summary)) == {DIM_LOCATION}
    states = tree.states()
    gone = ("fresh", ("no longer configured",))
    assert all(states[key] == {("fresh", ()), gone} for key in (BRONZE, SILVER, QUARANTINE, HOURLY, DAILY, EPISODE))
    assert "hanoi is no longer configured" in tree.ok("doctor", status=tree("doctor").returncode)
    tree.edit("config/locations.yml", ("locations:\n", f"locations:\n{HANOI}\n"))
    _, summary = runs_as_planned(tree)
    assert set(steps(summary)) == {DIM_LOCATION}
    assert all(state == FRESH for state in tree.states().values())


def test_a_location_that_left_is_wiped(tree: Tree) -> None:
    tree.edit("config/locations.yml", (HANOI + "\n", ""))
    tree.ok("materialize", DIM_LOCATION)
    removed = tree.json("wipe", "--locations", "hanoi", "--yes")
    assert {item["asset"] for item in removed} == {BRONZE, SILVER, QUARANTINE, HOURLY, DAILY, EPISODE}
    assert all(state == FRESH for state in tree.states().values())
    assert {item["partition"].partition("/")[2] for item in tree.json("status", BRONZE)} == {"danang", "hcmc"}


def test_a_location_is_renamed(tree: Tree) -> None:
    """A commit a table, no fetch; afterwards nothing is to be made, and ids are those of the new key."""
    before = commits(tree.warehouse)
    said = tree("location", "rename", "hanoi", "ha_noi", "--yes")
    assert said.returncode == 0, said.stderr
    assert "still named 'hanoi': locations" in said.stderr
    touched = {key for key, n in commits(tree.warehouse).items() if n != before[key]}
    assert touched == {BRONZE, SILVER, QUARANTINE, HOURLY, DAILY, EPISODE, DIM_LOCATION}
    assert all(commits(tree.warehouse)[key] == before[key] + 1 for key in touched)
    tree.edit("config/locations.yml", ("key: hanoi", "key: ha_noi"))
    assert all(state == FRESH for state in tree.states().values())
    _, summary = runs_as_planned(tree)
    assert summary["steps"] == []
    silver = tree.json("show", SILVER, "--limit", "2000")
    assert {row["location_key"] for row in silver} == {"danang", "ha_noi", "hcmc"}


def test_a_nullable_column_is_added(tree: Tree) -> None:
    """To silver and to the hourly fact: declared equal by two lines, two metadata commits, and nothing is made."""
    grow(tree)
    parts = {asset["key"]: asset["code_part"] for asset in tree.json("lineage", "--format", "json")["assets"]}
    lines = (tree.folder / "assets/same_rows.yml").read_text(encoding="utf-8")
    for key in (SILVER, HOURLY):
        lines = lines.replace(f"{key}:\n", f"{key}:\n  - same: ['1', '{parts[key]}']\n")
    tree.write("assets/same_rows.yml", lines)
    before, files = commits(tree.warehouse), data_files(tree.warehouse)
    costs, summary = runs_as_planned(tree)
    assert summary["steps"] == []
    added = {change["asset"]: change["added"] for change in costs["tables"]}
    assert added == {SILVER: ["ozone_band"], HOURLY: ["ozone_band"]}
    now = commits(tree.warehouse)
    assert {key: now[key] - before[key] for key in now if now[key] != before[key]} == {SILVER: 1, HOURLY: 1}
    assert data_files(tree.warehouse) == files
    states = tree.states()
    assert states[SILVER] == states[HOURLY] == {("fresh", ("without ozone_band",))}
    assert states[DAILY] == states[EPISODE] == FRESH
    # A forced run fills the column; what does not read it stays fresh.
    summary = tree.json("materialize", f"{SILVER} or {HOURLY}", "--partitions", RANGE, "--force")
    assert written(summary) == {SILVER: 42, HOURLY: 42}
    assert all(state == FRESH for state in tree.states().values())
    rows = tree.json("show", HOURLY, "--limit", "10")
    assert {row["ozone_band"] for row in rows} <= {0, 1, 2, 3}


def grow(tree: Tree) -> None:
    """A nullable column in silver and, passed on, in the hourly fact."""
    field = '        ozone_band: T.IntegerType = _number("Ozone in bands of 60 µg/m³", nullable=True)\n'
    time_key = '        time_key: T.IntegerType = _number("Hour as HH00, a key of gold.dim_time")\n'
    ingested = f"{time_key}        ingested_at"
    pollutant = '        dominant_pollutant: T.StringType = _text("Pollutant of the highest index", nullable=True)\n'
    tree.edit(
        "assets/contracts.py",
        (ingested, ingested.replace("        ingested_at", f"{field}        ingested_at")),
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
