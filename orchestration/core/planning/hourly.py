"""The hourly window: which days a run looks at that is started every hour, and after a gap.

Today and the days that the provider may still revise; and, for every location, the days before them that are not fresh
in every selected asset, up to a bound, and those of which a source did not have everything (``asking_again``). Days are
UTC days.

Pure: table states, versions and the clock come in as values.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from orchestration.core.calendar import DAY, day_of, instant_of
from orchestration.core.declarations.asset import Asset
from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet
from orchestration.core.planning.asking_again import is_due
from orchestration.core.state.completeness import last_asked
from orchestration.core.state.freshness import Current, Judge, Judgement, Tables, Way
from orchestration.core.state.table_state import TableState

Moments = Callable[[str], Mapping[PartitionKey, str]]
"""Gives, of an asset, when partitions were asked for (ISO 8601, UTC) although nothing new came: no record says so."""


def no_moments(_asset: str) -> Mapping[PartitionKey, str]:
    """Where every question brought something new."""
    return {}


@dataclass(frozen=True, slots=True)
class HourlyWindow:
    """What an hourly run is about.

    revisable: those of ``partitions`` that the provider may still revise, or fill in. beyond: some gaps reach farther
    back than is caught up; of each location with such a gap, the last day that stays as it is.
    """

    partitions: PartitionSet
    revisable: PartitionSet
    beyond: PartitionSet


def hourly_window(
    assets: Sequence[Asset],
    locations: Iterable[str],
    tables: Tables,
    current: Current,
    *,
    revisable_days: int,
    catch_up_days: int,
    moments: Moments = no_moments,
) -> HourlyWindow:
    """The window of ``assets`` at ``locations``, by the clock of ``current``, which also says how old an incomplete day
    may be. moments: asked only of assets that have such days.

    An asset that was never made at a location has no gap there; days before its first one are none either.

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
    beyond: list[PartitionKey] = []
    for location in locations:
        for judge, present in judged:
            known = present.days_of(location)
            if not known:
                continue
            lacking = [key for key in _keys(location, max(bound, known.first), first) if _is_gap(judge(key))]
            gaps += lacking
            before = PartitionKey(bound - DAY, location)
            if known.first < bound and _is_gap(judge(before)):
                beyond.append(before)
    revisable = PartitionSet.of(Days.of(first, today), locations)
    for asset in assets:
        revisable |= _to_fill_in(asset, locations, tables, current, first, moments)
    return HourlyWindow(revisable | PartitionSet.from_keys(gaps), revisable, PartitionSet.from_keys(beyond))


def _to_fill_in(
    asset: Asset,
    locations: Collection[str],
    tables: Tables,
    current: Current,
    before: date,
    moments: Moments,
) -> PartitionSet:
    """The incomplete partitions of a fetched asset that are to be asked for again now, of days ahead of ``before``."""
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
    """Whether a partition is to be made; what only the source could give is no gap, but a decision of somebody's."""
    return not judgement.fresh and judgement.way is not Way.REFETCH


def _keys(location: str, first: date, before: date) -> list[PartitionKey]:
    return [PartitionKey(first + number * DAY, location) for number in range((before - first).days)]


def gap_in_words(beyond: PartitionSet) -> str:
    """What a person is told of a gap that is longer than what is caught up."""
    return (
        f"The gap reaches back beyond what --hourly catches up (hourly.catch_up_days): {beyond} and before stay as "
        f"they are. See `aqi status`, and fill it with `aqi backfill`."
    )
