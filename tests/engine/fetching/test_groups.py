"""How fetches are shown to people: each by itself, or by request where they are many."""

from __future__ import annotations

from datetime import UTC, date, datetime

from assets.variables import VARIABLES
from orchestration.core.partitions.keys import Days, PartitionSet
from orchestration.core.partitions.location import Location
from orchestration.engine.fetching import SHOWN_ONE_BY_ONE, Fetching, Wanted
from orchestration.project import load
from resources.open_meteo.source import OpenMeteo

STEP = "step"


def fetching(number: int) -> Fetching:
    locations = tuple(Location(f"l{one:03d}", f"L {one}", 10.0, 20.0 + one / 10, "UTC") for one in range(number))
    days = Days.of(date(2025, 8, 1), date(2025, 8, 14))
    wanted = {STEP: Wanted("open_meteo", PartitionSet.of(days, [location.key for location in locations]))}
    source = OpenMeteo(load(environment={}).open_meteo, VARIABLES)
    return Fetching({"open_meteo": source}, wanted, locations, lambda: datetime(2026, 1, 1, tzinfo=UTC))


def test_few_are_shown_one_by_one() -> None:
    asked = fetching(SHOWN_ONE_BY_ONE)
    assert asked.groups_of(STEP) == tuple((task,) for task in asked.tasks_of(STEP))


def test_many_are_shown_by_request_and_none_is_left_out() -> None:
    asked = fetching(SHOWN_ONE_BY_ONE + 1)
    groups = asked.groups_of(STEP)
    assert len(groups) < 10
    assert [task for group in groups for task in group] == list(asked.tasks_of(STEP))
    assert all(len({task.request for task in group}) == 1 for group in groups)
