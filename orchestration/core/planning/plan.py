"""A plan as a value: the steps to materialize, what each reads, and what was left out and why.

``aqi plan`` prints it, the executor runs it, the run's summary reports on its very steps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from orchestration.core.declarations.asset import Asset
from orchestration.core.partitions.keys import PartitionSet


@dataclass(frozen=True, slots=True)
class Input:
    """What a step reads of one upstream asset: a pinned version of its table, or the output of an earlier step.

    version: the version of the table before the run; None where there is none, or a step's output is read.
    step: id of the step whose output is read; None for a table.
    partitions: what may be read, absent partitions included.
    """

    asset: str
    version: int | None
    step: str | None
    partitions: PartitionSet

    def to_json(self) -> dict[str, Any]:
        return {
            "asset": self.asset,
            "version": self.version,
            "step": self.step,
            "partitions": self.partitions.in_full(),
        }


class Manner(Enum):
    """How a step goes about what was asked for."""

    USUAL = "make what is not fresh"
    FORCED = "make all of it"
    COMPARED = "adopt the rows that are those that were recorded last, and make what else is not fresh"


@dataclass(frozen=True, slots=True)
class Step:
    """One asset to materialize.

    partitions: what was asked for and is not fresh, or may not be when the step's turn comes.
    may_rewrite: further partitions that exist and may come out otherwise.
    base_version: the version of the asset's own table before the run, None where there is none.
    after: the plan's step before this one that may write the same partitions. chunk: the one that it belongs to alone.
    manner: how it goes about ``partitions``. stored: of a fetched asset, those of ``partitions`` whose stored rows go
    through its function again, without the network. raw: those that are folded anew from the answers that are kept.
    """

    id: str
    asset: str
    partitions: PartitionSet
    may_rewrite: PartitionSet
    inputs: tuple[Input, ...]
    base_version: int | None
    reason: str
    after: str | None = None
    chunk: str = ""
    manner: Manner = Manner.USUAL
    stored: PartitionSet = field(default_factory=PartitionSet.empty)
    raw: PartitionSet = field(default_factory=PartitionSet.empty)

    @classmethod
    def alone(cls, asset: Asset, partitions: PartitionSet, base_version: int | None, reason: str) -> Step:
        """A step of no plan, which makes partitions that are there anew: of a fetched asset, from its stored rows."""
        nothing = PartitionSet.empty()
        stored = partitions if asset.source is not None else nothing
        return cls(asset.key, asset.key, partitions, nothing, (), base_version, reason, stored=stored)

    @property
    def forced(self) -> PartitionSet:
        """What is made even where it is fresh."""
        return self.partitions if self.manner is Manner.FORCED else PartitionSet.empty()

    @property
    def fetched(self) -> PartitionSet:
        """Of a fetched asset: what its source is asked for."""
        return self.all_partitions - self.stored - self.raw

    @property
    def all_partitions(self) -> PartitionSet:
        return self.partitions | self.may_rewrite

    @property
    def upstream_steps(self) -> tuple[str, ...]:
        """Ids of the steps that have to end before this one can start."""
        upstream = tuple(item.step for item in self.inputs if item.step is not None)
        return upstream if self.after is None else (*upstream, self.after)

    def to_json(self) -> dict[str, Any]:
        """The form of ``aqi plan --json``; partitions as lists of keys."""
        return {
            "id": self.id,
            "asset": self.asset,
            "partitions": self.partitions.keys(),
            "may_rewrite": self.may_rewrite.keys(),
            "inputs": [item.to_json() for item in self.inputs],
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Partitions of a selected asset that the plan does not make, and why, as a sentence.

    lacking: something that they need is missing; otherwise there is nothing to be made yet. refetch: only the source
    could give them as they would be asked for today. damaged: a table that they need, or their own, is damaged or in
    trouble.
    """

    asset: str
    partitions: PartitionSet
    reason: str
    lacking: bool = False
    refetch: bool = False
    damaged: bool = False

    def to_json(self) -> dict[str, Any]:
        return {"asset": self.asset, "partitions": self.partitions.keys(), "reason": self.reason}


@dataclass(frozen=True, slots=True)
class TableChange:
    """A table that is brought to what it must be before any step, by one commit that adds no files.

    added: names of nullable columns, in which rows of before have null. text: what is done, in words. lost: data files
    that are not there as the log says, which are taken out of it instead.
    """

    asset: str
    added: tuple[str, ...]
    text: str
    lost: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        said: dict[str, Any] = {"asset": self.asset, "added": list(self.added), "reason": self.text}
        return said | ({"lost": list(self.lost)} if self.lost else {})


@dataclass(frozen=True, slots=True)
class Plan:
    """Tables to be changed first, steps in topological order, and what was left out."""

    steps: tuple[Step, ...]
    left_out: tuple[LeftOut, ...]
    tables: tuple[TableChange, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.steps and not self.tables

    def steps_of(self, asset: str) -> tuple[Step, ...]:
        """The steps that make ``asset``, in their order."""
        return tuple(step for step in self.steps if step.asset == asset)

    def to_json(self) -> dict[str, Any]:
        """``tables`` is there only where tables are changed."""
        said = {
            "steps": [step.to_json() for step in self.steps],
            "left_out": [item.to_json() for item in self.left_out],
        }
        return said | {"tables": [change.to_json() for change in self.tables]} if self.tables else said
