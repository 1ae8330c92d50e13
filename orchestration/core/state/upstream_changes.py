"""Which upstream partitions changed since other partitions were made from them: for a whole table at once, by arrays.

``TableState.holds`` says the same of one partition. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.state.partition_record import ABSENT
from orchestration.core.state.record_arrays import ALSO
from orchestration.core.state.record_columns import Records
from orchestration.core.state.record_texts import Numbers, Texts, as_list, same, spread, taken, texts_of
from orchestration.core.state.table_state import TableState

Flags = npt.NDArray[np.bool_]
LacksOf = Callable[[str], Iterable[str]]
"""Digest of an earlier contract → the columns that the table has today and had not under that contract."""

_CHANGED, _CHANGED_BY_OTHERS = 1, 2
_WITHOUT = " without "
_A_LOCATION = 1 << 22
"""More than there are days. The number of a location × this + the day is one number for a key."""


def first_changes(own: Records, upstream: str, state: TableState, lacking: LacksOf) -> Numbers:
    """A number for each record of ``own``: 0 where no upstream partition changed on which the partition depends.

    Partitions with the same number above 0 have two things in common: which upstream partition changed first, as days
    from their own, and whether somebody else changed it. state: of the table of ``upstream``. Upstream partitions at
    other locations are not looked at, the ``null`` key aside.
    """
    numbers = np.zeros(len(own), dtype=np.int64)
    consulted = own.consulted(upstream)
    if consulted is None:
        return numbers
    at = consulted.own
    numbers[at] = _changes(own.locations, own.location[at], own.day[at], consulted.own_fingerprints, state, lacking)
    counts = np.diff(consulted.starts)
    of = np.repeat(consulted.others, counts)
    elsewhere = consulted.text >= 0
    location = np.where(elsewhere, -1, own.location[of])
    day = np.where(elsewhere, 0, own.day[of] + consulted.offset)
    found = _changes(own.locations, location, day, consulted.fingerprints, state, lacking)
    changed = np.flatnonzero(found)
    which, first = np.unique(of[changed], return_index=True)
    first = changed[first]
    named = (consulted.offset[first].astype(np.int64) + _A_LOCATION) * (len(consulted.texts) + 1) + consulted.text[
        first
    ]
    numbers[which] = (named + 1) * 4 + found[first]
    return numbers


def _changes(
    locations: Sequence[str], location: Numbers, day: Numbers, recorded: Texts, state: TableState, lacking: LacksOf
) -> Numbers:
    """What happened to partitions of an upstream table: 0, ``_CHANGED`` or ``_CHANGED_BY_OTHERS`` for each.

    locations, location, day: the partitions as arrays. recorded: what was recorded of each.
    """
    records = state.records
    there = records.find(locations, location, day)
    holds = np.where(there < 0, recorded == (ABSENT if recorded.dtype.kind == "O" else ABSENT.encode()), False)
    known = np.flatnonzero(there >= 0)
    holds[known] = same(taken(recorded, known), taken(records.fingerprint, there[known]))
    open_ = known[~holds[known]]
    if len(open_):
        holds[open_] = _hold(taken(recorded, open_), there[open_], records, lacking)
    found = np.where(holds, 0, _CHANGED)
    found[_inside(state.unrecorded, locations, location, day)] = _CHANGED_BY_OTHERS
    return found


def _hold(recorded: Texts, there: Numbers, records: Records, lacking: LacksOf) -> Flags:
    """Whether rows are still those that were recorded, where the record is of fewer columns than the table has
    today.
    """
    fingerprint, without, missing = _parted(recorded)
    holds = same(fingerprint, taken(records.fingerprint, there))
    also = records.columns.texts.get(ALSO)
    if also is not None:
        starts = records.columns.starts(ALSO)
        counts = starts[there + 1] - starts[there]
        of = np.repeat(np.arange(len(there)), counts)
        known = same(taken(fingerprint, of), taken(also, spread(starts[there], counts)))
        holds |= np.bincount(of[known], minlength=len(there)) > 0
    for number, columns in enumerate(missing):
        for kind in np.unique(records.kind[there[holds & (without == number)]]).tolist():
            if not columns <= set(lacking(records.columns.kinds[kind].contract) or ()):
                holds &= (without != number) | (records.kind[there] != kind)
    return holds


def _parted(recorded: Texts) -> tuple[Texts, Numbers, list[set[str]]]:
    """What was recorded, in three parts: fingerprints; the number of each one's set of lacking columns, -1 for none;
    these sets of columns."""
    numbers: dict[str, int] = {"": -1}
    if recorded.dtype.kind == "O":
        parts = [text.partition(_WITHOUT) for text in as_list(recorded)]
        without = np.array([numbers.setdefault(columns, len(numbers) - 1) for *_, columns in parts])
        return texts_of([fingerprint for fingerprint, *_ in parts]), without, _sets(numbers)
    without, width = np.full(len(recorded), -1), recorded.dtype.itemsize
    at = np.char.find(recorded, _WITHOUT.encode())
    if (at < 0).all():
        return recorded, without, []
    fingerprints = recorded.copy()
    for length in np.unique(at[at >= 0]).tolist():
        here, rest = np.flatnonzero(at == length), length + len(_WITHOUT)
        fingerprints[here] = recorded[here].astype(f"S{length}") if length else b""
        columns = np.zeros(len(here), dtype=f"S{max(1, width - rest)}")
        if width > rest:
            columns = np.ascontiguousarray(recorded[here].view(np.uint8).reshape(len(here), width)[:, rest:])
            columns = columns.view(f"S{width - rest}")[:, 0]
        distinct, of = np.unique(columns, return_inverse=True)
        without[here] = np.array([numbers.setdefault(one, len(numbers) - 1) for one in as_list(distinct)])[of]
    return fingerprints, without, _sets(numbers)


def _sets(numbers: Iterable[str]) -> list[set[str]]:
    return [set(columns.split(",")) for columns in numbers if columns]


def _inside(partitions: PartitionSet, locations: Sequence[str], location: Numbers, day: Numbers) -> Flags:
    """Which of the keys are in ``partitions``."""
    inside = np.full(len(day), False)
    if partitions.has_null:
        inside |= location < 0
    numbers = {at: number for number, at in enumerate(locations)}
    spans = sorted(
        (numbers[at] * _A_LOCATION + first.toordinal(), numbers[at] * _A_LOCATION + last.toordinal())
        for at, first, last in partitions.pieces()
        if at in numbers
    )
    if spans:
        ends = np.array(spans)
        keys = location.astype(np.int64) * _A_LOCATION + day
        before = ends[:, 0].searchsorted(keys, "right") - 1
        inside |= (before >= 0) & (keys <= ends[before, 1])
    return inside
