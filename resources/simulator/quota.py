"""Limits of the simulated API: the provider's limits of calls, counted as the provider counts them.

A request counts by its weight, in calendar minutes, hours and days of UTC. An error counts as one call. A request
that is refused because a limit is used up counts nothing. A request passes until a limit is used up, however heavy
the request is.

Must not know: sockets, faults. Source: the provider's server, github.com/open-meteo/open-meteo.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from orchestration.core.errors import UsageError
from resources.simulator.canned import LIMITS, TOO_MUCH, Reply, error
from resources.simulator.requests import Asked

AT_ONCE = 5
"""At most so many requests may be in progress at once."""
_WINDOWS = {"minute": "%Y-%m-%dT%H:%M", "hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d"}
"""Window → a time format with the same text for all moments of one window."""


@dataclass(frozen=True)
class Limits:
    """Calls per minute, hour and day. The defaults are those of free use."""

    minute: float = 600
    hour: float = 5000
    day: float = 10000


def parse_limits(text: str) -> Limits:
    """The limits of ``600,5000,10000`` (calls per minute, hour and day), or of ``free`` (the defaults). Raises
    UsageError."""
    if text == "free":
        return Limits()
    try:
        numbers = [float(part) for part in text.split(",")]
        if len(numbers) != 3 or not all(number > 0 for number in numbers):
            raise ValueError
    except ValueError:
        what = f"limits are three numbers above 0, of calls a minute, an hour and a day (got {text!r})"
        raise UsageError(what, "As 600,5000,10000; or free, which is the same.") from None
    return Limits(*numbers)


class Quota:
    """Counts the calls in each window. now: the clock (aware UTC) of the windows. Safe to share between threads."""

    def __init__(self, limits: Limits, now: Callable[[], datetime]) -> None:
        self._limits, self._now = limits, now
        self._used = dict.fromkeys(_WINDOWS, ("", 0.0))
        self._at_once = 0
        self._lock = threading.Lock()

    def enter(self, asked: Asked) -> Reply | None:
        """Begin a request: None, or the reply that refuses it. A request that is not refused must call ``leave`` at its
        end."""
        with self._lock:
            for window in _WINDOWS:
                if self._in(window) >= getattr(self._limits, window):
                    return error(429, LIMITS[window])
            if self._at_once >= AT_ONCE:
                return error(429, LIMITS["concurrent"])
            if asked.weight > self._limits.hour:
                self._add(1)
                return error(400, TOO_MUCH)
            self._at_once += 1
            return None

    def count(self, calls: float) -> None:
        """Count so many calls for a request that was not refused."""
        with self._lock:
            self._add(calls)

    def leave(self) -> None:
        """End a request that was not refused."""
        with self._lock:
            self._at_once -= 1

    @property
    def used(self) -> dict[str, float]:
        """Window → calls in the current one."""
        with self._lock:
            return {window: self._in(window) for window in _WINDOWS}

    def _in(self, window: str) -> float:
        name, calls = self._used[window]
        return calls if name == self._name(window) else 0.0

    def _add(self, calls: float) -> None:
        for window in _WINDOWS:
            self._used[window] = (self._name(window), self._in(window) + calls)

    def _name(self, window: str) -> str:
        return self._now().strftime(_WINDOWS[window])
