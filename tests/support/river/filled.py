"""Rivers with four days that have ended and one that goes on, and a day long before them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from tests.support.river.lake import Rivers
from tests.support.river.service import GaugeService, at, made_up_levels, made_up_rain

FIRST, TODAY = date(2025, 3, 1), date(2025, 3, 5)
ENDED = [FIRST + timedelta(days=number) for number in range(4)]
DAYS = [*ENDED, TODAY]
BEFORE = date(2025, 2, 26)
"""A day that no warehouse has, and no other day depends on."""
NOW = datetime(2025, 3, 5, 12, 30, tzinfo=UTC)
RANGE = "2025-03-01..2025-03-04"


def fill(folder: Path) -> Rivers:
    """Three rivers: a flood over midnight, one at a day's end, an hour that is not known, two that are refused."""
    levels = made_up_levels(BEFORE, (TODAY - BEFORE).days + 1)
    for hour in range(20, 24):
        levels["alder", at(date(2025, 3, 1), hour)] = (5.25, 30.0)
    for hour in range(3):
        levels["alder", at(date(2025, 3, 2), hour)] = (6.0 + hour / 4, 35.0)
    for hour in (21, 22, 23):
        levels["birch", at(date(2025, 3, 3), hour)] = (4.0, 20.0)
    levels["birch", at(date(2025, 3, 2), 5)] = (None, 3.0)
    levels["willow", at(date(2025, 3, 2), 6)] = (-0.5, 3.0)
    levels["willow", at(date(2025, 3, 3), 7)] = (25.0, 3.0)
    rivers = Rivers(GaugeService(levels), made_up_rain(BEFORE, (TODAY - BEFORE).days + 1), folder / "rain")
    rivers.write()
    return rivers
