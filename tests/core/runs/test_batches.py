"""Batches of partitions: all of them, each once, none too large."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.runs.batches import in_batches
from tests.support.days_and_keys import days, key_sets, quick

TEN_DAYS = days("2025-08-01..2025-08-10")


@given(keys=key_sets, most=st.integers(1, 12), whole=st.booleans())
@quick
def test_every_partition_is_in_one_batch_and_none_is_larger_than_asked_unless_it_is_one_day(
    keys: frozenset[PartitionKey], most: int, whole: bool
) -> None:
    targets = PartitionSet.from_keys(keys)
    found = in_batches(targets, most, whole_locations=whole)
    assert sorted(key for part in found for key in part) == sorted(targets)
    assert all(found) or not targets
    assert all(len(part) <= most or len(part.days) == 1 for part in found)


def test_days_stay_together_or_locations() -> None:
    targets = PartitionSet.of(TEN_DAYS, ["east", "north", "west"])
    assert [len(part.days) for part in in_batches(targets, 12)] == [4, 4, 2]
    assert [part.locations for part in in_batches(targets, 20, whole_locations=True)] == [("east", "north"), ("west",)]


def test_what_fits_is_one_batch() -> None:
    targets = PartitionSet.of(TEN_DAYS, ["east"])
    assert in_batches(targets, 10) == [targets]
