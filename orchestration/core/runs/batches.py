"""Partitions in batches of limited size, so that memory and time of one computation do not grow with the range."""

from __future__ import annotations

from collections import Counter
from datetime import date
from itertools import pairwise

from orchestration.core.partitions.keys import Days, PartitionSet


def in_batches(targets: PartitionSet, most: int, *, whole_locations: bool = False) -> list[PartitionSet]:
    """``targets`` in batches of at most ``most`` partitions, ordered by day. A batch of one day may have more.

    whole_locations: cut by location instead. All days of a location stay together, as far as ``most`` allows.
    """
    if len(targets) <= most:
        return [targets]
    if targets.has_null:
        return [PartitionSet.null(), *in_batches(targets.without_null(), most, whole_locations=whole_locations)]
    if not whole_locations:
        return [part for days in _spans(targets, most) if (part := targets.restrict(days=days))]
    found: list[PartitionSet] = []
    group: list[str] = []
    held = 0
    for location in targets.locations:
        number = len(targets.days_of(location))
        if group and held + number > most:
            found.append(targets.restrict(locations=group))
            group, held = [], 0
        group.append(location)
        held += number
    found.append(targets.restrict(locations=group))
    return [part for one in found for part in (in_batches(one, most) if len(one) > most else [one])]


def _spans(targets: PartitionSet, most: int) -> list[Days]:
    """Spans of days, each with at most ``most`` partitions or only one day."""
    begins: Counter[int] = Counter()
    for _, first, last in targets.pieces():
        begins[first.toordinal()] += 1
        begins[last.toordinal() + 1] -= 1
    spans: list[tuple[int, int]] = []
    start, held, a_day = min(begins), 0, 0
    for edge, following in pairwise(sorted(begins)):
        a_day += begins[edge]
        day = edge
        while day < following:  # between two edges every day has as many partitions
            fit = min(following - day, max(0, (most - held) // a_day) if a_day else following - day)
            if not fit and day > start:
                spans.append((start, day - 1))
                start, held = day, 0
                continue
            fit = max(fit, 1)
            day, held = day + fit, held + fit * a_day
    spans.append((start, max(begins) - 1))
    return [Days.of(date.fromordinal(first), date.fromordinal(last)) for first, last in spans]
