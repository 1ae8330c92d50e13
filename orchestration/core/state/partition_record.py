"""What a commit records of one partition, and what such a record refers to: questions to sources, shapes of contracts.

Must not know: how records are written (``provenance_format``), nor how they become a table's state (``table_state``).
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
"""Names under which a record counts more than its asset's checks. ``frozen_hours``: hours in which the source's values
stand still. ``optional_values_withdrawn``: values of optional columns that became null with the newest answer."""

_NOTHING: dict[str, Any] = {}


def nothing() -> dict[str, Any]:
    """An empty mapping. All records share it, since most have several empty fields; it must never be changed."""
    return _NOTHING


Inputs = Mapping[str, Mapping[str, str]]
"""Upstream asset (or source) → partition key consulted → its fingerprint (see ``TableState.consulted``)."""


class Stamp(NamedTuple):
    """The commit that a record is of: the version that the commit became, its run, and its time (ISO 8601, UTC)."""

    version: int
    run_id: str
    at: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a source, as the record of a partition names it."""

    asked: str
    """When the request was sent (ISO 8601, UTC); empty where format 1 of provenance did not keep it."""
    digest: str
    """Digest of what the source sent for the partition."""
    forced: bool = False
    """Whether the run was started with ``--force``."""
    hours: int | None = None
    """The hours whose rows are from this answer, as a mask (bit 0: the first hour of the period); None for all
    hours.
    """
    question: str = ""
    """Id of the question that this answer is to; empty where it is the record's own ``question``."""
    broken: int | None = None
    """The hours whose rows broke a row rule when this answer arrived, as a mask; None where nobody checked that."""


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """Hours in which an answer did not replace the stored row, since it has no value where that row has one."""

    asked: str
    """When the request was sent (ISO 8601, UTC)."""
    digest: str
    """Digest of what the source sent for the partition."""
    hours: int
    """The hours, as a mask (bit 0: the first hour of the period)."""
    variables: tuple[str, ...] = ()
    """The columns in which the answer has no value; empty where it left the hours out altogether."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a source is asked for. Two requests with equal questions can be compared."""

    source: str
    domain: str
    variables: tuple[str, ...]
    latitude: float | None
    """Degrees, WGS 84; None for a source without locations."""
    longitude: float | None
    """Degrees, WGS 84; None for a source without locations."""

    @property
    def id(self) -> str:
        """12 hexadecimal digits: a digest of the question as canonical JSON, in which 21 degrees are written 21.0."""
        degrees = [None if value is None else float(value) for value in (self.latitude, self.longitude)]
        said = json.dumps([self.source, self.domain, list(self.variables), *degrees], separators=(",", ":"))
        return hashlib.sha256(said.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a contract demanded of a table at the time of a commit."""

    columns: tuple[tuple[str, str, bool], ...]
    """Name, type, and whether it may be null, of each column in the contract's order."""
    rest: str
    """16 hexadecimal digits: a digest of key and row rules."""
    key: tuple[str, ...] = ()
    """The columns whose values together are unique."""


@dataclass(frozen=True, slots=True)
class PartitionRecord:
    """What a commit recorded of one partition.

    Records share equal parts, so nothing in them may be changed.
    """

    rows: int
    """The number of rows."""
    fingerprint: str
    """Digest of the content. It depends neither on the order of rows nor on ``_ingested_at``."""
    inputs: Inputs
    """The upstream partitions on which this one depends, with their fingerprints at that time."""
    code: str
    """The code version that made the rows."""
    contract: str
    """The digest of the contract under which the rows were made."""
    checks: Mapping[str, int] = field(default_factory=nothing)
    """The number of violations of each check that has any."""
    as_of: str = ""
    """When the source was asked (ISO 8601, UTC), for a partition whose period was not over then; else empty."""
    run_id: str = ""
    """The run that committed the record."""
    at: str = ""
    """When the record was committed (ISO 8601, UTC)."""
    version: int = -1
    """The version of the table that the commit became."""
    also: Mapping[str, str] = field(default_factory=nothing)
    """Digest of an earlier contract → the fingerprint of the same rows over the columns of that contract."""
    answers: tuple[Answer, ...] = ()
    """The answers of the source from which the rows are."""
    turned_away: tuple[TurnedAway, ...] = ()
    """The answers that did not replace a stored row."""
    question: str = ""
    """Id of the question to which the newest answer is."""
    values: Mapping[str, int] = field(default_factory=nothing)
    """How many values (not nulls) each fetched column has."""
    check_versions: Mapping[str, str] = field(default_factory=nothing)
    """The version of each check whose violations were counted."""

    def says_the_same_as(self, other: PartitionRecord) -> bool:
        """Whether both records state the same facts, whoever committed them and when.

        Three differences do not count, so that a forced fetch that brings nothing new makes no commit: when the same
        answer was asked for, whether it was forced, and which optional values it withdrew (the same answer, forced
        again, withdraws none). The digest of an answer and the hours that are from it do count.
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
        """The facts as JSON values, without run, time and version. Fields that were introduced later are left out where
        they are empty.

        An answer is ``[asked, digest, forced, hours, question, broken]``, without the last two where they are empty. A
        ``TurnedAway`` is ``[asked, digest, hours, variables]``.
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
