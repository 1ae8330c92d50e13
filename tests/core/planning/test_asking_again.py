"""When a source is asked again for a day of which it did not have everything."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.calendar import DAY, HOUR, day_of, instant_of, iso
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.planning.asking_again import is_due, pause_before
from orchestration.core.planning.hourly import HourlyWindow, hourly_window
from orchestration.core.state.partition_record import PartitionRecord, TurnedAway
from orchestration.core.state.table_state import TableState
from tests.support.hourly_feed import HOURLY, HUE, NOW, TODAY, at, hours, now
from tests.support.judged_tables import FEED, feed

INCOMPLETE_DAYS = 30


@pytest.mark.parametrize(
    ("age", "days", "pause"),
    [(0, 30, 1), (5, 30, 1), (10, 30, 1), (11, 30, 3), (30, 30, 3), (31, 30, None), (6, 5, None), (1, 0, None)],
)
def test_pauses_grow(age: int, days: int, pause: int | None) -> None:
    assert pause_before(age, days) == (None if pause is None else pause * DAY)


@pytest.mark.parametrize(
    ("age", "asked", "due"),
    [
        (5, "2025-08-19T10:59:00Z", True),  # a day ago, from hour to hour
        (5, "2025-08-19T11:00:00Z", False),
        (5, "", True),
        (11, "2025-08-18T10:00:00Z", False),
        (11, "2025-08-17T10:59:00Z", True),
        (30, "2025-08-17T10:59:00Z", True),
        (31, "2025-08-01T00:00:00Z", False),
        (31, "", False),
        (5, "2025-08-25T00:00:00Z", True),  # has not come
    ],
)
def test_due(age: int, asked: str, *, due: bool) -> None:
    assert is_due(TODAY - age * DAY, instant_of(asked) if asked else None, NOW, INCOMPLETE_DAYS) is due


def test_so_many_times_a_day_that_stays_empty_is_asked_for() -> None:
    """Hour by hour from the day after the revisable ones on: once a day until its tenth, then every third day, then
    no more."""
    day, asked, times = date(2025, 7, 1), datetime(2025, 7, 3, 23, 5, tzinfo=UTC), list[datetime]()
    moment = datetime(2025, 7, 4, 0, 5, tzinfo=UTC)
    while moment < datetime(2025, 8, 20, tzinfo=UTC):
        if is_due(day, asked, moment, INCOMPLETE_DAYS):
            times.append(moment)
            asked = moment
        moment += HOUR
    ages = [(day_of(at) - day).days for at in times]
    assert ages == [3, 4, 5, 6, 7, 8, 9, 10, 13, 16, 19, 22, 25, 28]


# --- the window -----------------------------------------------------------------------------------


def window(
    records: dict[PartitionKey, PartitionRecord],
    moments: dict[PartitionKey, str] | None = None,
    unrecorded: Iterable[PartitionKey] = (),
    **more: Any,
) -> HourlyWindow:
    tables = {FEED: TableState(5, records, PartitionSet.from_keys(unrecorded))}
    asked_in_vain = {FEED: moments or {}}
    return hourly_window(
        [HOURLY], [HUE], tables, now(**more), revisable_days=2, catch_up_days=14, moments=asked_in_vain.__getitem__
    )


REVISABLE = {at(18), at(19), at(20)}
LONG_AGO = "2025-08-15T00:00:00Z"


def whole(*days: int) -> dict[PartitionKey, PartitionRecord]:
    return {at(day): hours(24, asked=LONG_AGO) for day in days}


def test_incomplete_days_are_asked_for_and_compared() -> None:
    records = whole(*range(1, 18)) | {at(10): hours(0, asked=LONG_AGO), at(17): hours(24, 23, asked=LONG_AGO)}
    found = window(records)
    assert set(found.partitions) == set(found.revisable) == {*REVISABLE, at(10), at(17)}


@pytest.mark.parametrize(
    ("record", "moment", "asked"),
    [
        (hours(0, asked="2025-08-19T10:00:00Z"), "", True),
        (hours(0, asked="2025-08-20T09:00:00Z"), "", False),
        (hours(0, asked="2025-08-16T09:00:00Z"), "2025-08-20T09:00:00Z", False),  # nothing new came
        (hours(0, asked="2025-08-16T09:00:00Z"), "2025-08-19T10:00:00Z", True),
        (hours(0, turned_away=(TurnedAway("2025-08-20T09:00:00Z", "d", 1),)), "", False),
        (hours(0, asked="2025-08-20T10:34:00Z"), "", False),  # by the source's clock, which is ahead a little
        (hours(0), "", True),  # nobody knows
        (hours(24), "", False),
        (PartitionRecord(24, "f", {"api": {}}, hours(0).code, hours(0).contract), "", False),  # nobody counted
    ],
)
def test_with_a_pause(record: PartitionRecord, moment: str, *, asked: bool) -> None:
    found = window({at(12): record}, {at(12): moment} if moment else None)
    assert (at(12) in found.partitions) is asked
    assert (at(12) in found.revisable) is asked


def test_farther_back_than_gaps_and_no_farther_than_the_setting() -> None:
    old = PartitionKey(TODAY - 30 * DAY, HUE)
    older = PartitionKey(TODAY - 31 * DAY, HUE)
    records = {older: hours(0), old: hours(0)} | whole(*range(-8, 18))
    found = window(records)
    assert old in found.partitions
    assert older not in found.partitions
    assert str(found.beyond) == f"{TODAY - 29 * DAY} × {HUE}", "of which nothing is there at all"
    assert set(window(records, incomplete_days=29).partitions) == REVISABLE
    assert set(window(records, incomplete_days=0).partitions) == REVISABLE


def test_not_offered_and_not_ours_are_not_asked_for() -> None:
    records = {at(12): hours(0), at(13): hours(24)}
    assert at(12) not in window(records, values_from={"api": date(2025, 9, 1)}).partitions
    found = window({at(12): hours(0), at(13): hours(24)}, unrecorded=[at(12)])
    assert at(12) in found.partitions  # a gap: somebody else changed it
    assert at(12) not in found.revisable


def test_an_asset_whose_rows_are_no_hours_is_not_asked_again() -> None:
    tables = {FEED: TableState(5, {at(12): hours(0), **whole(13, 14, 15, 16, 17)})}
    found = hourly_window([feed], [HUE], tables, now(), revisable_days=2, catch_up_days=14)
    assert set(found.partitions) == REVISABLE


@given(
    counts=st.dictionaries(st.integers(0, 40), st.sampled_from([0, 23, 24]), max_size=20),
    asked_hours_ago=st.integers(0, 100),
    days=st.integers(0, 35),
)
def test_the_window_by_its_definition(counts: dict[int, int], asked_hours_ago: int, days: int) -> None:
    asked = NOW - asked_hours_ago * HOUR
    records = {PartitionKey(TODAY - age * DAY, HUE): hours(count, asked=iso(asked)) for age, count in counts.items()}
    found = {(TODAY - key.day).days for key in window(records, incomplete_days=days).revisable if key.day}
    pauses = {age: timedelta(days=1 if age <= 10 else 3) for age in counts}
    due = {
        age
        for age, count in counts.items()
        if 2 < age <= days and count < 24 and timedelta(hours=asked_hours_ago) >= pauses[age]
    }
    assert found == {0, 1, 2} | due
