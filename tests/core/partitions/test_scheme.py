"""Partition schemes: the tables of the docstrings, and what holds of any scheme."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.calendar import day_of, hour_of, instant_of, iso, midnight
from orchestration.core.errors import PartitionRangeError
from orchestration.core.partitions.keys import NULL_KEY, Days, PartitionKey, PartitionSet
from orchestration.core.partitions.scheme import DailyByLocation, PartitionColumns, PartitionScheme
from tests.support.schemes import LocalDays, Weeks

DAILY, WEEKS, LOCAL = DailyByLocation(), Weeks(), LocalDays()
DAY = PartitionKey(date(2025, 8, 8), "hue")
SECOND = timedelta(seconds=1)
quick = settings(max_examples=60, deadline=None)


def hour(text: str) -> datetime:
    """``08T06:30``: an instant of August 2025, UTC."""
    return datetime.fromisoformat(f"2025-08-{text}").replace(tzinfo=UTC)


def august(*numbers: int, location: str = "hue") -> PartitionSet:
    return PartitionSet.from_keys(PartitionKey(date(2025, 8, number), location) for number in numbers)


# --- the calendar, for what is of no scheme ---------------------------------------------------------


@pytest.mark.parametrize(
    ("instant", "day", "begun", "text"),
    [
        (hour("08T06:59:30"), 8, "08T06:00", "2025-08-08T06:59:30Z"),
        (hour("08T23:59"), 8, "08T23:00", "2025-08-08T23:59:00Z"),
        (datetime(2025, 8, 9, 6, 59, tzinfo=timezone(timedelta(hours=7))), 8, "08T23:00", "2025-08-08T23:59:00Z"),
        (hour("08T23:59:59.999999"), 8, "08T23:00", "2025-08-08T23:59:59Z"),
        (hour("09T00:00"), 9, "09T00:00", "2025-08-09T00:00:00Z"),
    ],
)
def test_the_calendar_is_of_utc(instant: datetime, day: int, begun: str, text: str) -> None:
    assert day_of(instant) == date(2025, 8, day)
    assert hour_of(instant) == hour(begun)
    assert iso(instant) == text
    assert instant_of(text) == instant.replace(microsecond=0)
    assert instant_of(text).utcoffset() == timedelta()
    assert midnight(day_of(instant)) <= instant < midnight(day_of(instant) + timedelta(days=1))


# --- UTC days ---------------------------------------------------------------------------------------


def test_a_day_begins_and_ends_at_midnight() -> None:
    assert (DAILY.begins(DAY), DAILY.ends(DAY)) == (hour("08T00:00"), hour("09T00:00"))
    last_of_month = PartitionKey(date(2025, 8, 31), "hue")
    assert DAILY.ends(last_of_month) == datetime(2025, 9, 1, tzinfo=UTC)
    with pytest.raises(AssertionError, match="null"):
        DAILY.begins(NULL_KEY)


def test_a_scheme_is_a_value() -> None:
    assert DAILY.columns == PartitionColumns("date_utc", "location_key")
    other = DailyByLocation(day_column="start_date_utc")
    assert other.columns == PartitionColumns("start_date_utc", "location_key")
    assert {DAILY: 1, other: 2}[DailyByLocation()] == 1
    assert other != DAILY
    with pytest.raises(AttributeError):
        DAILY.day_column = "day"  # type: ignore[misc]
    assert not hasattr(DAILY, "__dict__")


@pytest.mark.parametrize(
    ("now", "over"),
    [("08T23:59", False), ("08T23:59:59.999999", False), ("09T00:00", True), ("20T00:00", True), ("07T12:00", False)],
)
def test_a_day_is_over_with_its_last_instant(now: str, over: bool) -> None:
    assert DAILY.is_over(DAY, hour(now)) is over


@pytest.mark.parametrize(("instant", "day", "number"), [("08T00:00", 8, 0), ("08T23:59", 8, 23), ("09T00:00", 9, 0)])
def test_the_hours_of_a_day(instant: str, day: int, number: int) -> None:
    assert DAILY.day_of("hue", hour(instant)) == date(2025, 8, day)
    assert DAILY.hour_of("hue", hour(instant)) == number == PartitionScheme.hour_of(DAILY, "hue", hour(instant))


@pytest.mark.parametrize(
    ("first", "before", "days"),
    [
        ("08T00:00", "09T00:00", [8]),
        ("08T23:59", "09T00:01", [8, 9]),
        ("08T12:00", "08T12:00", []),
        ("08T12:00", "08T11:00", []),
        ("07T12:00", "10T00:00", [7, 8, 9]),
    ],
)
def test_the_days_that_a_range_of_instants_touches(first: str, before: str, days: list[int]) -> None:
    assert list(DAILY.touched_by("hue", hour(first), hour(before))) == list(august(*days))


def test_what_a_request_for_utc_days_means() -> None:
    asked = august(10, 11) | PartitionSet.null()
    assert DAILY.asked_by(asked) == august(10, 11)
    assert WEEKS.asked_by(asked) == august(4, 11)
    assert LOCAL.asked_by(asked) == august(10, 11, 12)
    assert WEEKS.asked_by(PartitionSet.null()) == DAILY.asked_by(PartitionSet.null()) == PartitionSet.empty()


@pytest.mark.parametrize(
    ("now", "begun"), [("08T23:59", [8]), ("09T00:00", [8, 9]), ("07T23:59", []), ("20T00:00", [8, 9])]
)
def test_what_has_begun_can_be_asked_for(now: str, begun: list[int]) -> None:
    assert DAILY.begun(august(8, 9), hour(now)) == august(*begun)


def test_what_has_begun_elsewhere() -> None:
    far = august(8, 9, location="far-west")
    assert LOCAL.begun(august(8, 9) | far, hour("08T17:00")) == august(8, 9) | august(8, location="far-west")
    assert WEEKS.begun(august(4, 11, 18), hour("17T23:59")) == august(4, 11)


def test_a_key_reads_as_day_and_location() -> None:
    assert DAILY.text(DAY) == "2025-08-08/hue"
    assert DAILY.parse("2025-08-08/hue") == DAY
    for text in ("null", "2025-08-08", "2025-08"):
        with pytest.raises(PartitionRangeError) as caught:
            DAILY.parse(text)
        assert caught.value.message == f"cannot read partition key {text!r}"


# --- whether more has passed ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("as_of", "now", "passed"),
    [
        ("08T06:30", "08T06:59", False),
        ("08T06:30", "08T06:59:59.999999", False),
        ("08T06:30", "08T07:00", True),
        ("08T06:00", "08T06:00", False),
        ("08T06:59:59", "08T07:00", True),
        ("08T00:00", "08T00:59", False),
        ("08T00:59", "08T01:00", True),
        ("08T23:10", "08T23:50", False),
        ("08T23:10", "08T23:59:59", False),
        ("08T23:10", "09T00:00", True),
        ("08T23:10", "09T00:01", True),
        ("08T23:10", "20T12:00", True),
        ("08T06:30", "20T12:00", True),
        # Asked when the day was over: nothing is to be expected, however long ago.
        ("09T00:00", "09T00:00", False),
        ("09T00:00", "20T12:00", False),
        ("09T05:00", "20T12:00", False),
        # A clock that was set back.
        ("08T06:30", "08T05:30", False),
        ("08T06:30", "07T12:00", False),
        ("08T06:30", "08T06:10", False),
        # Asked before the day began.
        ("07T10:30", "08T00:00", True),
        ("07T10:30", "08T09:00", True),
        ("07T10:30", "07T10:59", False),
    ],
)
def test_more_has_passed(as_of: str, now: str, passed: bool) -> None:
    assert DAILY.more_has_passed(DAY, hour(as_of), hour(now)) is passed


def test_more_has_passed_in_any_zone() -> None:
    """Hours are UTC's: 09:30 in Hà Nội is 02:30 UTC, and from 08:10 to 08:40 in Delhi is from 02:40 to 03:10 UTC."""
    hanoi = timezone(timedelta(hours=7))
    at = datetime(2025, 8, 8, 9, 30, tzinfo=hanoi)
    assert not DAILY.more_has_passed(DAY, at, hour("08T02:59"))
    assert not DAILY.more_has_passed(DAY, hour("08T02:30"), at.replace(minute=59))
    assert DAILY.more_has_passed(DAY, at, hour("08T03:00"))
    assert DAILY.more_has_passed(DAY, hour("08T23:30"), datetime(2025, 8, 9, 7, 0, tzinfo=hanoi))
    delhi = timezone(timedelta(hours=5, minutes=30))
    first, second, third = (datetime(2025, 8, 8, *time, tzinfo=delhi) for time in ((8, 10), (8, 40), (9, 20)))
    assert DAILY.more_has_passed(DAY, first, second)
    assert not DAILY.more_has_passed(DAY, second, third)


# --- any scheme -------------------------------------------------------------------------------------

schemes = st.sampled_from([DAILY, WEEKS, LOCAL])
locations = st.sampled_from(["hue", "far-west"])
instants = st.datetimes(datetime(2024, 2, 20), datetime(2024, 3, 20), timezones=st.just(UTC))


@quick
@given(schemes, locations, instants)
def test_a_period_holds_its_instants(scheme: PartitionScheme, location: str, instant: datetime) -> None:
    key = PartitionKey(scheme.day_of(location, instant), location)
    begins, ends = scheme.begins(key), scheme.ends(key)
    assert begins <= instant < ends
    assert begins.utcoffset() == ends.utcoffset() == timedelta()
    assert scheme.begins(PartitionKey(scheme.day_of(location, ends), location)) == ends
    assert scheme.day_of(location, begins) == key.day == scheme.day_of(location, ends - SECOND)
    assert not scheme.is_over(key, instant)
    assert scheme.is_over(key, ends)
    assert 0 <= scheme.hour_of(location, instant) < (ends - begins) // timedelta(hours=1)
    assert scheme.parse(scheme.text(key)) == key


@quick
@given(schemes, locations, instants, instants)
def test_the_periods_of_a_range_are_a_partition_of_it(
    scheme: PartitionScheme, location: str, one: datetime, other: datetime
) -> None:
    first, before = sorted((one, other))
    touched = list(scheme.touched_by(location, first, before))
    assert bool(touched) == (first < before)
    for key, following in pairwise(touched):
        assert scheme.ends(key) == scheme.begins(following)
    if touched:
        assert scheme.begins(touched[0]) <= first < scheme.ends(touched[0])
        assert scheme.begins(touched[-1]) < before <= scheme.ends(touched[-1])


@quick
@given(schemes, locations, instants, st.timedeltas(timedelta(), timedelta(days=20)))
def test_a_request_covers_its_days_whole(
    scheme: PartitionScheme, location: str, instant: datetime, span: timedelta
) -> None:
    days = Days.of(day_of(instant), day_of(instant + span))
    meant = list(scheme.asked_by(PartitionSet.of(days, [location])))
    assert scheme.begins(meant[0]) <= midnight(days.first)
    assert scheme.ends(meant[-1]) >= midnight(days.last + timedelta(days=1))
    begun = scheme.begun(PartitionSet.from_keys(meant), instant)
    assert begun == PartitionSet.from_keys(key for key in meant if scheme.begins(key) <= instant)
