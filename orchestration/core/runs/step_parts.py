"""What a step has made so far, keeps for others, and has to make anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic

from orchestration.core.declarations.asset import Asset
from orchestration.core.errors import WarehouseError
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.planning.plan import Plan, Step
from orchestration.core.runs.decisions import Fetched, Frame, Made, Sourced
from orchestration.core.runs.outcome import Problem
from orchestration.core.runs.step_world import CommitHistory
from orchestration.core.state.equivalence import parts
from orchestration.core.state.freshness import Current
from orchestration.core.state.table_state import TableState

COMMIT_ATTEMPTS = 5
CHUNKS_IN_MEMORY = 16
"""So many chunks of an asset are kept as a run made them; more are read from the table, with less planning."""
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
    """What a step has made so far. columns_of: what it knows of that, committed or not."""

    written: PartitionSet = NOTHING
    rows: int = 0
    problems: tuple[Problem, ...] = ()
    columns_of: Mapping[str, str] = field(default_factory=dict)
    warnings: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    incomplete: dict[str, str] = field(default_factory=dict)

    def to_tell(self, code_part: str, state: TableState) -> str:
        """The code part, if nobody knows yet what columns are made of by that. state: of the table."""
        return "" if self.columns_of or code_part in state.columns_of else code_part

    def with_columns(self, made: Made[Frame]) -> Made[Frame]:
        """What was made, with all that is known of its columns, which is kept."""
        self.columns_of = {**self.columns_of, **made.columns_of}
        return replace(made, columns_of=self.columns_of)


@dataclass(frozen=True, slots=True)
class KeptOutput(Generic[Frame]):
    """What a step made, for those that read its asset.

    held: the partitions that it has rows of; written: those whose rows were put into the table.
    """

    frame: Frame
    held: PartitionSet
    written: PartitionSet


def asked_in(
    step: Step, asset: Asset, sourced: Mapping[PartitionKey, Sourced], history: CommitHistory
) -> dict[PartitionKey, Sourced]:
    """What this run asked a source for, with today's question, and whether the step forces it."""
    forced = step.forced
    return {
        key: replace(what, forced=key in forced, question=history.question(asset, key.location))
        for key, what in sourced.items()
    }


def sourced_of(
    step: Step, asset: Asset, stored: PartitionSet, fetched: Fetched, own: TableState, history: CommitHistory
) -> dict[PartitionKey, Sourced]:
    """Where the rows of a fetched asset come from: answers of this run, or what was stored before it."""
    found = asked_in(step, asset, fetched.sourced, history)
    for key in stored:
        record = own.records[key]
        found[key] = Sourced("", question=history.question_of(asset, key, record, own), stored=record)
    return found


def code_part(current: Current, asset: Asset, partitions: PartitionSet) -> str:
    """The code part of the asset's code version, which is the same for all of ``partitions``; empty without one."""
    found = parts(current.code(asset, next(iter(partitions)).location))
    return "" if found is None else found[0]


def is_kept(plan: Plan, asset: Asset) -> bool:
    """Whether what is made of an asset is kept for its dependants; otherwise they read the table.

    It is where one step makes all of it, or not too many chunks do, which never make the same partition.
    """
    steps = len(plan.steps_of(asset.key))
    return steps == 1 or (asset.source is not None and steps <= CHUNKS_IN_MEMORY)


def others_came_first(asset: Asset) -> WarehouseError:
    """Other runs committed again and again."""
    return WarehouseError(
        f"{asset.key}: other runs committed first, {COMMIT_ATTEMPTS} times in a row",
        "Ask for the same days again when they are done.",
    )


def all_of(problems: Iterable[Problem]) -> PartitionSet:
    """The partitions of all problems."""
    return PartitionSet.union_of(problem.partitions for problem in problems)
