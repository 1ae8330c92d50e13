"""Provenance: what a commit says of the partitions it stands for, and the state of a table that follows from it.

A commit of ours carries, per partition, its own rows and fingerprint, the fingerprints of the upstream partitions
consulted, the versions of code and contract, and the check results. ``TableState`` is the fold of a table's commits:
what each partition is, by the last commit of ours that names it and by whatever others committed after it.

Pure: where commits are read from and written to is the business of ``resources``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from orchestration.partitions import Days, PartitionKey, PartitionSet

FORMAT = 1
MARK = "aqi"
TRUNCATED_AT = 32
"""Delta keeps this many characters of a string in a file's statistics, and may then put a last one behind them."""
ABSENT = "absent"
"""The fingerprint of an upstream partition that does not exist."""
UNRECORDED = "unrecorded"
"""The fingerprint of an upstream partition that somebody else changed: what was read of it is not known."""

Inputs = Mapping[str, Mapping[str, str]]
"""Upstream asset (or source) → partition key consulted → its fingerprint."""


@dataclass(frozen=True, slots=True)
class PartitionRecord:
    """What a commit recorded of one partition.

    rows: number of rows; fingerprint: of its content, without the order of rows and without ``_ingested_at``.
    inputs: the fingerprints consulted. code, contract: versions. checks: violations per check, non-zero ones only.
    as_of: the clock (ISO 8601, UTC) when the source was asked; empty for assets without source.
    run_id, at, version: who committed it, when (ISO 8601, UTC), as which version of the table.
    """

    rows: int
    fingerprint: str
    inputs: Inputs
    code: str
    contract: str
    checks: Mapping[str, int] = field(default_factory=dict)
    as_of: str = ""
    run_id: str = ""
    at: str = ""
    version: int = -1

    def says_the_same_as(self, other: PartitionRecord) -> bool:
        """Whether both record the same facts, whoever committed them and when."""
        return self.facts() == other.facts()

    def has_content_of(self, other: PartitionRecord) -> bool:
        """Whether both stand for the same rows."""
        return (self.rows, self.fingerprint) == (other.rows, other.fingerprint)

    def facts(self) -> dict[str, Any]:
        """The recorded facts as JSON values; run, time and version aside."""
        facts: dict[str, Any] = {
            "rows": self.rows,
            "fp": self.fingerprint,
            "in": {asset: dict(consulted) for asset, consulted in self.inputs.items()},
            "code": self.code,
            "contract": self.contract,
        }
        if self.checks:
            facts["checks"] = dict(self.checks)
        if self.as_of:
            facts["as_of"] = self.as_of
        return facts


@dataclass(frozen=True, slots=True)
class Provenance:
    """What one commit says: the run, the asset, and a record per partition (by partition key).

    wiped: the partitions that the commit made as if they had never been made.
    """

    run_id: str
    asset: str
    at: str
    records: Mapping[PartitionKey, PartitionRecord]
    wiped: PartitionSet = field(default_factory=PartitionSet.empty)

    def to_json(self) -> dict[str, Any]:
        """JSON values; code and contract versions that all partitions share stand once."""
        shared = _shared(self.records.values())
        partitions = {}
        for key, record in sorted(self.records.items()):
            facts = record.facts()
            partitions[str(key)] = {name: value for name, value in facts.items() if name not in shared}
        said = {
            MARK: FORMAT,
            "run": self.run_id,
            "asset": self.asset,
            "at": self.at,
            "all": shared,
            "partitions": partitions,
        }
        return said | {"wiped": self.wiped.to_json()} if self.wiped else said

    @classmethod
    def from_json(cls, data: Mapping[str, Any], version: int) -> Provenance:
        """The inverse of ``to_json``, for a commit that became ``version``."""
        records = {}
        for text, own in data["partitions"].items():
            facts = {**data["all"], **own}
            records[PartitionKey.parse(text)] = PartitionRecord(
                rows=facts["rows"],
                fingerprint=facts["fp"],
                inputs=facts["in"],
                code=facts["code"],
                contract=facts["contract"],
                checks=facts.get("checks", {}),
                as_of=facts.get("as_of", ""),
                run_id=data["run"],
                at=data["at"],
                version=version,
            )
        return cls(data["run"], data["asset"], data["at"], records, PartitionSet.from_json(data.get("wiped", ())))


def _shared(records: Iterable[PartitionRecord]) -> dict[str, Any]:
    all_facts = [record.facts() for record in records]
    if not all_facts:
        return {}
    first = all_facts[0]
    names = ("code", "contract", "as_of")
    return {
        name: first[name]
        for name in names
        if name in first and all(facts.get(name) == first[name] for facts in all_facts)
    }


def dumps(data: Mapping[str, Any]) -> str:
    """Compact, deterministic JSON."""
    return json.dumps(data, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def is_ours(metadata: str | None) -> bool:
    """Whether a commit's user metadata was written by this project."""
    if not metadata or not metadata.startswith("{"):
        return False
    try:
        data = json.loads(metadata)
    except ValueError:
        return False
    return isinstance(data, dict) and data.get(MARK) == FORMAT


@dataclass(frozen=True, slots=True)
class FileSpan:
    """The partitions that a data file can hold, by its statistics: days and locations, both ends in; None: any.

    has_null: it is a file of an unpartitioned table.
    """

    first_day: date | None = None
    last_day: date | None = None
    first_location: str | None = None
    last_location: str | None = None
    has_null: bool = False

    def covers(self, key: PartitionKey) -> bool:
        """Whether rows of ``key`` can be in the file."""
        if key.day is None or key.location is None:
            return True
        last = self.last_location  # where it was cut off, the true one may lie behind it
        return (
            (self.first_day is None or self.first_day <= key.day)
            and (self.last_day is None or key.day <= self.last_day)
            and (self.first_location is None or self.first_location <= key.location)
            and (last is None or key.location <= last or len(last) >= TRUNCATED_AT)
        )

    def spanned(self, locations: Iterable[str]) -> PartitionSet:
        """The partitions of ``locations``, and of the file's ends where these are whole, that the file can hold.

        Of the dated ones none where the file's days are unknown.
        """
        null = PartitionSet(self.has_null)
        if self.first_day is None or self.last_day is None:
            return null
        ends = {at for at in (self.first_location, self.last_location) if at is not None and len(at) < TRUNCATED_AT}
        inside = [place for place in {*locations, *ends} if self.covers(PartitionKey(self.first_day, place))]
        return null | PartitionSet.of(Days.of(self.first_day, self.last_day), inside)


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit of a table.

    touched: what the files can hold that it added or removed with a change of data.
    added, removed: files, by path, whether data changed or not.
    """

    version: int
    provenance: Provenance | None
    touched: tuple[FileSpan, ...] = ()
    added: Mapping[str, FileSpan] = field(default_factory=dict)
    removed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class TableState:
    """What a table is at a version: a record per partition, and the partitions that others changed since.

    The rest does not say what the table is, and does not count when states are compared; it is there for what comes.
    files: what the table's files can hold, by path. places: locations that may be in files of others, besides those
    that the table is known to have. snapshot: version of the last whole snapshot of the state, kept: of the last
    snapshot or supplement to it; None without one.
    """

    version: int | None = None
    records: Mapping[PartitionKey, PartitionRecord] = field(default_factory=dict)
    unrecorded: PartitionSet = field(default_factory=PartitionSet.empty)
    files: Mapping[str, FileSpan] = field(default_factory=dict, compare=False)
    places: frozenset[str] = field(default=frozenset(), compare=False)
    snapshot: int | None = field(default=None, compare=False)
    kept: int | None = field(default=None, compare=False)

    @property
    def present(self) -> PartitionSet:
        """The partitions that are there, zero rows included."""
        return PartitionSet.from_keys(self.records) | self.unrecorded

    def fingerprint(self, key: PartitionKey) -> str:
        """The recorded fingerprint; ``absent`` where there is no record, ``unrecorded`` where it holds no more."""
        if key in self.unrecorded:
            return UNRECORDED
        record = self.records.get(key)
        return ABSENT if record is None else record.fingerprint

    def trusted(self, key: PartitionKey) -> PartitionRecord | None:
        """The record of ``key``, unless somebody else changed the partition since."""
        return None if key in self.unrecorded else self.records.get(key)

    def after(self, commit: Commit) -> TableState:
        """The state after one more commit."""
        state = replace(self, version=commit.version, files=self._files_after(commit))
        if commit.provenance is not None:
            wiped = commit.provenance.wiped
            left = {key: record for key, record in self.records.items() if key not in wiped} if wiped else self.records
            records = {
                key: replace(record, version=commit.version) for key, record in commit.provenance.records.items()
            }
            named = wiped | PartitionSet.from_keys(records)
            return replace(state, records={**left, **records}, unrecorded=self.unrecorded - named)
        if not commit.touched:
            return state
        known = {key.location for key in self.records if key.location is not None}
        known |= self.places.union(self.unrecorded.locations)
        spans = set(commit.touched)
        open_ended = [span for span in spans if span.first_day is None or span.last_day is None]
        doubted = PartitionSet.from_keys(key for key in self.records if any(span.covers(key) for span in open_ended))
        spanned = PartitionSet.union_of(span.spanned(known) for span in spans)
        return replace(state, unrecorded=self.unrecorded | doubted | spanned)

    def after_gap(self, version: int, with_rows: PartitionSet, files: Mapping[str, FileSpan]) -> TableState:
        """The state at ``version``, where the commits up to it cannot be read any more.

        with_rows, files: of the table as it is today. Nothing is trusted of what was known, and what has rows is there.
        """
        doubted = PartitionSet.from_keys(self.records) | with_rows
        return replace(self, version=version, unrecorded=self.unrecorded | doubted, files=files)

    def _files_after(self, commit: Commit) -> Mapping[str, FileSpan]:
        if not commit.added and not commit.removed:
            return self.files
        left = {path: span for path, span in self.files.items() if path not in commit.removed}
        return {**left, **commit.added}


def fold(commits: Iterable[Commit], start: TableState | None = None) -> TableState:
    """The state that follows from ``commits``, in their order, on top of ``start``."""
    state = start or TableState()
    for commit in commits:
        state = state.after(commit)
    return state
