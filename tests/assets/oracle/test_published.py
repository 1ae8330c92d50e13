"""The oracle agrees with published gold rows."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.support import oracle
from tests.support.oracle import Row
from tests.support.strategies import LOCATIONS


@pytest.fixture(scope="module")
def published_bronze(recorded: Path) -> list[Row]:
    rows = []
    for key, (latitude, longitude) in LOCATIONS.items():
        answer = json.loads((recorded / f"{key}.json").read_text(encoding="utf-8"))
        rows += oracle.from_api_answer(answer, key, latitude, longitude)
    return rows


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_published_hours_are_all_clean(published_bronze: list[Row]) -> None:
    assert len(published_bronze) == 3168
    assert len(oracle.silver(published_bronze)) == 3168
    assert oracle.quarantine(published_bronze) == []


def test_published_city_days(recorded: Path, published_bronze: list[Row]) -> None:
    """All 132 rows, all columns that are published."""
    expected = read_csv(recorded / "expected_fact_city_daily.csv")
    assert len(expected) == 132
    days = oracle.city_daily(oracle.fact_hourly(oracle.silver(published_bronze)))
    actual = [{column: str(row[column]) for column in expected[0]} for row in days]
    assert actual == sorted(expected, key=lambda row: (row["location_key"], row["date_utc"]))


def test_published_episodes(recorded: Path, published_bronze: list[Row]) -> None:
    """The 29 episodes, exactly; those that touch the last day are not published."""
    expected = read_csv(recorded / "expected_fact_episode.csv")
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
