"""Sets that are equal, in one another or apart, which operations see at a glance; against Python's own sets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.partitions.keys import NULL_KEY, Days, PartitionKey, PartitionSet
from tests.support.days_and_keys import BASE, SET_OPERATIONS, date_sets, is_normal, key_sets, quick

LOCATIONS = ("danang", "hanoi", "hcmc", "hue-2")
Dates = frozenset[date]
Keys = frozenset[PartitionKey]
runs = st.builds(
    lambda first, length: frozenset(BASE + timedelta(first + number) for number in range(length)),
    st.integers(0, 25), st.integers(0, 12),
)  # fmt: skip
some_dates = runs | date_sets


@st.composite
def related_dates(draw: st.DrawFn) -> tuple[Dates, Dates]:
    """Two sets of days: the same, one in the other, side by side, without days, or of any kind."""
    one, other = draw(some_dates), draw(some_dates)
    return draw(st.sampled_from([(one, one), (one, one & other), (one | other, one), (one, frozenset()), (one, other)]))


@st.composite
def related_keys(draw: st.DrawFn) -> tuple[Keys, Keys]:
    """Two sets of keys: locations of the same days, each of its own, one in the other, the same, without any."""
    days, others = draw(some_dates), draw(some_dates)
    wide = frozenset(PartitionKey(day, at) for at in draw(st.sets(st.sampled_from(LOCATIONS))) for day in days)
    many = frozenset(PartitionKey(day, at) for at in draw(st.sets(st.sampled_from(LOCATIONS))) for day in others)
    one, other = (keys | draw(st.sampled_from([frozenset(), {NULL_KEY}])) for keys in (wide, many))
    any_keys = draw(key_sets)
    pairs = [(one, one), (one, one & any_keys), (one | other, one), (one, frozenset()), (one, other), (one, any_keys)]
    return draw(st.sampled_from(pairs))


def is_shared(made: PartitionSet) -> bool:
    """Whether equal days are one object."""
    return len({id(days) for _, days in made.parts}) == len({days for _, days in made.parts})


@quick
@given(related_dates())
@pytest.mark.parametrize("operation", SET_OPERATIONS)
def test_days(operation: Callable[[Any, Any], Any], both: tuple[Dates, Dates]) -> None:
    for a, b in (both, both[::-1]):
        one, other = Days.from_dates(a), Days.from_dates(b)
        for got in (operation(one, other), operation(one, one if a == b else other)):
            assert is_normal(got.pieces)
            assert got == Days.from_dates(operation(a, b))
        assert (one <= other) == (a <= b)
        assert Days.union_of([one, other, one]) == Days.from_dates(a | b)


@quick
@given(related_keys())
@pytest.mark.parametrize("operation", SET_OPERATIONS)
def test_sets(operation: Callable[[Any, Any], Any], both: tuple[Keys, Keys]) -> None:
    for a, b in (both, both[::-1]):
        one, other = PartitionSet.from_keys(a), PartitionSet.from_keys(b)
        for got in (operation(one, other), operation(one, one if a == b else other)):
            assert got == PartitionSet.from_keys(operation(a, b))
            assert is_shared(got)
            assert list(got) == sorted(operation(a, b))


@quick
@given(related_keys())
def test_sets_compare(both: tuple[Keys, Keys]) -> None:
    for a, b in (both, both[::-1]):
        one, other = PartitionSet.from_keys(a), PartitionSet.from_keys(b)
        assert (one <= other) == (a <= b)
        assert one <= one | other
        assert (one == other) == (a == b)


@quick
@given(related_keys())
@pytest.mark.parametrize("operation", SET_OPERATIONS)
def test_what_comes_out_as_an_operand_is_the_operand(
    operation: Callable[[Any, Any], Any], both: tuple[Keys, Keys]
) -> None:
    """So that a chain of assets that are asked for the same shares one set."""
    for a, b in (both, both[::-1]):
        one, other = PartitionSet.from_keys(a), PartitionSet.from_keys(b)
        got = operation(one, other)
        if got == one:
            assert got is one
        elif got == other and operation is not SET_OPERATIONS[2]:
            assert got is other


@quick
@given(related_keys(), related_keys())
def test_a_union_of_many(first: tuple[Keys, Keys], second: tuple[Keys, Keys]) -> None:
    sets = [PartitionSet.from_keys(keys) for keys in (*first, *second)]
    for some in (sets, sets + sets, sets[:1] * 3):
        got = PartitionSet.union_of(iter(some))
        assert got == PartitionSet.from_keys(key for one in some for key in one)
        assert is_shared(got)


@quick
@given(related_keys(), st.sets(st.sampled_from(LOCATIONS)), some_dates)
def test_parts_of_a_set(both: tuple[Keys, Keys], at: set[str], on: Dates) -> None:
    keys, one, days = both[0], PartitionSet.from_keys(both[0]), Days.from_dates(on)
    for got, kept in (
        (one.restrict(at), {key for key in keys if key.location in at}),
        (one.restrict(days=days), {key for key in keys if key.day in on}),
        (one.restrict(at, days), {key for key in keys if key.location in at and key.day in on}),
        (one.map_days(lambda _at, of: of & days), {key for key in keys if key.day in on}),
    ):
        assert got == PartitionSet.from_keys(kept | (keys & {NULL_KEY}))
        assert is_shared(got)
    assert one.restrict() is one
    assert one.map_days(lambda _at, of: of) is one
    assert is_shared(PartitionSet.from_json(one.to_json()))
    assert one.without_null() == PartitionSet.from_keys(keys - {NULL_KEY})
