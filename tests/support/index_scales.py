"""The provider's PM2.5 index a second time, hour by hour, from the data model; and air for it."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Sequence

THRESHOLDS = {
    "until_july_2026": "0:0 12:50 35.5:100 55.5:150 150.5:200 250.5:300 350.1:400 500.5:500",
    "since_july_2026": "0:0 9:50 35.5:100 55.5:150 125.5:200 225.5:300 325.5:400 500:500",
    "since_september_2026": "0:0 9:50 35.5:100 55.5:150 125.5:200 225.5:300 500:500",
}
OLD, NEW, NEWEST = THRESHOLDS


def index_by(name: str, mean: float) -> float:
    """The index of a mean in µg/m³, not rounded, within the scale."""
    points = [tuple(map(float, point.split(":"))) for point in THRESHOLDS[name].split()]
    at = min(bisect_right([low for low, _ in points], mean) - 1, len(points) - 2)
    (low, index), (high, above) = points[at], points[at + 1]
    return index + (mean - low) / (high - low) * (above - index)


def indices_by(name: str, hourly: Sequence[float | None]) -> list[int | None]:
    """The index of each hour: of the mean of the 24 hours before it; None where one of these is missing."""
    found: list[int | None] = []
    for at in range(len(hourly)):
        before = [value for value in hourly[max(0, at - 24) : at] if value is not None]
        found.append(int(index_by(name, sum(before) / 24) + 0.5) if len(before) == 24 else None)
    return found


def air(seed: int, days: int, low: float = 1.0, high: float = 120.0) -> list[float]:
    """PM2.5 that wanders, in µg/m³ to a tenth; of the same seed the same."""
    drawn = random.Random(seed)
    value, found = drawn.uniform(low, high), []
    for _ in range(24 * days):
        value = min(max(value * drawn.uniform(0.85, 1.18), low), high)
        found.append(round(value, 1))
    return found
