"""The oracle is right: it agrees with published gold rows, with cases worked out by hand, and with DuckDB.

Also: the generator of random bronze really makes the awkward things that it promises.
"""

import csv
import json
import math
import os
import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import oracle
from tests.support.oracle import Row
from tests.support.strategies import (
    BREAKING_VALUES,
    EDGE_AQI,
    LIMIT_VALUES,
    LOCATIONS,
    bronze_rows,
    bronze_tables,
    plain_row,
    random_bronze,
)

HOUR = timedelta(hours=1)
SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "open_meteo"
MIDNIGHT = datetime(2024, 2, 29, tzinfo=UTC)

thorough = settings(max_examples=30, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def shared() -> Path:
    """Where the published data lie; without them the test skips, or fails where they are insisted on."""
    if not SHARED.is_dir():
        reason = f"the published data are not at {SHARED} (see DATA_MODEL, Real data)"
        if os.environ.get("CI") or os.environ.get("AQI_REQUIRE_SHARED"):
            pytest.fail(reason)
        pytest.skip(reason)
    return SHARED


@pytest.fixture(scope="module")
def published_bronze(shared: Path) -> list[Row]:
    rows = []
    for key, (latitude, longitude) in LOCATIONS.items():
        answer = json.loads((shared / f"{key}.json").read_text(encoding="utf-8"))
        rows += oracle.from_api_answer(answer, key, latitude, longitude)
    return rows


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def gold_hours(levels: Sequence[int | str | None], start: datetime = MIDNIGHT, key: str = "hanoi") -> list[Row]:
    """Hourly facts with these AQIs from `start` on; a text stands for a missing hour."""
    bronze = [plain_row(key, start + n * HOUR, level) for n, level in enumerate(levels) if not isinstance(level, str)]
    return oracle.fact_hourly(oracle.silver(bronze))


# --- published rows -------------------------------------------------------------------------------


def test_published_hours_are_all_clean(published_bronze: list[Row]) -> None:
    assert len(published_bronze) == 3168
    assert len(oracle.silver(published_bronze)) == 3168
    assert oracle.quarantine(published_bronze) == []


def test_published_city_days(shared: Path, published_bronze: list[Row]) -> None:
    """All 132 rows, all columns that are published."""
    expected = read_csv(shared / "expected_fact_city_daily.csv")
    assert len(expected) == 132
    days = oracle.city_daily(oracle.fact_hourly(oracle.silver(published_bronze)))
    actual = [{column: str(row[column]) for column in expected[0]} for row in days]
    assert actual == sorted(expected, key=lambda row: (row["location_key"], row["date_utc"]))


def test_published_episodes(shared: Path, published_bronze: list[Row]) -> None:
    """The 29 episodes, exactly; those that touch the last day are not published."""
    expected = read_csv(shared / "expected_fact_episode.csv")
    assert len(expected) == 29
    found = oracle.episodes(oracle.fact_hourly(oracle.silver(published_bronze)))
    last_day = max(row["date_utc"] for row in published_bronze)
    actual = [
        {
            "location_key": row["location_key"],
            "start_ts_utc": f"{row['start_ts_utc']:%Y-%m-%d %H:%M:%S}",
            "end_ts_utc": f"{row['end_ts_utc']:%Y-%m-%d %H:%M:%S}",
            "duration_hours": str(row["duration_hours"]),
            "peak_aqi": str(row["peak_aqi"]),
        }
        for row in found
        if row["end_ts_utc"].date() < last_day
    ]
    assert actual == sorted(expected, key=lambda row: (row["location_key"], row["start_ts_utc"]))
    assert any(row["start_ts_utc"][:10] != row["end_ts_utc"][:10] for row in expected)


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
    assert (first["model_domain"], first["request_timezone"]) == ("cams_global", "UTC")
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


# --- hourly fact ----------------------------------------------------------------------------------


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
    three = plain_row("hanoi", MIDNIGHT + HOUR) | dict.fromkeys(oracle.CONCENTRATIONS[:7])
    full = plain_row("hanoi", MIDNIGHT + 2 * HOUR, None)
    hourly = oracle.fact_hourly(oracle.silver([nulls, three, full]))
    assert [row["data_completeness"] for row in hourly] == [0.0, 30.0, 100.0]


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
    }


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


# --- any input ------------------------------------------------------------------------------------


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
        count(aqi) AS hours_measured
    FROM hours GROUP BY ALL ORDER BY ALL
"""
EPISODE_SQL = """
    WITH flagged AS (
        SELECT location_key, ts, aqi, dominant,
            epoch(ts) // 3600 - row_number() OVER (PARTITION BY location_key ORDER BY ts) AS island
        FROM hours WHERE aqi >= 151
    )
    SELECT location_key, min(ts) AS start_ts, max(ts) AS end_ts, count(*) AS duration_hours,
        max(aqi) AS peak_aqi, arg_max_null(dominant, (aqi, -epoch(ts))) AS dominant_pollutant
    FROM flagged GROUP BY location_key, island HAVING count(*) >= 4 ORDER BY ALL
"""


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
        )
        for row in oracle.episodes(hourly)
    ]


# --- the generator --------------------------------------------------------------------------------


def test_random_bronze_is_the_same_for_the_same_seed() -> None:
    columns = oracle.COLUMNS[oracle.BRONZE]
    once = oracle.canonical(random_bronze(7), columns)
    assert oracle.canonical(random_bronze(7), columns) == once
    assert oracle.canonical(random_bronze(8), columns) != once


def test_random_bronze_takes_a_window() -> None:
    rows = random_bronze(0, days=3, locations=["hcmc", "danang"], first=date(2024, 2, 28))
    assert {row["location_key"] for row in rows} <= {"danang", "hcmc"}
    assert {row["date_utc"] for row in rows} <= {date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1)}
    assert len(random_bronze(0, days=5, locations=1)) <= 5 * 24


@pytest.mark.parametrize("seed", range(40))
def test_random_bronze_is_a_bronze_table(seed: int) -> None:
    rows = random_bronze(seed, broken_keys=bool(seed % 2))
    keys = [(row["location_key"], row["ts_utc"]) for row in rows]
    assert rows
    assert keys == sorted(set(keys))
    if seed % 2 == 0:
        assert not any("key" in oracle.broken_rules(row) for row in rows)
    assert oracle.quarantine(random_bronze(seed, breaking=False)) == []


def test_random_bronze_holds_everything_awkward() -> None:
    """Over 40 seeds each of these occurs, so a comparison over them meets it."""
    seen: Counter[str] = Counter()
    for seed in range(40):
        bronze = random_bronze(seed, broken_keys=True)
        hourly = oracle.fact_hourly(oracle.silver(bronze))
        dates = {row["date_utc"] for row in bronze}
        seen["leap day"] += date(2024, 2, 29) in dates
        seen["year end"] += {date(2024, 12, 31), date(2025, 1, 1)} <= dates
        seen["month end"] += {date(2024, 4, 30), date(2024, 5, 1)} <= dates
        for row in bronze:
            seen.update(oracle.broken_rules(row))
            values = [row[column] for column in (*oracle.INDEXES, *oracle.CONCENTRATIONS)]
            seen["null row"] += all(value is None for value in values)
            seen["NaN"] += any(value is not None and math.isnan(value) for value in values)
            seen["infinity"] += math.inf in values
        for row in hourly:
            seen[f"aqi {row['aqi']}"] += 1
            subs = [row[f"aqi_{name}"] for name in oracle.TIE_ORDER if row[f"aqi_{name}"] is not None]
            seen["tie"] += bool(subs) and subs.count(max(subs)) > 1
            seen["no sub-index"] += not subs and row["aqi"] is not None
        for day in oracle.city_daily(hourly):
            seen["incomplete day"] += day["hours_measured"] < 24
            seen["day without aqi"] += day["hours_measured"] == 0
        for one in {row["location_key"] for row in hourly}:
            mine = {row["date_utc"] for row in hourly if row["location_key"] == one}
            seen["missing day"] += len(mine) <= (max(mine) - min(mine)).days
        for episode in oracle.episodes(hourly):
            seen["exactly 4 hours"] += episode["duration_hours"] == 4
            seen["across midnight"] += episode["end_ts_utc"].date() != episode["start_date_utc"]
            seen["ends at 23:00"] += episode["end_ts_utc"].hour == 23
            seen["starts at 00:00"] += episode["start_ts_utc"].hour == 0
            seen["four days and more"] += episode["duration_hours"] >= 96
        seen["exactly 3 hours"] += len(oracle.episodes(hourly, min_hours=3)) > len(oracle.episodes(hourly))

    expected = [
        *oracle.RULES,
        *(f"aqi {level}" for level in EDGE_AQI),
        "leap day",
        "year end",
        "month end",
        "null row",
        "NaN",
        "infinity",
        "tie",
        "no sub-index",
        "incomplete day",
        "day without aqi",
        "missing day",
        "exactly 3 hours",
        "exactly 4 hours",
        "across midnight",
        "ends at 23:00",
        "starts at 00:00",
        "four days and more",
    ]
    assert [name for name in expected if not seen[name]] == []
