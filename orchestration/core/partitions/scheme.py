"""Partition schemes: how a table is cut into periods of time.

A scheme says when each period begins and ends, how partition keys are written, and which columns of the table say to
which partition a row belongs. Code that has to know whether a period is over, or which periods a range of time touches,
asks the scheme of the asset. A new scheme is a class in this module that has ``columns``, ``begins``, ``ends`` and
``day_of``; the other methods follow from these.

Must not know: assets, storage, the clock. *Now* is always an argument; instants have a zone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import ClassVar, NamedTuple

from orchestration.core.calendar import DAY, HOUR, day_of, hour_of, midnight
from orchestration.core.errors import PartitionRangeError
from orchestration.core.partitions.keys import NULL_KEY, Days, PartitionKey, PartitionSet


class PartitionColumns(NamedTuple):
    """The columns of a table that say to which partition a row belongs."""

    day: str
    location: str


class PartitionScheme(ABC):
    """How the table of a partitioned asset is cut into periods.

    The name of a period is a day. Which days are names, and how long their periods last, may depend on the location.
    Keys that are given to methods have a day; ``null`` is the key of an asset without a scheme.
    """

    __slots__ = ()

    is_even: ClassVar[bool] = False
    """Whether all periods have the same length."""

    @property
    @abstractmethod
    def columns(self) -> PartitionColumns:
        """The columns of the table that say to which partition a row belongs."""

    @abstractmethod
    def begins(self, key: PartitionKey) -> datetime:
        """The first instant of the period of ``key``, in UTC."""

    @abstractmethod
    def ends(self, key: PartitionKey) -> datetime:
        """The first instant after the period of ``key``, in UTC; there the next period begins."""

    @abstractmethod
    def day_of(self, location: str, instant: datetime) -> date:
        """The name of the period that contains ``instant`` at ``location``.

        The period that contains now is the last one that can be asked for.
        """

    def is_over(self, key: PartitionKey, now: datetime) -> bool:
        """Whether the period has ended at ``now``.

        | period     | now              | result |
        |------------|------------------|--------|
        | 2025-08-08 | 2025-08-08 23:59 | False  |
        | 2025-08-08 | 2025-08-09 00:00 | True   |
        | 2025-08-08 | 2025-08-07 12:00 | False  |
        """
        return now >= self.ends(key)

    def more_has_passed(self, key: PartitionKey, as_of: datetime, now: datetime) -> bool:
        """Whether an hour of the period has begun, or the period has ended, since the source was asked at ``as_of``.

        | asked at | now           | result |
        |----------|---------------|--------|
        | 06:30    | 06:59         | False  |
        | 06:30    | 07:00         | True   |
        | 23:10    | 23:50         | False  |
        | 23:10    | the day after | True   |
        """
        return hour_of(min(now, self.ends(key))) > hour_of(as_of)

    def hour_of(self, location: str, instant: datetime) -> int:
        """The number of the hour of its period, from 0 on, that contains the instant.

        | instant          | result |
        |------------------|--------|
        | 2025-08-08 00:00 | 0      |
        | 2025-08-08 23:59 | 23     |
        """
        return (instant - self.begins(PartitionKey(self.day_of(location, instant), location))) // HOUR

    def touched_by(self, location: str, first: datetime, before: datetime) -> Iterator[PartitionKey]:
        """The partitions, in order, whose periods contain any instant from ``first`` on and before ``before``.

        | first            | before           | result                 |
        |------------------|------------------|------------------------|
        | 2025-08-08 00:00 | 2025-08-09 00:00 | 2025-08-08             |
        | 2025-08-08 23:59 | 2025-08-09 00:01 | 2025-08-08, 2025-08-09 |
        | 2025-08-08 12:00 | 2025-08-08 12:00 | none                   |
        """
        while first < before:
            key = PartitionKey(self.day_of(location, first), location)
            yield key
            first = self.ends(key)

    def asked_by(self, asked: PartitionSet) -> PartitionSet:
        """The partitions that a request for UTC days means in this scheme: those whose periods touch the days.

        | asked                          | of UTC days            | of weeks from Monday on |
        |--------------------------------|------------------------|-------------------------|
        | 2025-08-10..2025-08-11 × north | 2025-08-10, 2025-08-11 | 2025-08-04, 2025-08-11  |
        | null                           | nothing                | nothing                 |
        """
        return PartitionSet.from_keys(
            key
            for location, first, last in asked.pieces()
            for key in self.touched_by(location, midnight(first), midnight(last) + DAY)
        )

    def begun(self, partitions: PartitionSet, now: datetime) -> PartitionSet:
        """Those of ``partitions`` whose periods have begun at ``now``; only these can be asked for.

        | partitions             | now              | result     |
        |------------------------|------------------|------------|
        | 2025-08-08, 2025-08-09 | 2025-08-08 23:59 | 2025-08-08 |
        | 2025-08-08, 2025-08-09 | 2025-08-09 00:00 | both       |
        """

        def until_now(location: str, days: Days) -> Days:
            today = self.day_of(location, now)
            return days if days.last <= today else days & Days.of(min(days.first, today), today)

        return partitions.map_days(until_now)

    def text(self, key: PartitionKey) -> str:
        """The key as text: ``2025-08-08/north``."""
        return str(key)

    def parse(self, text: str) -> PartitionKey:
        """The key whose text is ``text``. Raises PartitionRangeError for any other text."""
        key = PartitionKey.parse(text)
        if key == NULL_KEY:
            raise PartitionRangeError(f"cannot read partition key {text!r}", "write it as 2025-08-08/north")
        return key


@dataclass(frozen=True, slots=True)
class DailyByLocation(PartitionScheme):
    """UTC day × location; these columns of the table hold them.

    | key                | begins           | ends             |
    |--------------------|------------------|------------------|
    | 2025-08-08/north   | 2025-08-08 00:00 | 2025-08-09 00:00 |
    """

    is_even: ClassVar[bool] = True

    day_column: str = "date_utc"
    location_column: str = "location_key"

    @property
    def columns(self) -> PartitionColumns:
        return PartitionColumns(self.day_column, self.location_column)

    def begins(self, key: PartitionKey) -> datetime:
        return midnight(_dated(key))

    def ends(self, key: PartitionKey) -> datetime:
        return midnight(_dated(key)) + DAY

    def day_of(self, location: str, instant: datetime) -> date:
        return day_of(instant)

    def hour_of(self, location: str, instant: datetime) -> int:
        return instant.astimezone(UTC).hour

    def asked_by(self, asked: PartitionSet) -> PartitionSet:
        return asked.without_null()

    def begun(self, partitions: PartitionSet, now: datetime) -> PartitionSet:
        return partitions.restrict(days=Days.of(date.min, day_of(now)))  # everywhere the same days


def _dated(key: PartitionKey) -> date:
    assert key.day is not None, "the null key is of no scheme"
    return key.day
