"""The hourly window: the days for which a run makes partitions that is started every hour.

The window has three parts:

- today, and the days before it that the provider may still revise;
- at every location, earlier days that are missing or stale in any selected asset, back to a bound;
- days for which a source did not have all values yet (``asking_again``).

What lies before the bound is not made. Every run reports it until it is fresh. Days are UTC days.

Pure: table states, versions and the clock come in as values.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from orchestration.core.calendar import DAY, day_of, instant_of
from orchestration.core.declarations.asset import Asset
from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet
from orchestration.core.planning.asking_again import is_due
from orchestration.core.state.completeness import last_asked
from orchestration.core.state.freshness import Current, Judge, Judgement, Tables, Way
from orchestration.core.state.judged import not_fresh
from orchestration.core.state.table_state import TableState

Moments = Callable[[str], Mapping[PartitionKey, str]]
"""Asset key → when each partition was last asked for in vain (ISO 8601, UTC). A request whose answer brings nothing new
leaves no record in the table."""


def no_moments(_asset: str) -> Mapping[PartitionKey, str]:
    """``Moments`` of an asset for which no request was in vain."""
    return {}


@dataclass(frozen=True, slots=True)
class HourlyWindow:
    """The partitions that an hourly run is about."""

    partitions: PartitionSet
    """All partitions of the window."""
    revisable: PartitionSet
    """Those of ``partitions`` that the provider may still revise or complete."""
    beyond: PartitionSet
    """Partitions that are not fresh and lie before the window. The run names them and does not make them."""


def hourly_window(
    assets: Sequence[Asset],
    locations: Iterable[str],
    tables: Tables,
    current: Current,
    *,
    revisable_days: int,
    catch_up_days: int,
    moments: Moments = no_moments,
    wanted: Mapping[str, PartitionSet] = MappingProxyType({}),
) -> HourlyWindow:
    """The hourly window of ``assets`` at ``locations``.

    current: has the clock, and says how old an incomplete day may be. moments: called only for assets with incomplete
    days. wanted: asset key → the partitions that are declared as wanted (``history.since``).

    If nothing is declared for a location, there is no gap before the first day of an asset, and none in an asset that
    was never made there.

    | today | revisable | fresh           | window, with 14 days to catch up |
    |-------|-----------|-----------------|----------------------------------|
    | 20    | 2         | all through 17  | 18..20                           |
    | 20    | 2         | all through 12  | 13..20                           |
    | 20    | 2         | all but 9       | 9, 18..20                        |
    | 20    | 2         | all through 3   | 6..20                            |
    | 20    | 2         | none ever       | 18..20                           |
    """
    today = day_of(current.now)
    first = today - revisable_days * DAY
    bound = min(first, today - catch_up_days * DAY)
    judged = [
        (Judge(asset, tables, current), tables.get(asset.key, TableState()).present)
        for asset in assets
        if asset.partitions is not None
    ]
    locations = tuple(locations)
    gaps: list[PartitionKey] = []
    for location in locations:
        for judge, present in judged:
            known = present.days_of(location) | wanted.get(judge.asset.key, PartitionSet.empty()).days_of(location)
            if known:
                gaps += [key for key in _keys(location, max(bound, known.first), first) if _is_gap(judge(key))]
    revisable = PartitionSet.of(Days.of(first, today), locations)
    beyond = PartitionSet.empty()
    for asset in assets:
        revisable |= _to_fill_in(asset, locations, tables, current, first, moments)
        beyond |= _beyond(asset, locations, tables, current, bound, wanted.get(asset.key, PartitionSet.empty()))
    return HourlyWindow(revisable | PartitionSet.from_keys(gaps), revisable, beyond)


def _beyond(
    asset: Asset, locations: Iterable[str], tables: Tables, current: Current, bound: date, wanted: PartitionSet
) -> PartitionSet:
    """The partitions of an asset before ``bound`` that are not fresh, from the first existing or wanted day at each
    location."""
    if asset.partitions is None:
        return PartitionSet.empty()
    present = tables.get(asset.key, TableState()).present.without_null()
    known = (present | wanted).restrict(locations, Days.of(date.min, bound - DAY))
    reach = known.map_days(lambda _location, days: Days.of(days.first, bound - DAY))
    found = not_fresh(asset, asset.partitions.asked_by(reach) & reach, tables, current)
    return PartitionSet.union_of(of for why, of in found.items() if _is_gap(why))


def _to_fill_in(
    asset: Asset,
    locations: Collection[str],
    tables: Tables,
    current: Current,
    before: date,
    moments: Moments,
) -> PartitionSet:
    """The incomplete partitions of a fetched asset, before the day ``before``, for which its source is to be asked
    again now."""
    own = tables.get(asset.key, TableState())
    completeness = current.completeness_of(asset, own)
    if completeness is None:
        return PartitionSet.empty()
    first = day_of(current.now) - current.incomplete_days * DAY
    lacking: dict[PartitionKey, str] = {}
    for location in locations:
        for key in _keys(location, first, before):
            record = own.trusted(key)
            hours = None if record is None else completeness(key, record)
            if record is not None and hours is not None and not hours.whole:
                lacking[key] = last_asked(record)
    in_vain = moments(asset.key) if lacking else {}
    due = []
    for key, recorded in lacking.items():
        known = [instant_of(text) for text in (recorded, in_vain.get(key, "")) if text]
        believed = (min(at, current.now) for at in known if at <= current.now + current.clock_tolerance)
        asked = max(believed, default=None)
        if key.day is not None and is_due(key.day, asked, current.now, current.incomplete_days):
            due.append(key)
    return PartitionSet.from_keys(due)


def _is_gap(judgement: Judgement) -> bool:
    """Whether a partition has to be made. One that only a refetch could change is no gap: somebody has to decide
    that.
    """
    return not judgement.fresh and judgement.way is not Way.REFETCH


def _keys(location: str, first: date, before: date) -> list[PartitionKey]:
    return [PartitionKey(first + number * DAY, location) for number in range((before - first).days)]
