"""How many values the records of fetched partitions have, of all of them at once: what ``completeness`` begins with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np

from orchestration.core.partitions.keys import PartitionKey
from orchestration.core.state.partition_record import PartitionRecord
from orchestration.core.state.record_columns import Records
from orchestration.core.state.record_texts import Numbers


def first_values(
    records: Mapping[PartitionKey, PartitionRecord], names: Sequence[str], before: date
) -> dict[tuple[str, str], date]:
    """By location and name of a column: the first day before ``before`` that has a value of it, where there is one."""
    columns = Records.of(records).columns
    early = np.flatnonzero((columns.location >= 0) & (columns.day < before.toordinal()))
    found = {}
    for name in names if len(early) else ():
        has = np.array([bool(dict(kind.values).get(name)) for kind in columns.kinds], dtype=bool)
        at = early[has[columns.kind[early]]]
        which, first = np.unique(columns.location[at], return_index=True)
        for location, day in zip(which.tolist(), columns.day[at[first]].tolist(), strict=True):
            found[columns.locations[location], name] = date.fromordinal(day)
    return found


def with_fewer(records: Records, names: Sequence[str], hours: int) -> Numbers:
    """The positions of records that count fewer than ``hours`` values of any of the columns.

    Not those that do not count values (see ``is_counted``).
    """
    columns = records.columns
    kinds = [dict(kind.values) for kind in columns.kinds]
    counted = np.array([bool(of) for of in kinds], dtype=bool)[columns.kind] | (columns.rows == 0)
    least = [min((of[name] for name in names if name in of), default=hours) for of in kinds]
    as_rows = np.array([any(name not in of for name in names) for of in kinds], dtype=bool)[columns.kind]
    lacks = (np.array(least, dtype=np.int64)[columns.kind] < hours) | (as_rows & (columns.rows < hours))
    return np.flatnonzero(counted & lacks)


def after_the_first(records: Records, at: Numbers, first: Mapping[tuple[str, str], date], always: date) -> Numbers:
    """Those of positions whose day is ``always`` or later, or comes after any of the days in ``first`` there."""
    columns = records.columns
    earliest = {location: always.toordinal() - 1 for location in columns.locations}
    for (location, _), day in first.items():
        if location in earliest:
            earliest[location] = min(earliest[location], day.toordinal())
    than = np.array([*earliest.values(), -1], dtype=np.int64)  # the last: of the null key
    return at[columns.day[at] > than[columns.location[at]]]
