"""Records of the partitions of a table in columns: a million of them in a hundred megabytes.

What is a partition's own lies in arrays, what many have in common once (``record_kinds``). ``Records`` is a mapping as
any other; a ``PartitionRecord`` is made where one is asked for. Who has to judge or count them all does so by columns.

Must not know: how records are written (``provenance_format``), and what becomes of them (``table_state``).
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping, Sequence, ValuesView
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np

from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.state.partition_record import PartitionRecord, Stamp
from orchestration.core.state.record_arrays import Columns
from orchestration.core.state.record_building import columns_of, put_over
from orchestration.core.state.record_texts import Numbers, Texts

FEW = 512
"""So many changed records lie beside the columns; more are put in order with them, if they are an eighth of them."""


@dataclass(frozen=True, slots=True)
class Consulted:
    """What records say of the partitions of one upstream asset, or source, on which they depend.

    There are two groups of records: those that depend on nothing but their own key, and the others. Records that say
    nothing of this upstream asset are in neither group.
    """

    own: Numbers
    """The positions of the records that depend on their own key alone."""
    own_fingerprints: Texts
    """For each record of ``own``, the upstream fingerprint."""
    others: Numbers
    """The positions of all other records, also of those that depend on no partition of it."""
    starts: Numbers
    """Where the entries of each record of ``others`` begin in the four fields below; one more number than ``others``
    for the end."""
    offset: Numbers
    """For each entry, the upstream key as days from the record's own day, at its own location."""
    text: Numbers
    """For each entry, -1, or the number in ``texts`` of a key that is at no day of its own location."""
    texts: tuple[str, ...]
    """Upstream keys as text."""
    fingerprints: Texts
    """For each entry, the upstream fingerprint."""


class Records(Mapping[PartitionKey, PartitionRecord]):
    """The records of a table's partitions by key, ordered by location, then by day; the null key comes first.

    Immutable. The arrays are of one length, a value a record, and must not be changed; a *position* is an index into
    them. A few changes lie beside the columns until somebody asks for these, so that a small commit costs little; a
    mapping that was never put into columns is iterated in its own order.
    """

    __slots__ = ("_merged", "_partitions", "_parts")

    def __init__(self, base: Columns, over: Mapping[PartitionKey, PartitionRecord] | None = None) -> None:
        """Use ``of``, ``empty`` or ``updated`` instead. over: records that replace those of ``base``."""
        self._parts: tuple[Columns, Mapping[PartitionKey, PartitionRecord]] = (base, over or {})
        """Columns, and objects over them. Read once by who wants both: another thread may put them together."""
        self._merged: Columns | None = None if over else base
        self._partitions: PartitionSet | None = None

    @classmethod
    def of(cls, records: Mapping[PartitionKey, PartitionRecord]) -> Records:
        """``records`` as ``Records``; the same object where it already is one."""
        return records if isinstance(records, cls) else cls(Columns.empty(), dict(records))

    @classmethod
    def empty(cls) -> Records:
        """No records."""
        return cls(Columns.empty())

    # as a mapping ---------------------------------------------------------------------------------------------------

    def __getitem__(self, key: PartitionKey) -> PartitionRecord:
        base, over = self._parts
        found = over.get(key)
        if found is not None:
            return found
        at = base.find(key)
        if at < 0:
            raise KeyError(key)
        return base.record(at)

    def content(self, key: PartitionKey) -> tuple[int, str, str] | None:
        """Rows, fingerprint and contract of a record, without making it; None where there is none."""
        base, over = self._parts
        found = over.get(key)
        if found is not None:
            return found.rows, found.fingerprint, found.contract
        at = base.find(key)
        return None if at < 0 else base.content(at)

    def __contains__(self, key: object) -> bool:
        base, over = self._parts
        return key in over or base.find(key) >= 0

    def __len__(self) -> int:
        merged = self._merged
        if merged is not None:
            return len(merged.rows)
        base, over = self._parts
        return len(base.rows) + sum(base.find(key) < 0 for key in over)

    def __bool__(self) -> bool:
        base, over = self._parts
        return bool(over) or len(base.rows) > 0

    def __iter__(self) -> Iterator[PartitionKey]:
        base, over = self._parts
        if len(base.rows) == 0:
            return iter(over)
        columns = self.columns
        return map(columns.key, range(len(columns.rows)))

    def items(self) -> ItemsView[PartitionKey, PartitionRecord]:
        return _Items(self)

    def values(self) -> ValuesView[PartitionRecord]:
        return _Values(self)

    def pairs(self) -> Iterator[tuple[PartitionKey, PartitionRecord]]:
        """The same as ``items``."""
        base, over = self._parts
        if len(base.rows) == 0:
            return iter(over.items())
        columns = self.columns
        return ((columns.key(at), columns.record(at, keep=False)) for at in range(len(columns.rows)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        if isinstance(other, Records) and max(len(self._parts[0].rows), len(other._parts[0].rows)) > 0:
            return self.columns.says_the_same_as(other.columns)
        return dict(self.pairs()) == dict(other.items())

    __hash__ = None  # type: ignore[assignment]  # as of any mapping

    def __repr__(self) -> str:
        return f"Records.of({dict(self.pairs())!r})"

    # changes --------------------------------------------------------------------------------------------------------

    def updated(self, new: Mapping[PartitionKey, PartitionRecord], without: PartitionSet | None = None) -> Records:
        """These records, without those of the partitions of ``without``, and with ``new`` in place of existing ones."""
        merged = self._merged  # before the parts: it says the same as they do, whichever there are by then
        base, over = self._parts
        if without:
            base = base.without(base.index(without))
            over = {key: record for key, record in over.items() if key not in without}
        if isinstance(new, Records) and len(new._parts[0].rows) > FEW:
            return Records(put_over(Records(base, over).columns, new.columns))
        if merged is not None and not without:
            base, over = merged, {}
        over = {**over, **new}
        if len(over) > max(FEW, len(base.rows) // 8) and len(base.rows):
            return Records(put_over(base, columns_of(over)))
        return Records(base, over)

    def at_version(self, version: int) -> Records:
        """The same records, as of the commit that became ``version``."""
        base, over = self._parts
        updated = {key: one if one.version == version else replace(one, version=version) for key, one in over.items()}
        return Records(base.at_version(version), updated)

    def since(self, version: int) -> Records:
        """The records of commits after ``version``."""
        columns = self.columns
        return Records(columns.taken(np.flatnonzero(columns.version > version)))

    def restricted(self, to: PartitionSet) -> Records:
        """The records of the partitions of ``to``."""
        base, over = self._parts
        if len(base.rows) == 0:
            return Records(base, {key: record for key, record in over.items() if key in to})
        return Records(self.columns.taken(self.index(to)))

    # as columns -----------------------------------------------------------------------------------------------------

    @property
    def columns(self) -> Columns:
        """The arrays that hold the records."""
        merged = self._merged
        if merged is None:
            base, over = self._parts
            above = columns_of(over)
            merged = put_over(base, above) if len(base.rows) else above
            self._merged = merged
            if len(over) > FEW:  # the objects need not be kept beside them
                self._parts = (merged, {})
        return merged

    @property
    def partitions(self) -> PartitionSet:
        """The partitions that have a record."""
        found = self._partitions
        if found is None:
            base, over = self._parts
            found = base.partitions | PartitionSet.from_keys(over) if over else base.partitions
            self._partitions = found
        return found

    def index(self, partitions: PartitionSet) -> Numbers:
        """The positions of those of ``partitions`` that have a record, ascending."""
        return self.columns.index(partitions)

    def rows_of(self, partitions: PartitionSet) -> int:
        """The number of rows that the existing partitions of ``partitions`` have together."""
        return int(self.rows[self.index(partitions)].sum())

    def find(self, locations: Sequence[str], location: Numbers, day: Numbers) -> Numbers:
        """The positions of keys given as arrays; -1 where there is no record.

        location: numbers in ``locations``, -1 for the null key, whose day is 0. day: ordinals.
        """
        return self.columns.positions(locations, location, day)

    def set_of(self, positions: Numbers) -> PartitionSet:
        """The partitions at ``positions``, which are ascending (or a mask)."""
        return self.columns.set_of(positions)

    @property
    def locations(self) -> tuple[str, ...]:
        """The locations that have records, in alphabetical order."""
        return self.columns.locations

    @property
    def location(self) -> Numbers:
        """For each record the number of its location in ``locations``; -1 for the null key."""
        return self.columns.location

    @property
    def day(self) -> Numbers:
        """For each record its day as ordinal; 0 for the null key."""
        return self.columns.day

    @property
    def rows(self) -> Numbers:
        """For each record its number of rows."""
        return self.columns.rows

    @property
    def fingerprint(self) -> Texts:
        """For each record the fingerprint of the content; to be compared by ``record_texts.same``."""
        return self.columns.fingerprint

    @property
    def version(self) -> Numbers:
        """For each record the table version that its commit became."""
        return self.columns.version

    @property
    def kind(self) -> Numbers:
        """For each record the number of its kind in ``kinds``."""
        return self.columns.kind

    @property
    def kinds(self) -> Sequence[PartitionRecord]:
        """The first record of each kind.

        Records of one kind differ in nothing but rows, fingerprint, commit, digests of answers, and the fingerprints in
        ``inputs`` and ``also``. They depend on the same upstream keys, counted in days from their own.
        """
        return _Kinds(self.columns)

    def by_kind(self) -> list[Numbers]:
        """For each kind the positions of its records, ascending."""
        order = np.argsort(self.kind, kind="stable")
        return np.split(order, np.cumsum(np.bincount(self.kind))[:-1]) if len(order) else []

    @property
    def stamp(self) -> Numbers:
        """For each record the number of its commit in ``stamps``."""
        return self.columns.stamp

    @property
    def stamps(self) -> Sequence[Stamp]:
        """The commits that the records are of."""
        return self.columns.stamps

    def consulted(self, upstream: str) -> Consulted | None:
        """What the records say of ``upstream``; None where none says anything of it."""
        found = self.columns.consulted(upstream)
        return None if found is None else Consulted(*found)

    def key(self, position: int) -> PartitionKey:
        """The key at a position."""
        return self.columns.key(position)

    def record(self, position: int) -> PartitionRecord:
        """The record at a position."""
        return self.columns.record(position)


class _Items(ItemsView[PartitionKey, PartitionRecord]):
    def __init__(self, records: Records) -> None:
        super().__init__(records)
        self._records = records

    def __iter__(self) -> Iterator[tuple[PartitionKey, PartitionRecord]]:
        return self._records.pairs()


class _Values(ValuesView[PartitionRecord]):
    def __init__(self, records: Records) -> None:
        super().__init__(records)
        self._records = records

    def __iter__(self) -> Iterator[PartitionRecord]:
        return (record for _, record in self._records.pairs())


class _Kinds(Sequence[PartitionRecord]):
    """Kinds as records, made when they are asked for."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns

    def __len__(self) -> int:
        return len(self._columns.kinds)

    @overload
    def __getitem__(self, at: int) -> PartitionRecord: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[PartitionRecord]: ...
    def __getitem__(self, at: Any) -> Any:
        firsts = self._columns.firsts
        if isinstance(at, slice):
            return [self._columns.record(int(one)) for one in firsts[at]]
        return self._columns.record(int(firsts[at]))
