"""Bronze: what the provider sent."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from orchestration.core.declarations.asset import HourlyRows, asset
from orchestration.core.partitions.location import Location
from orchestration.core.partitions.scheme import DailyByLocation

DAILY = DailyByLocation()


@asset(
    layer="bronze",
    source="open_meteo",
    partitions=DAILY,
    contract="OpenMeteoHourly",
    tags=("hourly", "source"),
    hours=HourlyRows(
        instant="ts_utc",
        essential=("aqi", "pm25", "pm10", "o3", "no2", "so2", "co"),
        judged_by="silver.air_quality_hourly_clean",
    ),
)
def open_meteo_hourly(open_meteo: DataFrame, *, locations: tuple[Location, ...], model_domain: str) -> DataFrame:
    """Open-Meteo's hourly air quality as it was sent: an hour of one location a row, forecasts left out.

    open_meteo: location_key, ts_utc, _ingested_at and the variables by their column names.
    """
    configured = {location.key: location for location in locations}
    key = F.col("location_key")
    latitude = F.coalesce(*[F.when(key == name, F.lit(at.latitude)) for name, at in configured.items()])
    longitude = F.coalesce(*[F.when(key == name, F.lit(at.longitude)) for name, at in configured.items()])
    return open_meteo.withColumns(
        {
            "date_utc": F.to_date("ts_utc"),
            "latitude": latitude,
            "longitude": longitude,
            "model_domain": F.lit(model_domain),
            "request_timezone": F.lit("UTC"),
        }
    )
