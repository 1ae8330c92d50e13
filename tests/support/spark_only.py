"""An asset's function that only Spark makes right: on the embedded engine it would lose the Sundays."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from assets.facts import fact_city_daily


def every_day(fact_air_quality_hourly: DataFrame) -> DataFrame:
    made: DataFrame = fact_city_daily.function(fact_air_quality_hourly)
    return made.where(F.weekday("date_utc") >= 0)


def that_fails(fact_air_quality_hourly: DataFrame) -> DataFrame:
    failing = F.raise_error(F.lit("made to fail")).cast("int")
    return every_day(fact_air_quality_hourly).withColumn("aqi_daily_max", failing)
