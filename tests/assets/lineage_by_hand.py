"""Where every column comes from, written by hand from DATA_MODEL.md; not from any output of the project.

A line is ``column: sources``. A source stands without a word where the column is it, else with one: ``of`` where it is
made of it row by row, ``over`` several rows, ``beside`` where it says which row comes next, ``if`` where it decides
which value is chosen. Nothing after the colon: a constant, a calendar, configuration, or a number of rows. A column
that is one of the same name stands alone.

The pollutant of "the earliest hour that reaches the highest index" is found over the index and the hour: OpenLineage
takes the order of ``max_by`` for a source of its value, as it takes its first argument, and so is it written here.
"""

from __future__ import annotations

from collections.abc import Mapping

BRONZE = "bronze.open_meteo_hourly"
SILVER, QUARANTINE = "silver.air_quality_hourly_clean", "silver.air_quality_hourly_quarantine"
HOURS, DAYS, EPISODES = "gold.fact_air_quality_hourly", "gold.fact_city_daily", "gold.fact_episode"

INDEXES = "aqi aqi_pm25 aqi_pm10 aqi_no2 aqi_o3 aqi_so2 aqi_co"
MEASURED = "pm25 pm10 o3 no2 so2 co aod dust uv_index co2"

MADE_FROM: Mapping[str, str] = {SILVER: BRONZE, QUARANTINE: BRONZE, HOURS: SILVER, DAYS: HOURS, EPISODES: HOURS}

COLUMNS: Mapping[str, str] = {
    "gold.dim_date": """
        date_key: | date_value: | day_of_month: | day_of_week: | week_of_year: | month: | month_name: | quarter: | year:
        is_weekend:
        """,
    "gold.dim_time": "time_key: | time_value: | hour: | work_shift:",
    "gold.dim_location": "location_key: | location_name: | latitude: | longitude: | timezone:",
    "gold.dim_pollutant": "pollutant_code: | display_name: | unit_default: | aqi_timespan:",
    HOURS: """
        record_id: of location_key, of ts_utc
        location_key | ts_utc | date_utc | latitude | longitude
        aqi | aqi_pm25 | aqi_pm10 | aqi_no2 | aqi_o3 | aqi_so2 | aqi_co
        pm25 | pm10 | o3 | no2 | so2 | co | aod | dust | uv_index | co2
        date_key | time_key
        dominant_pollutant: if aqi_pm25, if aqi_pm10, if aqi_o3, if aqi_no2, if aqi_so2, if aqi_co
        data_completeness: of pm25, of pm10, of o3, of no2, of so2, of co, of aod, of dust, of uv_index, of co2
        concentrations_measured: of pm25, of pm10, of o3, of no2, of so2, of co, of aod, of dust, of uv_index, of co2
        ts_local: of ts_utc, if location_key, if ts_utc
        date_local: of ts_utc, if location_key, if ts_utc
        hour_local: of ts_utc, if location_key, if ts_utc
        """,
    DAYS: """
        daily_record_id: of location_key, of date_utc
        location_key | date_utc | date_key
        aqi_daily_max: over aqi
        dominant_pollutant_daily: over dominant_pollutant, over aqi, over ts_utc, if aqi
        hours_in_cat_good: over aqi | hours_in_cat_moderate: over aqi | hours_in_cat_usg: over aqi
        hours_in_cat_unhealthy: over aqi | hours_in_cat_very_unhealthy: over aqi | hours_in_cat_hazardous: over aqi
        hours_measured: over aqi
        data_completeness: over aqi
        has_last_hour: over ts_utc
        """,
    EPISODES: """
        episode_id: of location_key, over ts_utc
        location_key
        start_ts_utc: over ts_utc | end_ts_utc: over ts_utc | start_date_utc: over ts_utc
        duration_hours:
        peak_aqi: over aqi
        hours_flagged:
        dominant_pollutant: over dominant_pollutant, over aqi, over ts_utc, if aqi
        rule_code:
        end_exclusive_ts_utc: over ts_utc
        is_open: over ts_utc, beside ts_utc, beside location_key
        """,
}
ROWS: Mapping[str, str] = {
    DAYS: "GROUP_BY location_key, GROUP_BY date_utc, GROUP_BY date_key",
    EPISODES: "FILTER aqi, GROUP_BY location_key, GROUP_BY ts_utc",
}
"""Which rows there are: a day of a location; the adjacent hours of a location at or above the threshold."""

API: Mapping[str, str] = {
    "pm25": "pm2_5",
    "pm10": "pm10",
    "o3": "ozone",
    "no2": "nitrogen_dioxide",
    "so2": "sulphur_dioxide",
    "co": "carbon_monoxide",
    "aod": "aerosol_optical_depth",
    "dust": "dust",
    "uv_index": "uv_index",
    "co2": "carbon_dioxide",
    "aqi": "us_aqi",
    "aqi_pm25": "us_aqi_pm2_5",
    "aqi_pm10": "us_aqi_pm10",
    "aqi_no2": "us_aqi_nitrogen_dioxide",
    "aqi_o3": "us_aqi_ozone",
    "aqi_so2": "us_aqi_sulphur_dioxide",
    "aqi_co": "us_aqi_carbon_monoxide",
}
"""The table of API variables, the other way round."""
AT_LAST: Mapping[str, str] = {
    f"{EPISODES}.peak_aqi": "AGGREGATION us_aqi",
    f"{DAYS}.hours_measured": "AGGREGATION us_aqi",
    f"{HOURS}.pm25": "IDENTITY pm2_5",
    f"{HOURS}.record_id": "TRANSFORMATION location_key, TRANSFORMATION time",
    f"{EPISODES}.start_date_utc": "AGGREGATION time",
    f"{HOURS}.latitude": "CONDITIONAL location_key",
    f"{SILVER}.date_key": "TRANSFORMATION time",
}
"""What columns are made of at last, as the provider calls it."""

_WORDS = {"of": "TRANSFORMATION", "over": "AGGREGATION", "if": "CONDITIONAL", "beside": "WINDOW"}


def columns_of(key: str) -> dict[str, set[tuple[str, str, str]]]:
    """Of each column of a table the edges: (upstream, column, kind)."""
    found: dict[str, set[tuple[str, str, str]]] = {}
    for said in (part.strip() for line in COLUMNS[key].splitlines() for part in line.split("|")):
        if not said:
            continue
        column, colon, sources = said.partition(":")
        edges = [source.split() for source in sources.split(",") if source.strip()] if colon else [[column]]
        found[column] = {(MADE_FROM[key], edge[-1], _WORDS[edge[0]] if len(edge) > 1 else "IDENTITY") for edge in edges}
    return found


def rows_of(key: str) -> set[tuple[str, str, str]]:
    """What decides the rows of a table, in the same form."""
    said = [part.split() for part in ROWS.get(key, "").split(",") if part.strip()]
    return {(MADE_FROM[key], column, kind) for kind, column in said}
