"""Versions that count as equal: lines in ``assets/same_rows.yml``, which are proven here, and ``aqi accept``."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from orchestration.core.errors import CheckFailed
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.state.provenance import PartitionRecord
from orchestration.engine.changes.accept import Acceptance, prove
from orchestration.engine.changes.history import read_lines
from resources.machine.clock import system_clock
from resources.simulator.server import Simulator
from tests.support.kept.trees import ROOT, Tree, commits, data_files, unpack
from tests.support.small_lake import Lake

pytestmark = pytest.mark.engine

DAYS = "2025-08-08..2025-09-20"
DAILY = "gold.fact_city_daily"


# Lines ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, embedded: Any) -> Lake:
    folder = unpack(tmp_path_factory.mktemp("kept") / "warehouse")
    as_then = {"open_meteo": {"model_domain": "cams_global"}}  # what its rows say
    return Lake(folder, embedded, "http://127.0.0.1:9", as_then, now=datetime(2026, 1, 1, tzinfo=UTC))


ASSETS = sorted(read_lines(ROOT / "assets" / "same_rows.yml"))


@pytest.mark.parametrize("key", ASSETS)
def test_what_the_lines_declare_is_proven_on_the_kept_warehouse(kept: Lake, either: Any, key: str) -> None:
    """Today's code makes every partition of the kept warehouse anew: the fingerprints are those that were recorded."""
    workspace = kept.workspace
    tables = workspace.states((key,))
    everything = PartitionSet.from_keys(tables[key].records)
    engine = either.engine(workspace.warehouse)
    with engine.working("lines"):
        prove(workspace, Acceptance(key, (), everything, everything), tables, "lines", engine)


@pytest.mark.parametrize("key", ASSETS)
def test_lines_join_todays_code_with_what_was_kept(kept: Lake, key: str) -> None:
    """So no line stands for a version that nothing is proven of; a change of code needs a line, or makes rows stale."""
    (today,) = kept.workspace.code_parts([key]).values()
    lines = read_lines(ROOT / "assets" / "same_rows.yml")[key]
    groups = [*lines.same, *(growth.earlier | {growth.grown} for growth in lines.growths)]
    joined, before = {"1"}, set[str]()
    while joined != before:
        before = set(joined)
        joined |= {code for group in groups if group & before for code in group}
    assert today in joined, (
        f"{key}: no line says that {today} makes what commit d35dc26 made: if it does, add it to the group of '1' in "
        "assets/same_rows.yml; the test above proves it"
    )
    assert joined == {"1"}.union(*groups), "what nothing kept is joined with cannot be proven"


def test_a_line_that_is_not_true_is_found(kept: Lake) -> None:
    """One row less is recorded than is made: the proof names the partition."""
    workspace = kept.workspace
    tables = dict(workspace.states((DAILY,)))
    key = min(tables[DAILY].records)
    record: PartitionRecord = tables[DAILY].records[key]
    others = {**tables[DAILY].records, key: replace(record, fingerprint="0" * 20)}
    tables[DAILY] = replace(tables[DAILY], records=others)
    one = PartitionSet.from_keys([key])
    engine = kept.shared.engine(workspace.warehouse)
    with engine.working("lines"), pytest.raises(CheckFailed, match=f"{DAILY} {key} comes out otherwise"):
        prove(workspace, Acceptance(DAILY, (), one, one), tables, "lines", engine)


# aqi accept -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def _months(recorded: Path, tmp_path_factory: pytest.TempPathFactory, embedded: Any) -> Iterator[Path]:
    """A warehouse of the recorded 44 days, made by today's code."""
    with Simulator(now=system_clock, injected=False, replay=recorded) as replay:
        lake = Lake(
            tmp_path_factory.mktemp("months") / "warehouse", embedded, replay.url, now=datetime(2026, 1, 1, tzinfo=UTC)
        )
        assert lake.materialize(DAYS).ok
        yield lake.folder


@pytest.fixture
def tree(_months: Path, tmp_path: Path) -> Tree:
    shutil.copytree(_months, tmp_path / "warehouse")
    return Tree.copy(tmp_path / "project", tmp_path / "warehouse")


SUM = '(F.col("aqi") >= low) & (F.lit(True) if high is None else F.col("aqi") <= high)'


@pytest.mark.parametrize("engine", ["embedded", pytest.param("spark", marks=[pytest.mark.spark, pytest.mark.slow])])
def test_a_true_equivalence_is_taken_without_a_file(tree: Tree, engine: str) -> None:
    """Over 44 days; another form of the same condition. One commit, and everything is fresh again."""
    tree.environment["AQI_ENGINE"] = engine
    tree.edit("assets/facts.py", (SUM, '(F.col("aqi") >= low) & ~(F.col("aqi") > (10**6 if high is None else high))'))
    before, files = commits(tree.warehouse), data_files(tree.warehouse)
    costs = tree.json("plan", "--changed")
    assert [(step["asset"], len(step["partitions"]), step["way"]) for step in costs["steps"]] == [
        (DAILY, 132, "remake")
    ]
    assert commits(tree.warehouse) == before
    said = tree.json("accept", DAILY, "--sample", "132")
    assert (said["accepted"], said["partitions"], len(said["sample"])) == (True, 132, 132)
    assert {key: n - before[key] for key, n in commits(tree.warehouse).items() if n != before[key]} == {DAILY: 1}
    assert data_files(tree.warehouse) == files
    assert all(state == {("fresh", ())} for state in tree.states().values())
    costs = tree.json("plan", "--changed")
    assert costs["steps"] == [] and costs["accepted"] == [{"asset": DAILY, "partitions": 132}]
    again = tree("accept", DAILY)
    assert again.returncode == 2 and "nothing lies behind its code" in again.stderr


def test_one_that_differs_in_one_row_is_refused_with_that_row(tree: Tree) -> None:
    """An hour with an index of exactly 112 counts elsewhere: few days have one."""
    rows = tree.json("show", "gold.fact_air_quality_hourly", "--limit", "100000")
    value = 112
    days = {(row["location_key"], row["date_utc"]) for row in rows if row["aqi"] == value}
    assert 0 < len(days) < 132
    tree.edit("assets/facts.py", (SUM, f'(F.col("aqi") >= low) & (F.col("aqi") != {value}) & (F.lit(True) if high is '
                                       'None else F.col("aqi") <= high)'))  # fmt: skip
    before = commits(tree.warehouse)
    refused = tree("accept", DAILY, "--sample", "132")
    assert refused.returncode == 1, refused.stderr
    location, day = min(days, key=lambda at: (at[1], at[0]))
    assert (
        f"{DAILY} {day}/{location} comes out otherwise: in the row location_key={location}, date_utc={day}"
        in refused.stderr
    )
    assert "hours_in_cat_usg was" in refused.stderr
    assert commits(tree.warehouse) == before


@pytest.mark.slow
def test_a_fetched_asset_is_proven_by_its_own_rows(tree: Tree) -> None:
    """Bronze, by a version a location; the source is not there."""
    tree.edit("assets/bronze.py", ('"date_utc": F.to_date("ts_utc")', '"date_utc": F.col("ts_utc").cast("date")'))
    said = tree.json("accept", "bronze.open_meteo_hourly", "--sample", "6")
    assert {one["location"] for one in said["equal"]} == {"danang", "hanoi", "hcmc"}
    assert {key.partition("/")[2] for key in said["sample"]} == {"danang", "hanoi", "hcmc"}
    assert all(state == {("fresh", ())} for state in tree.states().values())


def test_a_sample_has_partitions_without_rows_too(tree: Tree) -> None:
    """Most days have no episode: code that finds one where there was none is not the same."""
    old = '.where(F.col("duration_hours") >= episode_rule.min_hours)'
    tree.edit("assets/facts.py", (old, f"{old}\n        .where(F.lit(True))"))
    said = tree.json("accept", "gold.fact_episode", "--sample", "20", "--dry-run")
    rows = {item["partition"]: item["rows"] for item in tree.json("status", "gold.fact_episode")}
    assert len(said["sample"]) == 20
    assert {bool(rows[key]) for key in said["sample"]} == {True, False}
    everything = tree.json("accept", "gold.fact_episode", "--sample", "132", "--dry-run")
    assert len(everything["sample"]) == 132


MADE, DAY = "return open_meteo.withColumns(", '"date_utc": F.to_date("ts_utc"),'
FILTERED = MADE.replace("open_meteo.", 'open_meteo.where(F.col("aqi") > 80).')
DOUBLED = f'{DAY}\n            "pm25": F.col("pm25") * 2,'


@pytest.mark.prefect
@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param((MADE, FILTERED), "is not made any more", id="rows", marks=pytest.mark.slow),
        pytest.param((DAY, DOUBLED), "pm25 was", id="values"),
    ],
)
def test_a_rewrite_changes_nothing_of_what_was_fetched(
    tree: Tree, server: str, change: tuple[str, str], says: str
) -> None:
    """Bronze's new code would lose rows, or change a value: those partitions fail by name, and stay as they are."""
    tree.environment["PREFECT_API_URL"] = server
    tree.edit("assets/bronze.py", change)
    before = commits(tree.warehouse)
    done = tree("materialize", "bronze.open_meteo_hourly", "--partitions", "2025-08-08..2025-08-10")
    assert done.returncode == 1
    assert "would change what was fetched" in done.stdout and says in done.stdout and "--force" in done.stdout
    assert commits(tree.warehouse)["bronze.open_meteo_hourly"] <= before["bronze.open_meteo_hourly"] + 1
    rows = tree.json("show", "bronze.open_meteo_hourly", "--partitions", "2025-08-08..2025-08-10", "--limit", "1000")
    assert len(rows) == 3 * 3 * 24
