"""What a step needs from the world: tables, sources, rows. ``step`` says in which order it uses them.

The engine implements it on Spark and on the embedded engine. The tests implement it on a model of a warehouse, in which
they let other runs and crashes happen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, Protocol

from orchestration.core.declarations.asset import Asset
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.partitions.mappings import FlaggedHours, RunWindow
from orchestration.core.planning.plan import Step
from orchestration.core.runs.decisions import Fetched, Frame, Made, Proposal
from orchestration.core.state.provenance import PartitionRecord, Question, Shape
from orchestration.core.state.table_state import TableState


@dataclass(frozen=True, slots=True)
class Reading(Generic[Frame]):
    """What a step reads of one upstream table."""

    of: str
    """The key of the upstream asset."""
    kept: tuple[tuple[Frame, PartitionSet | None], ...]
    """Rows that the run itself made and keeps, each with the partitions to be read of it; None for all its rows."""
    stored: PartitionSet
    """The partitions that are read from the table."""
    version: int | None
    """The version of the table that is read; None where there is no table."""


Readings = Callable[[PartitionSet], tuple[Reading[Frame], ...]]
"""Partitions to be made → what is read of each upstream table to make them. Raises WarehouseError where a table is
missing."""


class StepWorld(Protocol[Frame]):
    """Everything through which a step touches the world. Several steps call it at the same time.

    own: in every method, the state of the asset's own table from which the step began. Every method may raise any
    error; then the rest of the step fails.
    """

    @property
    def alone(self) -> bool:
        """Whether no other run can commit while this one goes on, since it holds a lock."""
        ...

    # Tables

    def state(self, asset: Asset, known: TableState) -> TableState:
        """The present state of an asset's table. known: an earlier state, from which to go on."""
        ...

    def state_at(self, asset: Asset, version: int) -> TableState:
        """The state of an asset's table at an earlier version."""
        ...

    def flagged(self, window: RunWindow, state: TableState) -> FlaggedHours:
        """The flagged hours for ``window``, in its upstream table with the state ``state``."""
        ...

    def committing(self, asset: Asset) -> AbstractContextManager[None]:
        """While this is entered, no other step of this run commits to the asset's table."""
        ...

    def create(self, asset: Asset) -> None:
        """Create the asset's table, unless it exists by now."""
        ...

    def commit(self, asset: Asset, proposal: Proposal[Frame]) -> None:
        """Try one commit to the asset's table. If a commit of another run since ``proposal.before`` conflicts, nothing
        is committed and nothing is raised: the caller reads the table to find out."""
        ...

    # Rows

    def fetched(self, step: Step) -> Fetched:
        """What was fetched for the step."""
        ...

    def make(
        self,
        step: Step,
        asset: Asset,
        targets: PartitionSet,
        readings: Readings[Frame],
        own: TableState,
        code_part: str = "",
    ) -> Made[Frame]:
        """The computed rows of ``targets``: from upstream tables, or from fetched and stored rows.

        readings: called for parts of ``targets``, which may be computed one after the other. The partitions of
        ``step.stored`` go through the asset's function as they are stored. code_part: of the asset's code version, if
        the lineage of its columns is wanted; else empty.
        """
        ...

    def stored(self, step: Step, asset: Asset, partitions: PartitionSet, own: TableState) -> Made[Frame]:
        """The rows of ``partitions`` in the asset's own table."""
        ...

    def altered(
        self, asset: Asset, made: Made[Frame], partitions: PartitionSet, own: TableState
    ) -> tuple[PartitionSet, str]:
        """Those of ``partitions`` whose rows in ``made`` differ from what was fetched and stored; and in what they
        differ."""
        ...

    def checking(self) -> AbstractContextManager[None]:
        """Entered while a step checks its rows and writes its records."""
        ...

    def let_go(self, frame: Frame) -> None:
        """Nobody reads ``frame`` any more. Never fails."""
        ...

    def forget(self, step: Step) -> None:
        """Nobody needs what was fetched for the step any more."""
        ...

    # Beside

    def at(self) -> str:
        """The moment of a commit (ISO 8601, UTC)."""
        ...

    def explain(self, error: Exception) -> str:
        """What went wrong and what to do about it, in one line."""
        ...

    def reached(self, point: str) -> None:
        """A named point at which tests can kill the run."""
        ...


class CommitHistory(Protocol):
    """What commits say besides their records. own: in every method, the state of the asset's own table."""

    def question(self, asset: Asset, location: str | None) -> Question | None:
        """What the source of an asset is asked for today at a location; None where it is not asked."""
        ...

    def question_of(self, asset: Asset, key: PartitionKey, record: PartitionRecord, own: TableState) -> Question | None:
        """What the source was asked for when a partition was fetched; None where that is not known."""
        ...

    def questions_of(self, asset: Asset, keys: Iterable[PartitionKey], own: TableState) -> list[Question]:
        """What the source was asked for when the recorded partitions ``keys`` were fetched; each question once."""
        ...

    def shapes(self, asset: str, own: TableState) -> Mapping[str, Shape]:
        """The shapes of all contracts under which rows of an asset were made, by the contract's digest."""
        ...

    def kinds(self, asset: Asset, own: TableState) -> tuple[str, ...]:
        """The kinds of source that rows come from, where the table does not know them yet. Raises SourceError where it
        takes none such."""
        ...

    def past(self, asset: Asset) -> tuple[Mapping[str, Any], ...]:
        """What of rows that are replaced has to be said so that it is not forgotten."""
        ...
