"""The planner over many assets that are asked for the same: what is common to them is there once."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.catalog import Catalog
from orchestration.core.partitions.keys import Days, PartitionSet, chunks
from orchestration.core.partitions.mappings import Identity
from orchestration.core.partitions.scheme import DailyByLocation
from orchestration.core.planning.plan import LeftOut, Obstacle, Plan
from orchestration.core.planning.planner import make_plan
from orchestration.core.planning.request import Chunk, Refresh, Request
from orchestration.core.state.freshness import Current

NUMBER = 50
DAYS, LOCATIONS = Days.of(date(2016, 1, 1), date(2025, 12, 31)), ["hanoi", "hcmc", "hue"]
ASKED = PartitionSet.of(DAYS, LOCATIONS)


def nothing(*_upstream: object) -> None:
    """The function of every asset."""


def asset(number: int) -> Asset:
    """One that is made from the one before and from the first."""
    upstream = tuple(Identity(f"gold.a{one}") for one in sorted({0, number - 1}) if 0 <= one < number)
    return Asset(f"gold.a{number}", "Empty.", nothing, upstream, None, DailyByLocation(), "C", (), frozenset(), ())


def planned(request: Request, now: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> Plan:
    catalog = Catalog([asset(number) for number in range(NUMBER)])
    current = Current(lambda _asset, _location: "code", dict.fromkeys(catalog.keys, "contract"), now)
    return make_plan(catalog, request, {}, current)


EVERYTHING = frozenset(f"gold.a{number}" for number in range(NUMBER))


def test_all_steps_share_one_set() -> None:
    made = planned(Refresh(EVERYTHING, ASKED))
    assert [step.partitions for step in made.steps] == [ASKED] * NUMBER
    of_inputs = [item.partitions for step in made.steps for item in step.inputs]
    assert {id(one) for one in (*(step.partitions for step in made.steps), *of_inputs)} == {id(ASKED)}


@pytest.mark.costly
@pytest.mark.parametrize("batch", [1, 1_000_000], ids=["a step a month", "a step for all"])
def test_steps_of_chunks_share_the_sets_of_their_batch(batch: int) -> None:
    months = tuple(Chunk(f"{one.first:%Y-%m}", PartitionSet.of(one, LOCATIONS)) for one in chunks(DAYS, "monthly"))
    made = planned(Refresh(EVERYTHING, ASKED, chunks=months, batch=batch))
    steps = 120 if batch == 1 else 1
    assert len(made.steps) == NUMBER * steps
    of_inputs = [item.partitions for step in made.steps for item in step.inputs]
    assert len({id(one) for one in (*(step.partitions for step in made.steps), *of_inputs)}) == steps
    for step in made.steps:
        number = int(step.asset.removeprefix("gold.a"))
        assert [item.partitions for item in step.inputs] == [step.partitions] * len(asset(number).upstream)
        assert {item.asset for item in step.inputs} == {f"gold.a{one}" for one in (0, number - 1) if 0 <= one < number}


def test_days_to_come_are_left_out_of_each() -> None:
    made = planned(Refresh(EVERYTHING, ASKED), datetime(2025, 12, 30, 12, tzinfo=UTC))
    begun = PartitionSet.of(Days.of(DAYS.first, date(2025, 12, 30)), LOCATIONS)
    future = PartitionSet.of(Days.of(date(2025, 12, 31)), LOCATIONS)
    assert [step.partitions for step in made.steps] == [begun] * NUMBER
    why = "These days lie after today (2025-12-30, UTC)."
    assert made.left_out == tuple(LeftOut(f"gold.a{number}", future, why, Obstacle.FUTURE) for number in range(NUMBER))
