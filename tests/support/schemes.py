"""Partition schemes that the product does not have, to see who asks the scheme when a period ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from orchestration.core.calendar import DAY, HOUR, midnight
from orchestration.core.partitions.keys import PartitionKey
from orchestration.core.partitions.scheme import PartitionColumns, PartitionScheme


@dataclass(frozen=True, slots=True)
class Weeks(PartitionScheme):
    """Weeks of UTC, called by their Mondays."""

    @property
    def columns(self) -> PartitionColumns:
        return PartitionColumns("monday", "location_key")

    def begins(self, key: PartitionKey) -> datetime:
        assert key.day is not None and key.day.weekday() == 0
        return midnight(key.day)

    def ends(self, key: PartitionKey) -> datetime:
        return self.begins(key) + 7 * DAY

    def day_of(self, location: str, instant: datetime) -> date:
        day = instant.astimezone(UTC).date()
        return day - timedelta(days=day.weekday())


@dataclass(frozen=True, slots=True)
class LocalDays(PartitionScheme):
    """Days of clocks that are ahead of UTC: by 7 hours, in the far west by 1."""

    @property
    def columns(self) -> PartitionColumns:
        return PartitionColumns("local_day", "location_key")

    def begins(self, key: PartitionKey) -> datetime:
        assert key.day is not None and key.location is not None
        return midnight(key.day) - self._ahead(key.location)

    def ends(self, key: PartitionKey) -> datetime:
        return self.begins(key) + DAY

    def day_of(self, location: str, instant: datetime) -> date:
        return (instant.astimezone(UTC) + self._ahead(location)).date()

    @staticmethod
    def _ahead(location: str) -> timedelta:
        return HOUR if location == "far-west" else 7 * HOUR
