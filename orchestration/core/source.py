"""A source: where the rows of an asset come from that has no upstream asset.

An asset names its source. The composition root (``project.py``) holds the source of that name. The engine asks the
source which requests fetch which partitions, sends these requests, and keeps a digest of every answer. By the digest it
recognizes an answer that it has seen before.

Pure: this module declares what every source must offer. How a source does it is in ``resources``.
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
"""The column that the engine adds to fetched rows: the instant at which the answer arrived."""


REAL, SIMULATED = "real", "simulated"
"""Kinds of what sources send: real answers, also recorded ones that are served again, and made-up ones."""
_KINDS = {REAL: "real answers", SIMULATED: "made-up values of a simulator"}


def kind_in_words(kind: str) -> str:
    """A kind (``REAL``, ``SIMULATED``) in words for people. A kind that only a newer version knows is shown as it
    is."""
    return _KINDS.get(kind, repr(kind))


@dataclass(frozen=True, eq=False, slots=True)
class Answer:
    """The rows that a source has for one location."""

    location: str
    rows: Any
    """An Arrow table with the source's columns."""
    digests: Mapping[date, str]
    """A digest of each requested day's rows, also of a day without rows. Equal rows have equal digests, however they
    were sent."""
    lacking: Mapping[str, str] = field(default_factory=dict)
    """The columns of which the source has no value at all → the reason, for people. These columns are null in
    ``rows``."""
    kind: str = REAL
    """``REAL`` or ``SIMULATED``, as the answer itself says."""
    unasked: Mapping[str, str] = field(default_factory=dict)
    """The columns that the source was not asked for and sent all the same → the reason, for people. Their values are in
    ``rows``."""


@dataclass(frozen=True, eq=False, slots=True)
class Reply:
    """The response of a source to one request."""

    answers: Sequence[Answer]
    """One answer for each location of the request."""
    asked: datetime
    """When the request was sent (aware). By the source's clock where that clock is known, else by the run's."""
    body: bytes
    """The response as it was sent, word for word. It holds no secret."""
    attempts_left: int = 0
    """How many of the request's attempts were not needed; also 0 where that is not known."""


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """A reply as it is kept in storage, so that it can be read again without the network."""

    asset: str
    """Key of the asset for which the request was sent."""
    source: str
    """Name of the source."""
    asked: str
    """When the request was sent (ISO 8601, UTC)."""
    run_id: str
    """The run that sent the request."""
    forced: bool
    """Whether the run was started with ``--force``."""
    first: date
    """The first of the requested days."""
    last: date
    """The last of the requested days, included."""
    locations: tuple[str, ...]
    """Keys of the requested locations."""
    request: Mapping[str, Any]
    """The request as JSON values without secrets; ``Source.read`` needs it to read ``body`` again."""
    body: bytes

    @property
    def partitions(self) -> PartitionSet:
        """The partitions that were requested: every requested day at every requested location."""
        return PartitionSet.of(Days.of(self.first, self.last), self.locations)


class FetchRequest(Protocol):
    """One request to a source: some days of some locations; ``str()`` says which."""

    @property
    def locations(self) -> tuple[Location, ...]: ...

    @property
    def days(self) -> Days: ...


R = TypeVar("R", bound=FetchRequest)


class Source(Protocol[R]):
    """A source from which an asset's rows are fetched. One object is used by several threads."""

    @property
    def address(self) -> str:
        """The address of the source, for people; without secrets."""
        ...

    @property
    def first_day(self) -> date:
        """The first day for which the source can be asked."""
        ...

    @property
    def values_from(self) -> date:
        """The first day from which on the source has values at every location. An earlier day without values may never
        get any."""
        ...

    @property
    def columns(self) -> Sequence[tuple[str, str]]:
        """The columns of the source's rows: names and Spark types. The asset's own table has these columns under the
        same names."""
        ...

    @property
    def called(self) -> Mapping[str, str]:
        """The columns that the source itself calls otherwise: column → the source's name for it."""
        ...

    def requests(self, wanted: PartitionSet, locations: Sequence[Location]) -> Sequence[R]:
        """The requests that together ask for every wanted partition once, in the order in which they are to be sent.

        wanted: the partitions to be fetched. locations: all configured locations; ``wanted`` names some of them. A
        request can be cut into requests for fewer of its locations on the same days (see ``alone``).
        """
        ...

    def alone(self, request: R, location: Location) -> R:
        """The same request for only one of its locations."""
        ...

    def fetch(
        self, request: R, now: Callable[[], datetime], cancelled: Callable[[], bool], attempts: int | None = None
    ) -> Reply:
        """Send a request and read the reply. The reply has no rows of instants after the request was sent.

        now: the clock (aware). cancelled: the fetch ends early when it returns True. attempts: how often the request
        may be sent at most; None for the configured number. Reply and error both report how many attempts were left.

        Raises a SourceError of ``core.errors``: SourceUnreachable (no answer, or half of one), SourceLimited (a limit
        of calls is used up), SourceRefused (the request is wrong), SourceNonsense (the answer is wrong), FetchCancelled
        (``cancelled`` returned True), or SourceError itself where the source failed. SourceUnreachable, SourceLimited
        and FetchCancelled are taken to concern all locations.
        """
        ...

    def described(self, request: R) -> Mapping[str, Any]:
        """A request as JSON values without secrets: all that ``read`` needs to read its reply again."""
        ...

    def read(self, request: Mapping[str, Any], body: bytes, asked: datetime) -> Sequence[Answer]:
        """Read the body of a kept reply again.

        request: as ``described`` returned it. asked: when the request was sent (aware). Raises SourceNonsense where the
        body is no answer to the request.
        """
        ...

    def asked_then(self, request: Mapping[str, Any], location: str) -> Question:
        """The question that a kept request (as ``described``) asked about one of its locations."""
        ...

    def only(self, rows: Any, days: Days) -> Any:
        """Those rows of an answer that lie on ``days``."""
        ...

    def more_may_come(self, day: date) -> bool:
        """Whether the source may have more rows of a day that was not over when the source was asked. Whether a day is
        over is for the asset's partition scheme to say."""
        ...

    def question(self, location: Location) -> Question:
        """The question that would be asked about a location today."""
        ...

    def difference(self, location: str, then: Question, now: Question) -> str:
        """How two questions about one location differ, in words; empty where they are the same."""
        ...

    def is_elsewhere(self, then: Question, now: Question) -> bool:
        """Whether two questions are about points so far apart that the source answers them with different rows."""
        ...


@runtime_checkable
class Examinable(Protocol):
    """A source that can be asked whether it works."""

    @property
    def terms(self) -> str:
        """How many calls the source allows, and whether a key is used; for people, without secrets."""
        ...

    def examined(self, location: Location, now: Callable[[], datetime]) -> str:
        """Send the source one small request; returns what it answered and how long that took, for people. Takes a few
        seconds at most.

        Raises SourceError.
        """
        ...


@runtime_checkable
class Checkable(Protocol):
    """A source that this machine may be unable to reach, for a reason that is known before any request is sent."""

    def check_way(self) -> None:
        """Raises UsageError where this machine cannot reach the source. Sends nothing."""
        ...


@runtime_checkable
class Translating(Protocol):
    """A source whose recorded questions do not say in today's words what was asked."""

    def domain_of(self, question: Question) -> str:
        """The domain that was asked for, for people."""
        ...


@runtime_checkable
class Kinded(Protocol):
    """A source that can say whether its rows are real or simulated before any rows are fetched."""

    @property
    def address(self) -> str:
        """The address of the source, for people; without secrets."""
        ...

    @property
    def kind(self) -> str:
        """``REAL`` or ``SIMULATED``; empty where the source does not say at the moment."""
        ...
