"""Groups the recorded partitions of a table by code version and location, using columns: there may be a million of
them."""

from __future__ import annotations

import numpy as np

from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.state.record_columns import Records
from orchestration.core.state.record_texts import Numbers


def by_code(records: Records, partitions: PartitionSet | None = None) -> dict[tuple[str | None, str], Numbers]:
    """(location, code version) → ascending positions in ``records``; ordered by the first position.

    partitions: only records of these. The location of the null key is None.
    """
    at = np.arange(len(records.rows)) if partitions is None else records.index(partitions)
    codes: dict[str, int] = {}
    code_of = np.array([codes.setdefault(kind.code, len(codes)) for kind in records.columns.kinds], dtype=np.int64)
    pairs = (records.location[at].astype(np.int64) + 1) * len(codes) + code_of[records.kind[at]]
    _, first, pair_of = np.unique(pairs, return_index=True, return_inverse=True)
    order = np.argsort(pair_of, kind="stable")
    groups = np.split(at[order], np.searchsorted(pair_of[order], np.arange(1, len(first))))
    names = tuple(codes)
    found: dict[tuple[str | None, str], Numbers] = {}
    for number in np.argsort(first):
        position = groups[number][0]
        location = int(records.location[position])
        found[records.locations[location] if location >= 0 else None, names[code_of[records.kind[position]]]] = groups[
            number
        ]
    return found


def of_location(records: Records, location: str) -> PartitionSet:
    """The recorded partitions of a location."""
    return records.partitions.without_null().restrict(locations=[location])
