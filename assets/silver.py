"""Silver: hours that break no row rule, and the quarantine of those that do. Nothing is dropped."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from assets.bronze import DAILY
from assets.parameters import Parameters
from assets.row_rules import broken_rules
from assets.variables import SUB_INDEXES
from orchestration.core.declarations.asset import asset
from orchestration.core.declarations.checks import Check
from orchestration.core.declarations.contract import RowRule
from orchestration.core.partitions.mappings import Identity


def _index_above_500(_parameters: Parameters) -> Column:
    return F.count_if(F.greatest("aqi", *SUB_INDEXES) > 500)


def _index_unlike_sub_indexes(_parameters: Parameters) -> Column:
    return F.count_if(F.col("aqi") != F.greatest(*SUB_INDEXES))


def _hours_missing(_parameters: Parameters) -> Column:
    return F.greatest(F.lit(24) - F.count(F.lit(1)), F.lit(0))


@asset(
    layer="silver",
    upstream=[Identity("bronze.open_meteo_hourly")],
    partitions=DAILY,
    contract="AirQualityHourlyClean",
    tags=("hourly",),
    checks=[
        Check("index_above_500", False, _index_above_500, "The provider extrapolates the index above 500."),
        Check("index_unlike_sub_indexes", False, _index_unlike_sub_indexes, "aqi is not the greatest sub-index."),
        Check("hours_missing", False, _hours_missing, "Fewer than 24 hours.", ended_days_only=True),
    ],
)
def air_quality_hourly_clean(open_meteo_hourly: DataFrame, *, row_rules: tuple[RowRule, ...]) -> DataFrame:
    """Every hour that breaks no row rule, with the keys of the calendar and the clock."""
    clean = open_meteo_hourly.where(F.size(broken_rules(row_rules)) == 0)
    return clean.withColumns(
        {
            "date_key": F.date_format("date_utc", "yyyyMMdd").cast("int"),
            "time_key": F.hour("ts_utc") * 100,
        }
    )


@asset(
    layer="silver",
    upstream=[Identity("bronze.open_meteo_hourly")],
    partitions=DAILY,
    contract="AirQualityHourlyQuarantine",
    tags=("hourly", "quality"),
)
def air_quality_hourly_quarantine(open_meteo_hourly: DataFrame, *, row_rules: tuple[RowRule, ...]) -> DataFrame:
    """Every hour that breaks a row rule, whole, with the names of all rules that it broke."""
    return open_meteo_hourly.withColumn("broken_rules", broken_rules(row_rules)).where(F.size("broken_rules") > 0)
