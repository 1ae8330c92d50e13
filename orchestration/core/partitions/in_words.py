"""Days and sets of partitions in the words that people read: short, however large they are.

What programs read keeps the whole: ``PartitionSet.to_json``, ``keys`` and ``in_full``. Must not know: the sets
themselves, whose intervals it is given.
"""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from datetime import date

Pieces = Sequence[tuple[date, date]]
"""Contiguous intervals (first, last), both ends in, in order."""

LOCATIONS_NAMED, PIECES_NAMED, GROUPS_NAMED = 6, 6, 6
"""So many are named; of more the ends, or the first ones, and how many there are."""
FIRST_ONES = 3
"""Of more pieces than are named."""


def set_in_words(has_null: bool, groups: Sequence[tuple[Pieces, Sequence[str]]]) -> str:
    """A set of partitions: the null key or not, and locations that have the same days.

    ======================================  ================================================
    few                                     ``2025-08 × east, north; 2025-08-08 × west``
    many locations of the same days         ``2025 × 50 locations: p000 … p049``
    days of many kinds                      the first six, ``… and 37 more (412 partitions in all)``
    no partition; the null key              ``nothing``; ``null``
    ======================================  ================================================

    groups: (days, their locations in order), in order.
    """
    told = [f"{days_in_words(days)} × {_locations(at)}" for days, at in groups[:GROUPS_NAMED]]
    if more := len(groups) - len(told):
        count = has_null + sum(_count(days) * len(at) for days, at in groups)
        told.append(f"… and {more} more ({count} partitions in all)")
    return "; ".join([*(["null"] if has_null else []), *told]) or "nothing"


def days_in_words(pieces: Pieces) -> str:
    """Days; whole months and years as such.

    ==========================  ====================================================
    2025-08-08                  ``2025-08-08``
    from then to 2025-08-14     ``2025-08-08..2025-08-14``
    a month, months             ``2025-08``, ``2024-12..2025-02``
    a year, years               ``2025``, ``2016..2025``
    some                        ``2025-08-08, 2025-08-10``
    many that do not touch      ``2025-01-01, 2025-01-04, 2025-01-07 … 2025-12-30 (122 days)``
    none                        ``no days``
    ==========================  ====================================================
    """
    if len(pieces) <= PIECES_NAMED:
        return ", ".join(_piece(*piece) for piece in pieces) or "no days"
    first = ", ".join(_piece(*piece) for piece in pieces[:FIRST_ONES])
    return f"{first} … {_piece(*pieces[-1])} ({_count(pieces)} days)"


def _piece(first: date, last: date) -> str:
    a, b = first.isoformat(), last.isoformat()
    if first.day == 1 and last.day == calendar.monthrange(last.year, last.month)[1]:
        length = len("2025") if (first.month, last.month) == (1, 12) else len("2025-08")
        a, b = a[:length], b[:length]
    return a if a == b else f"{a}..{b}"


def _locations(at: Sequence[str]) -> str:
    return ", ".join(at) if len(at) <= LOCATIONS_NAMED else f"{len(at)} locations: {at[0]} … {at[-1]}"


def _count(pieces: Pieces) -> int:
    return sum((last - first).days + 1 for first, last in pieces)
