"""How many values partitions have whose records do not say it: counted from the rows, by partition and fingerprint.

Pure: who counts, and where it is kept, is the business of ``resources``.
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
"""By partition and name of a column, how many values there are."""


def uncounted(records: Records, besides: PartitionSet) -> Numbers:
    """The positions of records that have rows and do not say how many values, but for partitions of ``besides``."""
    columns = records.columns
    has_none = np.array([not kind.values for kind in columns.kinds], dtype=bool)
    found = np.flatnonzero(has_none[columns.kind] & (columns.rows != 0))
    return np.setdiff1d(found, records.index(besides)) if besides and len(found) else found


@dataclass(frozen=True)
class CountedValues:
    """keys: the partitions that were counted. fingerprint: of their content then. values: items of name and count."""

    keys: WrittenKeys
    fingerprint: Texts
    values: Coded

    @classmethod
    def none(cls) -> CountedValues:
        """Nothing was counted."""
        nothing = np.empty(0, dtype=np.int64)
        return cls(WrittenKeys((), nothing, nothing, {}), np.empty(0, dtype="S1"), (nothing, []))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CountedValues:
        """The inverse of ``to_json``. Raises ValueError, KeyError or TypeError for what is no such data."""
        keys = keys_from_json(data["keys"])
        count = len(keys.day)
        return cls(keys, texts_from_json(data["fp"], count), mappings_from_json(data["values"], count))

    def to_json(self) -> dict[str, Any]:
        """What was counted of one partition or more, as JSON values."""
        return {
            "keys": keys_to_json(self.keys.locations, self.keys.location, self.keys.day),
            "fp": texts_to_json(self.fingerprint),
            "values": mappings_to_json(self.values),
        }

    def lacks(self, records: Records, at: Numbers) -> PartitionSet:
        """The partitions of records at ascending positions whose content was not counted."""
        return records.set_of(at[self._found(records, at) < 0])

    def with_more(self, records: Records, at: Numbers, counts: Counts) -> CountedValues:
        """What is known of records at ascending positions, given the counts of those that were lacking."""
        found = self._found(records, at)
        numbers, items = self.values
        told = [items[number] for number in numbers[found[found >= 0]].tolist()]
        known = iter(told)
        of = [
            next(known) if there >= 0 else tuple(sorted(counts.get(records.key(one), {}).items()))
            for one, there in zip(at.tolist(), found.tolist(), strict=True)
        ]
        keys = WrittenKeys(records.locations, records.location[at].astype(np.int64), records.day[at], {})
        return CountedValues(keys, taken(records.fingerprint, at), interned(of))

    def told(self, records: Records, at: Numbers) -> Records:
        """The records with these counts in those at ascending positions, of which all are known."""
        numbers, items = self.values
        return Records(records.columns.with_values(at, (numbers[self._found(records, at)], items)))

    def _found(self, records: Records, at: Numbers) -> Numbers:
        """Where each is that was counted with its content of now; -1: it was not."""
        found = self.keys.positions(records.locations, records.location[at], records.day[at])
        there = np.flatnonzero(found >= 0)
        other = ~same(taken(self.fingerprint, found[there]), taken(records.fingerprint, at[there]))
        found[there[other]] = -1
        return found
