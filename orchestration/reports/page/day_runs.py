"""Partitions of which the same is said, as runs of days of a location: a million partitions in few numbers.

Nothing here counts days: sets of partitions are kept as intervals (``core.partitions``), and intervals come out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from operator import itemgetter

from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet
from orchestration.core.partitions.scheme import PartitionScheme

Run = tuple[int, int, int]
"""(ordinal of the first day, number of days, which kind)."""
Row = tuple[Run, ...]
"""Runs of one location: sorted, disjoint."""


@dataclass(frozen=True, slots=True)
class DayRuns:
    """What partitions of one asset are.

    rows: by location; locations of which the same is said have one object. whole: a run is one partition, whose period
    is longer than a day; otherwise each of its days is one.
    """

    rows: dict[str, Row]
    whole: bool = False


def day_runs(kinds: Iterable[tuple[int, PartitionSet]], scheme: PartitionScheme) -> DayRuns:
    """Runs of the partitions of an asset. kinds: disjoint sets, each with the number that stands for it."""
    by_location: dict[str, list[tuple[int, Days]]] = {}
    for kind, partitions in kinds:
        for location, days in partitions.parts:
            by_location.setdefault(location, []).append((kind, days))
    if _any_is_longer(by_location, scheme):
        of_periods = {at: tuple(sorted(_periods(scheme, at, parts))) for at, parts in by_location.items()}
        return DayRuns(_alike(of_periods), True)
    known: dict[tuple[tuple[int, int], ...], Row] = {}  # by object: ``by_location`` holds the days
    rows: dict[str, Row] = {}
    for location, parts in by_location.items():
        same = tuple((kind, id(days)) for kind, days in parts)
        if same not in known:
            known[same] = tuple(_joined(parts))
        rows[location] = known[same]
    return DayRuns(_alike(rows))


def _alike(rows: dict[str, Row]) -> dict[str, Row]:
    """The same, equal rows as one object."""
    known: dict[Row, Row] = {}
    return {location: known.setdefault(row, row) for location, row in rows.items()}


def _any_is_longer(by_location: dict[str, list[tuple[int, Days]]], scheme: PartitionScheme) -> bool:
    """Whether any period is longer than a day. Those that are, are called by days that do not follow each other."""
    alone: dict[Days, bool] = {}
    for location, parts in by_location.items():
        for _, days in parts:
            if days not in alone:
                alone[days] = all(first == last for first, last in days.pieces)
            if alone[days] and _length(scheme, location, days.first) > 1:
                return True
    return False


def _length(scheme: PartitionScheme, location: str, day: date) -> int:
    """For how many days a period stands, as they are called at its location."""
    after = scheme.day_of(location, scheme.ends(PartitionKey(day, location)))
    return max(1, (after - day).days)


def _periods(scheme: PartitionScheme, location: str, parts: Iterable[tuple[int, Days]]) -> Iterator[Run]:
    for kind, days in parts:
        for day in days:
            yield day.toordinal(), _length(scheme, location, day), kind


def _joined(parts: Iterable[tuple[int, Days]]) -> Iterator[Run]:
    """Runs, those that follow each other and are of one kind as one."""
    pieces = [
        (first.toordinal(), last.toordinal() - first.toordinal() + 1, kind)
        for kind, days in parts
        for first, last in days.pieces
    ]
    pieces.sort(key=itemgetter(0))
    begin, length, of = 0, 0, -1
    for first, days_long, kind in pieces:
        if kind == of and first == begin + length:
            length += days_long
            continue
        if length:
            yield begin, length, of
        begin, length, of = first, days_long, kind
    if length:
        yield begin, length, of


def cut_to(most: int, rows: Sequence[Row]) -> tuple[list[Row], int | None]:
    """At most ``most`` runs, the newest, and the ordinal of the day from which on nothing is left out; None where
    nothing is. A run that reaches over that day is cut."""
    if sum(map(len, rows)) <= most:
        return list(rows), None
    ends = sorted((first + length for row in rows for first, length, _ in row), reverse=True)
    since = ends[most] if most else ends[0]  # those that end later are at most so many
    kept = [
        tuple(
            (max(first, since), first + length - max(first, since), kind)
            for first, length, kind in row
            if first + length > since
        )
        for row in rows
    ]
    return kept, since


def as_numbers(row: Row, base: int) -> list[int]:
    """A row as a flat list: of each run the days between it and the one before, its days, its kind.

    base: the ordinal of the day that the first distance is counted from.
    """
    numbers, at = list[int](), base
    for first, length, kind in row:
        numbers += (first - at, length, kind)
        at = first + length
    return numbers
