"""Gold facts: every hour, every city-day, every episode."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from assets.bronze import DAILY
from assets.identifiers import identifier, iso_day, iso_instant
from assets.local_time import with_local_time
from assets.parameters import EpisodeRule, Parameters
from assets.variables import CONCENTRATIONS
from orchestration.core.declarations.asset import asset
from orchestration.core.declarations.checks import Check
from orchestration.core.partitions.location import Location
from orchestration.core.partitions.mappings import Identity, RunWindow
from orchestration.core.partitions.scheme import DailyByLocation

DOMINANCE = ("pm25", "pm10", "o3", "no2", "so2", "co")
"""Pollutants with an index, in the order that decides a tie."""

CATEGORIES = {
    "good": (0, 50),
    "moderate": (51, 100),
    "usg": (101, 150),
    "unhealthy": (151, 200),
    "very_unhealthy": (201, 300),
    "hazardous": (301, None),
}
"""Categories of the US AQI, lowest and highest index (US EPA, 40 CFR 58, Appendix G)."""

HOUR_SECONDS = 3600
LAST_HOUR = 23
"""The hour with which a UTC day ends."""


def _outside_calendar(column: str) -> Check:
    def count(parameters: Parameters) -> Column:
        first, last = F.lit(parameters.calendar.first), F.lit(parameters.calendar.last)
        return F.count_if(~F.col(column).between(F.to_date(first), F.to_date(last)))

    return Check(
        "outside_calendar",
        True,
        count,
        "The day is not in gold.dim_date: extend rules.calendar (first, last) in the configuration.",
    )


def _dominant_pollutant() -> Column:
    """The pollutant of the highest index that is not null, the first of DOMINANCE at a tie; null without index."""
    best = F.greatest(*[f"aqi_{code}" for code in DOMINANCE])
    return F.coalesce(*[F.when(F.col(f"aqi_{code}") == best, F.lit(code)) for code in DOMINANCE])


def _at_earliest_peak(column: str) -> Column:
    """Aggregate: ``column`` of the earliest hour that reaches the highest aqi of its group."""
    rank = F.struct(F.col("aqi"), -F.unix_timestamp("ts_utc"))
    return F.max_by(F.col(column), F.when(F.col("aqi").isNotNull(), rank))


def _record_id() -> Column:
    return identifier("gold.fact_air_quality_hourly", F.col("location_key"), iso_instant("ts_utc"))


def _daily_record_id() -> Column:
    return identifier("gold.fact_city_daily", F.col("location_key"), iso_day("date_utc"))


def _episode_id() -> Column:
    return identifier("gold.fact_episode", F.col("location_key"), iso_instant("start_ts_utc"), F.col("rule_code"))


@asset(
    layer="gold",
    upstream=[Identity("silver.air_quality_hourly_clean")],
    partitions=DAILY,
    contract="FactAirQualityHourly",
    tags=("hourly", "fact"),
    checks=[_outside_calendar("date_utc")],
    fresh_within_hours=3,
    identifiers={"record_id": _record_id},
)
def fact_air_quality_hourly(air_quality_hourly_clean: DataFrame, *, locations: tuple[Location, ...]) -> DataFrame:
    """Every clean hour with a lasting id, its dominant pollutant, how complete it is, and its local time."""
    present = sum((F.col(name).isNotNull().cast("int") for name in CONCENTRATIONS), F.lit(0))
    timezones = {location.key: location.timezone for location in locations}
    measured = air_quality_hourly_clean.withColumns(
        {
            "record_id": _record_id(),
            "dominant_pollutant": _dominant_pollutant(),
            "data_completeness": present * F.lit(100.0) / len(CONCENTRATIONS),
            "concentrations_measured": present,
        }
    )
    return with_local_time(measured, "location_key", "ts_utc", timezones)


@asset(
    layer="gold",
    upstream=[Identity("gold.fact_air_quality_hourly")],
    partitions=DAILY,
    contract="FactCityDaily",
    tags=("daily", "fact"),
    checks=[_outside_calendar("date_utc")],
    fresh_within_hours=3,
    identifiers={"daily_record_id": _daily_record_id},
)
def fact_city_daily(fact_air_quality_hourly: DataFrame) -> DataFrame:
    """A day of one location: its worst hour, the hours in each category, how many hours were measured."""
    hours_in = [
        F.count_if((F.col("aqi") >= low) & (F.lit(True) if high is None else F.col("aqi") <= high)).alias(
            f"hours_in_cat_{name}"
        )
        for name, (low, high) in CATEGORIES.items()
    ]
    days = fact_air_quality_hourly.groupBy("location_key", "date_utc", "date_key").agg(
        F.max("aqi").alias("aqi_daily_max"),
        _at_earliest_peak("dominant_pollutant").alias("dominant_pollutant_daily"),
        *hours_in,
        F.count("aqi").alias("hours_measured"),
        (F.max(F.hour("ts_utc")) == LAST_HOUR).alias("has_last_hour"),
    )
    return days.withColumns(
        {
            "daily_record_id": _daily_record_id(),
            "data_completeness": F.lit(100.0) * F.col("hours_measured") / 24,
        }
    )


@asset(
    layer="gold",
    upstream=[RunWindow("gold.fact_air_quality_hourly", column="aqi", at_least="episode_rule.threshold")],
    partitions=DailyByLocation(day_column="start_date_utc"),
    contract="FactEpisode",
    tags=("episode", "fact"),
    checks=[_outside_calendar("start_date_utc")],
    fresh_within_hours=3,
    identifiers={"episode_id": _episode_id},
)
def fact_episode(fact_air_quality_hourly: DataFrame, *, episode_rule: EpisodeRule) -> DataFrame:
    """Runs of adjacent hours at or above the rule's threshold, whole, on the day on which they start."""
    hours = Window.partitionBy("location_key").orderBy("ts_utc")
    with_next = fact_air_quality_hourly.withColumn("next_ts_utc", F.lead("ts_utc").over(hours))
    flagged = with_next.where(F.col("aqi") >= episode_rule.threshold)
    runs = flagged.withColumn("run", F.unix_timestamp("ts_utc") - F.row_number().over(hours) * HOUR_SECONDS)
    episodes = (
        runs.groupBy("location_key", "run")
        .agg(
            F.min("ts_utc").alias("start_ts_utc"),
            F.max("ts_utc").alias("end_ts_utc"),
            F.max_by("next_ts_utc", "ts_utc").alias("next_ts_utc"),
            F.count(F.lit(1)).alias("duration_hours"),
            F.max("aqi").alias("peak_aqi"),
            F.count(F.lit(1)).alias("hours_flagged"),
            _at_earliest_peak("dominant_pollutant").alias("dominant_pollutant"),
        )
        .where(F.col("duration_hours") >= episode_rule.min_hours)
    )
    hour_after = F.timestamp_micros(F.unix_micros("end_ts_utc") + HOUR_SECONDS * 1_000_000)
    return (
        episodes.withColumns(
            {
                "start_date_utc": F.to_date("start_ts_utc"),
                "end_exclusive_ts_utc": hour_after,
                # Of days farther on nothing may be said: nobody would notice that they change.
                "is_open": F.col("next_ts_utc").isNull() | (F.to_date("next_ts_utc") > F.to_date(hour_after)),
                "rule_code": F.lit(episode_rule.code),
            }
        )
        .withColumn("episode_id", _episode_id())
        .drop("next_ts_utc")
    )
