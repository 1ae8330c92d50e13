"""Sets of partitions as people read them: short, and right at the edges."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given

from orchestration.core.partitions.in_words import days_in_words
from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet, parse_range
from tests.support.days_and_keys import TODAY, date_sets, days, key_sets, quick

LOCATIONS = [f"p{number:03}" for number in range(50)]


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        ("2025-08-08", "2025-08-08"),
        ("2025-08-08..2025-08-14", "2025-08-08..2025-08-14"),
        ("2025-08-08, 2025-08-10", "2025-08-08, 2025-08-10"),
        ("2025-08-01..2025-08-31", "2025-08"),
        ("2025-08-01..2025-08-30", "2025-08-01..2025-08-30"),
        ("2025-08-02..2025-08-31", "2025-08-02..2025-08-31"),
        ("2024-02-01..2024-02-29", "2024-02"),
        ("2024-02-01..2024-02-28", "2024-02-01..2024-02-28"),
        ("2025-02-01..2025-02-28", "2025-02"),
        ("2024-12-01..2025-02-28", "2024-12..2025-02"),
        ("2025-01-01..2025-12-31", "2025"),
        ("2025-01-01..2025-01-31", "2025-01"),
        ("2025-12-01..2025-12-31", "2025-12"),
        ("2016-01-01..2025-12-31", "2016..2025"),
        ("2016-01-01..2025-11-30", "2016-01..2025-11"),
        ("2016-01-01..2025-12-30", "2016-01-01..2025-12-30"),
        ("2025-01-01..2025-01-31, 2025-03-01..2025-03-31", "2025-01, 2025-03"),
        ("2025-01-01, 2025-01-03, 2025-01-05, 2025-01-07, 2025-01-09, 2025-01-11",
         "2025-01-01, 2025-01-03, 2025-01-05, 2025-01-07, 2025-01-09, 2025-01-11"),
        ("2025-01-01, 2025-01-03, 2025-01-05, 2025-01-07, 2025-01-09, 2025-01-11, 2025-02-01..2025-02-28",
         "2025-01-01, 2025-01-03, 2025-01-05 … 2025-02 (34 days)"),
    ],
)  # fmt: skip
def test_days(of: str, expected: str) -> None:
    assert days(of).in_short() == expected


def test_no_days() -> None:
    assert days_in_words(()) == "no days"


@pytest.mark.parametrize(
    ("locations", "expected"),
    [
        (LOCATIONS[:1], "2025 × p000"),
        (LOCATIONS[:6], "2025 × p000, p001, p002, p003, p004, p005"),
        (LOCATIONS[:7], "2025 × 7 locations: p000 … p006"),
        (LOCATIONS, "2025 × 50 locations: p000 … p049"),
    ],
)
def test_locations(locations: list[str], expected: str) -> None:
    assert str(PartitionSet.of(days("2025-01-01..2025-12-31"), locations)) == expected


def test_many_groups_are_the_first_ones_and_how_many_there_are() -> None:
    by_day = [
        PartitionSet.of(days(f"2025-08-{number:02}"), [location]) for number, location in enumerate(LOCATIONS[:31], 1)
    ]
    assert str(PartitionSet.union_of(by_day[:6])).count("; ") == 5
    first = "; ".join(f"2025-08-{number:02} × {location}" for number, location in enumerate(LOCATIONS[:6], 1))
    assert str(PartitionSet.union_of(by_day)) == f"{first}; … and 25 more (31 partitions in all)"
    with_null = PartitionSet.union_of([*by_day, PartitionSet.null()])
    assert str(with_null) == f"null; {first}; … and 25 more (32 partitions in all)"


def test_a_large_set_that_is_full_of_holes_is_short() -> None:
    every_third = Days.from_dates(date.fromordinal(day) for day in range(730_000, 740_000, 3))
    text = str(PartitionSet.of(every_third, LOCATIONS))
    assert text.endswith("(3334 days) × 50 locations: p000 … p049") and len(text) < 110


@quick
@given(date_sets)
def test_a_month_or_less_that_is_printed_is_a_range(dates: frozenset[date]) -> None:
    """What people paste back as RANGE; a year is no RANGE, and commands that are told as a remedy name both ends."""
    for first, last in Days.from_dates(dates).pieces:
        piece = Days.of(first, last)
        assert parse_range(piece.in_short(), TODAY, date.min) == piece


@quick
@given(key_sets)
def test_few_are_printed_whole(keys: frozenset[PartitionKey]) -> None:
    made = PartitionSet.from_keys(keys)
    if all(len(of.pieces) <= 6 for _, of in made.parts):
        assert str(made) == made.in_full()
