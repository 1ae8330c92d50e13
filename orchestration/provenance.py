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
ABSENT = "absent"
"""The fingerprint of an upstream partition that does not exist."""

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
    """What one commit says: the run, the asset, and a record per partition (by partition key)."""

    run_id: str
    asset: str
    at: str
    records: Mapping[PartitionKey, PartitionRecord]

    def to_json(self) -> dict[str, Any]:
        """JSON values; code and contract versions that all partitions share stand once."""
        shared = _shared(self.records.values())
        partitions = {}
        for key, record in sorted(self.records.items()):
            facts = record.facts()
            partitions[str(key)] = {name: value for name, value in facts.items() if name not in shared}
        return {
            MARK: FORMAT,
            "run": self.run_id,
            "asset": self.asset,
            "at": self.at,
            "all": shared,
            "partitions": partitions,
        }

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
        return cls(data["run"], data["asset"], data["at"], records)


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
    """The partitions that a data file can hold, by its statistics: days and locations, both ends in; None: any."""

    first_day: date | None = None
    last_day: date | None = None
    first_location: str | None = None
    last_location: str | None = None

    def covers(self, key: PartitionKey) -> bool:
        """Whether rows of ``key`` can be in the file."""
        if key.day is None or key.location is None:
            return True
        return (
            (self.first_day is None or self.first_day <= key.day)
            and (self.last_day is None or key.day <= self.last_day)
            and (self.first_location is None or self.first_location <= key.location)
            and (self.last_location is None or key.location <= self.last_location)
        )

    def spanned(self, locations: Iterable[str]) -> PartitionSet:
        """The partitions of ``locations`` that the file can hold; empty where its days are unknown."""
        if self.first_day is None or self.last_day is None:
            return PartitionSet.empty()
        span = Days.of(self.first_day, self.last_day)
        ends = {place for place in (self.first_location, self.last_location) if place is not None}
        inside = [place for place in {*locations, *ends} if self.covers(PartitionKey(self.first_day, place))]
        return PartitionSet.of(span, inside)


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit of a table. touched: the files it added or removed with a change of data."""

    version: int
    provenance: Provenance | None
    touched: tuple[FileSpan, ...] = ()


@dataclass(frozen=True, slots=True)
class TableState:
    """What a table is at a version: a record per partition, and the partitions that others changed since."""

    version: int | None = None
    records: Mapping[PartitionKey, PartitionRecord] = field(default_factory=dict)
    unrecorded: PartitionSet = field(default_factory=PartitionSet.empty)

    @property
    def present(self) -> PartitionSet:
        """The partitions that are there, zero rows included."""
        return PartitionSet.from_keys(self.records) | self.unrecorded

    def fingerprint(self, key: PartitionKey) -> str:
        """The recorded fingerprint; ``absent`` where there is no record."""
        record = self.records.get(key)
        return ABSENT if record is None else record.fingerprint

    def trusted(self, key: PartitionKey) -> PartitionRecord | None:
        """The record of ``key``, unless somebody else changed the partition since."""
        return None if key in self.unrecorded else self.records.get(key)

    def after(self, commit: Commit) -> TableState:
        """The state after one more commit."""
        if commit.provenance is not None:
            records = {
                key: replace(record, version=commit.version) for key, record in commit.provenance.records.items()
            }
            named = PartitionSet.from_keys(records)
            return TableState(commit.version, {**self.records, **records}, self.unrecorded - named)
        if not commit.touched:
            return replace(self, version=commit.version)
        known = {key.location for key in self.records if key.location is not None}
        doubted = PartitionSet.from_keys(
            key for key in self.records if any(span.covers(key) for span in commit.touched)
        )
        for span in commit.touched:
            doubted |= span.spanned(known)
        return TableState(commit.version, self.records, self.unrecorded | doubted)


def fold(commits: Iterable[Commit], start: TableState | None = None) -> TableState:
    """The state that follows from ``commits``, in their order, on top of ``start``."""
    state = start or TableState()
    for commit in commits:
        state = state.after(commit)
    return state
