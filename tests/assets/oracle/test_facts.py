"""The oracle's facts, in cases worked out by hand."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime

import pytest

from tests.support import oracle
from tests.support.gold_hours import HOUR, MIDNIGHT, gold_hours
from tests.support.strategies import plain_row

# --- hours ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sub_indexes", "expected"),
    [
        ({}, None),
        ({"co": 0}, "co"),
        ({"pm25": 90, "o3": 91}, "o3"),
        ({"pm25": 90, "pm10": 90, "co": 90}, "pm25"),
        ({"no2": 90, "o3": 90}, "o3"),  # bronze's columns stand the other way round
        ({"co": 90, "so2": 90, "no2": 89}, "so2"),
        ({"pm25": 9, "pm10": 100}, "pm10"),  # as numbers, not as texts
    ],
)
def test_dominant_pollutant(sub_indexes: dict[str, int], expected: str | None) -> None:
    row = {f"aqi_{name}": sub_indexes.get(name) for name in oracle.TIE_ORDER}
    assert oracle.dominant_pollutant(row) == expected


def test_completeness_of_an_hour() -> None:
    nulls = plain_row("hanoi", MIDNIGHT) | dict.fromkeys(oracle.CONCENTRATIONS)
    three = plain_row("hanoi", MIDNIGHT + HOUR) | dict.fromkeys(oracle.CONCENTRATIONS[3:])
    full = plain_row("hanoi", MIDNIGHT + 2 * HOUR, None)
    hourly = oracle.fact_hourly(oracle.silver([nulls, three, full]))
    assert [row["data_completeness"] for row in hourly] == [0.0, 300 / len(oracle.CONCENTRATIONS), 100.0]


# --- city days ------------------------------------------------------------------------------------


def test_categories_at_their_edges() -> None:
    hourly = gold_hours([0, 50, 51, 100, 101, 150, 151, 200, 201, 300, 301, 500, 600, None])
    (day,) = oracle.city_daily(hourly)
    names = ("good", "moderate", "usg", "unhealthy", "very_unhealthy", "hazardous")
    assert [day[f"hours_in_cat_{name}"] for name in names] == [2, 2, 2, 2, 2, 3]
    assert (day["hours_measured"], day["aqi_daily_max"]) == (13, 600)
    assert day["data_completeness"] == pytest.approx(54.1666667)


def test_a_day_without_an_aqi_has_a_row_and_a_day_without_an_hour_has_none() -> None:
    hourly = gold_hours([None] * 24 + ["missing"] * 24 + [7])
    first, last = oracle.city_daily(hourly)
    assert (first["date_utc"], last["date_utc"]) == (date(2024, 2, 29), date(2024, 3, 2))
    assert (first["aqi_daily_max"], first["dominant_pollutant_daily"]) == (None, None)
    assert (first["hours_measured"], first["data_completeness"], first["hours_in_cat_good"]) == (0, 0.0, 0)
    assert last["date_key"] == 20240302


def test_the_earliest_peak_names_the_pollutant_of_the_day_and_of_the_episode() -> None:
    """Two hours reach the peak; the later one comes first in the input and leads with another pollutant."""
    bronze = [plain_row("hanoi", MIDNIGHT + n * HOUR, aqi) for n, aqi in enumerate([160, 180, 170, 180])]
    bronze[1] |= {"aqi_pm25": 100, "aqi_o3": 180}
    hourly = oracle.fact_hourly(oracle.silver(bronze))[::-1]
    assert oracle.city_daily(hourly)[0]["dominant_pollutant_daily"] == "o3"
    assert oracle.episodes(hourly)[0]["dominant_pollutant"] == "o3"


# --- episodes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([151] * 3, []),
        ([151] * 4, [(0, 4)]),
        ([150] * 10, []),
        ([151, 151, 150, 151, 151], []),
        ([150, 151, 152, 600, 151, 150], [(1, 4)]),
        ([151] * 4 + [None] + [151] * 4, [(0, 4), (5, 4)]),
        ([151] * 4 + ["missing"] + [151] * 4, [(0, 4), (5, 4)]),
        ([151] * 3 + [None] + [151] * 3, []),
        ([151] * 3 + ["missing"] + [151] * 3, []),
        ([42] * 21 + [200] * 6 + [42], [(21, 6)]),
        ([151] * 168, [(0, 168)]),
        ([None] * 5, []),
    ],
)
def test_episodes(levels: list[int | str | None], expected: list[tuple[int, int]]) -> None:
    """expected: (hours from the start of the data, duration in hours) of each episode"""
    found = oracle.episodes(gold_hours(levels))
    assert [((row["start_ts_utc"] - MIDNIGHT) // HOUR, row["duration_hours"]) for row in found] == expected
    for row in found:
        assert row["end_ts_utc"] - row["start_ts_utc"] == (row["duration_hours"] - 1) * HOUR
        assert row["hours_flagged"] == row["duration_hours"]


def test_an_episode_across_midnight_belongs_to_the_day_on_which_it_starts() -> None:
    (episode,) = oracle.episodes(gold_hours([42] * 22 + [160, 190, 170, 155]))
    assert episode == {
        "episode_id": oracle.episode_id("hanoi", MIDNIGHT + 22 * HOUR, "AQI>=151_4h"),
        "location_key": "hanoi",
        "start_ts_utc": datetime(2024, 2, 29, 22, tzinfo=UTC),
        "end_ts_utc": datetime(2024, 3, 1, 1, tzinfo=UTC),
        "start_date_utc": date(2024, 2, 29),
        "duration_hours": 4,
        "peak_aqi": 190,
        "hours_flagged": 4,
        "dominant_pollutant": "pm25",
        "rule_code": "AQI>=151_4h",
        "end_exclusive_ts_utc": datetime(2024, 3, 1, 2, tzinfo=UTC),
        "is_open": True,
    }


@pytest.mark.parametrize(
    ("levels", "is_open"),
    [
        pytest.param([42] * 3 + [151] * 4, True, id="at the newest hour"),
        pytest.param([151] * 4 + [42], False, id="a lower hour follows"),
        pytest.param([151] * 4 + [None], False, id="an hour without an index follows"),
        pytest.param([151] * 4 + ["missing", 42], False, id="a later hour of the day follows"),
        pytest.param([42] * 20 + [151] * 4, True, id="at the end of the day, and no more is there"),
        pytest.param([42] * 20 + [151] * 4 + [42], False, id="the next day goes on"),
        pytest.param([42] * 20 + [151] * 4 + ["missing", 42], False, id="the next day begins later"),
        pytest.param([42] * 19 + [151] * 4 + ["missing", 42], True, id="the end of the day is missing"),
    ],
)
def test_an_episode_is_open_while_nothing_follows(levels: list[int | str | None], is_open: bool) -> None:
    """Up to the end of the UTC day of the hour after it: what is farther on says nothing."""
    (episode,) = oracle.episodes(gold_hours(levels))
    assert episode["is_open"] == is_open


def test_a_day_is_open_until_its_last_hour_is_there() -> None:
    days = oracle.city_daily(gold_hours([42] * 23 + [None] + [42] * 23))
    assert [day["has_last_hour"] for day in days] == [True, False]


def test_local_time_is_that_of_the_location() -> None:
    bronze = [plain_row("hanoi", datetime(2025, 8, 8, 18, tzinfo=UTC), 42)]
    (row,) = oracle.fact_hourly(oracle.silver(bronze))
    assert (row["ts_local"], row["date_local"], row["hour_local"]) == (
        "2025-08-09T01:00:00+07:00",
        date(2025, 8, 9),
        1,
    )
    (row,) = oracle.fact_hourly(oracle.silver(bronze), {})
    assert (row["ts_local"], row["date_local"], row["hour_local"]) == (None, None, None)


def test_a_quarantined_hour_ends_a_run() -> None:
    bronze = [plain_row("hanoi", MIDNIGHT + n * HOUR, 151) for n in range(7)]
    bronze[3]["co"] = math.nan
    assert oracle.episodes(oracle.fact_hourly(oracle.silver(bronze))) == []


def test_a_run_does_not_go_from_one_location_to_another() -> None:
    hourly = gold_hours([151] * 3, key="danang") + gold_hours([151] * 3, MIDNIGHT + 3 * HOUR, key="hanoi")
    assert oracle.episodes(hourly) == []


def test_threshold_and_length_are_settings_and_part_of_the_rule_code() -> None:
    (episode,) = oracle.episodes(gold_hours([101, 100, 101, 102, 100]), threshold=101, min_hours=2)
    assert (episode["duration_hours"], episode["rule_code"]) == (2, "AQI>=101_2h")
