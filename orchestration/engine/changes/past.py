"""What a project may know about rows that were made before their records said enough."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.contract import Contract
from orchestration.core.partitions.keys import PartitionKey
from orchestration.core.state.provenance import PartitionRecord, Question
from orchestration.core.state.table_state import TableState


class Past(Protocol):
    """Answers questions that old records do not answer."""

    def explained(self, asset: Asset, location: str | None, version: str) -> str | None:
        """``1:<settings part>`` for a code version of scheme 1 whose settings are known; else None."""
        ...

    def question(self, asset: Asset, key: PartitionKey, record: PartitionRecord, own: TableState) -> Question | None:
        """What the source was asked for when a partition was fetched whose record does not say it."""
        ...

    def alike(self, asset: Asset, location: str | None, recorded: str, own: TableState) -> Iterable[tuple[str, str]]:
        """Pairs of code versions of a fetched asset that made the same rows; through them ``recorded`` may equal
        today's.

        own: the state of the asset's table.
        """
        ...

    def parameters_then(self, asset: Asset, own: TableState) -> Sequence[Any]:
        """Other parameters than today's by which existing rows may have been made; with today's locations."""
        ...

    def retold(self, asset: Asset) -> tuple[str, ...]:
        """The columns whose values have another meaning today, in rows whose code versions are ``alike``."""
        ...

    def contract(self, asset: str) -> Contract | None:
        """The contract under which rows were made whose table does not say it."""
        ...


class NoPast:
    """The past of a project whose records always said everything."""

    def explained(self, asset: Asset, location: str | None, version: str) -> None:
        return None

    def question(self, asset: Asset, key: PartitionKey, record: PartitionRecord, own: TableState) -> None:
        return None

    def alike(self, asset: Asset, location: str | None, recorded: str, own: TableState) -> tuple[()]:
        return ()

    def parameters_then(self, asset: Asset, own: TableState) -> Sequence[Any]:
        return ()

    def retold(self, asset: Asset) -> tuple[str, ...]:
        return ()

    def contract(self, asset: str) -> None:
        return None
