"""Partition keys, and sets of them against Python's own sets."""

from __future__ import annotations

import json
import operator
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.errors import PartitionRangeError
from orchestration.core.partitions.keys import (
    NULL_KEY,
    Days,
    PartitionKey,
    PartitionSet,
)
from tests.support.days_and_keys import BASE, SET_OPERATIONS, d, date_sets, dated_keys, days, is_normal, key_sets, quick


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
    assert caught.value.remedy == "write it as 2025-08-08/north, or null"


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


def test_a_thing_that_is_no_day_or_key_is_not_in_a_set() -> None:
    assert "2025-08-08" not in Days.of(d("2025-08-08"))
    assert "2025-08-08/hanoi" not in PartitionSet.of(Days.of(d("2025-08-08")), ["hanoi"])


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
    assert all(PartitionSet.one(key) == PartitionSet.from_keys([key]) for key in keys)
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
    """As many entries as intervals: ten years of a location are one."""
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
    text = PartitionSet.from_keys(keys).in_full()
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
        return Days.empty() if location == "danang" else Days.from_dates(day + timedelta(len(location)) for day in of)

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
    assert (PartitionSet.null().in_full(), PartitionSet.empty().in_full()) == ("null", "nothing")
    assert everywhere.in_full() == str(everywhere)
    assert PartitionSet.of(days("2025-08-01..2025-08-31"), ["hue"]).in_full() == "2025-08-01..2025-08-31 × hue"


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
    locations = [f"location{number}" for number in range(1_000)]
    a = PartitionSet.of(days("2015-01-01..2025-01-01"), locations)
    b = PartitionSet.of(days("2016-01-01..2020-01-01, 2021-01-01..2026-01-01"), locations)
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        operation(a, b)
        best = min(best, time.perf_counter() - started)
    assert best < 0.05
