"""The facts of the page *Partitions*, as JSON values: the states of each asset's partitions in runs of days, and a list
of everything that is not fresh, worst first.

Pure, given the groups of ``reports.status``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from orchestration.core.declarations.asset import Asset
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.partitions.location import Location
from orchestration.core.state.freshness import State
from orchestration.reports.page.day_runs import Row, as_numbers, cut_to, day_runs
from orchestration.reports.status import StatusGroup, cause_of

MOST_RUNS = 300_000
"""At most this many runs of days are kept, the newest ones: some 2 MB."""
MOST_TOLD = 200
"""At most this many lines are listed."""
WORST_FIRST = ("damaged", "failed", "unrecorded", "missing", "stale", "fresh")
LONGEST = 400
"""At most this many characters of a reason are kept."""

Kind = tuple[str, str, tuple[str, ...]]
"""State of partitions, the reason in short, and marks."""


@dataclass(frozen=True, slots=True)
class _Counted:
    """The partitions of one asset that have the same kind."""

    kind: int
    partitions: PartitionSet
    rows: int | None


def partition_facts(
    assets: Sequence[Asset], groups: Iterable[StatusGroup], locations: Sequence[Location], today: date
) -> dict[str, Any]:
    """The content of the page, as JSON values.

    base: the day from which ``rows`` count. today: the day of the report. since: the first day of which all is shown;
    null where nothing is left out.
    locations: [key, name, whether it is configured].
    kinds: [state, reason, marks].
    rows: runs of days, as ``as_numbers`` writes them. Equal rows of locations are one row.
    assets: {key, dated, whole, at, counts}. at: for each location the number of its row, or null. counts: [kind, number
    of partitions, rows or null].
    told: what is not fresh, worst first: [number of the asset, kind, number of partitions, first day, last day, number
    of a location, number of locations, number of further kinds with the same cause].
    more: the number of further such lines, which are left out.
    """
    numbers: dict[Kind, int] = {}
    together: dict[str, dict[int, list[StatusGroup]]] = {asset.key: {} for asset in assets}
    for group in groups:
        kind = (str(group.state), group.in_short[:LONGEST], tuple(mark[:LONGEST] for mark in group.marks))
        number = numbers.setdefault(kind, len(numbers))
        together[group.asset].setdefault(number, []).append(group)
    counted = {key: [_counted(number, some) for number, some in of.items()] for key, of in together.items()}
    kinds = list(numbers)
    listed = _locations(locations, (one.partitions for of in counted.values() for one in of))
    rows, runs = list[Row](), {}
    for asset in assets:
        if asset.partitions is not None:
            runs[asset.key] = day_runs([(one.kind, one.partitions) for one in counted[asset.key]], asset.partitions)
    number_of: dict[Row, int] = {}
    for of_asset in runs.values():
        for row in of_asset.rows.values():
            if row not in number_of:
                number_of[row] = len(rows)
                rows.append(row)
    kept, since = cut_to(MOST_RUNS, rows)
    base = min((row[0][0] for row in kept if row), default=today.toordinal())
    lines = _lines(assets, counted, kinds, {key: number for number, (key, _, _) in enumerate(listed)})
    return {
        "base": date.fromordinal(base).isoformat(),
        "today": today.isoformat(),
        "since": None if since is None else date.fromordinal(since).isoformat(),
        "locations": listed,
        "kinds": kinds,
        "rows": [as_numbers(row, base) for row in kept],
        "assets": [
            {
                "key": asset.key,
                "dated": asset.partitions is not None,
                "whole": asset.key in runs and runs[asset.key].whole,
                "at": [_at(runs[asset.key].rows, key, number_of) for key, _, _ in listed] if asset.key in runs else [],
                "counts": [[one.kind, len(one.partitions), one.rows] for one in counted[asset.key]],
            }
            for asset in assets
        ],
        "told": lines[:MOST_TOLD],
        "more": max(0, len(lines) - MOST_TOLD),
    }


def _counted(kind: int, groups: Sequence[StatusGroup]) -> _Counted:
    rows = [group.rows for group in groups if group.rows is not None]
    partitions = PartitionSet.union_of(group.partitions for group in groups)
    return _Counted(kind, partitions, sum(rows) if rows else None)


def _at(rows: Mapping[str, Row], location: str, number_of: Mapping[Row, int]) -> int | None:
    return number_of[rows[location]] if location in rows else None


def _locations(locations: Sequence[Location], sets: Iterable[PartitionSet]) -> list[list[Any]]:
    """[key, name, whether configured]: the configured locations in their order, then others that have partitions."""
    known = {one.key for one in locations}
    others = sorted({key for partitions in sets for key in partitions.locations} - known)
    return [[one.key, one.name, True] for one in locations] + [[key, key, False] for key in others]


def _lines(
    assets: Sequence[Asset],
    counted: Mapping[str, Sequence[_Counted]],
    kinds: Sequence[Kind],
    number_of: Mapping[str, int],
) -> list[list[Any]]:
    """All partitions that are not fresh or have marks, as lines of ``told``: the worst state first; then in the order
    of the graph, so that causes come first; then by number of partitions."""
    found: list[tuple[tuple[int, int, int, int], list[Any]]] = []
    for at, asset in enumerate(assets):
        for one, alike in _by_cause(counted[asset.key], kinds, number_of):
            state, _, marks = kinds[one.kind]
            if state == "fresh" and not marks:
                continue
            rank = WORST_FIRST.index(state) if state in WORST_FIRST else 0
            dated = one.partitions.without_null()
            ends = [dated.days.first.isoformat(), dated.days.last.isoformat()] if dated else [None, None]
            where = number_of[dated.locations[0]] if dated else None
            count = len(one.partitions)
            line = [at, one.kind, count, *ends, where, len(dated.locations), alike]
            found.append(((rank, at, -count, one.kind), line))
    return [line for _, line in sorted(found, key=lambda item: item[0])]


def _by_cause(
    counted: Sequence[_Counted], kinds: Sequence[Kind], names: Collection[str]
) -> Iterator[tuple[_Counted, int]]:
    """The partitions of an asset, those that failed for one cause together under the first of their kinds, and how many
    kinds these are besides it."""
    together: dict[tuple[str, str, tuple[str, ...]], list[_Counted]] = {}
    for one in counted:
        state, why, marks = kinds[one.kind]
        together.setdefault((state, cause_of(State(state), why, names), marks), []).append(one)
    for first, *more in together.values():
        partitions = PartitionSet.union_of([first.partitions, *(one.partitions for one in more)])
        yield replace(first, partitions=partitions), len(more)
