"""The oracle's tables: their columns, identifiers, dimensions, and how they are compared."""

from __future__ import annotations

import math
import uuid
from datetime import UTC, date, datetime

import pytest

from tests.support import oracle
from tests.support.gold_hours import HOUR, MIDNIGHT, gold_hours
from tests.support.oracle import Row
from tests.support.strategies import random_bronze

# --- columns and identifiers ----------------------------------------------------------------------


def test_tables_have_exactly_their_columns() -> None:
    bronze = [row for seed in range(4) for row in random_bronze(seed)]
    clean = oracle.silver(bronze)
    hourly = oracle.fact_hourly(clean)
    tables = {
        oracle.BRONZE: bronze,
        oracle.SILVER: clean,
        oracle.QUARANTINE: oracle.quarantine(bronze),
        oracle.FACT_HOURLY: hourly,
        oracle.CITY_DAILY: oracle.city_daily(hourly),
        oracle.EPISODE: oracle.episodes(hourly),
        oracle.DIM_DATE: oracle.dim_date(),
        oracle.DIM_TIME: oracle.dim_time(),
        oracle.DIM_LOCATION: oracle.dim_location(),
        oracle.DIM_POLLUTANT: oracle.dim_pollutant(),
    }
    assert set(tables) == set(oracle.COLUMNS)
    for asset_key, rows in tables.items():
        assert rows, asset_key
        for row in rows:
            assert tuple(row) == oracle.COLUMNS[asset_key]


def test_identifiers_are_these() -> None:
    """Literals, made once with uuid.uuid5 by hand, so that no change of the oracle moves them unseen."""
    ts = datetime(2025, 8, 12, 19, tzinfo=UTC)
    assert oracle.record_id("hanoi", ts) == "344ad9a6-30d9-55fc-97cf-75300ce34483"
    assert oracle.daily_record_id("hanoi", date(2025, 8, 12)) == "868f9209-1b25-5d13-9030-641997436b5b"
    assert oracle.episode_id("hanoi", ts, "AQI>=151_4h") == "7f1f2bd8-7329-553f-ab23-da937a8d1812"


def test_identifiers_follow_the_rule_of_the_data_model() -> None:
    lakehouse = uuid.uuid5(uuid.NAMESPACE_DNS, "air-quality-lakehouse")
    table = uuid.uuid5(lakehouse, "gold.fact_episode")
    expected = uuid.uuid5(table, "hcmc|2024-02-29T23:00:00Z|AQI>=151_4h")
    assert expected.version == 5
    assert oracle.episode_id("hcmc", MIDNIGHT + 23 * HOUR, "AQI>=151_4h") == str(expected)


def test_an_instant_has_one_identifier_in_every_zone() -> None:
    bangkok = datetime.fromisoformat("2024-03-01T06:00:00+07:00")
    assert oracle.record_id("hanoi", bangkok) == oracle.record_id("hanoi", MIDNIGHT + 23 * HOUR)


def test_rows_carry_their_own_identifiers() -> None:
    hourly = gold_hours([151] * 4)
    assert [row["record_id"] for row in hourly] == [oracle.record_id("hanoi", MIDNIGHT + n * HOUR) for n in range(4)]
    assert oracle.city_daily(hourly)[0]["daily_record_id"] == oracle.daily_record_id("hanoi", MIDNIGHT.date())
    assert oracle.episodes(hourly)[0]["episode_id"] == oracle.episode_id("hanoi", MIDNIGHT, "AQI>=151_4h")


# --- dimensions -----------------------------------------------------------------------------------


def test_dim_date() -> None:
    rows = {row["date_value"]: row for row in oracle.dim_date()}
    assert len(rows) == 3287
    assert rows[date(2022, 1, 1)]["week_of_year"] == 52
    assert rows[date(2024, 12, 30)]["week_of_year"] == 1
    assert rows[date(2026, 12, 31)]["week_of_year"] == 53
    assert rows[date(2024, 2, 29)] == {
        "date_key": 20240229,
        "date_value": date(2024, 2, 29),
        "day_of_month": 29,
        "day_of_week": 4,
        "week_of_year": 9,
        "month": 2,
        "month_name": "February",
        "quarter": 1,
        "year": 2024,
        "is_weekend": False,
    }
    sunday = rows[date(2025, 8, 31)]
    assert (sunday["day_of_week"], sunday["is_weekend"], sunday["quarter"]) == (7, True, 3)
    assert oracle.dim_date(date(2024, 2, 28), date(2024, 2, 27)) == []


def test_dim_time() -> None:
    rows = oracle.dim_time()
    assert len(rows) == 24
    assert rows[0] == {"time_key": 0, "time_value": "00:00", "hour": 0, "work_shift": "night"}
    assert rows[23] == {"time_key": 2300, "time_value": "23:00", "hour": 23, "work_shift": "evening"}
    shifts = [rows[hour]["work_shift"] for hour in (5, 6, 11, 12, 17, 18)]
    assert shifts == ["night", "morning", "morning", "afternoon", "afternoon", "evening"]


def test_small_dimensions() -> None:
    assert [row["location_key"] for row in oracle.dim_location()] == ["danang", "hanoi", "hcmc"]
    assert len(oracle.dim_pollutant()) == 10
    assert oracle.dim_pollutant()[0]["unit_default"] == "\u00b5g/m³"


# --- comparing ------------------------------------------------------------------------------------


def test_canonical_tables_compare_by_content() -> None:
    one: Row = {"a": math.nan, "b": MIDNIGHT}
    two: Row = {"a": 1.0, "b": None}
    other_zone: Row = {"a": math.nan, "b": datetime.fromisoformat("2024-02-29T07:00:00+07:00")}
    assert oracle.canonical([one, two], ["a", "b"]) == oracle.canonical([two, other_zone], ["a", "b"])
    assert oracle.canonical([one], ["a", "b"]) != oracle.canonical([one, one], ["a", "b"])
    assert oracle.canonical([{"a": 1}], ["a"]) != oracle.canonical([{"a": 1.0}], ["a"])
    assert oracle.canonical([{"a": None}], ["a"]) != oracle.canonical([{"a": math.nan}], ["a"])
    with pytest.raises(ValueError, match="must be aware"):
        oracle.canonical([{"a": datetime(2024, 2, 29)}], ["a"])
