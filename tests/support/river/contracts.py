"""The contracts of the rivers' tables."""
# ruff: noqa: RUF012 (pandera's Config wants a list)

from typing import Any

import pandera.pyspark as pa
import pyspark.sql.types as T
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from orchestration.core.declarations.contract import models_among

NOT_FINITE = [float("nan"), float("inf"), float("-inf")]


def _field(description: str, unit: str = "", *, nullable: bool = False, **rules: Any) -> Any:
    return pa.Field(nullable=nullable, description=description, metadata={"unit": unit}, **rules)


def _ingested() -> Any:
    return pa.Field(alias="_ingested_at", nullable=False, description="When it was taken in", metadata={"unit": "UTC"})


def models(highest: float) -> dict[str, Any]:
    """A model per contract name. highest: metres that no river reaches."""

    def readings(**rules: Any) -> Any:
        class Readings(pa.DataFrameModel):
            gauge_id: T.StringType = _field("The gauge, a key of gold.dim_gauge")
            reading_day: T.DateType = _field("UTC day of read_at")
            read_at: T.TimestampType = _field("Start of the hour", "UTC")
            level_m: T.DoubleType = _field("Level above the gauge's zero", "m", nullable=True, **rules)
            flow_m3s: T.DoubleType = _field("Flow", "m³/s", nullable=True)
            ingested_at: T.TimestampType = _ingested()

        return Readings

    class GaugeReadings(readings()):
        """What the gauges sent: an hour of one gauge a row."""

        class Config:
            unique = ["gauge_id", "read_at"]

    class Rainfall(pa.DataFrameModel):
        """Rain as the files have it: a bucket that tipped over a row."""

        station_id: T.StringType = _field("The gauge at which it fell, a key of gold.dim_gauge")
        fell_on: T.DateType = _field("The UTC day")
        bucket: T.IntegerType = _field("Number of the bucket on its day")
        rain_mm: T.DoubleType = _field("What was in it", "mm", nullable=True)
        ingested_at: T.TimestampType = _ingested()

        class Config:
            unique = ["station_id", "fell_on", "bucket"]

    class Levels(readings(ge=0, notin=NOT_FINITE, le=highest)):
        """Hours that break no row rule."""

        @pa.dataframe_check
        def on_its_day(cls, rows: DataFrame) -> bool:
            return bool(rows.where(F.to_date("read_at") != F.col("reading_day")).isEmpty())

        class Config:
            unique = ["gauge_id", "read_at"]
            metadata = {"on_its_day": ["read_at", "reading_day"]}

    class LevelsRefused(GaugeReadings):
        """Hours that break a row rule, with the names of the rules."""

        broken_rules: T.ArrayType(T.StringType()) = _field("Names of the broken row rules")

        class Config:
            unique = ["gauge_id", "read_at"]

    class DailyLevels(pa.DataFrameModel):
        """A day of one gauge."""

        gauge_id: T.StringType = _field("The gauge, a key of gold.dim_gauge")
        reading_day: T.DateType = _field("The UTC day")
        level_max_m: T.DoubleType = _field("Highest level", "m", nullable=True)
        level_mean_m: T.DoubleType = _field("Mean level", "m", nullable=True)
        hours_read: T.LongType = _field("Hours with a level", "h")
        rain_mm: T.DoubleType = _field("Rain of the day", "mm")

        class Config:
            unique = ["gauge_id", "reading_day"]

    class Floods(pa.DataFrameModel):
        """A run of adjacent hours at or above the alarm's level, whole, on the day on which it began."""

        flood_id: T.StringType = _field("Gauge and first hour")
        gauge_id: T.StringType = _field("The gauge, a key of gold.dim_gauge")
        began_day: T.DateType = _field("UTC day of began_at")
        began_at: T.TimestampType = _field("Start of the first hour", "UTC")
        last_hour_at: T.TimestampType = _field("Start of the last hour", "UTC")
        duration_hours: T.LongType = _field("Length of the run", "h")
        peak_m: T.DoubleType = _field("Highest level", "m")
        alarm_code: T.StringType = _field("The alarm, a key of gold.dim_alarm")

        class Config:
            unique = ["gauge_id", "began_at"]

    class DimGauge(pa.DataFrameModel):
        """The configured gauges."""

        gauge_id: T.StringType = _field("Key of the gauge")
        gauge_name: T.StringType = _field("Name of the gauge")
        latitude: T.DoubleType = _field("Latitude as configured", "°")
        longitude: T.DoubleType = _field("Longitude as configured", "°")
        timezone: T.StringType = _field("IANA name of the local time")

        class Config:
            unique = ["gauge_id"]

    class DimAlarm(pa.DataFrameModel):
        """The alarms."""

        alarm_code: T.StringType = _field("Key of the alarm")
        level_m: T.DoubleType = _field("Level from which it holds", "m")
        min_hours: T.IntegerType = _field("Hours that it takes", "h")

        class Config:
            unique = ["alarm_code"]

    return models_among(locals().values())
