"""From which day to which partitions reach, by location: what a command is given that has to make them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from orchestration.core.partitions.keys import Days, PartitionSet


@dataclass(frozen=True, slots=True)
class Hull:
    """Locations whose partitions reach from the same first to the same last day, both in."""

    first: date
    last: date
    locations: tuple[str, ...]

    @property
    def range(self) -> str:
        """As a RANGE of the command line: ``2025-08-08..2025-08-14``."""
        return str(Days.of(self.first, self.last))


def hulls(partitions: PartitionSet) -> list[Hull]:
    """The ends of ``partitions``, the earliest first; the null key has none.

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
    """The ends of all of ``parts``, by whatever name each is."""
    return hulls(PartitionSet.union_of(parts.values()))
