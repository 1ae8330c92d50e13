"""What others do to the tables, and what our own later runs do: states, repair and wipe, on real Delta."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from rich.console import Console

from orchestration.cli.progress import Quiet
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.planning.request import Refresh
from orchestration.engine.wipe import planned_wipes, run_wipes
from resources.delta.log import DeltaLog
from tests.support import oracle
from tests.support.engines import SharedEngine, SharedSpark
from tests.support.feed import Feed
from tests.support.small_lake import ALL, DATED, FETCHED, Lake
from tests.support.strategies import random_bronze

DAYS = [date(2025, 3, day) for day in (1, 2, 3)]
RANGE = "2025-03-01..2025-03-03"
GOLD = "layer:gold"
QUIET = Quiet(Console(stderr=True))
FOR_VACUUM = {
    "spark.databricks.delta.retentionDurationCheck.enabled": "false",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "4",  # 10,000 tasks by default
}


Made = tuple[Lake, Feed, dict[str, Any]]


@pytest.fixture(scope="module")
def made(embedded: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """A lake with three days in two steps, what fed it, and its tables."""
    rows = random_bronze(31, days=3, locations=["hanoi", "danang"], first=DAYS[0])
    with Feed(rows) as feed:
        lake = Lake(tmp_path_factory.mktemp("lake"), embedded, feed.server.url)
        assert lake.materialize("2025-03-01").exit_status == 0
        assert lake.materialize(RANGE).exit_status == 0
        yield lake, feed, lake.tables()


def copied(made: Made, folder: Path, shared: SharedEngine) -> Lake:
    """A copy of the lake, to be changed by hand."""
    shutil.copytree(made[0].folder, folder)
    return Lake(folder, shared, made[0].base_url)


@pytest.fixture
def lake(made: Made, tmp_path: Path) -> Lake:
    return copied(made, tmp_path / "lake", made[0].shared)


@pytest.fixture
def tables(made: Made) -> dict[str, Any]:
    return made[2]


@pytest.fixture
def others(either: Any, made: Made, tmp_path: Path) -> Lake:
    """A copy of the lake that goes on with either engine, for others to change by means of their own: Spark, or
    deltalake."""
    return copied(made, tmp_path / "lake", either)


@pytest.fixture
def others_slowly(either_slowly: Any, made: Made, tmp_path: Path) -> Lake:
    """As ``others``."""
    return copied(made, tmp_path / "lake", either_slowly)


def by_spark(lake: Lake, statement: str, key: str) -> bool:
    """Do it by Spark's SQL, on a table (``{}``) of a lake that is Spark's; whether that was so."""
    if isinstance(lake.shared, SharedSpark):
        lake.spark.sql(statement.format(f"delta.`{lake.uri(key)}`"))
        return True
    return False


def delete(lake: Lake, key: str, where: str) -> None:
    if not by_spark(lake, f"DELETE FROM {{}} WHERE {where}", key):
        DeltaTable(lake.uri(key)).delete(where)


def first_row(lake: Lake, key: str) -> pa.Table:
    return DeltaTable(lake.uri(key)).to_pyarrow_table().slice(0, 1)


def append(lake: Lake, key: str, rows: pa.Table) -> None:
    write_deltalake(lake.uri(key), rows, mode="append")


def unrecorded(lake: Lake) -> dict[str, list[str]]:
    return {key: states["unrecorded"] for key, states in lake.states().items() if "unrecorded" in states}


def all_fresh(lake: Lake) -> bool:
    return all(set(states) == {"fresh"} for states in lake.states(days=RANGE).values())


def test_what_was_just_made_is_fresh_zero_rows_included(lake: Lake) -> None:
    assert all_fresh(lake)
    quarantine = lake.workspace.warehouse.state(lake.workspace.catalog[oracle.QUARANTINE])
    assert any(record.rows == 0 for record in quarantine.records.values())


def test_rows_deleted_by_hand(others: Lake, tables: dict[str, Any]) -> None:
    """Unrecorded are the partitions that the touched files can hold; repair adopts those that did not change."""
    lake = others
    delete(lake, oracle.CITY_DAILY, "date_utc = '2025-03-02' AND location_key = 'hanoi'")
    found = unrecorded(lake)
    assert list(found) == [oracle.CITY_DAILY]
    assert "2025-03-02/hanoi" in found[oracle.CITY_DAILY]
    assert "2025-03-01/hanoi" not in found[oracle.CITY_DAILY], "it lies in a file that nobody touched"
    summary = lake.repair()
    assert summary.ok
    assert {outcome.step.asset: outcome.written.keys() for outcome in summary.outcomes} == {
        oracle.CITY_DAILY: ["2025-03-02/hanoi"]
    }
    assert lake.tables() == tables
    assert all_fresh(lake)
    assert lake.repair().plan.steps == ()


def test_what_is_made_from_changed_rows_is_stale_until_they_are_mended(lake: Lake) -> None:
    delete(lake, oracle.FACT_HOURLY, "date_utc = '2025-03-03'")
    states = lake.states("gold.fact_*", "2025-03-03")
    assert states[oracle.FACT_HOURLY]["unrecorded"] == ["2025-03-03/danang", "2025-03-03/hanoi"]
    assert states[oracle.CITY_DAILY]["stale"] == ["2025-03-03/danang", "2025-03-03/hanoi"]
    alone = lake.materialize("2025-03-03", oracle.CITY_DAILY)
    assert alone.exit_status == 1
    assert "aqi repair" in alone.plan.left_out[0].reason
    assert lake.repair().ok
    assert all_fresh(lake)


def test_a_restored_table_is_mended(others: Lake, tables: dict[str, Any]) -> None:
    """RESTORE takes two days away; their records are still in the log."""
    lake = others
    if not by_spark(lake, "RESTORE TABLE {} TO VERSION AS OF 1", oracle.SILVER):
        DeltaTable(lake.uri(oracle.SILVER)).restore(1)
    assert {key[:10] for key in unrecorded(lake)[oracle.SILVER]} == {"2025-03-02", "2025-03-03"}
    assert lake.repair().ok
    assert lake.tables() == tables
    assert all_fresh(lake)


def test_rows_that_another_writer_appended_are_removed(others: Lake, tables: dict[str, Any]) -> None:
    """By Spark, and by deltalake: twice the same hour, and twice the same day."""
    lake = others
    if not by_spark(lake, "INSERT INTO {0} SELECT * FROM {0} LIMIT 1", oracle.FACT_HOURLY):
        append(lake, oracle.FACT_HOURLY, first_row(lake, oracle.FACT_HOURLY))
    append(lake, oracle.CITY_DAILY, first_row(lake, oracle.CITY_DAILY))
    assert set(unrecorded(lake)) == {oracle.FACT_HOURLY, oracle.CITY_DAILY}
    summary = lake.repair()
    assert summary.ok, [outcome.problems for outcome in summary.outcomes]
    assert lake.tables() == tables
    assert all_fresh(lake)


def test_a_partition_that_only_others_made_cannot_be_made_anew_and_can_be_wiped(lake: Lake) -> None:
    row = first_row(lake, oracle.CITY_DAILY)
    later = pa.array([day + timedelta(days=30) for day in row["date_utc"].to_pylist()])
    append(lake, oracle.CITY_DAILY, row.set_column(row.column_names.index("date_utc"), "date_utc", later))
    (key,) = unrecorded(lake)[oracle.CITY_DAILY]
    summary = lake.repair()
    assert summary.exit_status == 1
    assert summary.plan.left_out[0].partitions.keys() == [key]
    workspace = lake.workspace
    request = workspace.requested([oracle.CITY_DAILY], key[:10])
    run_wipes(workspace, request, QUIET)
    assert all_fresh(lake)
    assert unrecorded(lake) == {}


def compact(lake: Lake, key: str) -> None:
    """Put its files together, delete whatever is not needed, write a checkpoint."""
    if not isinstance(lake.shared, SharedSpark):
        table = DeltaTable(lake.uri(key))
        table.optimize.compact()
        table.vacuum(0, dry_run=False, enforce_retention_duration=False)
        table.create_checkpoint()
        return
    for name, value in FOR_VACUUM.items():
        lake.spark.conf.set(name, value)
    by_spark(lake, "OPTIMIZE {}", key)
    by_spark(lake, "VACUUM {} RETAIN 0 HOURS", key)
    for name in FOR_VACUUM:
        lake.spark.conf.unset(name)
    lake.spark._jvm.org.apache.spark.sql.delta.DeltaLog.forTable(lake.spark._jsparkSession, lake.uri(key)).checkpoint()


def test_compaction_and_vacuum_change_no_state(others_slowly: Lake, tables: dict[str, Any]) -> None:
    """OPTIMIZE, a VACUUM of everything that is not needed, a checkpoint: fresh stays fresh, and a run does nothing."""
    lake = others_slowly
    for key in (oracle.SILVER, oracle.EPISODE):
        before = DeltaLog(lake.uri(key)).versions()[-1]
        compact(lake, key)
        assert DeltaLog(lake.uri(key)).versions()[-1] > before
    assert all_fresh(lake)
    assert lake.tables() == tables
    again = lake.materialize(RANGE)
    assert (again.plan.steps, again.ok) == ((), True)


def test_another_code_makes_stale_and_equal_rows_are_not_written_again(lake: Lake) -> None:
    """An episode of five hours instead of four: episodes are stale and nothing else; what comes out equal stays."""
    lake.flags = {"rules": {"episode": {"min_hours": 5}}}
    states = lake.states(days=RANGE)
    assert {key for key, found in states.items() if "stale" in found} == {oracle.EPISODE}
    files = lake.files()
    summary = lake.materialize(RANGE)
    made = [outcome.step.asset for outcome in summary.outcomes]
    assert made[0] == oracle.EPISODE and set(made[1:]) <= set(lake.workspace.catalog.dag.downstream(oracle.EPISODE))
    silver = oracle.silver(lake.rows(oracle.BRONZE))
    want = oracle.episodes(oracle.fact_hourly(silver), min_hours=5)
    assert lake.canonical(oracle.EPISODE) == oracle.canonical(want, oracle.COLUMNS[oracle.EPISODE])
    now = lake.files()
    assert [key for key in files if now[key] != files[key] and key not in made] == []
    assert all_fresh(lake)


def test_a_day_fetched_before_it_ended_is_stale_when_more_of_it_has_passed(
    embedded: Any, tmp_path: Path, made: Made
) -> None:
    def at(hour: int, minute: int) -> Lake:
        now = datetime(2025, 3, 3, hour, minute, tzinfo=UTC)
        feed.now = now
        return Lake(tmp_path, embedded, feed.server.url, now=now)

    _, original, _ = made
    with Feed(original.rows) as feed:
        assert at(6, 30).materialize(RANGE, FETCHED).ok
        assert set(at(6, 59).states(oracle.BRONZE)[oracle.BRONZE]) == {"fresh"}
        later = at(7, 0)
        assert later.states(oracle.BRONZE)[oracle.BRONZE]["stale"] == [
            "2025-03-03/danang",
            "2025-03-03/hanoi",
            "2025-03-03/hcmc",
        ]
        summary = later.materialize(RANGE, FETCHED)
        assert {str(outcome.step.partitions) for outcome in summary.outcomes} == {"2025-03-03 × danang, hanoi, hcmc"}
        assert at(7, 59).materialize(RANGE, FETCHED).plan.steps == ()


def test_a_revision_rewrites_what_follows_from_it_and_one_that_changes_nothing_adds_no_file(
    lake: Lake, made: Made
) -> None:
    """Fetched again by force: one hour of one city has another pm25, then everything is as it was."""
    with Feed(made[1].rows) as feed:
        lake.base_url = feed.server.url
        files, versions = lake.files(), lake.versions()
        same = lake.materialize(RANGE, oracle.BRONZE, force=True)
        assert same.outcomes[0].unchanged == same.outcomes[0].step.partitions
        assert lake.materialize(RANGE).plan.steps == ()
        assert (lake.files(), lake.versions()) == (files, versions)
        clean = [row for row in lake.rows(oracle.SILVER) if row["location_key"] == "hanoi"]
        hour = clean[0]
        feed.revise("hanoi", hour["ts_utc"], pm25=77.5)
        lake.materialize(RANGE, oracle.BRONZE, force=True)
        day = f"{hour['date_utc']}/hanoi"
        assert {key: found["stale"] for key, found in lake.states().items() if "stale" in found} == {
            oracle.SILVER: [day],
            oracle.QUARANTINE: [day],
        }
        summary = lake.materialize(RANGE)
    written = {outcome.step.asset: outcome.written.keys() for outcome in summary.outcomes if outcome.written}
    assert written == {oracle.SILVER: [day], oracle.FACT_HOURLY: [day]}
    # Daily and episodes are made anew, come out the same, and get a commit without files for their provenance.
    changed = {key for key, found in lake.files().items() if found != files[key]}
    assert changed == {oracle.BRONZE, oracle.SILVER, oracle.FACT_HOURLY}
    assert all_fresh(lake)


def test_wipe(lake: Lake, tables: dict[str, Any]) -> None:
    """Rows and records go, without a JVM; what was made from them is stale; made again, everything is as before."""
    workspace = lake.workspace
    request = workspace.requested(workspace.select(f"{oracle.SILVER}+"), "2025-03-02", ["hanoi"])
    planned = planned_wipes(workspace, request)
    assert [item.asset for item in planned][-1] == oracle.SILVER, "downstream first"
    assert run_wipes(workspace, request, QUIET) == planned
    states = lake.states(days=RANGE)
    assert states[oracle.SILVER]["missing"] == ["2025-03-02/hanoi"]
    assert {row["date_utc"] for row in lake.rows(oracle.SILVER) if row["location_key"] == "hanoi"} == {DAYS[0], DAYS[2]}
    assert states[oracle.BRONZE] == {"fresh": states[oracle.BRONZE]["fresh"]}
    assert "2025-03-01/hanoi" in [*states[oracle.EPISODE].get("stale", []), *states[oracle.EPISODE]["fresh"]]
    assert planned_wipes(workspace, request) == []
    assert lake.materialize(RANGE).ok
    assert lake.tables() == tables
    assert all_fresh(lake)


def test_wiping_a_whole_dimension_and_a_partition_without_rows(lake: Lake) -> None:
    workspace = lake.workspace
    assert run_wipes(workspace, workspace.requested(["gold.dim_time"], None), QUIET)
    empty = next(
        key
        for key, record in workspace.warehouse.state(workspace.catalog[oracle.QUARANTINE]).records.items()
        if not record.rows
    )
    request = Refresh(frozenset([oracle.QUARANTINE]), PartitionSet.from_keys([empty]))
    assert run_wipes(workspace, request, QUIET)
    states = lake.states(days=RANGE) | lake.states("gold.dim_time")
    assert states["gold.dim_time"] == {"missing": ["null"]}
    assert states[oracle.QUARANTINE]["missing"] == [str(empty)]
    assert lake.rows("gold.dim_time") == []
    assert lake.materialize(RANGE, ALL).ok
    assert all_fresh(lake)
    assert len(lake.rows("gold.dim_time")) == 24
    assert DATED


def test_a_backfill_in_daily_chunks_of_a_few_batches_equals_one_range(
    embedded: Any, tmp_path: Path, made: Made
) -> None:
    """As if one step could bear two days at the most: episodes over a batch's end are whole all the same."""
    original, _, tables = made
    lake = Lake(tmp_path, embedded, original.base_url)
    summary = lake.backfill("2025-03-01", "2025-03-03", "daily", FETCHED, batch=6)
    assert summary.ok
    assert [step.id for step in summary.plan.steps_of(oracle.EPISODE)] == [
        "gold.fact_episode#2025-03-01..2025-03-02",
        "gold.fact_episode#2025-03-03..2025-03-03",
    ]
    assert [(chunk.name, chunk.state) for chunk in summary.chunks] == [(f"{day}", "written") for day in DAYS]
    assert lake.tables() == tables
    again = lake.backfill("2025-03-01", "2025-03-03", "weekly", FETCHED)
    assert again.plan.steps == ()
    assert [chunk.state for chunk in again.chunks] == ["fresh"]
