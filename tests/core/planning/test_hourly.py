"""The hourly window: the clock, the days that are revised, and gaps."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.declarations.asset import Asset
from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet
from orchestration.core.partitions.mappings import Identity
from orchestration.core.partitions.scheme import DailyByLocation
from orchestration.core.planning.commands import gap_in_words
from orchestration.core.planning.hourly import HourlyWindow, hourly_window
from orchestration.core.state.freshness import Current
from orchestration.core.state.provenance import PartitionRecord
from orchestration.core.state.table_state import TableState

FEED, CLEAN, LOCATIONS = "bronze.feed", "silver.clean", "gold.locations"
LOCATION, OTHER = "hue", "vinh"
LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")
NOW = datetime(2025, 8, 20, 10, 30, tzinfo=UTC)
TODAY = NOW.date()


def asset(key: str, *upstream: Identity, source: str | None = None, dated: bool = True) -> Asset:
    partitions = DailyByLocation() if dated else None
    return Asset(key, "Text.", lambda: None, upstream, source, partitions, "C", (), frozenset(), ())


ASSETS = [asset(FEED, source="api"), asset(CLEAN, Identity(FEED)), asset(LOCATIONS, dated=False)]
CONTRACTS = dict.fromkeys((FEED, CLEAN, LOCATIONS), "contract")


def made(days: Iterable[date], location: str = LOCATION, code: str = "code") -> dict[PartitionKey, PartitionRecord]:
    """Records of the days, made from what the feed has; with another ``code`` they are stale."""
    keys = [PartitionKey(day, location) for day in days]
    return {key: PartitionRecord(24, "f", {FEED: {str(key): "f"}}, code, "contract") for key in keys}


def window(
    feed: Mapping[PartitionKey, PartitionRecord],
    clean: Mapping[PartitionKey, PartitionRecord] | None = None,
    now: datetime = NOW,
    revisable: int = 2,
    catch_up: int = 14,
    locations: Iterable[str] = (LOCATION,),
) -> HourlyWindow:
    tables = {FEED: TableState(5, dict(feed)), CLEAN: TableState(5, dict(feed if clean is None else clean))}
    current = Current(lambda _asset, _location: "code", CONTRACTS, now)
    return hourly_window(ASSETS, locations, tables, current, revisable_days=revisable, catch_up_days=catch_up)


def days(text: str) -> Days:
    first, _, last = text.partition("..")
    return Days.of(date.fromisoformat(first), date.fromisoformat(last or first))


def through(last: date) -> list[date]:
    """Everything since 1 January 2024."""
    return list(Days.of(date(2024, 1, 1), last))


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        # Asia/Ho_Chi_Minh is seven hours ahead: the day of UTC changes at 07:00.
        ("2025-08-20T23:50", "2025-08-18..2025-08-20"),
        ("2025-08-21T00:05", "2025-08-18..2025-08-20"),
        ("2025-08-21T06:59", "2025-08-18..2025-08-20"),
        ("2025-08-21T07:00", "2025-08-19..2025-08-21"),
        # A month's end, a year's end, the end of February in a leap year.
        ("2025-08-31T23:50", "2025-08-29..2025-08-31"),
        ("2025-09-01T00:05", "2025-08-29..2025-08-31"),
        ("2025-09-01T07:00", "2025-08-30..2025-09-01"),
        ("2025-12-31T23:50", "2025-12-29..2025-12-31"),
        ("2026-01-01T00:05", "2025-12-29..2025-12-31"),
        ("2026-01-01T07:00", "2025-12-30..2026-01-01"),
        ("2024-03-01T07:00", "2024-02-28..2024-03-01"),
    ],
)
@pytest.mark.parametrize("gap_hours", [1, 26], ids=["hourly", "after 26 hours"])
def test_the_days_by_the_clock(local: str, expected: str, gap_hours: int) -> None:
    """The last run was one hour ago, or 26: what it left of its today lies among the days that are looked at anyway."""
    now = datetime.fromisoformat(local).replace(tzinfo=LOCAL).astimezone(UTC)
    before = now - timedelta(hours=gap_hours)
    records = made(through(before.date()))
    today = PartitionKey(before.date(), LOCATION)
    records[today] = PartitionRecord(
        5, "f", {FEED: {str(today): "f"}}, "code", "contract", as_of=before.strftime("%Y-%m-%dT%H:%M:%SZ")
    )
    found = window(records, made(through(before.date())), now)
    expected_days = PartitionSet.of(days(expected), [LOCATION])
    assert found == HourlyWindow(expected_days, expected_days, PartitionSet.empty())


@pytest.mark.parametrize(
    ("newest", "revisable", "catch_up", "expected", "beyond"),
    [
        ("2025-08-19", 2, 14, "2025-08-18..2025-08-20", None),
        ("2025-08-17", 2, 14, "2025-08-18..2025-08-20", None),
        ("2025-08-16", 2, 14, "2025-08-17..2025-08-20", None),
        ("2025-08-12", 2, 14, "2025-08-13..2025-08-20", None),
        ("2025-08-05", 2, 14, "2025-08-06..2025-08-20", None),
        ("2025-08-04", 2, 14, "2025-08-06..2025-08-20", "2025-08-05"),
        ("2025-01-01", 2, 14, "2025-08-06..2025-08-20", "2025-01-02..2025-08-05"),
        ("2025-08-12", 0, 14, "2025-08-13..2025-08-20", None),
        ("2025-08-19", 0, 14, "2025-08-20", None),
        ("2025-08-19", 5, 14, "2025-08-15..2025-08-20", None),
        ("2025-08-12", 2, 0, "2025-08-18..2025-08-20", "2025-08-13..2025-08-17"),
    ],
)
def test_gaps(newest: str, revisable: int, catch_up: int, expected: str, beyond: str | None) -> None:
    found = window(made(through(date.fromisoformat(newest))), revisable=revisable, catch_up=catch_up)
    assert found.partitions == PartitionSet.of(days(expected), [LOCATION])
    assert found.beyond == (PartitionSet.of(days(beyond), [LOCATION]) if beyond else PartitionSet.empty())


def test_a_location_that_is_new_begins_with_the_days_that_are_revised() -> None:
    assert window({}).partitions == PartitionSet.of(days("2025-08-18..2025-08-20"), [LOCATION])


def test_a_gap_does_not_begin_before_the_first_day() -> None:
    """All that is there was made by other code: made anew, but nothing before it, which nobody ever asked for."""
    found = window(made(Days.of(date(2025, 8, 12), TODAY), code="old"))
    assert found.partitions == PartitionSet.of(days("2025-08-12..2025-08-20"), [LOCATION])
    assert found.revisable == PartitionSet.of(days("2025-08-18..2025-08-20"), [LOCATION])
    assert not found.beyond


def test_a_gap_in_any_table_counts() -> None:
    """Silver failed for three days."""
    found = window(made(through(TODAY)), made(through(date(2025, 8, 14))))
    assert found.partitions == PartitionSet.of(days("2025-08-15..2025-08-20"), [LOCATION])


def test_a_table_that_is_new_is_no_gap() -> None:
    found = window(made(through(TODAY)), {})
    assert found.partitions == PartitionSet.of(days("2025-08-18..2025-08-20"), [LOCATION])


def test_a_day_that_failed_before_later_ones_came_is_tried_again() -> None:
    feed = {key: record for key, record in made(through(TODAY)).items() if key.day != date(2025, 8, 10)}
    found = window(feed)
    assert found.partitions == PartitionSet.of(days("2025-08-10") | days("2025-08-18..2025-08-20"), [LOCATION])
    assert found.revisable == PartitionSet.of(days("2025-08-18..2025-08-20"), [LOCATION])


def test_many_locations_with_a_long_history_are_judged_at_once() -> None:
    """Ten times the locations take some ten times as long: it is not one look at all records for each location."""
    feed = {
        key: record
        for number in range(100)
        for key, record in made(Days.of(date(2025, 1, 1), TODAY), f"p{number:03}").items()
    }

    def seconds(locations: int) -> float:
        """The shortest of three windows, in seconds of the processor: what else runs here does not count."""
        names = [f"p{number:03}" for number in range(locations)]
        records = {key: record for key, record in feed.items() if key.location in names}
        taken = []
        for _ in range(3):
            began = time.process_time()
            assert len(window(records, locations=names).partitions) == 3 * locations
            taken.append(time.process_time() - began)
        return min(taken)

    assert seconds(100) < 20 * seconds(10)


def test_every_location_has_its_own_gap() -> None:
    feed = made(through(TODAY)) | made(through(date(2025, 8, 15)), OTHER)
    found = window(feed, locations=(LOCATION, OTHER)).partitions
    assert found.days_of(LOCATION) == days("2025-08-18..2025-08-20")
    assert found.days_of(OTHER) == days("2025-08-16..2025-08-20")


def test_a_long_gap_is_told_with_both_ends_and_a_remedy() -> None:
    told = gap_in_words(PartitionSet.of(days("2025-07-03..2025-08-05"), [LOCATION]))
    assert "2025-07-03..2025-08-05 × hue (from 2025-07-03 to 2025-08-05, 34 partitions)" in told
    assert "hourly.catch_up_days" in told
    assert told.endswith("\n  aqi backfill --start-date 2025-07-03 --end-date 2025-08-05 --locations hue")
    assert gap_in_words(PartitionSet.of(days("2025-07-03"), [LOCATION]), ["a", "b"]).endswith("Fill it:\n  a\n  b")


def test_a_gap_that_lies_behind_is_told_at_every_run() -> None:
    """Not only while its last day is the one before the bound: the days after it are fresh by now."""
    outage = days("2025-06-03..2025-07-09")
    feed = made(day for day in through(TODAY) if day not in outage)
    for now in (NOW, NOW + timedelta(hours=1), NOW + timedelta(days=60)):
        later = feed | made(Days.of(TODAY, now.date()))
        assert window(later, now=now).beyond == PartitionSet.of(outage, [LOCATION])


def test_a_gap_of_one_table_that_lies_behind_is_told() -> None:
    clean = made(day for day in through(TODAY) if day != date(2025, 3, 3))
    assert window(made(through(TODAY)), clean).beyond == PartitionSet.of(days("2025-03-03"), [LOCATION])


def test_what_is_wanted_is_caught_up_with_where_nothing_is_there() -> None:
    """As far back as any gap is; what lies before that is told."""
    wanted = PartitionSet.of(days("2025-07-30..2025-08-19"), [LOCATION])
    tables = {FEED: TableState(5, {}), CLEAN: TableState(5, {})}
    current = Current(lambda _asset, _location: "code", CONTRACTS, NOW)
    found = hourly_window(
        ASSETS, [LOCATION], tables, current, revisable_days=2, catch_up_days=14, wanted={FEED: wanted, CLEAN: wanted}
    )
    assert found.partitions == PartitionSet.of(days("2025-08-06..2025-08-20"), [LOCATION])
    assert found.beyond == PartitionSet.of(days("2025-07-30..2025-08-05"), [LOCATION])


@given(
    present=st.sets(st.integers(1, 40), max_size=30),
    revisable=st.integers(0, 5),
    catch_up=st.integers(0, 20),
)
def test_the_window_by_its_definition(present: set[int], revisable: int, catch_up: int) -> None:
    """Days ago: today, those that are revised, and those before that are not there, since the first one, to a bound."""
    found = window(made(TODAY - timedelta(ago) for ago in present), revisable=revisable, catch_up=catch_up)
    bound, first = max(catch_up, revisable), max(present, default=0)
    lacking = set(range(revisable + 1, min(bound, first) + 1)) - present
    assert {(TODAY - key.day).days for key in found.partitions if key.day} == set(range(revisable + 1)) | lacking
    beyond = {(TODAY - key.day).days for key in found.beyond if key.day}
    assert beyond == set(range(bound + 1, first + 1)) - present
