"""Partition mappings: on which partitions of an upstream asset a partition depends, and the other way round.

Every mapping answers four questions:

    upstream_of(partitions)    what has to be read so that these partitions can be made
    consulted_by(key)          on what one partition depends; its provenance records this
    makeable(partitions, …)    which of them can be made from the existing upstream partitions
    affected_by(changed, …)    which partitions may change because these upstream ones changed

``Identity`` and ``AllPartitions`` need only the keys. ``RunWindow`` depends on the data: it is given the flagged hours
(``FlaggedHours``), and follows a run of flagged hours across days. Pure.
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
"""(location, day) → the flagged hours of the day, as a mask (bit 0: 00:00 UTC); 0 where there are no rows."""


def fitting(of: str, upstream_partitioned: bool, partitioned: bool) -> str:
    """Half a sentence for an error: which mapping to declare between such assets instead. of: key of the upstream
    asset."""
    if upstream_partitioned and not partitioned:
        return (
            "no mapping makes an asset without partitions from one that has some: it would be made anew from all of "
            f"them at every run. Give it the partitions of {of}, and let its readers add up"
        )
    return f'write {"Identity" if upstream_partitioned else "AllPartitions"}("{of}")'


def nothing_flagged(_location: str, _day: date) -> int:
    """``FlaggedHours`` of an empty table."""
    return 0


class PartitionMapping(Protocol):
    """How partitions of an asset depend on partitions of the upstream asset ``of``."""

    @property
    def of(self) -> str:
        """Key of the upstream asset."""
        ...

    @property
    def window(self) -> RunWindow | None:
        """The window whose flagged hours have to be read from the upstream table; None where the keys alone decide.

        Through a window, a function reads more days than it makes. Rows that it makes for those further days are
        dropped.
        """
        ...

    def misfit(self, upstream_partitioned: bool, partitioned: bool) -> str:
        """Half a sentence: why this mapping cannot be used between such assets, and which one can. Empty where it
        can.
        """
        ...

    def upstream_of(self, partitions: PartitionSet, flagged: FlaggedHours) -> PartitionSet:
        """All upstream partitions that are read to make ``partitions``."""
        ...

    def makeable(self, partitions: PartitionSet, available: PartitionSet) -> PartitionSet:
        """Those of ``partitions`` that can be made when only ``available`` upstream partitions are there."""
        ...

    def consulted_by(self, key: PartitionKey, flagged: FlaggedHours) -> PartitionSet:
        """The upstream partitions on which the partition ``key`` depends, also those that do not exist."""
        ...

    def affected_by(self, changed: PartitionSet, existing: PartitionSet, flagged: FlaggedHours) -> PartitionSet:
        """Those of the partitions ``existing`` that may change because the upstream partitions ``changed`` did."""
        ...


@dataclass(frozen=True, slots=True)
class Identity:
    """A partition depends on the upstream partition with the same key."""

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
    """Runs of consecutive flagged hours. A run belongs to the partition of the day on which it starts.

    A partition depends on the hour before its day, and on all hours up to the first unflagged hour after its last run.
    Example: if the hours 22, 23 of 2025-08-08 and 0, 1 of 2025-08-09 are flagged, the partition 2025-08-08 depends on
    2025-08-07 (hour 23), 2025-08-08 and 2025-08-09.
    """

    of: str
    """Key of the upstream asset, partitioned by UTC day and location, with hourly rows."""
    column: str
    """The column that is compared with the threshold. Nulls are not flagged."""
    at_least: str
    """The dotted path of the parameter with the threshold, for instance ``alarm_rule.threshold``. Hours with at least
    this value are flagged."""
    instant: str = "ts_utc"
    """The column with the first instant of a row's hour."""

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
    """The day with the first unflagged hour after a run that is still going on when the day ``last`` ends.

    | hour 23 of ``last`` | day after         | result                            |
    |---------------------|-------------------|-----------------------------------|
    | not flagged         | any               | ``last``                          |
    | flagged             | not all flagged   | the day after                     |
    | flagged             | flagged all day   | the same question, a day later    |
    """
    day = last
    if flagged(location, day) & LAST_HOUR:
        day += DAY
        while flagged(location, day) == ALL_DAY:
            day += DAY
    return day


def _first_day_of_run(location: str, first: date, flagged: FlaggedHours) -> date:
    """The day on which the run started that includes the first hour of ``first``; ``first`` where there is no such
    run.
    """
    day = first
    if flagged(location, day - DAY) & LAST_HOUR:
        day -= DAY
        while flagged(location, day) == ALL_DAY and flagged(location, day - DAY) & LAST_HOUR:
            day -= DAY
    return day
