"""Any input: the oracle does not depend on the order of rows, and agrees with DuckDB."""

from __future__ import annotations

from typing import Any

import duckdb
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import oracle
from tests.support.oracle import Row
from tests.support.strategies import bronze_rows, bronze_tables, random_bronze

thorough = settings(max_examples=30, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])


@thorough
@given(bronze_rows())
def test_a_row_is_clean_or_quarantined(row: Row) -> None:
    assert len(oracle.silver([row])) + len(oracle.quarantine([row])) == 1
    broken = oracle.broken_rules(row)
    assert broken == [rule for rule in oracle.RULES if rule in broken]


@thorough
@given(bronze_tables(), st.randoms(use_true_random=False))
def test_tables_do_not_depend_on_the_order_of_rows(bronze: list[Row], rng: Any) -> None:
    shuffled = list(bronze)
    rng.shuffle(shuffled)
    hourly = oracle.fact_hourly(oracle.silver(bronze))
    assert len(hourly) + len(oracle.quarantine(bronze)) == len(bronze)
    assert oracle.fact_hourly(oracle.silver(shuffled)) == hourly
    mixed = [dict(row) for row in hourly]
    rng.shuffle(mixed)
    assert oracle.city_daily(mixed) == oracle.city_daily(hourly)
    assert oracle.episodes(mixed) == oracle.episodes(hourly)


# --- a second opinion: DuckDB ---------------------------------------------------------------------

HOURS_SQL = """
    CREATE TEMP VIEW hours AS
    SELECT *, CASE greatest(aqi_pm25, aqi_pm10, aqi_o3, aqi_no2, aqi_so2, aqi_co)
        WHEN aqi_pm25 THEN 'pm25' WHEN aqi_pm10 THEN 'pm10' WHEN aqi_o3 THEN 'o3'
        WHEN aqi_no2 THEN 'no2' WHEN aqi_so2 THEN 'so2' WHEN aqi_co THEN 'co' END AS dominant
    FROM hourly
"""
DAILY_SQL = """
    SELECT location_key, date_utc, max(aqi) AS aqi_daily_max,
        arg_max_null(dominant, (aqi, -epoch(ts))) FILTER (aqi IS NOT NULL) AS dominant_pollutant_daily,
        count(*) FILTER (aqi BETWEEN 0 AND 50) AS hours_in_cat_good,
        count(*) FILTER (aqi BETWEEN 51 AND 100) AS hours_in_cat_moderate,
        count(*) FILTER (aqi BETWEEN 101 AND 150) AS hours_in_cat_usg,
        count(*) FILTER (aqi BETWEEN 151 AND 200) AS hours_in_cat_unhealthy,
        count(*) FILTER (aqi BETWEEN 201 AND 300) AS hours_in_cat_very_unhealthy,
        count(*) FILTER (aqi >= 301) AS hours_in_cat_hazardous,
        count(aqi) AS hours_measured,
        bool_or(hour(ts) = 23) AS has_last_hour
    FROM hours GROUP BY ALL ORDER BY ALL
"""
EPISODE_SQL = """
    WITH flagged AS (
        SELECT location_key, ts, aqi, dominant,
            epoch(ts) // 3600 - row_number() OVER (PARTITION BY location_key ORDER BY ts) AS island
        FROM hours WHERE aqi >= 151
    )
    SELECT location_key, min(ts) AS start_ts, max(ts) AS end_ts, count(*) AS duration_hours,
        max(aqi) AS peak_aqi, arg_max_null(dominant, (aqi, -epoch(ts))) AS dominant_pollutant,
        NOT EXISTS (
            FROM hours AS later WHERE later.location_key = flagged.location_key
                AND later.ts > max(flagged.ts) AND later.ts::DATE <= (max(flagged.ts) + INTERVAL 1 HOUR)::DATE
        ) AS is_open
    FROM flagged GROUP BY location_key, island HAVING count(*) >= 4 ORDER BY ALL
"""


@pytest.mark.costly
@pytest.mark.parametrize("seed", range(12))
def test_duckdb_agrees(seed: int) -> None:
    """City days by GROUP BY and episodes by gaps and islands give what the loops of the oracle give."""
    hourly = oracle.fact_hourly(oracle.silver(random_bronze(seed, days=14, locations=3, broken_keys=True)))
    frame = pd.DataFrame(
        {
            "location_key": [row["location_key"] for row in hourly],
            "ts": [row["ts_utc"].replace(tzinfo=None) for row in hourly],
            "date_utc": [row["ts_utc"].strftime("%Y-%m-%d") for row in hourly],
            **{column: pd.array([row[column] for row in hourly], dtype="Int64") for column in oracle.INDEXES},
        }
    )
    with duckdb.connect() as connection:
        connection.register("hourly", frame)
        connection.execute(HOURS_SQL)
        days = connection.sql(DAILY_SQL).fetchall()
        found = connection.sql(EPISODE_SQL).fetchall()

    daily_columns = [
        name
        for name in oracle.COLUMNS[oracle.CITY_DAILY]
        if name not in ("daily_record_id", "date_key", "data_completeness")
    ]
    assert days == [
        tuple(str(row[name]) if name == "date_utc" else row[name] for name in daily_columns)
        for row in oracle.city_daily(hourly)
    ]
    assert found == [
        (
            row["location_key"],
            row["start_ts_utc"].replace(tzinfo=None),
            row["end_ts_utc"].replace(tzinfo=None),
            row["duration_hours"],
            row["peak_aqi"],
            row["dominant_pollutant"],
            row["is_open"],
        )
        for row in oracle.episodes(hourly)
    ]
