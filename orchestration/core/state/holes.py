"""Holes: days of which nothing is there, measured against what is wanted, or against the days around them.

What is wanted is declared: a first day for each location (``history.since``). Where none is declared, days that are in
no table, between the first and the last one that is, are all that can be told. What goes on still is no hole, whatever
the scheme; nor is what a source cannot be asked for; nor a location that is not configured.

A source has values everywhere from some day on only. Days before that are wanted where earlier ones are there: then
somebody knew that it has them.

Pure: table states, what is declared and the moment come in as values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from orchestration.core.calendar import day_of, midnight
from orchestration.core.declarations.asset import Asset
from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet
from orchestration.core.partitions.scheme import PartitionScheme
from orchestration.core.state.table_state import TableState

HOLE, WANTED = "hole", "wanted since"
"""Marks of partitions that are missing. HOLE: nobody declared whether they are wanted; WANTED: begins with it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What there should be. since: by location, of those where it is declared, the first day (UTC).

    locations: all that are configured. first_days, values_from: by source, the first day that it can be asked for, and
    from which on it has values everywhere.
    """

    now: datetime
    since: Mapping[str, date] = field(default_factory=dict)
    locations: frozenset[str] = frozenset()
    first_days: Mapping[str, date] = field(default_factory=dict)
    values_from: Mapping[str, date] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Holes:
    """What an asset lacks of periods that are over.

    wanted: all that is wanted of it. missing: what of that is not there. gaps: what is in no table, and lies between
    partitions of its location that are in this one; nobody said whether it is wanted, or it lies before what is.
    """

    asset: str
    wanted: PartitionSet
    missing: PartitionSet
    gaps: PartitionSet


def holes(assets: Iterable[Asset], tables: Mapping[str, TableState], wanted: Wanted) -> dict[str, Holes]:
    """The holes of each of ``assets`` that has days, by key.

    assets: in topological order, with all that is upstream of them. tables: states; of assets without one, upstream of
    others, nothing is taken to be there. What cannot be made although all that is wanted were there is not wanted.
    """
    found: dict[str, Holes] = {}
    sources: dict[str, frozenset[str]] = {}
    earliest: dict[str, dict[str, date]] = {}
    available: dict[str, PartitionSet] = {}
    anywhere: dict[PartitionScheme, PartitionSet] = {}
    assets = tuple(assets)
    for asset in assets:
        if asset.partitions is not None:
            present = tables.get(asset.key, TableState()).present
            anywhere[asset.partitions] = anywhere.get(asset.partitions, PartitionSet.empty()) | present
    for asset in assets:
        upstream = [key for key in asset.upstream_keys if key in sources]
        own = frozenset() if asset.source is None else frozenset({asset.source})
        sources[asset.key] = own.union(*(sources[key] for key in upstream))
        present = tables.get(asset.key, TableState()).present
        if asset.partitions is None:
            earliest[asset.key], available[asset.key] = {}, PartitionSet.null()
            continue
        earliest[asset.key] = _earliest(present, [earliest[key] for key in upstream])
        should = _declared(asset.partitions, sources[asset.key], earliest[asset.key], wanted)
        for mapping in asset.upstream:
            should = mapping.makeable(should, available.get(mapping.of, PartitionSet.empty()))
        available[asset.key] = should | present
        gaps = ended(asset.partitions, between(asset.partitions, present.restrict(wanted.locations)), wanted.now)
        found[asset.key] = Holes(asset.key, should, should - present, gaps - anywhere[asset.partitions] - should)
    return found


def between(scheme: PartitionScheme, present: PartitionSet) -> PartitionSet:
    """All periods from the first to the last one that is there, at each location.

    | there                              | between                             |
    |------------------------------------|-------------------------------------|
    | 2025-08-01, 2025-08-04 × hue       | 2025-08-01..2025-08-04 × hue        |
    | weeks 2025-08-04, 2025-08-18 × hue | weeks 2025-08-04, -11 and -18 × hue |
    """
    reach = present.without_null().map_days(lambda _location, days: Days.of(days.first, days.last))
    return scheme.asked_by(reach) & reach


def ended(scheme: PartitionScheme, partitions: PartitionSet, now: datetime) -> PartitionSet:
    """Those of ``partitions`` whose periods are over at ``now``."""
    begun = scheme.begun(partitions, now)
    under_way = (PartitionKey(scheme.day_of(one, now), one) for one in begun.locations)
    return begun - PartitionSet.from_keys(under_way)


def _declared(
    scheme: PartitionScheme, sources: Iterable[str], earliest: Mapping[str, date], wanted: Wanted
) -> PartitionSet:
    """The periods that are wanted and over. One that had begun when what is wanted begins is not, as half of it."""
    begins = _begins(sources, earliest, wanted)
    today = day_of(wanted.now)
    asked = PartitionSet.union_of(
        PartitionSet.of(Days.of(day, today), [at]) for at, day in begins.items() if day <= today
    )
    over = ended(scheme, scheme.asked_by(asked), wanted.now)
    cut = [
        PartitionKey(days.first, at)
        for at, days in over.parts
        if scheme.begins(PartitionKey(days.first, at)) < midnight(begins[at])
    ]
    return over - PartitionSet.from_keys(cut)


def _begins(sources: Iterable[str], earliest: Mapping[str, date], wanted: Wanted) -> dict[str, date]:
    """The first day that is wanted at each location where it is declared."""
    of = tuple(sources)
    first = max((wanted.first_days.get(name, date.min) for name in of), default=date.min)
    everywhere = max((wanted.values_from.get(name, date.min) for name in of), default=date.min)
    return {
        location: max(since, first, min(everywhere, earliest.get(location, everywhere)))
        for location, since in wanted.since.items()
        if location in wanted.locations
    }


def _earliest(present: PartitionSet, upstream: Iterable[Mapping[str, date]]) -> dict[str, date]:
    """The first day that is there at each location, of an asset or of what it is made from."""
    first = {location: days.first for location, days in present.parts}
    for of in upstream:
        for location, day in of.items():
            first[location] = min(day, first.get(location, day))
    return first
