"""What is recorded of one partition, and what its record refers to: questions to sources, shapes of contracts.

Must not know: how it is written (``provenance_format``), and what becomes of it in a table's state (``table_state``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

ABSENT = "absent"
"""The fingerprint of an upstream partition that does not exist."""
UNRECORDED = "unrecorded"
"""The fingerprint of an upstream partition that somebody else changed: what was read of it is not known."""

FROZEN, FADED = "frozen_hours", "optional_values_withdrawn"
"""What is counted of a fetched partition beside its asset's checks: hours of a feed that stands still, and values of
columns that are not essential which turned null with the answer that was folded in last."""

_NOTHING: dict[str, Any] = {}


def nothing() -> dict[str, Any]:
    """The empty mapping of all that have nothing to say; never to be changed. There are several for each partition."""
    return _NOTHING


Inputs = Mapping[str, Mapping[str, str]]
"""Upstream asset (or source) → partition key consulted → its fingerprint (see ``TableState.consulted``)."""


class Stamp(NamedTuple):
    """Which commit a record is of: the version that it became, the run, and when (ISO 8601, UTC)."""

    version: int
    run_id: str
    at: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a source.

    asked: when it was asked for (ISO 8601, UTC); empty where format 1 did not keep it. digest: of what was sent for
    the partition. hours: mask of the partition's hours that it owns (bit 0: 00:00), None for all of them. question:
    the id of what was asked, empty for that of the record. broken: mask of its hours whose rows broke a row rule when
    it was folded; None where that was not judged.
    """

    asked: str
    digest: str
    forced: bool = False
    hours: int | None = None
    question: str = ""
    broken: int | None = None


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """What an answer did not get to replace: the hours (a mask), and the variables of them, none for all."""

    asked: str
    digest: str
    hours: int
    variables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """What a source was asked. latitude, longitude: in degrees, None for a source that has no locations."""

    source: str
    domain: str
    variables: tuple[str, ...]
    latitude: float | None
    longitude: float | None

    @property
    def id(self) -> str:
        """12 hex digits of its canonical JSON, in which 21 degrees are 21.0."""
        degrees = [None if value is None else float(value) for value in (self.latitude, self.longitude)]
        said = json.dumps([self.source, self.domain, list(self.variables), *degrees], separators=(",", ":"))
        return hashlib.sha256(said.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a contract demanded of the table.

    columns: name, type, whether it may be null, in the contract's order. rest: 16 hex digits of key and row rules.
    key: columns whose values are unique.
    """

    columns: tuple[tuple[str, str, bool], ...]
    rest: str
    key: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PartitionRecord:
    """What a commit recorded of one partition.

    rows: number of rows; fingerprint: of its content, without the order of rows and without ``_ingested_at``.
    inputs: the fingerprints consulted. code, contract: versions. checks: violations per check, non-zero ones only.
    as_of: the clock (ISO 8601, UTC) when the source was asked; empty for assets without source.
    run_id, at, version: who committed it, when (ISO 8601, UTC), as which version of the table.
    also: digest of an earlier contract → the fingerprint of the same rows over its columns.
    answers: of the source, whose values the rows are. turned_away: those that did not get to replace them.
    question: the id of what the source was asked. values: how many values (not nulls) each fetched column has.
    check_versions: check → version of the check that was counted.
    Records share equal parts: nothing in them may be changed.
    """

    rows: int
    fingerprint: str
    inputs: Inputs
    code: str
    contract: str
    checks: Mapping[str, int] = field(default_factory=nothing)
    as_of: str = ""
    run_id: str = ""
    at: str = ""
    version: int = -1
    also: Mapping[str, str] = field(default_factory=nothing)
    answers: tuple[Answer, ...] = ()
    turned_away: tuple[TurnedAway, ...] = ()
    question: str = ""
    values: Mapping[str, int] = field(default_factory=nothing)
    check_versions: Mapping[str, str] = field(default_factory=nothing)

    def says_the_same_as(self, other: PartitionRecord) -> bool:
        """Whether both record the same facts, whoever committed them and when.

        When the same answer was asked for, and whether it was forced, is none: who forces a fetch of what has not
        changed must not make a commit. What it says (digest) and which hours it owns does count. Nor is
        what turned null with an answer: the same one, forced again, does not say it any more.
        """
        return self._compared() == other._compared()

    def has_content_of(self, other: PartitionRecord) -> bool:
        """Whether both stand for the same rows."""
        return (self.rows, self.fingerprint) == (other.rows, other.fingerprint)

    def _compared(self) -> tuple[Any, ...]:
        said = (self.rows, self.fingerprint, self.code, self.contract, self.as_of, self.question, self.turned_away)
        checks = {name: count for name, count in self.checks.items() if name != FADED}
        more = (self.inputs, checks, self.also, self.values, self.check_versions)
        return said, more, tuple((one.digest, one.hours, one.question, one.broken or 0) for one in self.answers)

    def facts(self) -> dict[str, Any]:
        """The recorded facts as JSON values; run, time and version aside. Those that came later only where not empty.

        An answer is ``[asked, digest, forced, hours, question, broken]``, the last two left out where empty; what was
        turned away ``[asked, digest, hours, variables]``.
        """
        facts: dict[str, Any] = {
            "rows": self.rows,
            "fp": self.fingerprint,
            "in": {asset: dict(consulted) for asset, consulted in self.inputs.items()},
            "code": self.code,
            "contract": self.contract,
        }
        more: dict[str, Any] = {
            "checks": dict(self.checks),
            "as_of": self.as_of,
            "also": dict(self.also),
            "answers": [_plain(one) for one in self.answers],
            "turned_away": [[one.asked, one.digest, one.hours, list(one.variables)] for one in self.turned_away],
            "question": self.question,
            "values": dict(self.values),
            "check_versions": dict(self.check_versions),
        }
        return facts | {name: value for name, value in more.items() if value}


def _plain(answer: Answer) -> list[Any]:
    said: list[Any] = [answer.asked, answer.digest, answer.forced, answer.hours]
    return said if not answer.question and answer.broken is None else [*said, answer.question, answer.broken]


def as_items(location: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """A mapping as a value that can stand in a set: its items, sorted by name."""
    return tuple(sorted(location.items()))
