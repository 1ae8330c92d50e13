"""Partition mappings: which partitions of an upstream asset a partition depends on, and the way back.

Every mapping answers four questions, purely:

    upstream_of(partitions)    what has to be read so that these partitions can be made
    consulted_by(key)          what one partition depends on; this is what its provenance records
    makeable(partitions, …)    which of them can be made from the upstream partitions that are there
    affected_by(changed, …)    which partitions may come out otherwise because these upstream ones changed

``Identity`` and ``AllPartitions`` need nothing but the keys. ``RunWindow`` depends on the data: it is given the
hours that are flagged (``FlaggedHours``) and looks only as far as the run goes that reaches its range.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Protocol

from orchestration.core.partitions.keys import NULL_KEY, Days, PartitionKey, PartitionSet

HOURS = 24
ALL_DAY = (1 << HOURS) - 1
LAST_HOUR = 1 << (HOURS - 1)
DAY = timedelta(days=1)

FlaggedHours = Callable[[str, date], int]
"""(location, day) → which hours of the day are flagged, bit 0 for 00:00 UTC; 0 where there is no data."""


def nothing_flagged(_location: str, _day: date) -> int:
    """The flagged hours of an empty table."""
    return 0


class PartitionMapping(Protocol):
    """How partitions of an asset depend on those of the upstream asset ``of``."""

    @property
    def of(self) -> str:
        """Key of the upstream asset."""
        ...

    def misfit(self, upstream_partitioned: bool, partitioned: bool) -> str:
        """Why this mapping cannot join such assets, as half a sentence; empty where it can."""
        ...

    def upstream_of(self, partitions: PartitionSet, flagged: FlaggedHours) -> PartitionSet:
        """All upstream partitions that are read to make ``partitions``."""
        ...

    def makeable(self, partitions: PartitionSet, available: PartitionSet) -> PartitionSet:
        """Those of ``partitions`` that can be made when only ``available`` upstream partitions are there."""
        ...

    def consulted_by(self, key: PartitionKey, flagged: FlaggedHours) -> PartitionSet:
        """The upstream partitions on which the partition ``key`` depends, absent ones included."""
        ...

    def affected_by(self, changed: PartitionSet, existing: PartitionSet, flagged: FlaggedHours) -> PartitionSet:
        """Those of ``existing`` that may come out otherwise after ``changed`` upstream partitions changed."""
        ...


@dataclass(frozen=True, slots=True)
class Identity:
    """Partition by partition: the same key on both sides."""

    of: str

    def misfit(self, upstream_partitioned: bool, partitioned: bool) -> str:
        if upstream_partitioned == partitioned:
            return ""
        return "Identity joins assets of the same partitions; use AllPartitions"

    def upstream_of(self, partitions: PartitionSet, flagged: FlaggedHours) -> PartitionSet:
        return partitions

    def makeable(self, partitions: PartitionSet, available: PartitionSet) -> PartitionSet:
        return partitions & available

    def consulted_by(self, key: PartitionKey, flagged: FlaggedHours) -> PartitionSet:
        return PartitionSet.from_keys([key])

    def affected_by(self, changed: PartitionSet, existing: PartitionSet, flagged: FlaggedHours) -> PartitionSet:
        return changed & existing


@dataclass(frozen=True, slots=True)
class AllPartitions:
    """Every partition depends on the whole of an unpartitioned upstream asset."""

    of: str

    def misfit(self, upstream_partitioned: bool, partitioned: bool) -> str:
        if not upstream_partitioned:
            return ""
        return "AllPartitions reads a whole table at every step; it is for unpartitioned upstream assets"

    def upstream_of(self, partitions: PartitionSet, flagged: FlaggedHours) -> PartitionSet:
        return PartitionSet.null() if partitions else PartitionSet.empty()

    def makeable(self, partitions: PartitionSet, available: PartitionSet) -> PartitionSet:
        return partitions if NULL_KEY in available else PartitionSet.empty()

    def consulted_by(self, key: PartitionKey, flagged: FlaggedHours) -> PartitionSet:
        return PartitionSet.null()

    def affected_by(self, changed: PartitionSet, existing: PartitionSet, flagged: FlaggedHours) -> PartitionSet:
        return existing if NULL_KEY in changed else PartitionSet.empty()


@dataclass(frozen=True, slots=True)
class RunWindow:
    """Runs of adjacent flagged hours, kept in the partition of the day on which they start.

    of: key of the upstream asset, partitioned by day and location, with hourly rows.
    column, at_least: an hour is flagged where ``column`` is not null and at least the parameter named
        ``at_least`` (a path into ``Parameters``, for instance ``episode_rule.threshold``).

    A partition depends on the hour before its day and on all hours up to the first that ends its last run.
    """

    of: str
    column: str
    at_least: str

    def misfit(self, upstream_partitioned: bool, partitioned: bool) -> str:
        if upstream_partitioned and partitioned:
            return ""
        return "RunWindow joins two assets that are partitioned by day and location"

    def upstream_of(self, partitions: PartitionSet, flagged: FlaggedHours) -> PartitionSet:
        return partitions.map_days(
            lambda location, days: Days.union_of(
                Days.of(first - DAY, _last_day_of_run(location, last, flagged)) for first, last in days.pieces
            )
        )

    def makeable(self, partitions: PartitionSet, available: PartitionSet) -> PartitionSet:
        return partitions & available

    def consulted_by(self, key: PartitionKey, flagged: FlaggedHours) -> PartitionSet:
        assert key.day is not None and key.location is not None
        return self.upstream_of(PartitionSet.from_keys([key]), flagged)

    def affected_by(self, changed: PartitionSet, existing: PartitionSet, flagged: FlaggedHours) -> PartitionSet:
        reached = changed.without_null().map_days(
            lambda location, days: Days.union_of(
                Days.of(_first_day_of_run(location, first, flagged), last + DAY) for first, last in days.pieces
            )
        )
        return reached & existing


def _last_day_of_run(location: str, last: date, flagged: FlaggedHours) -> date:
    """The day that holds the first hour after the run which is under way when the day ``last`` ends.

    | hour 23 of ``last`` | day after         | result      |
    |---------------------|-------------------|-------------|
    | not flagged         | any               | ``last``    |
    | flagged             | not all flagged   | the day after |
    | flagged             | flagged all day   | goes on from there |
    """
    day = last
    if flagged(location, day) & LAST_HOUR:
        day += DAY
        while flagged(location, day) == ALL_DAY:
            day += DAY
    return day


def _first_day_of_run(location: str, first: date, flagged: FlaggedHours) -> date:
    """The day on which the run starts that reaches the first hour of ``first``; ``first`` where none does."""
    day = first
    if flagged(location, day - DAY) & LAST_HOUR:
        day -= DAY
        while flagged(location, day) == ALL_DAY and flagged(location, day - DAY) & LAST_HOUR:
            day -= DAY
    return day
