"""The hourly window: which days a run looks at that is started every hour, and after a gap.

Today and the days that the provider may still revise; and, for every place, all days since the last one that is fresh
in every selected asset, up to a bound. Days are UTC days.

Pure: table states, versions and the clock come in as values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from orchestration.asset import Asset
from orchestration.freshness import Current, Judge, Tables
from orchestration.partitions import Days, PartitionKey, PartitionSet
from orchestration.provenance import TableState

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class HourlyWindow:
    """What an hourly run is about.

    beyond: of each place whose gap reaches farther back than is caught up, the last day that stays as it is.
    """

    partitions: PartitionSet
    beyond: PartitionSet


def hourly_window(
    assets: Sequence[Asset],
    places: Iterable[str],
    tables: Tables,
    current: Current,
    *,
    revisable_days: int,
    catch_up_days: int,
) -> HourlyWindow:
    """The window of ``assets`` at ``places``, by the clock of ``current``.

    An asset that was never made at a place has no gap there; days before its first one are none either.

    | today | revisable | newest fresh | window, with 14 days to catch up |
    |-------|-----------|--------------|----------------------------------|
    | 20    | 2         | 17 or later  | 18..20                           |
    | 20    | 2         | 12           | 13..20                           |
    | 20    | 2         | 3            | 6..20                            |
    | 20    | 2         | none ever    | 18..20                           |
    """
    today = current.now.date()
    first = today - revisable_days * DAY
    bound = min(first, today - catch_up_days * DAY)
    judges = [(asset, Judge(asset, tables, current)) for asset in assets if asset.partitions is not None]
    partitions, beyond = PartitionSet.empty(), PartitionSet.empty()
    for place in places:
        begins = first
        for asset, judge in judges:
            known = tables.get(asset.key, TableState()).present.days_of(place)
            earliest = known.first if known else first
            day = _after_the_newest_fresh(judge, place, first, max(bound, earliest))
            begins = min(begins, day)
            before = PartitionKey(bound - DAY, place)
            if day == bound and earliest < bound and not judge(before).fresh:
                beyond |= PartitionSet.from_keys([before])
        partitions |= PartitionSet.of(Days.of(begins, today), [place])
    return HourlyWindow(partitions, beyond)


def _after_the_newest_fresh(judge: Judge, place: str, first: date, bound: date) -> date:
    """The earliest day, not before ``bound``, from which on no day before ``first`` is fresh."""
    day = first
    while day > bound and not judge(PartitionKey(day - DAY, place)).fresh:
        day -= DAY
    return day


def gap_in_words(beyond: PartitionSet) -> str:
    """What a person is told of a gap that is longer than what is caught up."""
    return (
        f"The gap reaches back beyond what --hourly catches up (hourly.catch_up_days): {beyond} and before stay as "
        f"they are. See `aqi status`, and fill it with `aqi backfill`."
    )
