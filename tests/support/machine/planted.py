"""Planted bugs: the product with one thing wrong, which the machine has to find."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from orchestration.core.partitions.keys import PartitionKey
from orchestration.core.runs import records
from orchestration.core.state.provenance import PartitionRecord
from tests.support.machine.happenings import quickly
from tests.support.machine.lakehouse import Lakehouse

Plant = Callable[[pytest.MonkeyPatch], None]
ROUNDS = 20


class Bugs:
    """A group of bugs, by name."""

    def __init__(self) -> None:
        self._plants: dict[str, tuple[Plant, bool]] = {}

    def bug(self, plant: Plant) -> Plant:
        """Register a bug; its docstring says what is wrong."""
        self._plants[plant.__name__] = plant, False
        return plant

    def rare_bug(self, plant: Plant) -> Plant:
        """One that needs more than five seconds to be found."""
        self._plants[plant.__name__] = plant, True
        return plant

    def cases(self) -> list[Any]:
        """As parameters of a test."""
        return [
            pytest.param(plant, id=name, marks=[pytest.mark.slow, pytest.mark.timeout(1200)] if rare else [])
            for name, (plant, rare) in self._plants.items()
        ]


def is_found(plant: Plant, patch: pytest.MonkeyPatch) -> None:
    """In rounds, because hypothesis begins each with its plainest examples and most bugs are found soon after."""
    plant(patch)
    with pytest.raises(AssertionError):
        for number in range(ROUNDS):
            machine = seed(number)(type("Planted", (Lakehouse,), {}))
            run_state_machine_as_test(machine, settings=settings(quickly(50), phases=[Phase.generate]))


def in_part(patch: pytest.MonkeyPatch, of: Any, name: str, change: Callable[..., Any]) -> None:
    """Put ``change`` in place of a function; it is given the function first."""
    patch.setattr(of, name, partial(change, getattr(of, name)))


def around(patch: pytest.MonkeyPatch, of: type, name: str, change: Callable[..., Any]) -> None:
    """Put ``change`` in place of a method; it is given the method first, then the instance."""
    method = getattr(of, name)
    patch.setattr(of, name, lambda *arguments, **more: change(method, *arguments, **more))


def records_changed(patch: pytest.MonkeyPatch, change: Callable[[PartitionRecord], PartitionRecord]) -> None:
    """Put ``change`` between what a step made and what it records of it."""
    records_of = records.records_of

    def changed(*arguments: Any) -> dict[PartitionKey, PartitionRecord]:
        return {key: change(record) for key, record in records_of(*arguments).items()}

    patch.setattr(records, "records_of", changed)
