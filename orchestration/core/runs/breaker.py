"""Asking a source in a run: what may be the fault of one location is narrowed down to it; what is nobody's ends it.

========================  =========================================================================================
at once                   a limit is used up, the key or a variable refused, the clock wrong, the host not reached, …
after several in a row    requests of which nothing came, for reasons that may be anybody's (HTTP 5xx, nonsense)
========================  =========================================================================================

Then nothing more is asked in the run. However a source behaves, it is sent no more than (requests of the run) ×
(attempts of one) + one a location: what requests do not need of their attempts is spare, and narrowing down lives on
what is spare. A location that failed alone is asked by itself from then on, so that it spoils no other's request.

Pure: who sends is a function that is given.
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
"""So many requests in a row that brought nothing are no accident."""
ONE_BY_ONE = 4
"""So few locations are asked one by one; more are halved first, as long as that leaves enough to ask each alone."""

Answer = TypeVar("Answer")
Send = Callable[[tuple[str, ...], int | None], tuple[Mapping[str, Answer], int]]
"""Asks for some locations of a request, with so many attempts (None: as many as the source is set to): an answer for
each, and how many attempts were not needed. Raises SourceError."""
Found = dict[str, Answer | SourceError]


@dataclass(frozen=True, slots=True)
class Breaker:
    """What a run knows of a source; each event makes another of it.

    spare: so many requests may be sent beyond one for each attempt of the run's own. in_a_row: requests since the last
    answer of which nothing came; unreached: the same of such as narrow down. suspects: locations that failed alone
    where others were answered, and how. known: locations that were counted. opened: why nothing more is asked.
    """

    spare: int = 0
    in_a_row: int = 0
    unreached: int = 0
    suspects: Mapping[str, SourceError] = field(default_factory=lambda: MappingProxyType({}))
    known: frozenset[str] = frozenset()
    opened: SourceError | None = None

    def of(self, locations: Collection[str]) -> Breaker:
        """A run asks for these too: each of them may be asked by itself once."""
        known = self.known.union(locations)
        return replace(self, spare=self.spare + len(known) - len(self.known), known=known)

    def saved(self, left: int) -> Breaker:
        """A request of the run did not need so many attempts."""
        return replace(self, spare=self.spare + max(0, left))

    def open(self, error: SourceError) -> Breaker:
        """Nothing more is asked. Who cancels a fetch says nothing of the source."""
        return self if self.opened is not None or isinstance(error, FetchCancelled) else replace(self, opened=error)

    def spent(self, given: int, left: int, error: SourceError | None) -> Breaker:
        """A request that narrows down was given so many attempts of what is spare, and did not need so many."""
        found = replace(self, spare=self.spare - given + min(given, max(0, left)))
        if error is None:
            return replace(found, unreached=0)
        if isinstance(error, SourceUnreachable):  # it had fewer attempts than others: once is not enough
            found = replace(found, unreached=found.unreached + 1)
            return found.open(error) if found.unreached >= IN_A_ROW else found
        return found if error.of_location else found.open(error)

    def ended(self, found: Mapping[str, object]) -> Breaker:
        """A request of the run is over: what was found of its locations."""
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
    """Ask for the locations of one request of a run: an answer or an error for each, and what is known then."""
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
    """One request of a run while it is asked. found: so far, by location."""

    def __init__(self, breaker: Breaker, send: Send[Answer]) -> None:
        self.breaker = breaker
        self.found: Found[Answer] = {}
        self._send = send

    def whole(self, locations: tuple[str, ...]) -> None:
        """Ask for all at once, with all attempts of a request."""
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
        """Ask for one that failed alone before, once."""
        if (opened := self.breaker.opened) is not None:
            self.found[location] = SourceNotAsked(opened)
        elif not self.breaker.spare:
            self.found[location] = SourceNotAsked(self.breaker.suspects[location])
        elif (error := self._ask((location,), 1)) is not None:
            self.found[location] = error

    def _narrow(self, locations: tuple[str, ...], error: SourceError) -> None:
        """Ask again for parts of what failed together, until each location that is to blame failed alone, or nothing is
        spare: what is left then fails with what was said of more of them."""
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
        """Ask for less than a request of the run does, on what is spare."""
        try:
            answers, left = self._send(part, attempts)
        except SourceError as error:
            self.breaker = self.breaker.spent(attempts, error.attempts_left, error)
            return error
        self.breaker = self.breaker.spent(attempts, left, None)
        self.found |= answers
        return None


def _parts(locations: tuple[str, ...], error: SourceError, *, ones: bool) -> list[tuple[tuple[str, ...], SourceError]]:
    """Both halves, or each alone. error: what was said of all of them."""
    size = 1 if ones else -(-len(locations) // 2)
    return [(locations[at : at + size], error) for at in range(0, len(locations), size)]


def _may_be_of_one(error: SourceError) -> bool:
    """Whether less than what failed may be answered; where it broke off, it had fewer attempts than a whole request."""
    return error.of_location or isinstance(error, SourceUnreachable)
