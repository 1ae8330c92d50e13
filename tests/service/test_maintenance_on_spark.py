"""Maintenance between runs: deltalake tidies up tables that Spark wrote, and Spark goes on with them."""

from __future__ import annotations

import os
import time
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from rich.console import Console

from orchestration.cli.progress import Quiet
from orchestration.service.maintenance import run_maintenance
from resources.delta.compaction import TableFiles
from tests.support import oracle
from tests.support.feed import Feed
from tests.support.small_lake import Lake
from tests.support.strategies import random_bronze

pytestmark = pytest.mark.spark

DAYS = [date(2025, 3, day) for day in (1, 2, 3)]
RANGE = "2025-03-01..2025-03-03"
LONG_AGO = time.time() - 40 * 86_400
SELECTION = "bronze.* or silver.*_clean or gold.fact_air_quality_hourly"
TABLES = (oracle.BRONZE, oracle.SILVER, oracle.FACT_HOURLY)
QUIET = Quiet(Console(stderr=True))


def all_fresh(lake: Lake) -> bool:
    return all(set(states) == {"fresh"} for states in lake.states(SELECTION, RANGE).values())


def files_of(lake: Lake) -> dict[str, int]:
    return {key: len(DeltaTable(lake.uri(key)).file_uris()) for key in TABLES}


def spark_rows(lake: Lake) -> dict[str, list[Any]]:
    """What Spark reads, of every column; in an order."""
    lake.spark.catalog.clearCache()
    lake.spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()
    return {key: sorted(map(repr, lake.spark.read.format("delta").load(lake.uri(key)).collect())) for key in TABLES}


def test_runs_go_on_after_it(spark: Any, on_spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files put together, what was removed deleted at once, checkpoints after Spark's, most of the log gone.

    Then all is fresh, deltalake and Spark read the rows that were there, a run does nothing, and one hour that the
    provider revises rewrites its own day and what follows from it.
    """
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    open_table = partial(TableFiles, small_files=2, between_checkpoints=1)
    rows = random_bronze(31, days=3, locations=["hanoi", "danang"], first=DAYS[0])
    with Feed(rows) as feed:
        lake = Lake(tmp_path / "lake", on_spark, feed.server.url)
        assert lake.materialize("2025-03-02", SELECTION).ok
        for key in TABLES:
            spark._jvm.org.apache.spark.sql.delta.DeltaLog.forTable(spark._jsparkSession, lake.uri(key)).checkpoint()
        assert lake.materialize(RANGE, SELECTION).ok
        tables, files, told = lake.tables(TABLES), files_of(lake), spark_rows(lake)
        pinned = {key: DeltaTable(lake.uri(key)).version() for key in TABLES}
        for key in TABLES:
            for path in (Path(lake.uri(key)) / "_delta_log").iterdir():
                os.utime(path, (LONG_AGO, LONG_AGO))
        summary = run_maintenance(lake.workspace, QUIET, open_table=open_table)
        assert summary.ok, summary.in_words()
        for key in TABLES:
            done = next(table for table in summary.tables if table.table == key)
            assert (done.joined, done.into, done.kept, done.checkpoint) == (files[key], 1, True, True)
            assert files_of(lake)[key] == 1 < files[key]
            assert lake.workspace.warehouse.read_arrow(key, pinned[key]).num_rows == len(told[key])
            assert TableFiles(lake.uri(key), None).vacuum(0) >= files[key]
        assert sum(table.commits for table in summary.tables) > 0
        assert all_fresh(lake)
        assert lake.tables(TABLES) == tables
        assert spark_rows(lake) == told
        assert lake.materialize(RANGE, SELECTION).plan.steps == ()

        hour = next(row for row in lake.rows(oracle.SILVER) if row["location_key"] == "hanoi")
        feed.revise("hanoi", hour["ts_utc"], pm25=77.5)
        assert lake.materialize(RANGE, oracle.BRONZE, force=True).ok
        day = f"{hour['date_utc']}/hanoi"
        after = lake.materialize(RANGE, SELECTION)
        assert after.ok
        written = {outcome.step.asset: outcome.written.keys() for outcome in after.outcomes}
        assert written == {oracle.SILVER: [day], oracle.FACT_HOURLY: written[oracle.FACT_HOURLY]}
        assert written[oracle.FACT_HOURLY] in ([], [day])
        assert all_fresh(lake)
        changed = [row for row in lake.rows(oracle.SILVER) if row["ts_utc"] == hour["ts_utc"]]
        assert 77.5 in {row["pm25"] for row in changed}
        assert len(lake.canonical(oracle.SILVER)) == len(tables[oracle.SILVER])
        again = run_maintenance(lake.workspace, QUIET, open_table=open_table)
        assert again.ok, again.in_words()
        assert all_fresh(lake)
