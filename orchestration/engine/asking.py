"""How a run asks its sources: one request of a source at a time, so that its result is known before the next is sent.

``core.runs.breaker`` decides what follows from a result. Waiting for limits is done here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from inspect import signature
from math import isinf
from typing import Any

from orchestration.core.calendar import iso
from orchestration.core.errors import FetchCancelled, SourceError, SourceLimited, in_a_line
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.runs.breaker import Breaker, ask
from orchestration.core.source import Answer, Checkable, FetchRequest, Reply, Source
from resources.machine.clock import Clock

AT_A_TIME = 0.25
"""While the run waits, it checks this often (in seconds) whether it was cancelled."""
A_MOMENT = 1.0
"""The run waits this many seconds longer than a limit lasts, since clocks of limits tick by the second."""
UNTOLD_SECONDS = 60.0
"""How long to wait for a limit where the source does not say how long it lasts."""
AS_TOLD = 3
"""This many waits in a row are as long as the source says. Each further one is at least twice as long as the one
before, up to ``LONGEST_SECONDS``: a limit that does not end is checked less and less often."""
LONGEST_SECONDS = 3600.0
FOREVER = float("inf")

Keep = Callable[[FetchRequest, Reply], None]
Brought = dict[str, Answer | SourceError]


class Asking:
    """How one source is asked during a run, by several threads.

    wait: whether to wait for limits. most_seconds: the longest time from one answer to the next. tell: is told about
    waiting. sleep: replaced by tests.
    """

    def __init__(
        self, wait: bool, tell: Callable[[str], None], sleep: Callable[[float], None], most_seconds: float
    ) -> None:
        self._wait, self._tell, self._sleep, self._most_seconds = wait, tell, sleep, most_seconds
        self._turn = threading.Lock()
        self._waits, self._waited_seconds = 0, 0.0  # since the last answer
        self.breaker = Breaker()

    def of(self, locations: Collection[str]) -> None:
        """Announce that the run will ask the source for these locations too."""
        with self._turn:
            self.breaker = self.breaker.of(locations)

    def ask(
        self, source: Source[Any], request: FetchRequest, now: Clock, cancelled: Callable[[], bool], keep: Keep
    ) -> Brought:
        """Send one request of the run. Gives for each of its locations the answer, or the error. keep: called with
        every reply."""
        locations = {location.key: location for location in request.locations}

        def send(keys: tuple[str, ...], attempts: int | None) -> tuple[dict[str, Answer], int]:
            found: dict[str, Answer] = {}
            left = 0
            for part in self._parts(source, request, keys):
                reply = self._sent(source, part, now, cancelled, attempts)
                keep(part, reply)
                found |= {answer.location: answer for answer in reply.answers}
                left = reply.attempts_left
            return found, left

        with self._taken(request, cancelled):
            self.breaker, found = ask(self.breaker, tuple(locations), send)
        return found

    @staticmethod
    def _parts(source: Source[Any], request: FetchRequest, keys: tuple[str, ...]) -> Sequence[Any]:
        """The request, for only some of its locations."""
        locations = [location for location in request.locations if location.key in keys]
        if len(locations) == len(request.locations):
            return [request]
        if len(locations) == 1:
            return [source.alone(request, locations[0])]
        return source.requests(PartitionSet.of(request.days, keys), locations)

    def _sent(
        self,
        source: Source[Any],
        request: FetchRequest,
        now: Clock,
        cancelled: Callable[[], bool],
        attempts: int | None,
    ) -> Reply:
        """The reply to a request, after waiting for limits where the run waits."""
        while True:
            try:
                more = () if attempts is None or not _takes_attempts(source) else (attempts,)
                reply = source.fetch(request, now, cancelled, *more)
                self._waits, self._waited_seconds = 0, 0.0
                return reply
            except SourceLimited as error:
                if not self._wait or not self._waited(error, now, cancelled, error.attempts_left == attempts):
                    raise
                attempts = max(1, error.attempts_left)  # each wait may cost a request more
            except SourceError:
                raise
            except Exception as error:
                raise SourceError(f"{request} could not be fetched ({in_a_line(error)})") from error

    def _waited(self, error: SourceLimited, now: Clock, cancelled: Callable[[], bool], in_vain: bool) -> bool:
        """Wait until a limit ends. Gives whether anything can be waited for. in_vain: whether nothing was sent since
        the last wait. Raises FetchCancelled; and SourceLimited where the limit lasts longer than the run may wait."""
        seconds = error.wait_seconds
        if seconds is None and error.until is not None:
            seconds = (error.until - now()).total_seconds()
        if seconds is None:
            if in_vain:
                return False
            seconds = UNTOLD_SECONDS
        if isinf(seconds):
            return False
        seconds, until = max(0.0, seconds), error.until
        least = min(UNTOLD_SECONDS * 2.0 ** min(self._waits - AS_TOLD + 1, 20), LONGEST_SECONDS)
        if self._waits >= AS_TOLD and least > seconds:
            seconds, until = least, None
        left = seconds + A_MOMENT
        until = until or now() + timedelta(seconds=left)
        if self._waited_seconds + left > self._most_seconds:
            raise self._too_long(error, until)
        self._waits, self._waited_seconds = self._waits + 1, self._waited_seconds + left
        self._tell(f"waiting for the source's limit until {iso(until)}: {error.message}")
        while left > 0:
            if cancelled():
                raise FetchCancelled(f"cancelled while it waited for the source's limit until {iso(until)}")
            self._sleep(min(left, AT_A_TIME))
            left -= AT_A_TIME
        return True

    def _too_long(self, error: SourceLimited, until: datetime) -> SourceLimited:
        """The error for a limit that lasts longer than the run may wait."""
        setting = f"sources.limit_wait_minutes ({self._most_seconds / 60:g})"
        if self._waits:
            reason = f"waited {self._waited_seconds / 60:.0f} min for it, {self._waits} times in a row"
            remedy = "Another program may use up the same address or key: `aqi doctor` says what the source answers. "
        else:
            reason = f"it lasts until {iso(until)}"
            remedy = ""
        remedy += f"The same command goes on after {iso(until)}; for a longer wait raise sources.limit_wait_minutes."
        message = f"{error.message}; {reason}, and longer than {setting} no run waits"
        longer = SourceLimited(message, remedy, error.until, error.wait_seconds)
        longer.attempts_left = error.attempts_left
        return longer

    @contextmanager
    def _taken(self, request: FetchRequest, cancelled: Callable[[], bool]) -> Iterator[None]:
        """While this is entered, no other thread asks the source. Raises FetchCancelled."""
        while not self._turn.acquire(timeout=AT_A_TIME):
            if cancelled():
                raise FetchCancelled(f"the fetch of {request} was cancelled")
        try:
            yield
        finally:
            self._turn.release()


def check_sources(sources: Mapping[str, Source[Any]], names: Iterable[str]) -> None:
    """Raises UsageError if one of these sources cannot be reached from this machine as it is set up. Nothing is
    sent.
    """
    for name in sorted(set(names)):
        source: object = sources[name]
        if isinstance(source, Checkable):
            source.check_way()


def _takes_attempts(source: Source[Any]) -> bool:
    """Whether the source's ``fetch`` takes a number of attempts. Sources of a project may be older than this
    argument.
    """
    parameters = signature(source.fetch).parameters
    return "attempts" in parameters or any(one.kind is one.VAR_POSITIONAL for one in parameters.values())


class Askings:
    """How the sources of a run are asked: one ``Asking`` for each source, shared by everything in the run.

    The arguments are those of ``Asking``.
    """

    def __init__(
        self,
        wait: bool = False,
        tell: Callable[[str], None] = lambda _: None,
        sleep: Callable[[float], None] = time.sleep,
        most_seconds: float = FOREVER,
    ) -> None:
        self._options = wait, tell, sleep, most_seconds
        self._lock = threading.Lock()
        self._of: dict[str, Asking] = {}

    def of(self, source: str) -> Asking:
        with self._lock:
            if source not in self._of:
                self._of[source] = Asking(*self._options)
            return self._of[source]
