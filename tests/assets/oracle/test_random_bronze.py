"""The generator of random bronze really makes the awkward things that it promises."""

from __future__ import annotations

import math
from collections import Counter
from datetime import date

import pytest

from tests.support import oracle
from tests.support.strategies import EDGE_AQI, random_bronze


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


@pytest.mark.costly
@pytest.mark.parametrize("seed", range(40))
def test_random_bronze_is_a_bronze_table(seed: int) -> None:
    rows = random_bronze(seed, broken_keys=bool(seed % 2))
    keys = [(row["location_key"], row["ts_utc"]) for row in rows]
    assert rows
    assert keys == sorted(set(keys))
    if seed % 2 == 0:
        assert not any("key" in oracle.broken_rules(row) for row in rows)
    assert oracle.quarantine(random_bronze(seed, breaking=False)) == []


@pytest.mark.costly
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
