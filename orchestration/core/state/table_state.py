"""The state of a table: what follows from all commits of the table, in their order.

A state says two things. It holds a record for each partition: the record of the last commit of this project that names
the partition, unless somebody else changed the partition afterwards. And it holds everything else that commits ever
said: questions to sources, shapes of contracts, code versions that count as equal, earlier settings of locations, and
of which columns each column is made.

Pure: ``resources`` reads the commits.
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
"""Delta keeps at most this many characters of a string in a file's statistics, and may add one more character."""

Lacking = Callable[[str], tuple[str, ...] | None]
"""Digest of an earlier contract → the columns that the table has today and had not under that contract. None where the
digest is that of an unrelated contract."""


@dataclass(frozen=True, slots=True)
class FileSpan:
    """The partitions whose rows a data file can hold, by the statistics of the file.

    Both ends are included; None means that there is no bound.
    """

    first_day: date | None = None
    last_day: date | None = None
    first_location: str | None = None
    last_location: str | None = None
    has_null: bool = False
    """Whether the file belongs to an unpartitioned table."""
    size: int | None = field(default=None, compare=False)
    """The size of the file in bytes, as Delta's log says; None where the log does not say it."""

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
        """Those of ``partitions`` whose rows can be in the file."""
        first, last = self.first_day or date.min, self.last_day or date.max
        days = Days.of(first, last) if first <= last else Days.empty()
        return partitions.restrict(filter(self._has, partitions.locations), days)

    def spanned(self, locations: Iterable[str]) -> PartitionSet:
        """The partitions of ``locations`` that the file can hold, and those of the locations that the file's statistics
        name in full.

        Empty for a dated table where the statistics do not say which days the file holds.
        """
        null = PartitionSet(self.has_null)
        if self.first_day is None or self.last_day is None:
            return null
        ends = {at for at in (self.first_location, self.last_location) if at is not None and len(at) < TRUNCATED_AT}
        inside = [location for location in {*locations, *ends} if self.covers(PartitionKey(self.first_day, location))]
        return null | PartitionSet.of(Days.of(self.first_day, self.last_day), inside)


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit of a table, as Delta's log has it."""

    version: int
    provenance: Provenance | None
    """What the commit recorded; None for a commit of somebody else."""
    touched: tuple[FileSpan, ...] = ()
    """The spans of the files that the commit added or removed with a change of data."""
    added: Mapping[str, FileSpan] = field(default_factory=dict)
    """The files that the commit added, by path, whether data changed or not."""
    removed: frozenset[str] = frozenset()
    """The paths of the files that the commit removed, whether data changed or not."""
    schema: str | None = None
    """The schema that the commit gave the table, as Delta writes it (``schemaString``); None where it gave none."""
    description: str | None = None
    """The description that the commit gave the table; None where it gave none."""
    protocol: str | None = None
    """The protocol that the commit gave the table, as JSON; None where it gave none."""
    properties: str | None = None
    """The table properties that the commit gave, as JSON; None where it gave none."""


@dataclass(frozen=True, slots=True)
class TableState:
    """What a table is at one version: a record for each partition, and the partitions that others changed since.

    Two states are equal if everything is equal but the fields with ``compare=False``, which only help to read the next
    commits.
    """

    version: int | None = None
    """The version of the table; None where there is no table."""
    records: Records = field(default_factory=lambda: _records({}))
    """The last record of each partition. Any mapping may be given."""
    unrecorded: PartitionSet = field(default_factory=PartitionSet.empty)
    """The partitions that somebody else changed after their last record."""
    files: Mapping[str, FileSpan] = field(default_factory=dict, compare=False)
    """Path of each data file of the table → the partitions whose rows it can hold."""
    locations: frozenset[str] = field(default=frozenset(), compare=False)
    """Locations that may occur in files of others, besides those that the table is known to have."""
    snapshot: int | None = field(default=None, compare=False)
    """The version of the last whole snapshot of the state (see ``snapshots``); None without one."""
    kept: int | None = field(default=None, compare=False)
    """The version of the last snapshot, be it a whole one or a supplement; None without one."""
    questions: Mapping[str, Question] = field(default_factory=dict)
    """Every question to a source that a commit recorded, by id."""
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    """Every shape of a contract that a commit recorded, by the contract's digest."""
    equal: frozenset[Equal] = frozenset()
    """The code versions that were accepted as equal (`aqi accept`)."""
    past: frozenset[tuple[tuple[str, Any], ...]] = frozenset()
    """Locations as settings once had them, each as its sorted items."""
    columns_of: Mapping[str, str] = field(default_factory=dict)
    """Code part of a code version → the lineage of the columns that this code makes, as JSON; the newest last."""
    kinds: frozenset[str] = frozenset()
    """The kinds of source (``source.REAL``, ``source.SIMULATED``) from which the rows of a fetched asset come. Counted
    since the table last had no partition."""
    taken_out: PartitionSet = field(default_factory=PartitionSet.empty)
    """Those of ``unrecorded`` whose rows a commit of this project gave up: the rows' files were lost, or nobody has
    compared the rows since the table was rebuilt."""
    schema: str | None = field(default=None, compare=False)
    """The schema of the table, as Delta writes it (``schemaString``). None where it is not known: after a snapshot of
    format 1, or after commits that cannot be read any more."""
    description: str | None = field(default=None, compare=False)
    """The description of the table."""
    protocol: str | None = field(default=None, compare=False)
    """The protocol of the table, as JSON; None where it is not known."""
    properties: str | None = field(default=None, compare=False)
    """The properties of the table, as JSON; None where they are not known."""
    damage: Damage | None = field(default=None, compare=False)
    """What an inspection of the table's folder found that no commit says. None where it found nothing, or where nobody
    inspected the folder."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "records", _records(self.records))

    def accepted_with(self, code: str, location: str | None) -> bool:
        """Whether `aqi accept` has equated the code version ``code`` of a location with another one."""
        return any(code in (one.one, one.other) and one.location in (None, location) for one in self.equal)

    @property
    def present(self) -> PartitionSet:
        """The partitions that are there, zero rows included."""
        return self.records.partitions | self.unrecorded

    @property
    def damaged(self) -> PartitionSet:
        """Those of ``unrecorded`` that are so only because their rows are lost, or may be."""
        return PartitionSet.empty() if self.damage is None else self.damage.partitions

    def fingerprint(self, key: PartitionKey) -> str:
        """The recorded fingerprint of a partition. ``absent`` where there is no record; ``unrecorded`` where somebody
        else changed the partition since."""
        if key in self.unrecorded:
            return UNRECORDED
        found = self.records.content(key)
        return ABSENT if found is None else found[1]

    def consulted(self, key: PartitionKey, lacking: Lacking | None = None) -> str:
        """What the record of a dependent partition says of this partition: its fingerprint, and the columns that it
        lacks.

        ``F``; ``F without level,ts_local``; ``absent``.

        lacking: see ``Lacking``; None where no partition of the table lacks a column.
        """
        found = None if self.unrecorded and key in self.unrecorded else self.records.content(key)
        if found is None:
            return self.fingerprint(key)
        rows, fingerprint, contract = found
        missing = lacking(contract) if lacking and rows else ()  # no rows lack nothing
        return f"{fingerprint} without {','.join(sorted(missing))}" if missing else fingerprint

    def holds(self, key: PartitionKey, recorded: str, lacking: Lacking | None = None) -> bool:
        """Whether a dependent partition's record of this partition is still right. recorded: that record, see
        ``consulted``.

        It is right if the fingerprint is the same, and if the partition still lacks every column that it lacked when it
        was consulted. It does not matter whether it lacks further columns: those were added to the contract since.
        """
        record = self.trusted(key)
        if record is None:
            return recorded == self.fingerprint(key)
        fingerprint, _, without = recorded.partition(" without ")
        if fingerprint != record.fingerprint and fingerprint not in record.also.values():
            return False
        return not without or (lacking is not None and set(without.split(",")) <= set(lacking(record.contract) or ()))

    def trusted(self, key: PartitionKey) -> PartitionRecord | None:
        """The record of ``key``; None where there is none, or where somebody else changed the partition since."""
        return None if self.unrecorded and key in self.unrecorded else self.records.get(key)

    def after(self, commit: Commit) -> TableState:
        """The state after one more commit."""
        metadata = self if commit.schema is None else commit
        state = replace(
            self,
            version=commit.version,
            files=self._files_after(commit),
            schema=metadata.schema,
            description=metadata.description,
            protocol=commit.protocol or self.protocol,
            properties=metadata.properties,
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
        """The state at ``version``, where the commits between this state and ``version`` cannot be read any more.

        with_rows: the partitions that have rows today. files: the data files of today. Everything with rows becomes
        unrecorded, as do all partitions that had a record. The schema becomes unknown.
        """
        unrecorded = self.records.partitions | with_rows
        gone: dict[str, Any] = {"schema": None, "description": None, "protocol": None, "properties": None}
        return replace(self, version=version, unrecorded=self.unrecorded | unrecorded, files=files, damage=None, **gone)

    def _with_what_was_said(self, said: Provenance) -> TableState:
        """The state with what a commit says besides its records. Where the commit adds nothing, as nearly all do, the
        fields stay the same objects."""
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
    """Both mappings, with the items of ``new`` last. The same object as ``known`` where ``new`` adds nothing."""
    return {**{name: text for name, text in known.items() if name not in new}, **new} if new else known


def _records(records: Mapping[PartitionKey, PartitionRecord]) -> Records:
    from orchestration.core.state.record_columns import Records  # numpy, which only tables with partitions are worth

    return Records.of(records)


def fold(commits: Iterable[Commit], start: TableState | None = None) -> TableState:
    """The state after ``commits``, in their order, beginning with ``start``."""
    state = start or TableState()
    for commit in commits:
        state = state.after(commit)
    return state
