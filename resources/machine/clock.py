"""The clock of a process. All code that needs the time is given a clock; ``AQI_CLOCK__NOW`` sets its time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""A function that returns the current instant, in UTC."""


def system_clock() -> datetime:
    """The time of the machine's clock, in UTC."""
    return datetime.now(UTC)


def fixed_clock(now: datetime) -> Clock:
    """A clock that always shows ``now``. A time without a zone is read as UTC."""
    instant = now.replace(tzinfo=UTC) if now.tzinfo is None else now.astimezone(UTC)
    return lambda: instant
