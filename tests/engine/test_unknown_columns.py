"""The function of an asset names a column that is not there: what a person is told, by either engine."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pyspark.sql import functions as F

from assets.facts import fact_city_daily
from tests.support import oracle
from tests.support.feed import Feed
from tests.support.small_lake import Lake
from tests.support.strategies import random_bronze

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

pytestmark = pytest.mark.engine


def by_name(fact_air_quality_hourly: DataFrame) -> DataFrame:
    return fact_air_quality_hourly.groupBy("date_utc").agg(F.max("aqy").alias("aqi_daily_max"))


def by_attribute(fact_air_quality_hourly: DataFrame) -> DataFrame:
    return fact_air_quality_hourly.where(fact_air_quality_hourly.aqy > 0)


def in_sql(fact_air_quality_hourly: DataFrame) -> DataFrame:
    return fact_air_quality_hourly.where("aqi > 0 and aqy > 0")


def join(fact_air_quality_hourly: DataFrame) -> DataFrame:
    return fact_air_quality_hourly.join(fact_air_quality_hourly, ["aqy"])


@pytest.mark.parametrize("shared", ["embedded", pytest.param("on_spark", marks=pytest.mark.spark)])
def test_asset_column_line_and_columns_are_named(
    shared: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    rows = random_bronze(3, days=1, locations=["hanoi"], breaking=False)
    day = str(rows[0]["date_utc"])
    with Feed(rows) as feed:
        lake = Lake(tmp_path / "lake", request.getfixturevalue(shared), feed.server.url)
        assert lake.materialize(day, f"+{oracle.FACT_HOURLY}", ["hanoi"]).ok
        columns = ", ".join(lake.workspace.contracts[oracle.FACT_HOURLY].column_names)
        for function in (by_name, by_attribute, in_sql, join):
            assert told(lake, function, day) == (
                f"{oracle.CITY_DAILY}: its function names the column 'aqy', which is not there "
                f"(tests/engine/test_unknown_columns.py, line {line(function)}). {oracle.FACT_HOURLY} has {columns}. "
                "Did you mean 'aqi'?"
            )


def line(function: Callable[..., Any]) -> int:
    """That of the only statement."""
    return inspect.getsourcelines(function)[1] + 1


def told(lake: Lake, function: Callable[..., Any], day: str) -> str:
    declared = lake.workspace.project.catalog[oracle.CITY_DAILY]
    assert declared.function is fact_city_daily.function
    catalog = lake.workspace.project.catalog.with_asset(replace(declared, function=function))
    changed = replace(lake, adapt=lambda it: replace(it, project=replace(it.project, catalog=catalog)))
    (outcome,) = changed.materialize(day, oracle.CITY_DAILY, ["hanoi"]).outcomes
    (problem,) = outcome.problems
    return problem.message
