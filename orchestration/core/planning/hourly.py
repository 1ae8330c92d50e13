"""The hourly window: which days a run looks at that is started every hour, and after a gap.

Today and the days that the provider may still revise; and, for every location, the days before them that are not fresh
in every selected asset, up to a bound. Days are UTC days.

Pure: table states, versions and the clock come in as values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from orchestration.core.calendar import DAY, day_of
from orchestration.core.declarations.asset import Asset
from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet
from orchestration.core.state.freshness import Current, Judge, Judgement, Tables, Way
from orchestration.core.state.table_state import TableState


@dataclass(frozen=True, slots=True)
class HourlyWindow:
    """What an hourly run is about.

    revisable: those of ``partitions`` that the provider may still revise. beyond: some gaps reach farther back than is
    caught up; of each location with such a gap, the last day that stays as it is.
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
) -> HourlyWindow:
    """The window of ``assets`` at ``locations``, by the clock of ``current``.

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
    return HourlyWindow(revisable | PartitionSet.from_keys(gaps), revisable, PartitionSet.from_keys(beyond))


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
