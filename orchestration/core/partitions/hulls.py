"""Hulls: from which first to which last day partitions reach, by location. Commands that make the partitions name
these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from orchestration.core.partitions.keys import Days, PartitionSet


@dataclass(frozen=True, slots=True)
class Hull:
    """Locations whose partitions have the same first and the same last day."""

    first: date
    last: date
    """The last day, included."""
    locations: tuple[str, ...]

    @property
    def range(self) -> str:
        """As a RANGE of the command line: ``2025-08-01..2025-08-09``."""
        return str(Days.of(self.first, self.last))


def hulls(partitions: PartitionSet) -> list[Hull]:
    """The hulls of ``partitions``, the earliest first. The null key is in none.

    ================================================  ==================================================
    2025-08-01, 2025-08-09 × hue; 2025-08-09 × vinh   2025-08-01..2025-08-09 × hue; 2025-08-09 × vinh
    2025-08 × hue, vinh                               2025-08-01..2025-08-31 × hue, vinh
    ================================================  ==================================================
    """
    together: dict[tuple[date, date], list[str]] = {}
    for location, days in partitions.parts:
        together.setdefault((days.first, days.last), []).append(location)
    return [Hull(*ends, tuple(at)) for ends, at in sorted(together.items())]


def hulls_of(parts: Mapping[str, PartitionSet]) -> list[Hull]:
    """The hulls of all sets of ``parts`` together."""
    return hulls(PartitionSet.union_of(parts.values()))
