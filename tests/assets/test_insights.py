"""What the demo says of the tables: in local time, and right where UTC and the local clock have other days."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from assets.insights import insights

HANOI = {"location_key": "hanoi", "location_name": "Hà Nội", "timezone": "Asia/Ho_Chi_Minh"}
BERLIN = {"location_key": "berlin", "location_name": "Berlin", "timezone": "Europe/Berlin"}


def at(day: int, hour: int) -> datetime:
    return datetime(2025, 8, day, hour, tzinfo=UTC)


def hour(day: int, of: int, aqi: int | None, location: str = "hanoi", **more: Any) -> dict[str, Any]:
    return {"location_key": location, "ts_utc": at(day, of), "aqi": aqi, "dominant_pollutant": "pm25", **more}


def day(measured: int, unhealthy: int, location: str = "hanoi") -> dict[str, Any]:
    categories = {f"hours_in_cat_{name}": 0 for name in ("very_unhealthy", "hazardous")}
    return {"location_key": location, "hours_measured": measured, "hours_in_cat_unhealthy": unhealthy, **categories}


def episode(start: datetime, end: datetime, location: str = "hanoi", **more: Any) -> dict[str, Any]:
    hours = int((end - start).total_seconds()) // 3600 + 1
    said = {"location_key": location, "start_ts_utc": start, "end_ts_utc": end, "duration_hours": hours}
    return {**said, "peak_aqi": 180, "dominant_pollutant": "pm25", "is_open": False, **more}


def told(**tables: list[dict[str, Any]]) -> list[str]:
    return insights(lambda key: tables.get(key.partition(".")[2], []))


def test_the_worst_day_is_that_of_the_local_clock() -> None:
    """18:00 UTC on 8 August is 01:00 on the 9th in Hà Nội; of two hours with one index the earlier one counts."""
    hours = [hour(8, 18, 181), hour(9, 20, 181), hour(8, 12, None), hour(8, 13, 150)]
    assert told(dim_location=[HANOI], fact_air_quality_hourly=hours) == [
        "The worst day was 2025-08-09 (local time) in Hà Nội: US AQI 181 at 01:00, driven by pm25."
    ]


def test_an_episode_is_over_midnight_by_the_local_clock() -> None:
    """20:00 to 01:00 UTC is a morning in Hà Nội, and a night in Berlin; 14:00 to 20:00 UTC is a night in Hà Nội."""
    one = episode(at(8, 20), at(9, 1))
    other = episode(at(8, 14), at(8, 20), is_open=True)
    (in_hanoi, _) = told(dim_location=[HANOI], fact_episode=[one])
    assert in_hanoi.startswith("1 episodes, 0 of them over midnight (local time), 0 still open; the longest lasted 6 ")
    assert "from 2025-08-09 03:00 local time" in in_hanoi
    (both, _) = told(
        dim_location=[HANOI, BERLIN],
        fact_episode=[{**one, "location_key": "berlin"}, other, {**other, "is_open": None}],
    )
    assert both.startswith("3 episodes, 3 of them over midnight (local time), 1 still open; the longest lasted 7 hours")
    assert "in Hà Nội, from 2025-08-08 21:00 local time" in both


def test_hours_are_counted_by_location() -> None:
    """Of a location that is not configured any more nothing is said."""
    days = [day(24, 6), day(24, 6), day(24, 24, "berlin")]
    assert told(dim_location=[HANOI], fact_city_daily=days) == [
        "Hà Nội: 25% of 48 hours were unhealthy or worse.",
    ]
    assert told(dim_location=[HANOI]) == []
