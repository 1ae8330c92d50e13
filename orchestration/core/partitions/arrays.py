"""Sets of partitions as arrays, for code that goes through a million partitions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from orchestration.core.partitions.keys import PartitionSet

Numbers = npt.NDArray[np.int64]


def as_arrays(partitions: PartitionSet, locations: Sequence[str]) -> tuple[Numbers, Numbers]:
    """For each partition the number of its location in ``locations``, and its day as ordinal; ordered by location, then
    day.

    The null key comes first, as -1 and 0. ``locations`` must have all locations of ``partitions``.
    """
    numbers = {at: number for number, at in enumerate(locations)}
    spans = [(numbers[at], first.toordinal(), last.toordinal() + 1) for at, first, last in partitions.pieces()]
    if partitions.has_null:
        spans.insert(0, (-1, 0, 1))
    ends = np.array(spans, dtype=np.int64).reshape(-1, 3)
    counts = ends[:, 2] - ends[:, 1]
    before = np.cumsum(counts) - counts
    return np.repeat(ends[:, 0], counts), np.arange(counts.sum()) + np.repeat(ends[:, 1] - before, counts)
