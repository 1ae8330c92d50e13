"""Counts of values, for records that do not say how many values their partitions have. The values were counted from the
rows. A count belongs to a partition with a certain fingerprint.

Pure: ``resources`` counts the values and keeps the counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.state.column_arrays import (
    Coded,
    interned,
    mappings_from_json,
    mappings_to_json,
    texts_from_json,
    texts_to_json,
)
from orchestration.core.state.provenance_arrays import WrittenKeys, keys_from_json, keys_to_json
from orchestration.core.state.record_columns import Records
from orchestration.core.state.record_texts import Numbers, Texts, same, taken

Counts = Mapping[PartitionKey, Mapping[str, int]]
"""Partition → column → how many values (not nulls) it has."""


def uncounted(records: Records, besides: PartitionSet) -> Numbers:
    """The positions of records that have rows and do not say how many values these have; without the partitions of
    ``besides``."""
    columns = records.columns
    has_none = np.array([not kind.values for kind in columns.kinds], dtype=bool)
    found = np.flatnonzero(has_none[columns.kind] & (columns.rows != 0))
    return np.setdiff1d(found, records.index(besides)) if besides and len(found) else found


@dataclass(frozen=True)
class CountedValues:
    """What was counted: one entry for each partition."""

    keys: WrittenKeys
    """The partitions."""
    fingerprint: Texts
    """The fingerprint of each partition's content when it was counted."""
    values: Coded
    """For each partition, pairs of column and count."""

    @classmethod
    def none(cls) -> CountedValues:
        """No counts."""
        nothing = np.empty(0, dtype=np.int64)
        return cls(WrittenKeys((), nothing, nothing, {}), np.empty(0, dtype="S1"), (nothing, []))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CountedValues:
        """The inverse of ``to_json``. Raises ValueError, KeyError or TypeError for other data."""
        keys = keys_from_json(data["keys"])
        count = len(keys.day)
        return cls(keys, texts_from_json(data["fp"], count), mappings_from_json(data["values"], count))

    def to_json(self) -> dict[str, Any]:
        """The counts of at least one partition, as JSON values."""
        return {
            "keys": keys_to_json(self.keys.locations, self.keys.location, self.keys.day),
            "fp": texts_to_json(self.fingerprint),
            "values": mappings_to_json(self.values),
        }

    def lacks(self, records: Records, at: Numbers) -> PartitionSet:
        """Of the records at the ascending positions ``at``, the partitions whose present content was not counted."""
        return records.set_of(at[self._found(records, at) < 0])

    def with_more(self, records: Records, at: Numbers, counts: Counts) -> CountedValues:
        """These counts, and ``counts`` for the records at the ascending positions ``at`` that were not counted yet."""
        found = self._found(records, at)
        numbers, items = self.values
        counted = [items[number] for number in numbers[found[found >= 0]].tolist()]
        known = iter(counted)
        of = [
            next(known) if there >= 0 else tuple(sorted(counts.get(records.key(one), {}).items()))
            for one, there in zip(at.tolist(), found.tolist(), strict=True)
        ]
        keys = WrittenKeys(records.locations, records.location[at].astype(np.int64), records.day[at], {})
        return CountedValues(keys, taken(records.fingerprint, at), interned(of))

    def put_into(self, records: Records, at: Numbers) -> Records:
        """The records, with the counts put into those at the ascending positions ``at``. All of these have been
        counted."""
        numbers, items = self.values
        return Records(records.columns.with_values(at, (numbers[self._found(records, at)], items)))

    def _found(self, records: Records, at: Numbers) -> Numbers:
        """For each position, the entry of its partition with its present content; -1 where it was not counted."""
        found = self.keys.positions(records.locations, records.location[at], records.day[at])
        there = np.flatnonzero(found >= 0)
        other = ~same(taken(self.fingerprint, found[there]), taken(records.fingerprint, at[there]))
        found[there[other]] = -1
        return found
