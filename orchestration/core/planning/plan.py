"""A plan as a value: the steps to run, what each step reads, and what was left out and why.

``aqi plan`` prints the plan, the executor runs it, and the summary of the run reports on the steps of the same plan.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from orchestration.core.declarations.asset import Asset
from orchestration.core.partitions.keys import PartitionSet


@dataclass(frozen=True, slots=True)
class Input:
    """What a step reads of one upstream asset: a pinned version of its table, or the output of an earlier step."""

    asset: str
    version: int | None
    """Version of the table before the run; None where there is no table, or where a step's output is read."""
    step: str | None
    """Id of the step whose output is read; None where a table is read."""
    partitions: PartitionSet
    """The partitions that may be read, those that do not exist included."""

    def to_json(self) -> dict[str, Any]:
        return {
            "asset": self.asset,
            "version": self.version,
            "step": self.step,
            "partitions": self.partitions.in_full(),
        }


class Manner(Enum):
    """How a step treats the partitions that were asked for."""

    USUAL = "make what is not fresh"
    FORCED = "make all of it"
    COMPARED = "adopt the rows that are those that were recorded last, and make what else is not fresh"


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a plan: one asset, and the partitions of it to be made."""

    id: str
    asset: str
    partitions: PartitionSet
    """What was asked for and is not fresh now, or may not be fresh when the step's turn comes."""
    may_rewrite: PartitionSet
    """Further existing partitions whose content may change."""
    inputs: tuple[Input, ...]
    base_version: int | None
    """Version of the asset's own table before the run; None where there is no table."""
    reason: str
    after: str | None = None
    """Id of an earlier step that may write the same partitions, so that this one has to wait for it."""
    chunk: str = ""
    """Name of the chunk that the step belongs to; empty where it belongs to several or none."""
    manner: Manner = Manner.USUAL
    """How the step treats ``partitions``."""
    stored: PartitionSet = field(default_factory=PartitionSet.empty)
    """Of a fetched asset: the partitions whose stored rows go through the asset's function again, without the
    network."""
    raw: PartitionSet = field(default_factory=PartitionSet.empty)
    """Of a fetched asset: the partitions that are made again from kept raw answers."""

    @classmethod
    def alone(cls, asset: Asset, partitions: PartitionSet, base_version: int | None, reason: str) -> Step:
        """A step outside any plan. It makes existing partitions again; those of a fetched asset are made from the
        stored rows."""
        nothing = PartitionSet.empty()
        stored = partitions if asset.source is not None else nothing
        return cls(asset.key, asset.key, partitions, nothing, (), base_version, reason, stored=stored)

    @property
    def forced(self) -> PartitionSet:
        """The partitions that are made even where they are fresh."""
        return self.partitions if self.manner is Manner.FORCED else PartitionSet.empty()

    @property
    def fetched(self) -> PartitionSet:
        """Of a fetched asset: the partitions for which its source is asked."""
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


class Obstacle(Enum):
    """What keeps a plan from making partitions that were asked for."""

    FUTURE = "their days lie after today"
    REFETCH = "only a new fetch could make them (`aqi repair --refetch`, or `aqi materialize --force`)"
    BLOCKED = "an upstream partition is missing, or their table cannot be written as it is"
    DAMAGED = "their own table, or one that they need, is damaged"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Partitions of a selected asset that the plan does not make."""

    asset: str
    partitions: PartitionSet
    reason: str
    """Why, as a sentence, with what to do about it."""
    obstacle: Obstacle

    @property
    def is_blocked(self) -> bool:
        """Whether something has to be made or mended first. A run that leaves such partitions out has failed."""
        return self.obstacle in (Obstacle.BLOCKED, Obstacle.DAMAGED)

    def to_json(self) -> dict[str, Any]:
        return {"asset": self.asset, "partitions": self.partitions.keys(), "reason": self.reason}


@dataclass(frozen=True, slots=True)
class TableChange:
    """A change of a table's metadata before any step runs: one commit that adds no files."""

    asset: str
    added: tuple[str, ...]
    """Names of the nullable columns that are added. Earlier rows have null in them."""
    text: str
    """The change in words."""
    lost: tuple[str, ...] = ()
    """Data files that the table's log names and that are gone. The commit takes them out of the log."""

    def to_json(self) -> dict[str, Any]:
        said: dict[str, Any] = {"asset": self.asset, "added": list(self.added), "reason": self.text}
        return said | ({"lost": list(self.lost)} if self.lost else {})


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan: tables to be changed first, then steps in topological order, and what was left out."""

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
        """The form of ``aqi plan --json``. The key ``tables`` is there only where a table is changed."""
        said = {
            "steps": [step.to_json() for step in self.steps],
            "left_out": [item.to_json() for item in self.left_out],
        }
        return said | {"tables": [change.to_json() for change in self.tables]} if self.tables else said
