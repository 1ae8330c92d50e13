"""Runs of days against partitions that are gone through one by one."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet
from orchestration.core.partitions.scheme import DailyByLocation
from orchestration.reports.page.day_runs import DayRuns, Row, as_numbers, cut_to, day_runs
from tests.reports.page.day_numbers import read
from tests.support.days_and_keys import quick
from tests.support.schemes import LocalDays, Weeks

FIRST = date(2025, 1, 1)
LOCATIONS = ("east", "far-west", "north")


def by_key(of: DayRuns, base: int) -> dict[tuple[str, int], int]:
    return {
        (location, day): kind
        for location, row in of.rows.items()
        for day, kind in read(as_numbers(row, base), base).items()
    }


keys = st.builds(
    lambda day, location: PartitionKey(FIRST + timedelta(days=day), location),
    st.integers(0, 40),
    st.sampled_from(LOCATIONS),
)
judged = st.dictionaries(keys, st.integers(0, 3))


def sets(kinds: dict[PartitionKey, int]) -> list[tuple[int, PartitionSet]]:
    return [
        (kind, PartitionSet.from_keys(key for key, of in kinds.items() if of == kind)) for kind in set(kinds.values())
    ]


@quick
@given(judged, st.integers(0, 9))
def test_each_partition_has_its_kind_and_no_other_has_any(kinds: dict[PartitionKey, int], before: int) -> None:
    """Against the partitions one by one, from a base that lies before them."""
    found = day_runs(sets(kinds), DailyByLocation())
    base = FIRST.toordinal() - before
    assert not found.whole
    expected = {(key.location, key.day.toordinal()): kind for key, kind in kinds.items() if key.day}
    assert by_key(found, base) == expected


@quick
@given(judged)
def test_runs_are_as_long_as_they_can_be_and_in_order(kinds: dict[PartitionKey, int]) -> None:
    for row in day_runs(sets(kinds), LocalDays()).rows.values():
        for (first, length, kind), (then, _, of) in pairwise(row):
            assert first + length < then or (first + length == then and kind != of)


@quick
@given(st.dictionaries(st.integers(0, 60), st.integers(0, 2), min_size=1))
def test_a_period_is_one_run_for_as_long_as_it_lasts(kinds: dict[int, int]) -> None:
    monday = date(2025, 1, 6)
    of = {PartitionKey(monday + timedelta(weeks=week), "north"): kind for week, kind in kinds.items()}
    found = day_runs(sets(of), Weeks())
    assert found.whole
    assert list(found.rows["north"]) == [(key.day.toordinal(), 7, kind) for key, kind in sorted(of.items()) if key.day]


def test_locations_of_which_the_same_is_said_share_their_row() -> None:
    every = PartitionSet.of(Days.of(FIRST, FIRST + timedelta(days=9)), LOCATIONS)
    apart = PartitionSet(False, (("south", Days.of(FIRST, FIRST + timedelta(days=9))),))
    rows = day_runs([(0, every), (0, apart)], DailyByLocation()).rows
    assert len(rows) == 4 and len({id(row) for row in rows.values()}) == 1


rows_of_runs = st.lists(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5), st.integers(0, 2)), max_size=12), max_size=5
)


@quick
@given(rows_of_runs, st.integers(0, 30))
def test_what_is_left_out_lies_before_a_day_and_all_after_it_is_there(
    drawn: list[list[tuple[int, int, int]]], most: int
) -> None:
    """No more runs than asked for; every day from the day that is told on is as it was, none before it is there."""
    rows: list[Row] = []
    for of in drawn:
        runs, at = [], 1000
        for gap, length, kind in of:
            runs.append((at + gap, length, kind))
            at += gap + length
        rows.append(tuple(runs))
    kept, since = cut_to(most, rows)
    assert sum(map(len, kept)) <= most or since is None
    assert (since is None) == (sum(map(len, rows)) <= most)
    if since is not None:
        assert sum(first + length >= since for row in rows for first, length, _ in row) > most, "a day more would fit"
    for before, after in zip(rows, kept, strict=True):
        told, left = read(as_numbers(before, 0), 0), read(as_numbers(after, 0), 0)
        assert left == {day: kind for day, kind in told.items() if since is None or day >= since}
