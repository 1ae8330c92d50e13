"""Sets of days against Python's own sets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.partitions.keys import (
    Days,
)
from tests.support.days_and_keys import BASE, SET_OPERATIONS, d, date_sets, days, is_normal, quick


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


def test_no_days_have_no_ends() -> None:
    with pytest.raises(ValueError, match="neither a first nor a last day"):
        _ = Days.empty().first
    with pytest.raises(ValueError, match="neither a first nor a last day"):
        _ = Days.empty().last
