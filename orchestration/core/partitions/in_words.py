"""Days and sets of partitions in words for people: short, however large the set is.

Programs read the whole set: ``PartitionSet.to_json``, ``keys`` and ``in_full``. Must not know: the set types, only
their intervals.
"""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from datetime import date

Pieces = Sequence[tuple[date, date]]
"""Contiguous intervals (first day, last day), both ends included, in order."""

LOCATIONS_NAMED, PIECES_NAMED, GROUPS_NAMED = 6, 6, 6
"""At most this many locations, pieces or groups are named. Of more, the first ones or the ends are named, with the
number of all."""
FIRST_ONES = 3
"""Of too many pieces, this many are named, and the last one."""


def set_in_words(has_null: bool, groups: Sequence[tuple[Pieces, Sequence[str]]]) -> str:
    """A set of partitions: with or without the null key, and groups of locations with the same days.

    ======================================  ================================================
    few                                     ``2025-08 × east, north; 2025-08-08 × west``
    many locations with the same days       ``2025 × 50 locations: p000 … p049``
    many groups                             the first six, ``… and 37 more (412 partitions in all)``
    no partition; the null key              ``nothing``; ``null``
    ======================================  ================================================

    groups: (days, the locations that have them), in order.
    """
    phrases = [f"{days_in_words(days)} × {_locations(at)}" for days, at in groups[:GROUPS_NAMED]]
    if more := len(groups) - len(phrases):
        count = has_null + sum(_count(days) * len(at) for days, at in groups)
        phrases.append(f"… and {more} more ({count} partitions in all)")
    return "; ".join([*(["null"] if has_null else []), *phrases]) or "nothing"


def days_in_words(pieces: Pieces) -> str:
    """Days; whole months and years are written as such.

    ==========================  ====================================================
    2025-08-08                  ``2025-08-08``
    2025-08-08 to 2025-08-14    ``2025-08-08..2025-08-14``
    whole months                ``2025-08``, ``2024-12..2025-02``
    whole years                 ``2025``, ``2016..2025``
    a few separate days         ``2025-08-08, 2025-08-10``
    many separate days          ``2025-01-01, 2025-01-04, 2025-01-07 … 2025-12-30 (122 days)``
    no day                      ``no days``
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
