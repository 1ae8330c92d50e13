"""Numbers of things in words."""

from __future__ import annotations


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
