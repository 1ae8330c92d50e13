"""Local time by the rules of time zones: against zoneinfo, hour by hour, on both engines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.local_time import END, FIRST, offsets, with_local_time
from tests.support.small_lake import Lake

ZONES = sorted(available_timezones() - {"localtime"})
HOURS = int((END - FIRST).total_seconds()) // 3600
TRIED = {
    "hanoi": "Asia/Ho_Chi_Minh",
    "berlin": "Europe/Berlin",
    "paris": "Europe/Paris",
    "kathmandu": "Asia/Kathmandu",
    "kolkata": "Asia/Kolkata",
    "st_johns": "America/St_Johns",
    "lord_howe": "Australia/Lord_Howe",
    "casablanca": "Africa/Casablanca",
    "caracas": "America/Caracas",
    "coyhaique": "America/Coyhaique",
    "apia": "Pacific/Apia",
    "utc": "UTC",
}
"""With and without daylight saving time; half and quarter hours; saving of half an hour; four changes a year; a zone
that moved; one that Java 17 does not know."""


def offset_by(rules: tuple[tuple[int, int], ...], instant: datetime) -> int:
    return [ahead for since, ahead in rules if since <= instant.timestamp()][-1]


@given(st.sampled_from(ZONES), st.integers(0, HOURS - 1), st.integers(0, 3599))
def test_offsets_are_those_of_the_zone_at_every_instant(zone: str, hour: int, second: int) -> None:
    instant = FIRST + timedelta(hours=hour, seconds=second)
    told = instant.astimezone(ZoneInfo(zone)).utcoffset()
    assert told is not None
    assert timedelta(seconds=offset_by(offsets(zone), instant)) == told


@given(st.sampled_from(ZONES), st.data())
def test_a_change_is_known_to_the_second(zone: str, data: st.DataObject) -> None:
    since, ahead = data.draw(st.sampled_from(offsets(zone)))
    at = datetime.fromtimestamp(since, UTC)
    told = at.astimezone(ZoneInfo(zone)).utcoffset()
    before = (at - timedelta(seconds=1)).astimezone(ZoneInfo(zone)).utcoffset()
    assert told == timedelta(seconds=ahead)
    assert at == FIRST or before != told


def test_a_zone_without_daylight_saving_time_has_one_offset() -> None:
    assert offsets("Asia/Ho_Chi_Minh") == ((int(FIRST.timestamp()), 7 * 3600),)


def around_changes(zone: str) -> list[datetime]:
    """The hours around every change of a clock, and one in the middle of every month."""
    found = {datetime(year, month, 15, 12, tzinfo=UTC) for year in (2013, 2024, 2037) for month in range(1, 13)}
    for since, _ in offsets(zone):
        hour = datetime.fromtimestamp(since // 3600 * 3600, UTC)
        found |= {hour + timedelta(hours=shift) for shift in range(-26, 27)}
    return sorted(one for one in found if FIRST <= one < END)


@pytest.fixture
def local(either: Any, tmp_path: Path) -> Any:
    """What an engine makes of (location, instant)."""
    engine = either.engine(Lake(tmp_path, either, "http://127.0.0.1:9").workspace.warehouse)

    def made(rows: list[tuple[str, datetime]], timezones: dict[str, str]) -> list[dict[str, Any]]:
        instants = pa.array([at for _, at in rows], pa.timestamp("us", "UTC"))
        table = pa.table({"location_key": [key for key, _ in rows], "ts_utc": instants})
        with engine.working("local time"):
            frame = with_local_time(engine.rows(table), "location_key", "ts_utc", timezones)
            return [row.asDict() for row in frame.orderBy("location_key", "ts_utc").collect()]

    return made


def test_both_engines_have_the_clock_of_every_location(local: Any) -> None:
    rows = [(key, at) for key, zone in sorted(TRIED.items()) for at in around_changes(zone)]
    found = local(rows, TRIED)
    assert len(found) == len(rows)
    for (key, at), row in zip(rows, found, strict=True):
        clock = at.astimezone(ZoneInfo(TRIED[key]))
        want = (clock.isoformat(timespec="seconds"), clock.date(), clock.hour)
        assert (row["ts_local"], row["date_local"], row["hour_local"]) == want, (key, at)


def test_what_is_not_known_is_null(local: Any) -> None:
    """A location that is not configured; instants for which no rules are listed."""
    noon = datetime(2025, 8, 8, 12, tzinfo=UTC)
    rows = [("hanoi", FIRST - timedelta(hours=1)), ("hanoi", FIRST), ("hanoi", END), ("nowhere", noon)]
    found = local(rows, TRIED)
    assert [row["ts_local"] for row in found] == [None, "2013-01-01T07:00:00+07:00", None, None]
    assert [row["hour_local"] for row in found] == [None, 7, None, None]
    assert [row["date_local"] is None for row in found] == [True, False, True, True]
    assert [row["ts_local"] for row in local([("hanoi", noon)], {})] == [None]


@pytest.mark.spark
def test_spark_compiles_the_clock_of_fifty_locations_in_twelve_zones(spark: Any, tmp_path: Path) -> None:
    """What is too long for a method of the JVM is interpreted, in silence, row by row."""
    zones = sorted(TRIED.values())
    timezones = {f"town{number}": zones[number % len(zones)] for number in range(50)}
    towns = spark.range(50).selectExpr("'town' || id AS location_key", "timestamp_seconds(1757300400 + id) AS ts_utc")
    towns.write.parquet(str(tmp_path / "towns"))  # constants would be computed by the planner
    spark.conf.set("spark.sql.codegen.fallback", "false")
    try:
        rows = with_local_time(
            spark.read.parquet(str(tmp_path / "towns")), "location_key", "ts_utc", timezones
        ).collect()
    finally:
        spark.conf.unset("spark.sql.codegen.fallback")
    assert len(rows) == 50 and all(row["ts_local"] for row in rows)
