"""What a step asks of the world: tables, sources, rows. ``step`` says in which order.

Implemented on Spark by ``engine``, and over a model of a warehouse by the tests, which let everything happen in it.
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
    """What a step reads of an upstream table.

    kept: frames that the run made itself, with the partitions to be read of each; None for all of its rows.
    stored: the partitions to be read from the table, at ``version``; None: there is no table.
    """

    of: str
    kept: tuple[tuple[Frame, PartitionSet | None], ...]
    stored: PartitionSet
    version: int | None


Readings = Callable[[PartitionSet], tuple[Reading[Frame], ...]]
"""What is read of each upstream table to make partitions. Raises WarehouseError where a table is not there."""


class StepWorld(Protocol[Frame]):
    """The few things that touch the world. Several steps call it at once.

    own: everywhere the state of the asset's own table on which the step goes. Any error may be raised by any of them;
    it fails what is left to do of the step.
    """

    @property
    def alone(self) -> bool:
        """Whether no other run can commit while this one goes on: a lock sees to that."""
        ...

    # Tables

    def state(self, asset: Asset, known: TableState) -> TableState:
        """The state of an asset's table as it is now; ``known``: an earlier one, to go on from."""
        ...

    def state_at(self, asset: Asset, version: int) -> TableState:
        """The state of an asset's table as it was at an earlier version."""
        ...

    def flagged(self, window: RunWindow, state: TableState) -> FlaggedHours:
        """The flagged hours behind a window, in its upstream table as ``state`` has it."""
        ...

    def committing(self, asset: Asset) -> AbstractContextManager[None]:
        """Within it no other step of this run commits to the asset's table."""
        ...

    def create(self, asset: Asset) -> None:
        """Create the asset's table, unless it is there by now."""
        ...

    def commit(self, asset: Asset, proposal: Proposal[Frame]) -> None:
        """One commit to the asset's table. Where another run's commit since ``proposal.before`` stands in the way,
        nothing is committed, and nothing raised: who wants to know looks at the table.
        """
        ...

    # Rows

    def fetched(self, step: Step) -> Fetched:
        """What its source has brought for a step."""
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
        """The rows of ``targets``, evaluated: of what is read for them, or of what was fetched and of stored rows.

        readings: what is read for a part of ``targets``; they may be made in parts, one after the other.
        Those of ``step.stored`` go through the asset's function as they are stored.
        code_part: of the asset's code version, if it is to be told what columns are made of by that.
        """
        ...

    def stored(self, step: Step, asset: Asset, partitions: PartitionSet, own: TableState) -> Made[Frame]:
        """The rows of ``partitions`` that are in the asset's own table."""
        ...

    def altered(
        self, asset: Asset, made: Made[Frame], partitions: PartitionSet, own: TableState
    ) -> tuple[PartitionSet, str]:
        """Those of ``partitions`` whose rows in ``made`` are not what was fetched and stored; and where they differ."""
        ...

    def checking(self) -> AbstractContextManager[None]:
        """Within it a step checks what it made, and puts down what that was made of."""
        ...

    def let_go(self, frame: Frame) -> None:
        """Nobody reads the frame any more. Never fails."""
        ...

    def forget(self, step: Step) -> None:
        """Nobody wants what was fetched for the step any more."""
        ...

    # Beside

    def at(self) -> str:
        """The moment of a commit (ISO 8601, UTC)."""
        ...

    def explain(self, error: Exception) -> str:
        """What went wrong and what to do about it, in a line."""
        ...

    def reached(self, point: str) -> None:
        """A named moment at which a run can be made to die."""
        ...


class CommitHistory(Protocol):
    """What commits say beside their records, and what of it is known. own: the state of the asset's own table."""

    def question(self, asset: Asset, location: str | None) -> Question | None:
        """What the source of an asset is asked for today at a location; None where it is not asked."""
        ...

    def question_of(self, asset: Asset, key: PartitionKey, record: PartitionRecord, own: TableState) -> Question | None:
        """What the source was asked for when a partition was fetched; None where nobody knows."""
        ...

    def questions_of(self, asset: Asset, keys: Iterable[PartitionKey], own: TableState) -> list[Question]:
        """What the source was asked for when recorded partitions were fetched, each once; nothing without a source."""
        ...

    def shapes(self, asset: str, own: TableState) -> Mapping[str, Shape]:
        """The shapes that rows of an asset can have, by digest of the contract."""
        ...

    def kinds(self, asset: Asset, own: TableState) -> tuple[str, ...]:
        """The kinds of source that rows come from, where the table does not know them yet. Raises SourceError where it
        takes none such."""
        ...

    def past(self, asset: Asset) -> tuple[Mapping[str, Any], ...]:
        """What of rows that are replaced has to be said so that it is not forgotten."""
        ...
