"""The one clock. Everything that needs the time is given one; ``AQI_CLOCK__NOW`` sets it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the current instant, in UTC."""


def system_clock() -> datetime:
    """The machine's clock, UTC."""
    return datetime.now(UTC)


def fixed_clock(now: datetime) -> Clock:
    """A clock that stands still at ``now``; without a zone it is taken as UTC."""
    instant = now.replace(tzinfo=UTC) if now.tzinfo is None else now.astimezone(UTC)
    return lambda: instant
