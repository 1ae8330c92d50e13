"""What a source is: where rows come from that no asset makes.

An asset names its source; the composition root has a source by that name. The engine asks which requests bring which
partitions, sends them, and keeps of every answer what was sent: so that the same answer is never taken for a new one.

Pure: this is what is asked of a source, not how it answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol, TypeVar, runtime_checkable

from orchestration.core.partitions.days import Days
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.partitions.location import Location
from orchestration.core.state.partition_record import Question

INGESTED_AT = "_ingested_at"
"""The column, added by the engine, that says when an answer was taken in."""


REAL, SIMULATED = "real", "simulated"
"""Kinds of what sources send: real answers, also recorded ones that are served again, and made-up ones."""
_KINDS = {REAL: "real answers", SIMULATED: "made-up values of a simulator"}


def kind_in_words(kind: str) -> str:
    """A kind of what a source sends, for people; what a newer version calls otherwise, as it does."""
    return _KINDS.get(kind, repr(kind))


@dataclass(frozen=True, eq=False, slots=True)
class Answer:
    """What a source has for one location.

    rows: an Arrow table with the source's columns. digests: per requested day, also of one without rows, what tells
    this day's rows from any others: equal for the same rows, however they were sent. lacking: the columns of which it
    has nothing at all, and why, for people; they are null in ``rows``. kind: ``REAL`` or ``SIMULATED``, as the answer
    itself says.
    """

    location: str
    rows: Any
    digests: Mapping[date, str]
    lacking: Mapping[str, str] = field(default_factory=dict)
    kind: str = REAL


@dataclass(frozen=True, eq=False, slots=True)
class Reply:
    """What a source sent to one request.

    answers: for its locations. asked: the moment of asking (aware), by the source's clock where that was compared.
    body: what it sent, word for word; no secret is in it. attempts_left: so many of the attempts that the request had
    were not made; 0 too where that is not known.
    """

    answers: Sequence[Answer]
    asked: datetime
    body: bytes
    attempts_left: int = 0


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """A reply as it is kept.

    asset: for which it was asked. source: its name. asked: the moment of asking (ISO 8601, UTC). forced: by
    ``--force``. first, last: of the days that were asked for, both in. locations: their keys. request: what the source
    needs to read ``body`` again, as JSON values, without secrets.
    """

    asset: str
    source: str
    asked: str
    run_id: str
    forced: bool
    first: date
    last: date
    locations: tuple[str, ...]
    request: Mapping[str, Any]
    body: bytes

    @property
    def partitions(self) -> PartitionSet:
        """What was asked for, as days of a source."""
        return PartitionSet.of(Days.of(self.first, self.last), self.locations)


class FetchRequest(Protocol):
    """One request to a source: some days of some locations; ``str()`` says which."""

    @property
    def locations(self) -> tuple[Location, ...]: ...

    @property
    def days(self) -> Days: ...


R = TypeVar("R", bound=FetchRequest)


class Source(Protocol[R]):
    """Where the rows of an asset are fetched. Shared by threads."""

    @property
    def address(self) -> str:
        """Where it is, for people; without secrets."""
        ...

    @property
    def first_day(self) -> date:
        """The first day that it has."""
        ...

    @property
    def values_from(self) -> date:
        """From which day on it has values everywhere. Days without one before that may never have had any."""
        ...

    @property
    def columns(self) -> Sequence[tuple[str, str]]:
        """Names and Spark types of the columns of its rows; the asset's own table keeps them by these names."""
        ...

    @property
    def called(self) -> Mapping[str, str]:
        """Its own names of columns, where it has others for them: column → name."""
        ...

    def requests(self, wanted: PartitionSet, locations: Sequence[Location]) -> Sequence[R]:
        """The requests that ask for every wanted partition once, in the order in which they are sent.

        locations: the configured ones, of which ``wanted`` names some. Some locations of a request, on its days, are
        one request too.
        """
        ...

    def alone(self, request: R, location: Location) -> R:
        """The same request for one of its locations."""
        ...

    def fetch(
        self, request: R, now: Callable[[], datetime], cancelled: Callable[[], bool], attempts: int | None = None
    ) -> Reply:
        """The reply to a request, without anything after the moment of asking. now: the clock (aware). attempts: so
        often it is asked at the most; None: as configured. How many of them are left, reply and error say.

        Raises a SourceError of ``core.errors``: SourceUnreachable (no answer, or half of one), SourceLimited (asked too
        much), SourceRefused (the request is wrong), SourceNonsense (the answer is), FetchCancelled (``cancelled`` says
        so), or itself where the source failed. Unreachable, limited and cancelled are taken to concern all locations.
        """
        ...

    def described(self, request: R) -> Mapping[str, Any]:
        """What is needed to read the reply to a request again, as JSON values, without secrets."""
        ...

    def read(self, request: Mapping[str, Any], body: bytes, asked: datetime) -> Sequence[Answer]:
        """The answers of a reply that was kept. request: as ``described``; asked: the moment of asking.

        Raises SourceNonsense for a body that is no answer to it.
        """
        ...

    def asked_then(self, request: Mapping[str, Any], location: str) -> Question:
        """What a request that was ``described`` asked about one of its locations."""
        ...

    def only(self, rows: Any, days: Days) -> Any:
        """Those rows of an answer that are of ``days``."""
        ...

    def more_may_come(self, day: date) -> bool:
        """Whether it may have more of a day that was not over when it was asked. When a day is over its asset's
        partition scheme says."""
        ...

    def question(self, location: Location) -> Question:
        """What it is asked today about a location."""
        ...

    def difference(self, location: str, then: Question, now: Question) -> str:
        """In which way two questions about a location are not the same, in words; empty where they are."""
        ...

    def is_elsewhere(self, then: Question, now: Question) -> bool:
        """Whether two questions are about locations so far apart that the source answers them with other rows."""
        ...


@runtime_checkable
class Examinable(Protocol):
    """A source that can be asked whether it is in good health."""

    @property
    def terms(self) -> str:
        """How much of it may be asked, and whether with a key, for people; without secrets."""
        ...

    def examined(self, location: Location, now: Callable[[], datetime]) -> str:
        """Ask it one small question: what it answered and how long that took, for people. Takes seconds at most.

        Raises SourceError.
        """
        ...


@runtime_checkable
class Checkable(Protocol):
    """A source that may be out of this machine's reach for a reason that is known without asking."""

    def check_way(self) -> None:
        """Raises UsageError where there is no way to it. Sends nothing."""
        ...


@runtime_checkable
class Kinded(Protocol):
    """A source that can tell of which kind it is without being asked for rows."""

    @property
    def address(self) -> str:
        """Where it is, for people; without secrets."""
        ...

    @property
    def kind(self) -> str:
        """``REAL`` or ``SIMULATED``; empty where it does not tell now."""
        ...
