"""Measures for what the time of a run is used: spans, kept in memory. A span costs microseconds, so every run is
measured.

``core.runs.profile`` evaluates them.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TypeVar

from orchestration.core.calendar import iso
from orchestration.core.planning.plan import Plan
from orchestration.core.runs.profile import Phase, Profile, Span, steps_of

T = TypeVar("T")


class Spans:
    """The spans of a run, from now on. The thread that creates this object is the run's main thread.

    Safe to call from several threads. seconds: a clock that never goes back.
    """

    def __init__(self, seconds: Callable[[], float] = time.perf_counter) -> None:
        self._seconds = seconds
        self._began = seconds()
        self._started_at = iso(datetime.now(UTC))
        self._numbers = {threading.get_ident(): 0}
        self._done: list[Span] = []
        self._open: dict[int, list[tuple[Phase, float, str]]] = {0: []}
        self._lock = threading.Lock()

    @property
    def seconds(self) -> float:
        """Seconds since the run began."""
        return self._seconds() - self._began

    @contextlib.contextmanager
    def span(self, phase: Phase, step: str = "") -> Iterator[None]:
        """While this is entered, the thread is in ``phase``: of ``step``, or else of the step in which it is
        already.
        """
        number, going = self._thread()
        going.append((phase, self.seconds, step or (going[-1][2] if going else "")))
        try:
            yield
        finally:
            began = going.pop()
            self._done.append(Span(began[0], began[1], self.seconds, number, began[2]))

    @contextlib.contextmanager
    def around(self, phase: Phase, within: AbstractContextManager[T]) -> Iterator[T]:
        """``within``, with its entering and leaving measured as ``phase``, but not what happens in between."""
        with contextlib.ExitStack() as ending:
            with self.span(phase):
                entered = contextlib.ExitStack()
                value = entered.enter_context(within)

            def leave(*raised: object) -> bool | None:
                with self.span(phase):
                    return entered.__exit__(*raised)  # type: ignore[arg-type]

            ending.push(leave)
            yield value

    def timed(self, phase: Phase, function: Callable[[], T]) -> Callable[[], T]:
        """``function``, with its calls measured as ``phase``."""

        def call() -> T:
            with self.span(phase):
                return function()

        return call

    def profile(self, run_id: str, title: str, plan: Plan, seconds: float | None = None) -> Profile:
        """What was measured until now. Open spans end now. seconds: the time of the run; None: until now."""
        now = self.seconds
        with self._lock:
            going = [(number, began) for number, spans in self._open.items() for began in list(spans)]
        found = [*self._done, *(Span(phase, begin, now, number, step) for number, (phase, begin, step) in going)]
        spans = tuple(sorted(found, key=lambda span: (span.begin, -span.end)))
        whole = now if seconds is None else seconds
        return Profile(run_id, title, self._started_at, whole, steps_of(plan), spans)

    def _thread(self) -> tuple[int, list[tuple[Phase, float, str]]]:
        """The number of this thread, and what is open in it. Of two threads one after the other it may be the same."""
        this = threading.get_ident()
        if this not in self._numbers:
            with self._lock:
                self._numbers[this] = number = len(self._numbers)
                self._open[number] = []
        number = self._numbers[this]
        return number, self._open[number]
