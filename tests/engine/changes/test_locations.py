"""Locations that changed locations, distances, and what changes cost."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from orchestration.core.state.partition_record import Question
from orchestration.engine.changes.changed import seconds
from orchestration.engine.changes.locations import swapped
from resources.delta.step_history import StepRow
from resources.open_meteo.source import distance


def at(latitude: float, longitude: float) -> Question:
    return Question("open_meteo", "auto", (), latitude, longitude)


@pytest.mark.parametrize(
    ("one", "other", "degrees"),
    [
        (at(21.0, 105.0), at(21.0, 105.0), 0),
        (at(21.0, 105.0), at(21.05, 105.2), 0.2),
        (at(21.0, 179.95), at(21.0, -179.95), 0.1),
        (at(-0.5, 0), at(0.5, 0), 1),
    ],
)
def test_distance(one: Question, other: Question, degrees: float) -> None:
    assert distance(one, other) == pytest.approx(degrees) == distance(other, one)


def test_what_has_no_location_lies_nowhere_apart() -> None:
    assert distance(Question("x", "", (), None, None), at(1, 2)) == 0


HERE, THERE, ELSEWHERE = at(21, 105), at(10, 106), at(16, 108)


@pytest.mark.parametrize(
    ("then", "now", "found"),
    [
        ({"a": HERE, "b": THERE}, {"a": THERE, "b": HERE}, ("a", "b")),
        ({"a": HERE, "b": THERE}, {"a": at(10.05, 106), "b": HERE}, ("a", "b")),
        ({"a": HERE, "b": THERE}, {"a": THERE, "b": ELSEWHERE}, None),
        ({"a": HERE, "b": THERE, "c": ELSEWHERE}, {"a": THERE, "b": ELSEWHERE, "c": HERE}, None),
        ({}, {}, None),
    ],
)
def test_swapped(then: dict[str, Question], now: dict[str, Question], found: tuple[str, str] | None) -> None:
    assert swapped(then, now, lambda one, other: distance(one, other) > 0.1) == found


def row(took: float, partitions: int, **more: Any) -> StepRow:
    started = datetime(2026, 1, 1, tzinfo=UTC)
    return StepRow("r", "", "", "gold.x", "gold.x", "written", started, took, 0, partitions, 0, 0, 0, **more)


@pytest.mark.parametrize(
    ("history", "partitions", "estimate"),
    [
        ([], 10, None),
        ([row(3, 0)], 10, None),
        ([row(2, 1)], 1, 2),
        ([row(2, 10), row(4, 20)], 300, 60),
        ([row(2, 10), row(4, 20)], 1, 2),
    ],
)
def test_how_long_a_step_may_take(history: list[StepRow], partitions: int, estimate: float | None) -> None:
    """By the partition, and never less than the shortest that was seen."""
    assert seconds(history, partitions) == estimate
