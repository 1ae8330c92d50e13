"""Sets of partitions as arrays: every key once, in the order of locations, then days."""

from __future__ import annotations

from datetime import date

from hypothesis import given

from orchestration.core.partitions.arrays import as_arrays
from orchestration.core.partitions.keys import NULL_KEY, PartitionKey, PartitionSet
from tests.support.days_and_keys import key_sets, quick


@quick
@given(key_sets.map(PartitionSet.from_keys))
def test_every_key_once(partitions: PartitionSet) -> None:
    names = ["another", *partitions.locations]
    location, day = (column.tolist() for column in as_arrays(partitions, names))
    keys = [
        PartitionKey(date.fromordinal(ordinal), names[number]) if number >= 0 else NULL_KEY
        for number, ordinal in zip(location, day, strict=True)
    ]
    assert keys == sorted(partitions, key=lambda key: (key.location or "", key.day or date.min))
