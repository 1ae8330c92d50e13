"""Partitions as runs of days of a location with the same state: a million partitions become few numbers.

No day is handled singly: sets of partitions are intervals (``core.partitions``), and so are the results.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from operator import itemgetter

from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet
from orchestration.core.partitions.scheme import PartitionScheme

Run = tuple[int, int, int]
"""(ordinal of the first day, number of days, number of the kind)."""
Row = tuple[Run, ...]
"""The runs of one location: sorted and disjoint."""


@dataclass(frozen=True, slots=True)
class DayRuns:
    """The kinds of an asset's partitions, as runs."""

    rows: dict[str, Row]
    """Location → its runs. Locations with equal runs share one object."""
    whole: bool = False
    """Whether a run is a single partition with a period longer than a day. Otherwise each of its days is a
    partition.
    """


def day_runs(kinds: Iterable[tuple[int, PartitionSet]], scheme: PartitionScheme) -> DayRuns:
    """The runs of an asset's partitions. kinds: disjoint sets with the number of their kind."""
    by_location: dict[str, list[tuple[int, Days]]] = {}
    for kind, partitions in kinds:
        for location, days in partitions.parts:
            by_location.setdefault(location, []).append((kind, days))
    if _any_is_longer(by_location, scheme):
        of_periods = {at: tuple(sorted(_periods(scheme, at, parts))) for at, parts in by_location.items()}
        return DayRuns(_alike(of_periods), True)
    known: dict[tuple[tuple[int, int], ...], Row] = {}  # by the ids of sets of days, which ``by_location`` keeps alive
    rows: dict[str, Row] = {}
    for location, parts in by_location.items():
        same = tuple((kind, id(days)) for kind, days in parts)
        if same not in known:
            known[same] = tuple(_joined(parts))
        rows[location] = known[same]
    return DayRuns(_alike(rows))


def _alike(rows: dict[str, Row]) -> dict[str, Row]:
    """The same rows; equal ones become one object."""
    known: dict[Row, Row] = {}
    return {location: known.setdefault(row, row) for location, row in rows.items()}


def _any_is_longer(by_location: dict[str, list[tuple[int, Days]]], scheme: PartitionScheme) -> bool:
    """Whether any period is longer than a day. The first days of such periods are not adjacent."""
    alone: dict[Days, bool] = {}
    for location, parts in by_location.items():
        for _, days in parts:
            if days not in alone:
                alone[days] = all(first == last for first, last in days.pieces)
            if alone[days] and _length(scheme, location, days.first) > 1:
                return True
    return False


def _length(scheme: PartitionScheme, location: str, day: date) -> int:
    """The number of days in a period, by its location's calendar."""
    after = scheme.day_of(location, scheme.ends(PartitionKey(day, location)))
    return max(1, (after - day).days)


def _periods(scheme: PartitionScheme, location: str, parts: Iterable[tuple[int, Days]]) -> Iterator[Run]:
    for kind, days in parts:
        for day in days:
            yield day.toordinal(), _length(scheme, location, day), kind


def _joined(parts: Iterable[tuple[int, Days]]) -> Iterator[Run]:
    """Runs, sorted. Adjacent runs of the same kind are joined."""
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
    """The newest runs, at most ``most``, and the ordinal of the day from which on they are complete; None if nothing
    was left out. A run across that day is cut."""
    if sum(map(len, rows)) <= most:
        return list(rows), None
    ends = sorted((first + length for row in rows for first, length, _ in row), reverse=True)
    since = ends[most] if most else ends[0]  # at most ``most`` runs end later
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
    """The runs as a flat list of three numbers each: days since the end of the run before, number of days, kind.

    base: the ordinal of the day from which the first distance is counted.
    """
    numbers, at = list[int](), base
    for first, length, kind in row:
        numbers += (first - at, length, kind)
        at = first + length
    return numbers
