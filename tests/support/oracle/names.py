"""Names of tables and columns, and the numbers that DATA_MODEL gives."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

Row = dict[str, Any]

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

BRONZE = "bronze.open_meteo_hourly"
SILVER = "silver.air_quality_hourly_clean"
QUARANTINE = "silver.air_quality_hourly_quarantine"
DIM_DATE = "gold.dim_date"
DIM_TIME = "gold.dim_time"
DIM_LOCATION = "gold.dim_location"
DIM_POLLUTANT = "gold.dim_pollutant"
FACT_HOURLY = "gold.fact_air_quality_hourly"
CITY_DAILY = "gold.fact_city_daily"
EPISODE = "gold.fact_episode"

API_TO_COLUMN: Mapping[str, str] = MappingProxyType(
    {
        "us_aqi": "aqi",
        "us_aqi_pm2_5": "aqi_pm25",
        "us_aqi_pm10": "aqi_pm10",
        "us_aqi_nitrogen_dioxide": "aqi_no2",
        "us_aqi_ozone": "aqi_o3",
        "us_aqi_sulphur_dioxide": "aqi_so2",
        "us_aqi_carbon_monoxide": "aqi_co",
        "pm2_5": "pm25",
        "pm10": "pm10",
        "ozone": "o3",
        "nitrogen_dioxide": "no2",
        "sulphur_dioxide": "so2",
        "carbon_monoxide": "co",
        "aerosol_optical_depth": "aod",
        "dust": "dust",
        "uv_index": "uv_index",
        "carbon_dioxide": "co2",
    }
)
INDEXES = ("aqi", "aqi_pm25", "aqi_pm10", "aqi_no2", "aqi_o3", "aqi_so2", "aqi_co")
CONCENTRATIONS = ("pm25", "pm10", "o3", "no2", "so2", "co", "aod", "dust", "uv_index", "co2")
UNITS: Mapping[str, str] = MappingProxyType(
    {**dict.fromkeys(CONCENTRATIONS, "\u00b5g/m³"), "aod": "1", "uv_index": "1", "co2": "ppm"}
)
_MICROGRAMS = "\u00b5g/m³"
POLLUTANTS: tuple[tuple[str, str, str, str | None], ...] = (
    ("pm25", "PM2.5", _MICROGRAMS, "24h"),
    ("pm10", "PM10", _MICROGRAMS, "24h"),
    ("o3", "Ozone (O₃)", _MICROGRAMS, "8h"),
    ("no2", "Nitrogen Dioxide (NO₂)", _MICROGRAMS, "1h"),
    ("so2", "Sulphur Dioxide (SO₂)", _MICROGRAMS, "1h"),
    ("co", "Carbon Monoxide (CO)", _MICROGRAMS, "8h"),
    ("aod", "Aerosol Optical Depth", "index", None),
    ("dust", "Dust", _MICROGRAMS, None),
    ("uv_index", "UV Index", "index", None),
    ("co2", "Carbon Dioxide (CO₂)", "ppm", None),
)
"""Code, name, unit, averaging time of the US AQI."""
TIE_ORDER = ("pm25", "pm10", "o3", "no2", "so2", "co")

TIMEZONES: Mapping[str, str] = MappingProxyType(dict.fromkeys(("danang", "hanoi", "hcmc"), "Asia/Ho_Chi_Minh"))

SILVER_BASE = ("location_key", "ts_utc", "date_utc", "latitude", "longitude", *INDEXES, *CONCENTRATIONS)
COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        BRONZE: (*SILVER_BASE, "model_domain", "request_timezone"),
        SILVER: (*SILVER_BASE, "date_key", "time_key"),
        QUARANTINE: (*SILVER_BASE, "model_domain", "request_timezone", "broken_rules"),
        DIM_DATE: (
            "date_key",
            "date_value",
            "day_of_month",
            "day_of_week",
            "week_of_year",
            "month",
            "month_name",
            "quarter",
            "year",
            "is_weekend",
        ),
        DIM_TIME: ("time_key", "time_value", "hour", "work_shift"),
        DIM_LOCATION: ("location_key", "location_name", "latitude", "longitude", "timezone"),
        DIM_POLLUTANT: ("pollutant_code", "display_name", "unit_default", "aqi_timespan"),
        FACT_HOURLY: (
            "record_id",
            *SILVER_BASE,
            "date_key",
            "time_key",
            "dominant_pollutant",
            "data_completeness",
            "concentrations_measured",
            "ts_local",
            "date_local",
            "hour_local",
        ),
        CITY_DAILY: (
            "daily_record_id",
            "location_key",
            "date_utc",
            "date_key",
            "aqi_daily_max",
            "dominant_pollutant_daily",
            "hours_in_cat_good",
            "hours_in_cat_moderate",
            "hours_in_cat_usg",
            "hours_in_cat_unhealthy",
            "hours_in_cat_very_unhealthy",
            "hours_in_cat_hazardous",
            "hours_measured",
            "data_completeness",
            "has_last_hour",
        ),
        EPISODE: (
            "episode_id",
            "location_key",
            "start_ts_utc",
            "end_ts_utc",
            "start_date_utc",
            "duration_hours",
            "peak_aqi",
            "hours_flagged",
            "dominant_pollutant",
            "rule_code",
            "end_exclusive_ts_utc",
            "is_open",
        ),
    }
)

RULES = ("key", "negative", "not_finite", "implausible")

# Column -> (least, greatest) plausible value, both still plausible; None: no such bound.
DEFAULT_LIMITS: Mapping[str, tuple[float | None, float | None]] = MappingProxyType(
    {
        "pm25": (None, 5_000.0),
        "pm10": (None, 20_000.0),
        "dust": (None, 20_000.0),
        "o3": (None, 2_000.0),
        "no2": (None, 5_000.0),
        "so2": (None, 10_000.0),
        "co": (None, 200_000.0),
        "aod": (None, 20.0),
        "uv_index": (None, 25.0),
        "co2": (250.0, 2_000.0),
    }
)
