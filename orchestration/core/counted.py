"""Numbers of things, and of hours, in words."""

from __future__ import annotations

from orchestration.core.calendar import HOURS_A_DAY


def counted(count: int, noun: str) -> str:
    """A number with its noun, whose plural ends in s.

    =====  ==========  ==================
    count  noun        gives
    =====  ==========  ==================
    0      row         ``0 rows``
    1      partition   ``1 partition``
    1056   row         ``1,056 rows``
    =====  ==========  ==================
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def hours_in_words(hours: float) -> str:
    """A length of time: ``4.0 h``, and from 100 hours on ``432 days``."""
    return f"{hours:.1f} h" if hours < 100 else f"{hours / HOURS_A_DAY:.0f} days"
