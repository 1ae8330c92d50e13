"""The state of a table: the fold of its commits.

What each partition is, by the last commit of ours that names it and by whatever others committed after it; and what
these commits said besides: questions, shapes of contracts, versions that count as equal, locations as they once were,
what columns are made of.

Pure: where commits are read from is the business of ``resources``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet
from orchestration.core.state.partition_record import ABSENT, UNRECORDED, PartitionRecord, Question, Shape, as_items
from orchestration.core.state.versions import Equal

if TYPE_CHECKING:
    from orchestration.core.state.damage import Damage
    from orchestration.core.state.provenance import Provenance
    from orchestration.core.state.record_columns import Records

TRUNCATED_AT = 32
"""Delta keeps this many characters of a string in a file's statistics, and may then put a last one behind them."""

Lacking = Callable[[str], tuple[str, ...] | None]
"""Gives the columns that a table has by now and a contract, by its digest, had not; None for another contract."""


@dataclass(frozen=True, slots=True)
class FileSpan:
    """The partitions that a data file can hold, by its statistics: days and locations, both ends in; None: any.

    has_null: it is a file of an unpartitioned table. size: its bytes, by the log; None where that is not known.
    """

    first_day: date | None = None
    last_day: date | None = None
    first_location: str | None = None
    last_location: str | None = None
    has_null: bool = False
    size: int | None = field(default=None, compare=False)

    def covers(self, key: PartitionKey) -> bool:
        """Whether rows of ``key`` can be in the file."""
        if key.day is None or key.location is None:
            return True
        return (
            (self.first_day is None or self.first_day <= key.day)
            and (self.last_day is None or key.day <= self.last_day)
            and self._has(key.location)
        )

    def _has(self, location: str) -> bool:
        last = self.last_location  # where it was cut off, the true one may lie behind it
        return (self.first_location is None or self.first_location <= location) and (
            last is None or location <= last or len(last) >= TRUNCATED_AT
        )

    def covered(self, partitions: PartitionSet) -> PartitionSet:
        """Those of ``partitions`` that it covers."""
        first, last = self.first_day or date.min, self.last_day or date.max
        days = Days.of(first, last) if first <= last else Days.empty()
        return partitions.restrict(filter(self._has, partitions.locations), days)

    def spanned(self, locations: Iterable[str]) -> PartitionSet:
        """The partitions of ``locations``, and of the file's ends where these are whole, that the file can hold.

        Of the dated ones none where the file's days are unknown.
        """
        null = PartitionSet(self.has_null)
        if self.first_day is None or self.last_day is None:
            return null
        ends = {at for at in (self.first_location, self.last_location) if at is not None and len(at) < TRUNCATED_AT}
        inside = [location for location in {*locations, *ends} if self.covers(PartitionKey(self.first_day, location))]
        return null | PartitionSet.of(Days.of(self.first_day, self.last_day), inside)


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit of a table.

    touched: what the files can hold that it added or removed with a change of data.
    added, removed: files, by path, whether data changed or not. schema, description: that it gave the table, as Delta
    writes them (``schemaString``); None where it gave none. protocol, properties: likewise, of features, as JSON.
    """

    version: int
    provenance: Provenance | None
    touched: tuple[FileSpan, ...] = ()
    added: Mapping[str, FileSpan] = field(default_factory=dict)
    removed: frozenset[str] = frozenset()
    schema: str | None = None
    description: str | None = None
    protocol: str | None = None
    properties: str | None = None


@dataclass(frozen=True, slots=True)
class TableState:
    """What a table is at a version: a record per partition, and the partitions that others changed since.

    records: may be given as any mapping.
    taken_out: those of ``unrecorded`` whose rows our own commits gave up, as their files were lost, or as nobody has
    compared them since the table was rebuilt.
    questions: by id; shapes: by contract digest; equal: versions that were accepted; past: locations as settings once
    had them, each as its sorted items; columns_of: by code part of a code version, the lineage of its columns, newest
    last. All that any commit ever said; where two say otherwise, the later one. kinds: of the sources that rows of a
    fetched asset are from, as commits said since the table had no partition.
    The other fields help to read the next commits. Two states that differ in nothing else are equal.
    files: what the table's files can hold, by path. locations: locations that may be in files of others, besides those
    that the table is known to have. snapshot: version of the last whole snapshot of the state, kept: of the last
    snapshot or supplement to it; None without one. schema, description: those of the newest commit that gave a schema
    (``schemaString``); schema None where it is not known, as after a snapshot of format 1, or a gap. protocol,
    properties: of the table's features, as JSON; None where they are not known. damage: what a look found that no
    commit says, and what of ``unrecorded`` is so for that alone; None where nothing was found, or nobody looked.
    """

    version: int | None = None
    records: Records = field(default_factory=lambda: _records({}))
    unrecorded: PartitionSet = field(default_factory=PartitionSet.empty)
    files: Mapping[str, FileSpan] = field(default_factory=dict, compare=False)
    locations: frozenset[str] = field(default=frozenset(), compare=False)
    snapshot: int | None = field(default=None, compare=False)
    kept: int | None = field(default=None, compare=False)
    questions: Mapping[str, Question] = field(default_factory=dict)
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    equal: frozenset[Equal] = frozenset()
    past: frozenset[tuple[tuple[str, Any], ...]] = frozenset()
    columns_of: Mapping[str, str] = field(default_factory=dict)
    kinds: frozenset[str] = frozenset()
    taken_out: PartitionSet = field(default_factory=PartitionSet.empty)
    schema: str | None = field(default=None, compare=False)
    description: str | None = field(default=None, compare=False)
    protocol: str | None = field(default=None, compare=False)
    properties: str | None = field(default=None, compare=False)
    damage: Damage | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "records", _records(self.records))

    @property
    def present(self) -> PartitionSet:
        """The partitions that are there, zero rows included."""
        return self.records.partitions | self.unrecorded

    @property
    def damaged(self) -> PartitionSet:
        """Those of ``unrecorded`` that are so only because their rows are, or may be, lost."""
        return PartitionSet.empty() if self.damage is None else self.damage.partitions

    def fingerprint(self, key: PartitionKey) -> str:
        """The recorded fingerprint; ``absent`` where there is no record, ``unrecorded`` where it holds no more."""
        if key in self.unrecorded:
            return UNRECORDED
        found = self.records.content(key)
        return ABSENT if found is None else found[1]

    def consulted(self, key: PartitionKey, lacking: Lacking | None = None) -> str:
        """What a reader of the partition records of it: ``fingerprint``, and the columns that it had to do without.

        lacking: of this table, the columns that a contract had not. ``F``; ``F without level,ts_local``; ``absent``.
        """
        found = None if self.unrecorded and key in self.unrecorded else self.records.content(key)
        if found is None:
            return self.fingerprint(key)
        rows, fingerprint, contract = found
        missing = lacking(contract) if lacking and rows else ()  # no rows lack nothing
        return f"{fingerprint} without {','.join(sorted(missing))}" if missing else fingerprint

    def holds(self, key: PartitionKey, recorded: str, lacking: Lacking | None = None) -> bool:
        """Whether what a reader recorded of the partition is right still: the rows, in the columns that it can know.

        What it had to do without, the partition must lack still; it may lack other columns besides by now.
        """
        record = self.trusted(key)
        if record is None:
            return recorded == self.fingerprint(key)
        fingerprint, _, without = recorded.partition(" without ")
        if fingerprint != record.fingerprint and fingerprint not in record.also.values():
            return False
        return not without or (lacking is not None and set(without.split(",")) <= set(lacking(record.contract) or ()))

    def trusted(self, key: PartitionKey) -> PartitionRecord | None:
        """The record of ``key``, unless somebody else changed the partition since."""
        return None if self.unrecorded and key in self.unrecorded else self.records.get(key)

    def after(self, commit: Commit) -> TableState:
        """The state after one more commit."""
        told = self if commit.schema is None else commit
        state = replace(
            self,
            version=commit.version,
            files=self._files_after(commit),
            schema=told.schema,
            description=told.description,
            protocol=commit.protocol or self.protocol,
            properties=told.properties,
        )
        if commit.provenance is not None:
            wiped, new = commit.provenance.wiped, _records(commit.provenance.records).at_version(commit.version)
            state = state._with_what_was_said(commit.provenance)
            said, lost = wiped | new.partitions, commit.provenance.lost
            unrecorded = self.unrecorded - said if self.unrecorded else self.unrecorded
            damage = self.damage and self.damage.without(said | lost)
            records = self.records.updated(new, wiped)
            taken_out = (self.taken_out - said) | lost if self.taken_out or lost else self.taken_out
            return replace(state, records=records, unrecorded=unrecorded | lost, taken_out=taken_out, damage=damage)
        if not commit.touched:
            return state
        there = self.records.partitions
        known = self.locations.union(there.locations, self.unrecorded.locations)
        spans = set(commit.touched)
        open_ended = [span for span in spans if span.first_day is None or span.last_day is None]
        unrecorded = PartitionSet.union_of(span.covered(there) for span in open_ended)
        changed = unrecorded | PartitionSet.union_of(span.spanned(known) for span in spans)
        damage = self.damage and self.damage.without(changed)
        taken_out = self.taken_out - changed if self.taken_out else self.taken_out
        return replace(state, unrecorded=self.unrecorded | changed, taken_out=taken_out, damage=damage)

    def after_gap(self, version: int, with_rows: PartitionSet, files: Mapping[str, FileSpan]) -> TableState:
        """The state at ``version``, where the commits up to it cannot be read any more.

        with_rows, files: of the table as it is today. Nothing is trusted of what was known, and what has rows is there.
        Which schema it has is not known.
        """
        unrecorded = self.records.partitions | with_rows
        gone: dict[str, Any] = {"schema": None, "description": None, "protocol": None, "properties": None}
        return replace(self, version=version, unrecorded=self.unrecorded | unrecorded, files=files, damage=None, **gone)

    def _with_what_was_said(self, said: Provenance) -> TableState:
        """What was said before stays the same object where the commit adds nothing to it, as nearly all do."""
        questions = {**self.questions, **said.questions} if said.questions else self.questions
        shapes = {**self.shapes, **said.shapes} if said.shapes else self.shapes
        equal = self.equal.union(said.equal) if said.equal else self.equal
        past = self.past.union(map(as_items, said.past)) if said.past else self.past
        columns_of, kinds = put_last(self.columns_of, said.columns_of), self.kinds
        if said.kinds:
            kinds = frozenset(said.kinds).union(self.kinds if self.present else ())
        known: dict[str, Any] = {"questions": questions, "shapes": shapes, "equal": equal, "past": past}
        return replace(self, columns_of=columns_of, kinds=kinds, **known)

    def _files_after(self, commit: Commit) -> Mapping[str, FileSpan]:
        if not commit.added and not commit.removed:
            return self.files
        left = {path: span for path, span in self.files.items() if path not in commit.removed}
        return {**left, **commit.added}


def put_last(known: Mapping[str, str], new: Mapping[str, str]) -> Mapping[str, str]:
    """Both, ``new`` behind what was known; the same object where nothing is new."""
    return {**{name: text for name, text in known.items() if name not in new}, **new} if new else known


def _records(records: Mapping[PartitionKey, PartitionRecord]) -> Records:
    from orchestration.core.state.record_columns import Records  # numpy, which only tables with partitions are worth

    return Records.of(records)


def fold(commits: Iterable[Commit], start: TableState | None = None) -> TableState:
    """The state that follows from ``commits``, in their order, on top of ``start``."""
    state = start or TableState()
    for commit in commits:
        state = state.after(commit)
    return state
