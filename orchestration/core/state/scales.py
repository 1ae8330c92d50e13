"""On which days a source's scale changed, by the scales that each day may follow; and how that is told.

Pure. A change depends on the day and the ``LOOK_BACK`` days before it alone: so not on what was loaded together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from orchestration.core.calendar import DAY
from orchestration.core.declarations.scales import WatchedScale
from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet

LOOK_BACK = 14
"""So many days before a day say which scale the days before it followed. What lies farther apart is not compared."""

NAMED = 6
"""So many locations are named."""


@dataclass(frozen=True, order=True, slots=True)
class ScaleChange:
    """The first day, at a location, that cannot follow what the days before followed. before, after: masks."""

    day: date
    location: str
    before: int
    after: int

    @property
    def at(self) -> PartitionKey:
        return PartitionKey(self.day, self.location)

    @property
    def rests_on(self) -> Days:
        """The days from which the change was found."""
        return Days.of(self.day - LOOK_BACK * DAY, self.day)


def changes(masks: Mapping[str, Any], first: date, anything: int) -> list[ScaleChange]:
    """The changes at each location, by day. masks: of adjacent days from ``first`` on, an array of whole numbers each.

    | masks of adjacent days (a: 1, b: 2, b or c: 6, anything: 15) | changes on      |
    |--------------------------------------------------------------|-----------------|
    | 1, 1, 1                                                      | –               |
    | 1, 15, 2                                                     | the third       |
    | 1, 3, 2, 2                                                   | the third       |
    | 1, 6, 2, 4                                                   | the second, the fourth |
    | 1, 2, 1                                                      | the second, the third  |
    | 1, 14 days of 15, 2                                          | –: too far apart |
    """
    found = []
    for location, of in masks.items():
        decided = np.flatnonzero(of != anything)
        if not len(decided) or np.bitwise_and.reduce(of[decided]):
            continue
        for number, at in enumerate(decided):
            before = _before(of, decided[:number], int(at), anything)
            if before != anything and not before & of[at]:
                found.append(ScaleChange(first + int(at) * DAY, location, before, int(of[at])))
    return sorted(found)


def _before(of: Any, decided: Any, at: int, anything: int) -> int:
    """The scales that the days before ``at`` can follow, as a mask; only as far back as these days agree."""
    before = anything
    for day in decided[decided >= at - LOOK_BACK][::-1]:
        if not before & of[day]:
            break
        before &= int(of[day])
    return before


def in_words(changed: Iterable[ScaleChange], scale: WatchedScale, asset: str, present: PartitionSet) -> list[str]:
    """The changes of an asset's scale in sentences for people. Equal changes share a sentence. present: the partitions
    of its table."""
    alike: dict[tuple[date, int, int], list[ScaleChange]] = {}
    for one in sorted(changed):
        alike.setdefault((one.day, one.before, one.after), []).append(one)
    return [_sentence(of, scale, asset, present) for of in alike.values()]


def _sentence(of: list[ScaleChange], scale: WatchedScale, asset: str, present: PartitionSet) -> str:
    """The sentence for changes on one day. of: at least one change."""
    first, locations = of[0], [one.location for one in of]
    earlier = present.restrict(locations, Days.of(date.min, first.day - DAY))
    more = len(locations) - NAMED
    where = ", ".join(locations[:NAMED]) + (f" and {more} locations more" if more > 0 else "")
    text = (
        f"{scale.title} changed on {first.day} at {where}: from then on it is {scale.in_words(first.after)}; the days "
        f"before follow {scale.in_words(first.before)}. {scale.meaning}"
    )
    if not earlier:
        return text
    days = Days.of(earlier.days.first, earlier.days.last)
    again = f"aqi materialize {asset} --force --partitions {days} --locations {','.join(earlier.locations)}"
    return f"{text} To have one scale, ask for the days before again: {again}"
