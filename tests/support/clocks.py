"""Clocks that a test moves."""

from __future__ import annotations

from datetime import datetime, timedelta


class SleepingClock:
    """Time that passes by sleeping only, in seconds."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    @property
    def waited(self) -> float:
        return sum(self.slept)


class MovingClock:
    """An instant that stands still until the test moves it."""

    def __init__(self, start: datetime) -> None:
        self.instant = start

    def __call__(self) -> datetime:
        return self.instant

    def pass_(self, **time: float) -> None:
        self.instant += timedelta(**time)
