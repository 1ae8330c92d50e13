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
from datetime import date
from typing import Protocol

from orchestration.core.calendar import DAY, HOURS_A_DAY
from orchestration.core.partitions.keys import NULL_KEY, Days, PartitionKey, PartitionSet

ALL_DAY = (1 << HOURS_A_DAY) - 1
LAST_HOUR = 1 << (HOURS_A_DAY - 1)

FlaggedHours = Callable[[str, date], int]
"""(location, day) → which hours of the day are flagged, bit 0 for 00:00 UTC; 0 where there is no data."""


def fitting(of: str, upstream_partitioned: bool, partitioned: bool) -> str:
    """What to declare of two assets instead of a mapping that does not fit, as half a sentence."""
    if upstream_partitioned and not partitioned:
        return (
            "no mapping makes an asset without partitions from one that has some: it would be made anew from all of "
            f"them at every run. Give it the partitions of {of}, and let its readers add up"
        )
    return f'write {"Identity" if upstream_partitioned else "AllPartitions"}("{of}")'


def nothing_flagged(_location: str, _day: date) -> int:
    """The flagged hours of an empty table."""
    return 0


class PartitionMapping(Protocol):
    """How partitions of an asset depend on those of the upstream asset ``of``."""

    @property
    def of(self) -> str:
        """Key of the upstream asset."""
        ...

    @property
    def window(self) -> RunWindow | None:
        """The hours of the upstream table that have to be looked at; None where the keys say what depends on what.

        Through a window a function reads more than it makes: what it makes of the days around is not kept.
        """
        ...

    def misfit(self, upstream_partitioned: bool, partitioned: bool) -> str:
        """Why this mapping cannot join such assets, and what can, as half a sentence; empty where it can."""
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

    @property
    def window(self) -> None:
        return None

    def misfit(self, upstream_partitioned: bool, partitioned: bool) -> str:
        if upstream_partitioned == partitioned:
            return ""
        return f"Identity joins assets of the same partitions; {fitting(self.of, upstream_partitioned, partitioned)}"

    def upstream_of(self, partitions: PartitionSet, flagged: FlaggedHours) -> PartitionSet:
        return partitions

    def makeable(self, partitions: PartitionSet, available: PartitionSet) -> PartitionSet:
        return partitions & available

    def consulted_by(self, key: PartitionKey, flagged: FlaggedHours) -> PartitionSet:
        return PartitionSet.one(key)

    def affected_by(self, changed: PartitionSet, existing: PartitionSet, flagged: FlaggedHours) -> PartitionSet:
        return changed & existing


@dataclass(frozen=True, slots=True)
class AllPartitions:
    """Every partition depends on the whole of an unpartitioned upstream asset."""

    of: str

    @property
    def window(self) -> None:
        return None

    def misfit(self, upstream_partitioned: bool, partitioned: bool) -> str:
        if not upstream_partitioned:
            return ""
        return f"AllPartitions reads a whole table at every step; {fitting(self.of, upstream_partitioned, partitioned)}"

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

    of: key of the upstream asset, partitioned by UTC day and location, with hourly rows.
    column, at_least: an hour is flagged where ``column`` is not null and at least the parameter named
        ``at_least`` (a path into the parameters, for instance ``alarm_rule.threshold``).
    instant: the column that says when a row's hour begins.

    A partition depends on the hour before its day and on all hours up to the first that ends its last run.
    """

    of: str
    column: str
    at_least: str
    instant: str = "ts_utc"

    @property
    def window(self) -> RunWindow:
        return self

    def misfit(self, upstream_partitioned: bool, partitioned: bool) -> str:
        if upstream_partitioned and partitioned:
            return ""
        return f"RunWindow joins two assets with partitions; {fitting(self.of, upstream_partitioned, partitioned)}"

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
        return self.upstream_of(PartitionSet.one(key), flagged)

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
