"""Days and PartitionSet against Python's own sets; ranges and chunks on their boundaries."""

from __future__ import annotations

import json
import operator
import time
from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.errors import PartitionRangeError
from orchestration.core.partitions.keys import (
    NULL_KEY,
    ChunkMode,
    Days,
    PartitionKey,
    PartitionSet,
    chunks,
    parse_range,
)

BASE = date(2024, 2, 20)  # near the end of a February with 29 days
TODAY = date(2025, 8, 14)

quick = settings(max_examples=60, deadline=None)  # deadlines fail on a busy machine

near_days = st.integers(0, 25).map(lambda offset: BASE + timedelta(offset))
date_sets = st.frozensets(near_days, max_size=20)
dated_keys = st.builds(PartitionKey, near_days, st.sampled_from(("danang", "hanoi", "hcmc", "hue-2")))
key_sets = st.frozensets(st.one_of(dated_keys, st.just(NULL_KEY)), max_size=40)
SET_OPERATIONS = [operator.or_, operator.and_, operator.sub]


def d(text: str) -> date:
    return date.fromisoformat(text)


def days(text: str) -> Days:
    """The days that ``Days.__str__`` prints as ``text``."""
    return Days.union_of(Days.of(*map(d, piece.split(".."))) for piece in text.split(", "))


# --- keys


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (PartitionKey(d("2025-08-08"), "hanoi"), "2025-08-08/hanoi"),
        (PartitionKey(d("0987-01-02"), "x_1-y"), "0987-01-02/x_1-y"),
        (NULL_KEY, "null"),
    ],
)
def test_a_key_prints_and_parses(key: PartitionKey, text: str) -> None:
    assert str(key) == text
    assert PartitionKey.parse(text) == key


@pytest.mark.parametrize(
    "text",
    ["", "hanoi", "2025-08-08", "2025-08-08/", "2025-08-08/Hà Nội", "2025-8-8/hanoi", "20250808/hanoi",
     "2025-08/hanoi", "2025-08-08/hanoi/x", "2025-08-08/hanoi\n", "NULL", " null", "2025-08-0x/hanoi"],
)  # fmt: skip
def test_an_unreadable_key_is_refused(text: str) -> None:
    with pytest.raises(PartitionRangeError) as caught:
        PartitionKey.parse(text)
    assert caught.value.message == f"cannot read partition key {text!r}"
    assert caught.value.remedy == "write it as 2025-08-08/hanoi, or null"


def test_a_key_of_a_day_that_does_not_exist_is_refused() -> None:
    with pytest.raises(PartitionRangeError) as caught:
        PartitionKey.parse("2025-02-29/hanoi")
    assert caught.value.message == "there is no day 2025-02-29 in partition key '2025-02-29/hanoi'"


@pytest.mark.parametrize(("day", "location"), [(BASE, None), (None, "hanoi")])
def test_a_key_is_whole_or_null(day: date | None, location: str | None) -> None:
    with pytest.raises(ValueError, match="a day and a location, or neither"):
        PartitionKey(day, location)


def test_keys_are_ordered_null_first_then_by_day_then_by_location() -> None:
    ordered = ["null", "2025-08-08/hanoi", "2025-08-08/hcmc", "2025-08-09/danang"]
    assert [str(key) for key in sorted(PartitionKey.parse(text) for text in reversed(ordered))] == ordered
    assert PartitionKey(date.min, "a") > NULL_KEY
    assert PartitionKey(BASE, "b") >= PartitionKey(BASE, "b") > PartitionKey(BASE, "a")


# --- days


def is_normal(pieces: tuple[tuple[date, date], ...]) -> bool:
    ordinals = [(first.toordinal(), last.toordinal()) for first, last in pieces]
    gaps = [b[0] - a[1] for a, b in pairwise(ordinals)]
    return all(first <= last for first, last in ordinals) and all(gap >= 2 for gap in gaps)


@quick
@given(date_sets)
def test_days_hold_what_they_were_made_from(dates: frozenset[date]) -> None:
    made = Days.from_dates(dates)
    assert is_normal(made.pieces)
    assert list(made) == sorted(dates)
    assert len(made) == len(dates)
    assert bool(made) == bool(dates)
    assert all((day in made) == (day in dates) for day in Days.of(BASE - timedelta(1), BASE + timedelta(30)))
    assert Days.union_of(Days.of(day) for day in dates) == made
    if dates:
        assert (made.first, made.last) == (min(dates), max(dates))
        assert days(str(made)) == made


@quick
@given(date_sets, date_sets)
@pytest.mark.parametrize("operation", SET_OPERATIONS)
def test_days_combine_as_sets_do(operation: Callable[[Any, Any], Any], a: frozenset[date], b: frozenset[date]) -> None:
    got = operation(Days.from_dates(a), Days.from_dates(b))
    assert is_normal(got.pieces)
    assert frozenset(got) == operation(a, b)
    assert got == Days.from_dates(operation(a, b))
    assert hash(got) == hash(Days.from_dates(operation(a, b)))


@quick
@given(st.lists(date_sets, max_size=4))
def test_a_union_of_many_is_what_any_has(sets: list[frozenset[date]]) -> None:
    assert frozenset(Days.union_of(map(Days.from_dates, sets))) == frozenset().union(*sets)


def test_a_union_keeps_a_long_interval_that_holds_a_short_one() -> None:
    long, short = days("2025-08-01..2025-08-31"), days("2025-08-08..2025-08-09")
    assert Days.union_of([long, short]) == Days.union_of([short, long]) == long


@quick
@given(date_sets, date_sets)
def test_days_compare_as_sets_do(a: frozenset[date], b: frozenset[date]) -> None:
    assert (Days.from_dates(a) <= Days.from_dates(b)) == (a <= b)
    assert (Days.from_dates(a) == Days.from_dates(b)) == (a == b)


@quick
@given(date_sets, st.integers(-40, 40), st.integers(0, 4), st.integers(0, 4))
def test_days_shift_and_grow(dates: frozenset[date], step: int, before: int, after: int) -> None:
    made = Days.from_dates(dates)
    assert frozenset(made.shift(step)) == {day + timedelta(step) for day in dates}
    around = range(-before, after + 1)
    assert frozenset(made.grow(before, after)) == {day + timedelta(k) for day in dates for k in around}
    assert is_normal(made.grow(before, after).pieces)


def test_days_reach_to_both_ends_of_the_calendar() -> None:
    assert len(Days.of(date.min, date.max)) == date.max.toordinal()
    assert Days.of(date.min, date.max) - Days.of(BASE) == Days(
        ((date.min, BASE - timedelta(1)), (BASE + timedelta(1), date.max))
    )
    assert date.max in Days.of(date.max)


@pytest.mark.parametrize(
    "pieces",
    [
        ((d("2025-08-09"), d("2025-08-08")),),
        ((d("2025-08-09"), d("2025-08-09")), (d("2025-08-08"), d("2025-08-08"))),
        ((d("2025-08-08"), d("2025-08-10")), (d("2025-08-10"), d("2025-08-11"))),
        ((d("2025-08-08"), d("2025-08-09")), (d("2025-08-10"), d("2025-08-11"))),
    ],
    ids=["reversed", "unsorted", "overlapping", "adjacent"],
)
def test_days_refuse_pieces_out_of_form(pieces: tuple[tuple[date, date], ...]) -> None:
    with pytest.raises(ValueError, match="interval"):
        Days(pieces)


def test_days_print() -> None:
    assert str(Days.of(d("2025-08-08"), d("2025-08-14")) | Days.of(d("2025-08-20"))) == (
        "2025-08-08..2025-08-14, 2025-08-20"
    )
    assert str(Days.empty()) == "no days"


def test_no_days_have_no_ends_and_growth_is_not_negative() -> None:
    with pytest.raises(ValueError, match="neither a first nor a last day"):
        _ = Days.empty().first
    with pytest.raises(ValueError, match="neither a first nor a last day"):
        _ = Days.empty().last
    with pytest.raises(ValueError, match=r"by 0 or more \(got -1 before, 0 after\)"):
        Days.of(BASE).grow(-1, 0)


def test_a_thing_that_is_no_day_or_key_is_not_in_a_set() -> None:
    assert "2025-08-08" not in Days.of(d("2025-08-08"))
    assert "2025-08-08/hanoi" not in PartitionSet.of(Days.of(d("2025-08-08")), ["hanoi"])


# --- sets of keys


def is_normal_set(made: PartitionSet) -> bool:
    names = [location for location, _ in made.parts]
    return names == sorted(set(names)) and all(of and is_normal(of.pieces) for _, of in made.parts)


@quick
@given(key_sets)
def test_a_set_holds_what_it_was_made_from(keys: frozenset[PartitionKey]) -> None:
    made = PartitionSet.from_keys(keys)
    assert is_normal_set(made)
    assert list(made) == sorted(keys)
    assert made.keys() == [str(key) for key in sorted(keys)]
    assert len(made) == len(keys)
    assert bool(made) == bool(keys)
    assert made.locations == tuple(sorted({key.location for key in keys if key.location}))
    assert frozenset(made.days) == {key.day for key in keys if key.day}
    for location in ("danang", "hanoi", "hcmc", "hue-2", "nowhere"):
        assert set(made.days_of(location)) == {key.day for key in keys if key.location == location}
    assert PartitionSet.from_keys(made.without_null()) == PartitionSet.from_keys(keys - {NULL_KEY})


@quick
@given(key_sets, dated_keys | st.just(NULL_KEY))
def test_a_set_knows_its_members(keys: frozenset[PartitionKey], key: PartitionKey) -> None:
    assert (key in PartitionSet.from_keys(keys)) == (key in keys)
    assert all(member in PartitionSet.from_keys(keys) for member in keys)


@quick
@given(key_sets, key_sets)
@pytest.mark.parametrize("operation", SET_OPERATIONS)
def test_sets_combine_as_sets_do(
    operation: Callable[[Any, Any], Any], a: frozenset[PartitionKey], b: frozenset[PartitionKey]
) -> None:
    got = operation(PartitionSet.from_keys(a), PartitionSet.from_keys(b))
    assert is_normal_set(got)
    assert frozenset(got) == operation(a, b)
    assert got == PartitionSet.from_keys(operation(a, b))
    assert hash(got) == hash(PartitionSet.from_keys(operation(a, b)))


@quick
@given(st.lists(key_sets, max_size=4))
def test_a_union_of_many_sets_is_what_any_has(sets: list[frozenset[PartitionKey]]) -> None:
    assert PartitionSet.union_of(map(PartitionSet.from_keys, sets)) == PartitionSet.from_keys(frozenset().union(*sets))


@quick
@given(key_sets, key_sets)
def test_sets_compare_as_sets_do(a: frozenset[PartitionKey], b: frozenset[PartitionKey]) -> None:
    assert (PartitionSet.from_keys(a) <= PartitionSet.from_keys(b)) == (a <= b)
    assert PartitionSet.from_keys(a & b) <= PartitionSet.from_keys(b)
    assert (PartitionSet.from_keys(a) == PartitionSet.from_keys(b)) == (a == b)


@quick
@given(key_sets)
def test_the_pieces_of_a_set_are_the_set(keys: frozenset[PartitionKey]) -> None:
    made = PartitionSet.from_keys(keys).without_null()
    rebuilt = PartitionSet.empty()
    for location, first, last in made.pieces():
        piece = PartitionSet.of(Days.of(first, last), [location])
        assert not rebuilt & piece
        rebuilt |= piece
    assert rebuilt == made
    assert made.pieces() == sorted(made.pieces())


@quick
@given(key_sets)
def test_a_set_survives_as_json(keys: frozenset[PartitionKey]) -> None:
    made = PartitionSet.from_keys(keys)
    assert PartitionSet.from_json(json.loads(json.dumps(made.to_json()))) == made


def test_a_set_as_json() -> None:
    """As many entries as intervals: ten years of a place are one."""
    made = PartitionSet.of(days("2025-08-08..2025-08-10, 2025-08-20"), ["hue", "Hà Nội"]) | PartitionSet.null()
    assert made.to_json() == [
        None,
        ["Hà Nội", "2025-08-08", "2025-08-10"],
        ["Hà Nội", "2025-08-20", "2025-08-20"],
        ["hue", "2025-08-08", "2025-08-10"],
        ["hue", "2025-08-20", "2025-08-20"],
    ]
    assert PartitionSet.empty().to_json() == []


@pytest.mark.parametrize(
    "data",
    [
        None,
        7,
        [7],
        [["hue", "2025-08-08"]],
        [["hue", "2025-08-08", "today"]],
        [["hue", "2025-08-08", None]],
        [["hue", "2025-08-08", "2025-08-07"]],
        [["hue", "2025-08-08", "2025-08-08"], ["hue", "2025-08-08", "2025-08-09"]],
        [["hue", "2025-08-08", "2025-08-08"], ["hcmc", "2025-08-08", "2025-08-08"]],
    ],
)
def test_what_is_no_set_as_json(data: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        PartitionSet.from_json(data)


@quick
@given(key_sets)
def test_a_printed_set_says_all_of_it(keys: frozenset[PartitionKey]) -> None:
    text = str(PartitionSet.from_keys(keys))
    read = PartitionSet.empty()
    groups = [] if text == "nothing" else text.split("; ")
    for group in groups:
        if group == "null":
            read |= PartitionSet.null()
        else:
            dates, locations = group.split(" × ")
            read |= PartitionSet.of(days(dates), locations.split(", "))
    assert read == PartitionSet.from_keys(keys)


@quick
@given(key_sets, st.none() | st.sets(st.sampled_from(("danang", "hcmc", "nowhere"))), st.none() | date_sets)
def test_restrict_keeps_what_matches_and_the_null_key(
    keys: frozenset[PartitionKey], at: set[str] | None, on: frozenset[date] | None
) -> None:
    got = PartitionSet.from_keys(keys).restrict(at, None if on is None else Days.from_dates(on))
    assert frozenset(got) == {
        key for key in keys if key == NULL_KEY or ((at is None or key.location in at) and (on is None or key.day in on))
    }


@quick
@given(key_sets)
def test_map_days_changes_each_location(keys: frozenset[PartitionKey]) -> None:
    def change(location: str, of: Days) -> Days:
        return Days.empty() if location == "danang" else of.shift(len(location))

    got = PartitionSet.from_keys(keys).map_days(change)
    assert is_normal_set(got)
    assert frozenset(got) == {
        PartitionKey(key.day + timedelta(len(key.location)), key.location) if key.day and key.location else key
        for key in keys
        if key.location != "danang"
    }


def test_sets_print() -> None:
    august = days("2025-08-08..2025-09-20")
    everywhere = PartitionSet.of(august, ["hcmc", "hanoi", "danang", "hanoi"])
    assert str(everywhere) == "2025-08-08..2025-09-20 × danang, hanoi, hcmc"
    assert str(everywhere - PartitionSet.of(days("2025-08-08"), ["hanoi"])) == (
        "2025-08-08..2025-09-20 × danang, hcmc; 2025-08-09..2025-09-20 × hanoi"
    )
    assert str(PartitionSet.of(days("2025-08-08, 2025-08-10"), ["hanoi"]) | PartitionSet.null()) == (
        "null; 2025-08-08, 2025-08-10 × hanoi"
    )
    assert (str(PartitionSet.null()), str(PartitionSet.empty())) == ("null", "nothing")


def test_a_set_of_no_days_or_no_locations_is_empty() -> None:
    assert PartitionSet.of(Days.empty(), ["hanoi"]) == PartitionSet.of(Days.of(BASE), []) == PartitionSet()


@pytest.mark.parametrize(
    "parts",
    [
        (("b", Days.of(BASE)), ("a", Days.of(BASE))),
        (("a", Days.of(BASE)), ("a", Days.of(BASE))),
        (("a", Days.empty()),),
    ],
    ids=["unsorted", "twice", "no days"],
)
def test_a_set_refuses_parts_out_of_form(parts: tuple[tuple[str, Days], ...]) -> None:
    with pytest.raises(ValueError, match="sorted, named once and have days"):
        PartitionSet(False, parts)


@pytest.mark.parametrize("operation", [*SET_OPERATIONS, operator.le])
def test_ten_years_of_a_thousand_locations_take_milliseconds(operation: Callable[[Any, Any], Any]) -> None:
    """Measured 2 ms on one core; a set of days or keys would take seconds."""
    places = [f"place{number}" for number in range(1_000)]
    a = PartitionSet.of(days("2015-01-01..2025-01-01"), places)
    b = PartitionSet.of(days("2016-01-01..2020-01-01, 2021-01-01..2026-01-01"), places)
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        operation(a, b)
        best = min(best, time.perf_counter() - started)
    assert best < 0.05


# --- ranges


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-08-08", "2025-08-08"),
        (" 2025-08-08 ", "2025-08-08"),
        ("2025-08-08..2025-08-14", "2025-08-08..2025-08-14"),
        ("2025-08-08..2025-08-08", "2025-08-08"),
        ("2025-07", "2025-07-01..2025-07-31"),
        ("2024-02", "2024-02-01..2024-02-29"),
        ("2025-02", "2025-02-01..2025-02-28"),
        ("2024-12..2025-02", "2024-12-01..2025-02-28"),
        ("2025-07-30..2025-08", "2025-07-30..2025-08-31"),
        ("2025-07..2025-08-02", "2025-07-01..2025-08-02"),
        ("2025-08", "2025-08-01..2025-08-31"),  # whole, though today is the 14th
        ("2025-08-14..2030-01-01", "2025-08-14..2030-01-01"),
        ("2013-01-01", "2013-01-01"),
        ("last:7", "2025-08-07..2025-08-14"),
        ("last:1", "2025-08-13..2025-08-14"),
        ("last:0", "2025-08-14"),
        ("last:4608", "2013-01-01..2025-08-14"),
    ],
)
def test_a_range_is_read(text: str, expected: str) -> None:
    assert str(parse_range(text, TODAY)) == expected


FORMS = (
    "write a day (2025-08-08), days with both ends in (2025-08-08..2025-08-14), a month (2025-08), "
    "months (2025-08..2025-09) or last:7"
)
COUNT = "must have a number of days, 0 or more, after last:"
LAST = "write for instance last:7, the last seven days that have ended and today"


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("", "cannot read partition range ''", FORMS),
        ("yesterday", "cannot read partition range 'yesterday'", FORMS),
        ("2025", "cannot read partition range '2025'", FORMS),
        ("2025-8-8", "cannot read partition range '2025-8-8'", FORMS),
        ("2025-08-08..", "cannot read partition range '2025-08-08..'", FORMS),
        ("..2025-08-08", "cannot read partition range '..2025-08-08'", FORMS),
        ("2025-08-08...2025-08-09", "cannot read partition range '2025-08-08...2025-08-09'", FORMS),
        ("2025-08-08/hanoi", "cannot read partition range '2025-08-08/hanoi'", FORMS),
        ("last:7..2025-08-08", "cannot read partition range 'last:7..2025-08-08'", FORMS),
        ("٢٠٢٥-٠٨-٠٨", "cannot read partition range '٢٠٢٥-٠٨-٠٨'", FORMS),
        (
            "2025-02-30",
            "there is no day 2025-02-30 in partition range '2025-02-30'",
            "2025-02 has the days 01 to 28",
        ),
        (
            "2025-04-01..2025-04-31",
            "there is no day 2025-04-31 in partition range '2025-04-01..2025-04-31'",
            "2025-04 has the days 01 to 30",
        ),
        (
            "2025-01-00",
            "there is no day 2025-01-00 in partition range '2025-01-00'",
            "2025-01 has the days 01 to 31",
        ),
        (
            "2025-13",
            "there is no month 2025-13 in partition range '2025-13'",
            "months are 01 to 12, years 0001 to 9999",
        ),
        (
            "0000-01-01",
            "there is no month 0000-01 in partition range '0000-01-01'",
            "months are 01 to 12, years 0001 to 9999",
        ),
        (
            "2025-08-14..2025-08-08",
            "partition range '2025-08-14..2025-08-08' ends before it starts",
            "swap its ends: 2025-08-08..2025-08-14",
        ),
        (
            "2012-12-31..2025-08-08",
            "partition range '2012-12-31..2025-08-08' starts on 2012-12-31, before the feed begins",
            "start on 2013-01-01 or later",
        ),
        (
            "2025-08-15",
            "partition range '2025-08-15' starts on 2025-08-15, in the future: today is 2025-08-14 (UTC)",
            "start on 2025-08-14 or earlier",
        ),
        (
            "last:",
            f"partition range 'last:' {COUNT} (got '')",
            LAST,
        ),
        (
            "last:-1",
            f"partition range 'last:-1' {COUNT} (got '-1')",
            LAST,
        ),
        (
            "last:week",
            f"partition range 'last:week' {COUNT} (got 'week')",
            LAST,
        ),
        (
            "last:4609",
            "partition range 'last:4609' starts before the feed begins on 2013-01-01",
            "write last:4608 or fewer",
        ),
        (
            "last:999999999",
            "partition range 'last:999999999' starts before the feed begins on 2013-01-01",
            "write last:4608 or fewer",
        ),
    ],
)
def test_a_range_is_refused_with_a_remedy(text: str, message: str, remedy: str) -> None:
    with pytest.raises(PartitionRangeError) as caught:
        parse_range(text, TODAY)
    assert (caught.value.message, caught.value.remedy) == (message, remedy)


def test_the_feed_may_begin_elsewhere() -> None:
    assert str(parse_range("1999-12-31", TODAY, feed_begins=d("1999-12-31"))) == "1999-12-31"
    with pytest.raises(PartitionRangeError, match="before the feed begins"):
        parse_range("2025-08-08", TODAY, feed_begins=d("2025-08-09"))


@quick
@given(near_days, near_days)
def test_a_printed_piece_is_a_range(a: date, b: date) -> None:
    piece = Days.of(min(a, b), max(a, b))
    assert parse_range(str(piece), TODAY) == piece


# --- chunks


@pytest.mark.parametrize(
    ("of", "mode", "expected"),
    [
        ("2025-08-08..2025-09-20", "monthly", ["2025-08-08..2025-08-31", "2025-09-01..2025-09-20"]),
        ("2024-12-31..2025-01-01", "monthly", ["2024-12-31", "2025-01-01"]),
        ("2024-08-31, 2025-08-01", "monthly", ["2024-08-31", "2025-08-01"]),
        (
            "2025-08-08..2025-08-24",
            "weekly",
            ["2025-08-08..2025-08-14", "2025-08-15..2025-08-21", "2025-08-22..2025-08-24"],
        ),
        ("2025-08-08..2025-08-14", "weekly", ["2025-08-08..2025-08-14"]),
        (
            "2025-08-08..2025-08-09, 2025-08-14..2025-08-15, 2025-08-29",
            "weekly",
            ["2025-08-08..2025-08-09, 2025-08-14", "2025-08-15", "2025-08-29"],
        ),
        ("2025-08-08..2025-08-10", "daily", ["2025-08-08", "2025-08-09", "2025-08-10"]),
        ("2025-08-08, 2025-08-10", "daily", ["2025-08-08", "2025-08-10"]),
    ],
)
def test_chunks(of: str, mode: ChunkMode, expected: list[str]) -> None:
    assert [str(chunk) for chunk in chunks(days(of), mode)] == expected


@quick
@given(date_sets, st.sampled_from(("monthly", "weekly", "daily")))
def test_chunks_partition_the_range(dates: frozenset[date], mode: ChunkMode) -> None:
    made = chunks(Days.from_dates(dates), mode)
    assert all(made)
    assert [day for chunk in made for day in chunk] == sorted(dates)
