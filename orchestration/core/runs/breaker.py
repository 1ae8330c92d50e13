"""The circuit breaker: how a run asks a source, and when it stops asking.

A request that fails may fail because of one location. Then the request is *narrowed down*: it is sent again for fewer
locations, until the location that causes the failure is alone. If no location can be the cause, the breaker *opens*,
and the run sends nothing more to this source:

========================  =========================================================================================
at once                   a limit is used up, the key or a variable refused, the clock wrong, the host not reached, …
after several in a row    requests that failed at all locations, for any reason (HTTP 5xx, nonsense, …)
========================  =========================================================================================

However the source behaves, it gets at most (requests of the run) × (attempts of one request) + one for each location.
Attempts that a request did not need are *spare*, and only spare attempts are used for narrowing down. A location that
failed alone is asked by itself from then on, so that it does not spoil requests of others.

Pure: the function that sends requests is an argument.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Generic, TypeVar

from orchestration.core.errors import (
    FetchCancelled,
    SourceError,
    SourceNotAsked,
    SourceRefused,
    SourceUnreachable,
)

IN_A_ROW = 3
"""The breaker opens after this many requests in a row without any answer."""
ONE_BY_ONE = 4
"""Up to this many locations are asked one by one. More are halved first, as long as enough attempts are spare to ask
each location alone."""

Answer = TypeVar("Answer")
Send = Callable[[tuple[str, ...], int | None], tuple[Mapping[str, Answer], int]]
"""Sends a request for some locations. The second argument is the number of attempts (None: the configured number).
Gives the answer of each location, and how many attempts were left. Raises SourceError."""
Found = dict[str, Answer | SourceError]
"""Location → its answer, or the error because of which it has none."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """What a run has learned about a source. Immutable: every event gives a new one."""

    spare: int = 0
    """How many more requests may be sent for narrowing down."""
    in_a_row: int = 0
    """Requests since the last answer that failed at all locations."""
    unreached: int = 0
    """Narrowing requests in a row that did not reach the source."""
    suspects: Mapping[str, SourceError] = field(default_factory=lambda: MappingProxyType({}))
    """Locations that failed alone while others were answered, with their errors."""
    known: frozenset[str] = frozenset()
    """The locations that were counted into ``spare``."""
    opened: SourceError | None = None
    """The error because of which nothing more is asked; None while the breaker is closed."""

    def of(self, locations: Collection[str]) -> Breaker:
        """After a request of the run for ``locations`` was announced. Each new location allows one more request for
        itself alone."""
        known = self.known.union(locations)
        return replace(self, spare=self.spare + len(known) - len(self.known), known=known)

    def saved(self, left: int) -> Breaker:
        """After a request of the run left ``left`` attempts unused."""
        return replace(self, spare=self.spare + max(0, left))

    def open(self, error: SourceError) -> Breaker:
        """The opened breaker. A cancelled fetch does not open it: that says nothing about the source."""
        return self if self.opened is not None or isinstance(error, FetchCancelled) else replace(self, opened=error)

    def spent(self, given: int, left: int, error: SourceError | None) -> Breaker:
        """After a narrowing request that was given ``given`` spare attempts and left ``left`` of them. error: None if
        it was answered."""
        found = replace(self, spare=self.spare - given + min(given, max(0, left)))
        if error is None:
            return replace(found, unreached=0)
        if isinstance(error, SourceUnreachable):  # it had fewer attempts than others: once is not enough
            found = replace(found, unreached=found.unreached + 1)
            return found.open(error) if found.unreached >= IN_A_ROW else found
        return found if error.of_location else found.open(error)

    def ended(self, found: Mapping[str, object]) -> Breaker:
        """After a request of the run, with all its narrowing requests. found: for each location an answer or an
        error.
        """
        errors = {key: one for key, one in found.items() if isinstance(one, SourceError)}
        answered = found.keys() - errors.keys()
        suspects = {key: error for key, error in self.suspects.items() if key not in answered}
        if answered:
            suspects |= {key: error for key, error in errors.items() if error.of_location}
            return replace(self, in_a_row=0, suspects=MappingProxyType(suspects))
        failed = [error for error in errors.values() if not isinstance(error, SourceRefused | SourceNotAsked)]
        if not failed or self.opened is not None:
            return self
        row = replace(self, in_a_row=self.in_a_row + 1)
        return row.open(failed[-1]) if row.in_a_row >= IN_A_ROW else row


def ask(breaker: Breaker, locations: Sequence[str], send: Send[Answer]) -> tuple[Breaker, Found[Answer]]:
    """Send one request of a run, and narrow it down where it fails. Gives the new breaker, and an answer or an error
    for each location."""
    if breaker.opened is not None:
        return breaker, _all(locations, SourceNotAsked(breaker.opened))
    others = tuple(key for key in locations if key not in breaker.suspects) or tuple(locations)
    asking = _Asking(breaker, send)
    asking.whole(others)
    for key in locations:
        if key not in others:
            asking.alone_again(key)
    found = {key: asking.found[key] for key in locations}
    if any(isinstance(error, FetchCancelled) for error in found.values()):
        return asking.breaker, found
    return asking.breaker.ended(found), found


def _all(locations: Sequence[str], error: SourceError) -> dict[str, Answer | SourceError]:
    return dict.fromkeys(locations, error)


class _Asking(Generic[Answer]):
    """One request of a run, while it is sent and narrowed down. found: what is known so far."""

    def __init__(self, breaker: Breaker, send: Send[Answer]) -> None:
        self.breaker = breaker
        self.found: Found[Answer] = {}
        self._send = send

    def whole(self, locations: tuple[str, ...]) -> None:
        """Send the request for all locations together, with all its attempts."""
        try:
            answers, left = self._send(locations, None)
        except SourceError as error:
            self.breaker = self.breaker.saved(error.attempts_left)
            if not error.of_location:
                self.breaker = self.breaker.open(error)
            if not error.of_location or len(locations) == 1:
                self.found |= _all(locations, error)
            else:
                self._narrow(locations, error)
        else:
            self.breaker = self.breaker.saved(left)
            self.found |= answers

    def alone_again(self, location: str) -> None:
        """Send a request with one attempt for a location that failed alone earlier in the run."""
        if (opened := self.breaker.opened) is not None:
            self.found[location] = SourceNotAsked(opened)
        elif not self.breaker.spare:
            self.found[location] = SourceNotAsked(self.breaker.suspects[location])
        elif (error := self._ask((location,), 1)) is not None:
            self.found[location] = error

    def _narrow(self, locations: tuple[str, ...], error: SourceError) -> None:
        """Send requests for parts of ``locations``, which failed together with ``error``. This ends when each location
        that causes a failure has failed alone, or when no attempt is spare; then the locations that are left get the
        error of the last larger part."""
        left = deque(_parts(locations, error, ones=len(locations) <= ONE_BY_ONE))
        while left:  # a half's other half comes before its own halves: where that is answered, much is spare
            part, of_more = left.popleft()
            unresolved = len(part) + sum(len(other) for other, _ in left)
            spare = self.breaker.spare
            if (opened := self.breaker.opened) is not None:
                self.found |= _all(part, SourceNotAsked(opened))
            elif not spare:
                self.found |= _all(part, of_more)
            elif len(part) > 1 and spare == unresolved:
                left.extendleft(reversed(_parts(part, of_more, ones=True)))
            elif (failed := self._ask(part, max(1, spare // unresolved) if len(part) == 1 else 1)) is None:
                continue
            elif len(part) > 1 and self.breaker.opened is None and _may_be_of_one(failed):
                left += _parts(part, failed, ones=len(part) <= ONE_BY_ONE)
            else:
                self.found |= _all(part, failed)

    def _ask(self, part: tuple[str, ...], attempts: int) -> SourceError | None:
        """Send a narrowing request for ``part``, with spare attempts. Gives its error; None if it was answered."""
        try:
            answers, left = self._send(part, attempts)
        except SourceError as error:
            self.breaker = self.breaker.spent(attempts, error.attempts_left, error)
            return error
        self.breaker = self.breaker.spent(attempts, left, None)
        self.found |= answers
        return None


def _parts(locations: tuple[str, ...], error: SourceError, *, ones: bool) -> list[tuple[tuple[str, ...], SourceError]]:
    """Both halves of ``locations``, or each location alone (``ones``), paired with the error of all of them
    together.
    """
    size = 1 if ones else -(-len(locations) // 2)
    return [(locations[at : at + size], error) for at in range(0, len(locations), size)]


def _may_be_of_one(error: SourceError) -> bool:
    """Whether fewer locations than those that failed may be answered. A narrowing request has fewer attempts than one
    of the run, so even an unreachable source may answer next time."""
    return error.of_location or isinstance(error, SourceUnreachable)
