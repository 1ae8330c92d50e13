"""Parts of a step: what it has made so far, what it keeps for other steps, and what it has to make again."""

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
"""If an asset has at most this many chunks, their rows are kept for the steps that read them. Otherwise those read the
table, which takes less time to plan."""
NOTHING = PartitionSet.empty()


@dataclass(frozen=True, slots=True)
class Anew:
    """The partitions that a step has to make again, because another run committed to the table."""

    moved: PartitionSet = NOTHING
    """The partitions that the other run committed before this one."""
    overrun: PartitionSet = NOTHING
    """The partitions that the other run committed unnoticed, and that this run then replaced."""
    then: TableState = field(default_factory=TableState)
    """For ``overrun``: the state of the table before this run's commit, with the rows of the other run."""

    @property
    def all(self) -> PartitionSet:
        return self.moved | self.overrun

    def on(self, now: TableState) -> list[tuple[PartitionSet, TableState]]:
        """The partitions to be made again, in groups with the table state from which each group is made. now: the
        present state."""
        return [(part, on) for part, on in ((self.moved, now), (self.overrun - self.moved, self.then)) if part]


@dataclass(slots=True)
class SoFar:
    """What a step has made so far. The fields are those of ``StepOutcome``."""

    written: PartitionSet = NOTHING
    rows: int = 0
    problems: tuple[Problem, ...] = ()
    columns_of: Mapping[str, str] = field(default_factory=dict)
    """What the step knows about the lineage of its columns, committed or not."""
    warnings: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    incomplete: dict[str, str] = field(default_factory=dict)

    def to_tell(self, code_part: str, state: TableState) -> str:
        """``code_part``, if the lineage of the columns that it makes is not known yet; else empty. state: of the
        table.
        """
        return "" if self.columns_of or code_part in state.columns_of else code_part

    def with_columns(self, made: Made[Frame]) -> Made[Frame]:
        """``made`` with everything that is known about the lineage of its columns. This object remembers it too."""
        self.columns_of = {**self.columns_of, **made.columns_of}
        return replace(made, columns_of=self.columns_of)


@dataclass(frozen=True, slots=True)
class KeptOutput(Generic[Frame]):
    """The rows that a step made, kept for the steps that read its asset."""

    frame: Frame
    held: PartitionSet
    """The partitions of which ``frame`` has rows."""
    written: PartitionSet
    """The partitions whose rows were put into the table."""


def asked_in(
    step: Step, asset: Asset, sourced: Mapping[PartitionKey, Sourced], history: CommitHistory
) -> dict[PartitionKey, Sourced]:
    """``sourced`` with the present question for each partition, and with whether the step forces it."""
    forced = step.forced
    return {
        key: replace(what, forced=key in forced, question=history.question(asset, key.location))
        for key, what in sourced.items()
    }


def sourced_of(
    step: Step, asset: Asset, stored: PartitionSet, fetched: Fetched, own: TableState, history: CommitHistory
) -> dict[PartitionKey, Sourced]:
    """From where the rows of a fetched asset come: from answers of this run, or, for the partitions of ``stored``, from
    the table."""
    found = asked_in(step, asset, fetched.sourced, history)
    for key in stored:
        record = own.records[key]
        found[key] = Sourced("", question=history.question_of(asset, key, record, own), stored=record)
    return found


def code_part(current: Current, asset: Asset, partitions: PartitionSet) -> str:
    """The code part of the asset's code version, which all of ``partitions`` share; empty for a version of scheme 1."""
    found = parts(current.code(asset, next(iter(partitions)).location))
    return "" if found is None else found[0]


def is_kept(plan: Plan, asset: Asset) -> bool:
    """Whether the rows of an asset are kept for the steps that read it. Otherwise these steps read the table.

    They are kept if one step makes all of them. Those of a fetched asset are also kept if it has few chunks: no two
    chunks make the same partition.
    """
    steps = len(plan.steps_of(asset.key))
    return steps == 1 or (asset.source is not None and steps <= CHUNKS_IN_MEMORY)


def others_came_first(asset: Asset) -> WarehouseError:
    """The error where other runs committed first again and again."""
    return WarehouseError(
        f"{asset.key}: other runs committed first, {COMMIT_ATTEMPTS} times in a row",
        "Ask for the same days again when they are done.",
    )


def all_of(problems: Iterable[Problem]) -> PartitionSet:
    """The partitions of all problems."""
    return PartitionSet.union_of(problem.partitions for problem in problems)
