"""The rivers' assets."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from orchestration.core.declarations.asset import asset
from orchestration.core.declarations.catalog import Catalog
from orchestration.core.declarations.checks import Check
from orchestration.core.declarations.contract import RowRule
from orchestration.core.partitions.location import Location
from orchestration.core.partitions.mappings import AllPartitions, Identity, RunWindow
from orchestration.core.partitions.scheme import DailyByLocation
from tests.support.river.parameters import AlarmRule, Parameters

READ = DailyByLocation("reading_day", "gauge_id")
FELL = DailyByLocation("fell_on", "station_id")
BEGAN = DailyByLocation("began_day", "gauge_id")


@asset(layer="bronze", source="gauges", partitions=READ, contract="GaugeReadings", tags=("source",))
def gauge_readings(gauges: DataFrame) -> DataFrame:
    """The levels of every hour as the gauges sent them."""
    return gauges.withColumn("reading_day", F.to_date("read_at"))


@asset(layer="bronze", source="rain_files", partitions=FELL, contract="Rainfall", tags=("source",))
def rainfall(rain_files: DataFrame) -> DataFrame:
    """The rain as the files have it."""
    return rain_files


def _broken(rules: Sequence[RowRule]) -> Column:
    """The names of the rules that a row breaks."""
    named: dict[str, Column] = {}
    for rule in rules:
        named[rule.rule] = named.get(rule.rule, F.lit(False)) | F.coalesce(_breaks(rule), F.lit(False))
    return F.filter(F.array(*[F.when(it, F.lit(name)) for name, it in named.items()]), lambda name: name.isNotNull())


def _breaks(rule: RowRule) -> Column:
    column = F.col(rule.column)
    match rule.kind:
        case "null":
            return column.isNull()
        case "below":
            return column < F.lit(rule.bound)
        case "above":
            return (column > F.lit(rule.bound)) & ~F.isnan(column)
        case "not_finite":
            return F.isnan(column) | column.isin(float("inf"), float("-inf"))
        case "other_day":
            return F.to_date(column) != F.col(str(rule.other))
    raise ValueError(rule.kind)


@asset(layer="silver", upstream=[Identity("bronze.gauge_readings")], partitions=READ, contract="Levels")
def levels(gauge_readings: DataFrame, *, row_rules: tuple[RowRule, ...]) -> DataFrame:
    """Every hour that breaks no row rule."""
    return gauge_readings.where(F.size(_broken(row_rules)) == 0)


@asset(layer="silver", upstream=[Identity("bronze.gauge_readings")], partitions=READ, contract="LevelsRefused")
def levels_refused(gauge_readings: DataFrame, *, row_rules: tuple[RowRule, ...]) -> DataFrame:
    """Every hour that breaks a row rule, with the names of the rules."""
    return gauge_readings.withColumn("broken_rules", _broken(row_rules)).where(F.size("broken_rules") > 0)


def _above_the_crest(parameters: Parameters) -> Column:
    return F.count_if(F.col("level_max_m") > parameters.gauging.crest)


def _hours_unread(_parameters: Parameters) -> Column:
    return F.sum(F.lit(24) - F.col("hours_read"))


@asset(
    layer="gold",
    upstream=[Identity("silver.levels"), Identity("bronze.rainfall")],
    partitions=READ,
    contract="DailyLevels",
    tags=("daily",),
    checks=[
        Check("above_the_crest", True, _above_the_crest, "The staff ends there: look at the gauge."),
        Check("hours_unread", False, _hours_unread, "Fewer than 24 hours.", ended_days_only=True),
    ],
    fresh_within_hours=3,
)
def daily_levels(levels: DataFrame, rainfall: DataFrame) -> DataFrame:
    """A day of one gauge: its highest and its mean level, and the rain."""
    days = levels.groupBy("gauge_id", "reading_day").agg(
        F.max("level_m").alias("level_max_m"),
        F.avg("level_m").alias("level_mean_m"),
        F.count("level_m").alias("hours_read"),
    )
    rain = rainfall.groupBy(F.col("station_id").alias("gauge_id"), F.col("fell_on").alias("reading_day")).agg(
        F.sum("rain_mm").alias("rain_mm")
    )
    return days.join(rain, ["gauge_id", "reading_day"], "left").fillna(0.0, ["rain_mm"])


def _flood_id() -> Column:
    return F.concat_ws("|", "gauge_id", F.date_format("began_at", "yyyy-MM-dd'T'HH'Z'"))


@asset(
    layer="gold",
    upstream=[
        RunWindow("silver.levels", column="level_m", at_least="alarm_rule.level", instant="read_at"),
        AllPartitions("gold.dim_alarm"),
    ],
    partitions=BEGAN,
    contract="Floods",
    identifiers={"flood_id": _flood_id},
)
def floods(levels: DataFrame, dim_alarm: DataFrame, *, alarm_rule: AlarmRule) -> DataFrame:
    """Runs of adjacent hours at or above the alarm's level, on the day on which they began."""
    hours = Window.partitionBy("gauge_id").orderBy("read_at")
    high = levels.where(F.col("level_m") >= alarm_rule.level)
    runs = high.withColumn("run", F.unix_timestamp("read_at") - F.row_number().over(hours) * 3600)
    found = (
        runs.groupBy("gauge_id", "run")
        .agg(
            F.min("read_at").alias("began_at"),
            F.max("read_at").alias("last_hour_at"),
            F.count(F.lit(1)).alias("duration_hours"),
            F.max("level_m").alias("peak_m"),
        )
        .where(F.col("duration_hours") >= alarm_rule.min_hours)
    )
    return (
        found.withColumn("began_day", F.to_date("began_at"))
        .withColumn("flood_id", _flood_id())
        .crossJoin(dim_alarm.select("alarm_code"))
    )


@asset(layer="gold", contract="DimGauge", tags=("dimension",))
def dim_gauge(*, locations: tuple[Location, ...]) -> DataFrame:
    """The configured gauges."""
    return SparkSession.active().createDataFrame(
        pa.table(
            {
                "gauge_id": [at.key for at in locations],
                "gauge_name": [at.name for at in locations],
                "latitude": [at.latitude for at in locations],
                "longitude": [at.longitude for at in locations],
                "timezone": [at.timezone for at in locations],
            }
        )
    )


@asset(layer="gold", contract="DimAlarm", tags=("dimension",))
def dim_alarm(*, alarm_rule: AlarmRule) -> DataFrame:
    """The one alarm."""
    return (
        SparkSession.active()
        .range(1)
        .select(
            F.lit(alarm_rule.code).alias("alarm_code"),
            F.lit(alarm_rule.level).cast("double").alias("level_m"),
            F.lit(alarm_rule.min_hours).cast("int").alias("min_hours"),
        )
    )


CATALOG = Catalog(
    [gauge_readings, rainfall, levels, levels_refused, daily_levels, floods, dim_gauge, dim_alarm], Parameters
)
