"""How many hours have values, of how many that had begun; what was never offered; what people are told."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.calendar import HOUR, midnight
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.partitions.scheme import DailyByLocation
from orchestration.core.state.completeness import Completeness, CompletenessOf, hours_begun, hours_withdrawn, last_asked
from orchestration.core.state.freshness import GIVEN_UP, INCOMPLETE, NO_LONGER_CONFIGURED, Judge, State, Way
from orchestration.core.state.incomplete_days import incomplete, incomplete_hours, incomplete_notes
from orchestration.core.state.partition_record import Answer, PartitionRecord, TurnedAway
from orchestration.core.state.table_state import TableState
from tests.support.hourly_feed import HOURLY, HUE, NOW, at, hours, now, table
from tests.support.judged_tables import FEED, feed, record

ESSENTIAL = ("aqi", "pm25")
THE_EIGHTH = at(8)


def counted(own: PartitionRecord, key: PartitionKey = THE_EIGHTH) -> tuple[int, int] | None:
    found = CompletenessOf(DailyByLocation(), {key: own}, ESSENTIAL)(key, own)
    return None if found is None else (found.hours, found.of)


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (hours(24), (24, 24)),
        (hours(24, 23), (23, 24)),
        (hours(0), (0, 24)),
        (hours(7, as_of="2025-08-08T06:30:00Z"), (7, 7)),
        (hours(6, as_of="2025-08-08T06:30:00Z"), (6, 7)),
        (hours(6, as_of="2025-08-08T06:30:00Z", asked="2025-08-08T05:30:00Z"), (6, 7)),
        (hours(6, as_of="2025-08-08T06:30:00Z", turned_away=(TurnedAway("2025-08-08T08:10:00Z", "d", 1),)), (6, 9)),
        (hours(24, asked="2025-08-09T00:00:00Z"), (24, 24)),
        (hours(0, as_of="2025-08-07T06:30:00Z"), (0, 0)),  # asked for before it began
        (PartitionRecord(0, "", {}, "c", "k"), (0, 24)),  # nothing came
        (PartitionRecord(24, "f", {}, "c", "k"), None),  # of format 1
        (PartitionRecord(20, "f", {}, "c", "k", values={"dust": 3}), (20, 24)),  # columns that cannot be null
    ],
)
def test_hours_that_have_values(own: PartitionRecord, expected: tuple[int, int] | None) -> None:
    assert counted(own) == expected


@pytest.mark.parametrize(
    ("have", "words"),
    [
        ({"aqi": 0, "pm25": 0}, "0 of 24 hours"),
        ({"aqi": 3, "pm25": 7}, "3 of 24 hours"),
        ({"aqi": 0, "pm25": 23, "o3": 24}, "0 of 24 hours (aqi 0, pm25 23)"),
        ({"aqi": 24, "pm25": 23}, "23 of 24 hours (pm25 23)"),
    ],
)
def test_in_words(have: dict[str, int], words: str) -> None:
    assert Completeness(24, have).in_words == words
    assert not Completeness(24, have).whole


def test_whole() -> None:
    assert Completeness(24, {"aqi": 24}).in_words == "24 of 24 hours"
    assert Completeness(24, {"aqi": 24}).whole
    assert Completeness(0, {"aqi": 0}).whole


@given(st.integers(-30, 60), st.integers(0, 59))
def test_hours_that_had_begun(hour: int, minute: int) -> None:
    begins = midnight(date(2025, 8, 8))
    asked = begins + hour * HOUR + timedelta(minutes=minute)
    by_hand = sum(begins + number * HOUR <= asked for number in range(24))
    assert hours_begun(begins, begins + 24 * HOUR, asked) == by_hand


def test_when_it_was_asked_for_last() -> None:
    turned = (TurnedAway("2025-08-09T08:00:00Z", "d", 1),)
    assert last_asked(hours(3)) == ""
    assert last_asked(hours(3, as_of="2025-08-08T06:30:00Z", asked="2025-08-08T05:30:00Z")) == "2025-08-08T06:30:00Z"
    assert last_asked(hours(3, as_of="2025-08-08T06:30:00Z", turned_away=turned)) == "2025-08-09T08:00:00Z"


def test_hours_that_were_withdrawn_count_once() -> None:
    two = (TurnedAway("a", "d", 0b111), TurnedAway("b", "e", 0b1100, ("pm25",)))
    assert hours_withdrawn(hours(24, turned_away=two)) == 4


# --- not offered ----------------------------------------------------------------------------------

BOUND = at(10).day


def offered(records: dict[PartitionKey, PartitionRecord], key: PartitionKey) -> dict[str, int] | None:
    assert BOUND is not None
    found = CompletenessOf(DailyByLocation(), records, ESSENTIAL, BOUND)(key, records[key])
    return None if found is None else dict(found.have)


def test_days_before_the_first_value_are_not_offered() -> None:
    values = {3: (0, 0), 4: (0, 5), 5: (2, 20), 6: (20, 24), 7: (24, 24), 9: (0, 0), 10: (0, 0)}
    records = {at(day): hours(*of) for day, of in values.items()} | {at(3, "vinh"): hours(24)}
    found = {day: offered(records, at(day)) for day in values}
    assert found == {
        3: None,
        4: None,  # the first day of pm25, a part of it
        5: {"pm25": 20},  # the first day of aqi
        6: {"aqi": 20, "pm25": 24},
        7: {"aqi": 24, "pm25": 24},
        9: {"aqi": 0, "pm25": 0},  # a hole
        10: {"aqi": 0, "pm25": 0},  # from here on it has values everywhere
    }


def test_without_any_value_nothing_before_the_bound_is_offered() -> None:
    records = {at(day): hours(0) for day in (1, 9, 10)}
    assert [offered(records, at(day)) for day in (1, 9)] == [None, None]
    assert offered(records, at(10)) == {"aqi": 0, "pm25": 0}


@given(st.dictionaries(st.integers(1, 20), st.integers(0, 24), min_size=1), st.integers(1, 20))
def test_not_offered_by_its_definition(values: dict[int, int], bound: int) -> None:
    records = {at(day): hours(count) for day, count in values.items()}
    of = CompletenessOf(DailyByLocation(), records, ESSENTIAL, at(bound).day or date.min)
    first = min((day for day, count in values.items() if count), default=99)
    for day in values:
        assert (of(at(day), records[at(day)]) is None) == (day < bound and day <= first)


# --- marks ----------------------------------------------------------------------------------------


def marks(own: PartitionRecord, key: PartitionKey = THE_EIGHTH, **current: Any) -> tuple[str, ...]:
    return Judge(HOURLY, table({key: own}), now(**current))(key).marks


def test_marks() -> None:
    assert marks(hours(24)) == ()
    assert marks(hours(0)) == (f"{INCOMPLETE}: 0 of 24 hours",)
    assert marks(hours(24, 23)) == (f"{INCOMPLETE}: 23 of 24 hours (pm25 23)",)
    assert marks(hours(0), incomplete_days=12) == (f"{INCOMPLETE}: 0 of 24 hours",)
    assert marks(hours(0), incomplete_days=11) == (f"{GIVEN_UP}: 0 of 24 hours",)
    assert marks(hours(24, turned_away=(TurnedAway("a", "d", 1),))) == ("withdrawn: 1 hour",)
    both = hours(23, turned_away=(TurnedAway("a", "d", 6),))
    gone = now(configured=frozenset({"vinh"}))
    assert Judge(HOURLY, table({at(8): both}), gone)(at(8)).marks == (
        f"{INCOMPLETE}: 23 of 24 hours",
        "withdrawn: 2 hours",
        NO_LONGER_CONFIGURED,
    )


def test_marks_are_of_fetched_hours_alone() -> None:
    own = replace(hours(0, turned_away=(TurnedAway("a", "d", 1),)), code=record(feed).code)
    assert Judge(feed, table({at(8): own}), now())(at(8)).marks == ()
    assert marks(PartitionRecord(24, "f", {}, "c", "k")) == ()


def test_not_offered_is_not_marked() -> None:
    assert marks(hours(0), values_from={"api": date(2025, 8, 9)}) == ()
    assert marks(hours(0), values_from={"api": date(2025, 8, 8)}) == (f"{INCOMPLETE}: 0 of 24 hours",)


def test_settings_name_other_essential_columns() -> None:
    assert marks(hours(24, 23), essential={FEED: ("aqi",)}) == ()
    assert now(essential={FEED: ("aqi",)}).essential_of(HOURLY) == ("aqi",)
    assert now().essential_of(HOURLY) == ESSENTIAL
    assert now().essential_of(feed) == ()


def test_what_somebody_else_changed_has_no_marks_of_ours() -> None:
    state = TableState(5, {at(8): hours(0)}, PartitionSet.one(at(8)))
    assert Judge(HOURLY, {FEED: state}, now())(at(8)).marks == ()
    assert list(incomplete(HOURLY, state, now())) == []


# --- a moment that has not come -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "believed"),
    [
        ("2025-08-20T10:30:00Z", True),
        ("2025-08-20T10:35:00Z", True),
        ("2025-08-20T10:35:01Z", False),
        ("2025-08-21T10:00:00Z", False),
        ("", True),  # format 1 did not keep it
    ],
)
def test_a_moment_that_has_not_come_is_not_believed(asked: str, *, believed: bool) -> None:
    found = Judge(HOURLY, table({at(19): hours(24, asked=asked, at="2026-01-01T00:00:00Z")}), now())(at(19))
    assert found.fresh is believed
    if not believed:
        assert (found.state, found.way) == (State.STALE, Way.MAKE)
        assert found.reason == f"asked for at a moment that has not come ({asked})"
        assert found.in_short == "asked for at a moment that has not come"


def test_it_comes_before_what_only_the_source_could_give_and_not_at_a_location_that_is_gone() -> None:
    class Moved:
        def outdated(self, *_: object) -> str:
            return "moved"

    own = table({at(19): hours(24, asked="2025-08-22T00:00:00Z")})
    current = now(history=Moved())
    assert Judge(HOURLY, own, current)(at(19)).way is Way.MAKE
    assert Judge(HOURLY, own, replace(current, configured=frozenset({"vinh"})))(at(19)).fresh


# --- in words -------------------------------------------------------------------------------------

STATE = TableState(
    5,
    {
        at(8): hours(0),
        at(9): hours(0),
        at(10): hours(24),
        at(11): hours(24, 23),
        at(9, "vinh"): hours(0),
        at(20): hours(9, as_of="2025-08-20T10:20:00Z"),
        PartitionKey(date(2025, 7, 1), HUE): hours(0),
    },
)


def test_notes_of_a_run() -> None:
    assert incomplete_notes(HOURLY, STATE.records, STATE, now()) == [
        "2025-08-08..2025-08-09 × hue; 2025-08-09 × vinh are incomplete: 0 of 24 hours",
        "2025-08-11/hue is incomplete: 23 of 24 hours (pm25 23)",
        "2025-08-20/hue is incomplete: 9 of 11 hours",
        "2025-07-01/hue is incomplete: 0 of 24 hours (given up: it is not asked for again)",
    ]
    assert incomplete_notes(HOURLY, [at(10), at(12)], STATE, now()) == []
    assert incomplete_notes(feed, STATE.records, STATE, now()) == []


def test_hours_of_a_summary() -> None:
    found = incomplete_hours(HOURLY, [at(8), at(10), at(11), at(12)], STATE, now())
    assert found == {"2025-08-08/hue": "0 of 24 hours", "2025-08-11/hue": "23 of 24 hours (pm25 23)"}


def test_what_is_incomplete_of_a_table() -> None:
    found = {one.partition: (one.ended, one.given_up) for one in incomplete(HOURLY, STATE, now())}
    assert found == {
        "2025-08-08/hue": (True, False),
        "2025-08-09/hue": (True, False),
        "2025-08-11/hue": (True, False),
        "2025-08-09/vinh": (True, False),
        "2025-08-20/hue": (False, False),
        "2025-07-01/hue": (True, True),
    }
    gone = now(configured=frozenset({"vinh"}))
    assert [one.location for one in incomplete(HOURLY, STATE, gone)] == ["vinh"]
    assert (NOW.date() - date(2025, 7, 1)).days > now().incomplete_days


def test_many_answers_are_looked_at_once() -> None:
    """Of several answers that own hours, any that has not come makes the whole not believed."""
    own = replace(hours(24), answers=(Answer("2025-08-19T00:00:00Z", "a"), Answer("2025-08-25T00:00:00Z", "b")))
    assert "2025-08-25" in Judge(HOURLY, table({at(18): own}), now())(at(18)).reason
