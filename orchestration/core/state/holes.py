"""Holes: days that a table should have and does not have.

What it should have is declared: a first day for each location (setting ``history.since``). If none is declared, only
*gaps* can be found: days between the first and the last day of a table that are in no table. Not a hole is: a period
that is not over, whatever the scheme; a day for which the source cannot be asked; a location that is not configured.

From some day on a source has values at every location. Earlier days are wanted where the tables already have such days:
then somebody knew that the source has them.

Pure: table states, settings and the clock come in as values.
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
"""Marks of missing partitions. ``hole``: it is a gap, and nobody declared whether it is wanted. ``wanted since …``: it
was declared."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the tables should have."""

    now: datetime
    """The clock (aware)."""
    since: Mapping[str, date] = field(default_factory=dict)
    """Location → the first wanted day (UTC). Locations without a declaration are left out."""
    locations: frozenset[str] = frozenset()
    """All configured locations."""
    first_days: Mapping[str, date] = field(default_factory=dict)
    """Source → the first day for which it can be asked."""
    values_from: Mapping[str, date] = field(default_factory=dict)
    """Source → the first day from which on it has values at every location."""


@dataclass(frozen=True, slots=True)
class Holes:
    """What an asset lacks of periods that are over."""

    asset: str
    wanted: PartitionSet
    """Everything that is wanted of the asset."""
    missing: PartitionSet
    """Those of ``wanted`` that do not exist."""
    gaps: PartitionSet
    """Partitions that are in no table and lie between existing partitions of their location, and that are not wanted:
    nobody declared it, or they lie before the first wanted day."""


def holes(assets: Iterable[Asset], tables: Mapping[str, TableState], wanted: Wanted) -> dict[str, Holes]:
    """The holes of each dated asset of ``assets``, by asset key.

    assets: in topological order, with everything upstream of them. tables: their states; a table without a state counts
    as empty. A partition is not wanted if it could not be made even though everything wanted upstream existed.
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
    """All periods from the first to the last existing one, at each location.

    | existing                           | result                              |
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
    """The periods that are wanted and over. A period that begins before the first wanted day is not wanted: half of it
    would be missing."""
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
    """The first wanted day at each location that has a declaration."""
    of = tuple(sources)
    first = max((wanted.first_days.get(name, date.min) for name in of), default=date.min)
    everywhere = max((wanted.values_from.get(name, date.min) for name in of), default=date.min)
    return {
        location: max(since, first, min(everywhere, earliest.get(location, everywhere)))
        for location, since in wanted.since.items()
        if location in wanted.locations
    }


def _earliest(present: PartitionSet, upstream: Iterable[Mapping[str, date]]) -> dict[str, date]:
    """The first existing day at each location, in the asset's table or in those that it is made from."""
    first = {location: days.first for location, days in present.parts}
    for of in upstream:
        for location, day in of.items():
            first[location] = min(day, first.get(location, day))
    return first
