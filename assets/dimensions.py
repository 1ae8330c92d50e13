"""Gold dimensions: calendar, clock, locations and pollutants. They depend on configuration alone."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from assets.parameters import Calendar, Pollutant
from orchestration.core.declarations.asset import asset
from orchestration.core.partitions.location import Location


def _session() -> SparkSession:
    return SparkSession.active()


def _choice(of: Column, names: Mapping[int, str]) -> Column:
    """The name at the whole number ``of``."""
    return F.coalesce(*[F.when(of == number, F.lit(name)) for number, name in names.items()])


MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


@asset(layer="gold", contract="DimDate", tags=("dimension",))
def dim_date(*, calendar: Calendar) -> DataFrame:
    """The calendar: a row per day of the configured range."""
    bounds = (
        _session()
        .range(1)
        .select(
            F.explode(F.sequence(F.to_date(F.lit(calendar.first)), F.to_date(F.lit(calendar.last)))).alias("date_value")
        )
    )
    day = F.col("date_value")
    weekday = (F.dayofweek(day) + 5) % 7 + 1
    return bounds.select(
        F.date_format(day, "yyyyMMdd").cast("int").alias("date_key"),
        day,
        F.dayofmonth(day).alias("day_of_month"),
        weekday.alias("day_of_week"),
        F.weekofyear(day).alias("week_of_year"),
        F.month(day).alias("month"),
        _choice(F.month(day), dict(enumerate(MONTHS, 1))).alias("month_name"),
        F.quarter(day).alias("quarter"),
        F.year(day).alias("year"),
        (weekday >= 6).alias("is_weekend"),
    )


SHIFTS = {0: "night", 1: "morning", 2: "afternoon", 3: "evening"}


@asset(layer="gold", contract="DimTime", tags=("dimension",))
def dim_time() -> DataFrame:
    """The 24 hours of a day with their shifts of six hours."""
    hour = F.col("id").cast("int")
    return (
        _session()
        .range(24)
        .select(
            (hour * 100).alias("time_key"),
            F.format_string("%02d:00", hour).alias("time_value"),
            hour.alias("hour"),
            _choice(F.floor(hour / 6), SHIFTS).alias("work_shift"),
        )
    )


@asset(layer="gold", contract="DimLocation", tags=("dimension",))
def dim_location(*, locations: tuple[Location, ...]) -> DataFrame:
    """The configured locations."""
    return _session().createDataFrame(
        pa.table(
            {
                "location_key": [at.key for at in locations],
                "location_name": [at.name for at in locations],
                "latitude": [at.latitude for at in locations],
                "longitude": [at.longitude for at in locations],
                "timezone": [at.timezone for at in locations],
            }
        )
    )


@asset(layer="gold", contract="DimPollutant", tags=("dimension",))
def dim_pollutant(*, pollutants: tuple[Pollutant, ...]) -> DataFrame:
    """The measured quantities with their units and the averaging times of their indexes."""
    return _session().createDataFrame(
        pa.table(
            {
                "pollutant_code": [what.code for what in pollutants],
                "display_name": [what.display_name for what in pollutants],
                "unit_default": [what.unit_default for what in pollutants],
                "aqi_timespan": pa.array([what.aqi_timespan for what in pollutants], pa.string()),
            }
        )
    )
