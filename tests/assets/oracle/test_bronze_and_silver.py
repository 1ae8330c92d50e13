"""The oracle's bronze and silver, in cases worked out by hand."""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import Any

import pytest

from tests.support import oracle
from tests.support.gold_hours import HOUR, MIDNIGHT
from tests.support.oracle import Row
from tests.support.strategies import BREAKING_VALUES, LIMIT_VALUES, plain_row

# --- an answer of the API -------------------------------------------------------------------------


def answer(**hourly: list[Any]) -> dict[str, Any]:
    return {"latitude": 21.05, "longitude": 105.85, "timezone": "GMT", "hourly": hourly}


def test_an_answer_becomes_bronze() -> None:
    got = oracle.from_api_answer(
        answer(
            time=["2024-02-29T23:00", "2024-03-01T00:00"],
            us_aqi=[151, None],
            pm2_5=[60, 1.5],
            ozone=[None, 0.0],
        ),
        "hanoi",
        21.0278,
        105.8342,
    )
    first, second = got
    assert tuple(first) == oracle.COLUMNS[oracle.BRONZE]
    assert (first["ts_utc"], first["date_utc"]) == (MIDNIGHT + 23 * HOUR, date(2024, 2, 29))
    assert (first["latitude"], first["longitude"]) == (21.0278, 105.8342)
    assert (first["aqi"], first["pm25"], first["o3"], first["co2"]) == (151, 60.0, None, None)
    assert type(first["pm25"]) is float
    assert (first["model_domain"], first["request_timezone"]) == ("auto", "UTC")
    assert (second["date_utc"], second["aqi"], second["o3"]) == (date(2024, 3, 1), None, 0.0)


def test_an_hour_that_comes_twice() -> None:
    twice = ["2024-02-29T23:00"] * 2
    assert len(oracle.from_api_answer(answer(time=twice, us_aqi=[151, 151]), "hanoi", 21.0, 105.0)) == 1
    with pytest.raises(ValueError, match="comes twice with different values"):
        oracle.from_api_answer(answer(time=twice, us_aqi=[151, None]), "hanoi", 21.0, 105.0)


def test_a_forecast_is_left_out_and_the_present_hour_is_not() -> None:
    obj = answer(time=["2024-02-29T22:00", "2024-02-29T23:00"], us_aqi=[1, 2])
    now = MIDNIGHT + 22 * HOUR
    assert [row["aqi"] for row in oracle.from_api_answer(obj, "hanoi", 21.0, 105.0, now=now)] == [1]


# --- row rules ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        (dict.fromkeys((*oracle.INDEXES, *oracle.CONCENTRATIONS)), []),
        ({"location_key": None}, ["key"]),
        ({"ts_utc": None}, ["key"]),
        ({"date_utc": None}, ["key"]),
        ({"ts_utc": MIDNIGHT + timedelta(minutes=30)}, ["key"]),
        ({"ts_utc": MIDNIGHT + timedelta(microseconds=1)}, ["key"]),
        ({"date_utc": date(2024, 3, 1)}, ["key"]),
        ({"ts_utc": MIDNIGHT - HOUR}, ["key"]),
        ({"dust": -0.0}, []),
        ({"dust": -0.001}, ["negative"]),
        ({"aqi_co": -1}, ["negative"]),
        ({"aqi": 501}, []),
        ({"pm25": math.nan}, ["not_finite"]),
        ({"co2": math.nan}, ["not_finite"]),
        ({"uv_index": math.inf}, ["not_finite", "implausible"]),
        ({"uv_index": -math.inf}, ["negative", "not_finite"]),
        ({"co2": -math.inf}, ["negative", "not_finite", "implausible"]),
        ({"co2": 250.0}, []),
        ({"co2": 249.9}, ["implausible"]),
        ({"co2": 2000.0}, []),
        ({"co2": 2000.1}, ["implausible"]),
        ({"pm25": 5000.0}, []),
        ({"pm25": 5000.1}, ["implausible"]),
        ({"pm10": 20000.1}, ["implausible"]),
        ({"dust": 20000.1}, ["implausible"]),
        ({"o3": 2000.1}, ["implausible"]),
        ({"no2": 5000.1}, ["implausible"]),
        ({"so2": 10000.1}, ["implausible"]),
        ({"co": 200000.1}, ["implausible"]),
        ({"aod": 20.1}, ["implausible"]),
        ({"uv_index": 25.1}, ["implausible"]),
        (
            {"date_utc": None, "aqi": -5, "o3": math.nan, "pm10": 1e9},
            ["key", "negative", "not_finite", "implausible"],
        ),
    ],
)
def test_broken_rules(changes: Row, expected: list[str]) -> None:
    assert oracle.broken_rules(plain_row("hanoi", MIDNIGHT) | changes) == expected


def test_limits_are_a_setting() -> None:
    row = plain_row("hanoi", MIDNIGHT) | {"pm25": 70.0}
    assert oracle.broken_rules(row, {"pm25": (None, 60.0)}) == ["implausible"]


@pytest.mark.parametrize("rule", sorted(BREAKING_VALUES))
def test_breaking_values_break_their_rule(rule: str) -> None:
    for column, value in BREAKING_VALUES[rule]:
        assert rule in oracle.broken_rules(plain_row("hanoi", MIDNIGHT) | {column: value}), (column, value)


def test_limit_values_break_nothing() -> None:
    for column, value in LIMIT_VALUES:
        assert oracle.broken_rules(plain_row("hanoi", MIDNIGHT) | {column: value}) == [], (column, value)


def test_quarantine_keeps_the_row_whole() -> None:
    bad = plain_row("hanoi", MIDNIGHT) | {"pm25": -1.0}
    good = plain_row("hanoi", MIDNIGHT + HOUR)
    assert oracle.quarantine([bad, good]) == [bad | {"broken_rules": ["negative"]}]
    assert [row["ts_utc"] for row in oracle.silver([bad, good])] == [MIDNIGHT + HOUR]


def test_quarantine_takes_rows_without_a_key() -> None:
    rows = [plain_row("hanoi", MIDNIGHT) | {key: None} for key in ("location_key", "ts_utc", "date_utc")]
    assert len(oracle.quarantine(rows)) == 3


def test_keys_of_silver() -> None:
    last_hour = oracle.silver([plain_row("hanoi", MIDNIGHT + 23 * HOUR)])[0]
    assert (last_hour["date_key"], last_hour["time_key"]) == (20240229, 2300)
    first_hour = oracle.silver([plain_row("hanoi", MIDNIGHT + 24 * HOUR)])[0]
    assert (first_hour["date_key"], first_hour["time_key"]) == (20240301, 0)
