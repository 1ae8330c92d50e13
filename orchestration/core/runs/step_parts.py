"""What a step has made so far, keeps for others, and has to make anew."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic

from orchestration.core.declarations.asset import Asset
from orchestration.core.errors import WarehouseError
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.runs.decisions import Frame
from orchestration.core.runs.outcome import Problem
from orchestration.core.state.table_state import TableState

COMMIT_ATTEMPTS = 5
NOTHING = PartitionSet.empty()


@dataclass(frozen=True, slots=True)
class Anew:
    """What is made anew. moved: another run committed first. overrun: another run did, unseen, and this one put its own
    over it; then: the table before that, with the other's rows.
    """

    moved: PartitionSet = NOTHING
    overrun: PartitionSet = NOTHING
    then: TableState = field(default_factory=TableState)

    @property
    def all(self) -> PartitionSet:
        return self.moved | self.overrun

    def on(self, now: TableState) -> list[tuple[PartitionSet, TableState]]:
        """In parts, each with the state of the table that it is made on. now: the table's."""
        return [(part, on) for part, on in ((self.moved, now), (self.overrun - self.moved, self.then)) if part]


@dataclass(slots=True)
class SoFar:
    """What a step has made so far."""

    written: PartitionSet = NOTHING
    rows: int = 0
    problems: tuple[Problem, ...] = ()
    warnings: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    incomplete: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeptOutput(Generic[Frame]):
    """What a step made, for those that read its asset.

    held: the partitions that it has rows of; written: those whose rows were put into the table.
    """

    frame: Frame
    held: PartitionSet
    written: PartitionSet


def others_came_first(asset: Asset) -> WarehouseError:
    """Other runs committed again and again."""
    return WarehouseError(
        f"{asset.key}: other runs committed first, {COMMIT_ATTEMPTS} times in a row",
        "Ask for the same days again when they are done.",
    )


def all_of(problems: Iterable[Problem]) -> PartitionSet:
    """The partitions of all problems."""
    return PartitionSet.union_of(problem.partitions for problem in problems)
