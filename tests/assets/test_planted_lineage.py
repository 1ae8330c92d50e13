"""Lineage that is not as declared, planted one by one: each is found, by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from assets import CATALOG
from orchestration.core.declarations.asset import Asset
from orchestration.core.lineage.columns import ColumnLineage
from orchestration.core.lineage.compare import differences
from orchestration.core.partitions.mappings import Identity
from orchestration.engine.lineage.of_frames import ELSEWHERE, lineage_of_asset
from orchestration.engine.workspace import Workspace
from orchestration.project import load, open_workspace
from tests.assets import lineage_by_hand as by_hand

DAYS = CATALOG[by_hand.DAYS]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    uri = str(tmp_path_factory.mktemp("lake"))
    return open_workspace(load(environment={}, flags={"warehouse": {"uri": uri}}))


def lineage(asset: Asset, shared: Any, workspace: Workspace) -> ColumnLineage:
    engine = shared.engine(workspace.warehouse)
    with engine.working(asset.key):
        return lineage_of_asset(asset, engine, workspace.contracts, {}, None)


def test_an_undeclared_read(either: Any, workspace: Workspace, tmp_path: Path) -> None:
    pq.write_table(pa.table({"location_key": ["hanoi"], "weight": [1]}), tmp_path / "secret.parquet")

    def days(fact_air_quality_hourly: DataFrame) -> DataFrame:
        made: DataFrame = DAYS.function(fact_air_quality_hourly)
        return made.join(SparkSession.active().read.parquet(str(tmp_path)), "location_key", "left")

    found = lineage(replace(DAYS, function=days), either, workspace)
    (difference,) = differences(DAYS.key, DAYS.upstream_keys, found.reads)
    assert str(difference) == (f"gold.fact_city_daily reads parquet {tmp_path}, says its plan, and does not declare it")


def test_an_upstream_that_is_never_read(either: Any, workspace: Workspace) -> None:
    def days(fact_air_quality_hourly: DataFrame, air_quality_hourly_clean: DataFrame) -> DataFrame:
        made: DataFrame = DAYS.function(fact_air_quality_hourly)
        return made

    asset = replace(DAYS, function=days, upstream=(*DAYS.upstream, Identity(by_hand.SILVER)))
    (difference,) = differences(asset.key, asset.upstream_keys, lineage(asset, either, workspace).reads)
    assert str(difference) == (
        "gold.fact_city_daily declares silver.air_quality_hourly_clean, which is never read, says its plan"
    )


def test_a_column_from_elsewhere(either: Any, workspace: Workspace) -> None:
    def days(fact_air_quality_hourly: DataFrame) -> DataFrame:
        made: DataFrame = DAYS.function(fact_air_quality_hourly.withColumn("aqi", F.col("aqi_pm25")))
        return made

    found = lineage(replace(DAYS, function=days), either, workspace)
    wrong = {
        column
        for column, sources in by_hand.columns_of(DAYS.key).items()
        if {(edge.of, edge.column, str(edge.kind)) for edge in found.columns[column].edges} != sources
    }
    hours = {column for column in found.columns if column.startswith("hours_")}
    assert wrong == {"aqi_daily_max", "dominant_pollutant_daily", "data_completeness", *hours}
    assert found.columns["aqi_daily_max"].direct == {(by_hand.HOURS, "aqi_pm25")}


def test_what_another_process_makes_is_not_known_here(embedded: Any, workspace: Workspace) -> None:
    found = lineage(replace(DAYS, engine="spark"), embedded, workspace)
    assert found.unknown == {ELSEWHERE}
    assert list(found.columns) == list(workspace.contracts[DAYS.key].column_names)
