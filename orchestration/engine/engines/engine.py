"""What makes rows: an engine that runs the PySpark of assets, reads tables at pinned versions, and commits.

Two implementations, ``embedded`` (no JVM; one machine) and ``spark`` (a local JVM, or YARN). Plans, records, code
versions, Prefect's tasks and commands do not know which. Promise: no warehouse can tell either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.contract import Contract
from orchestration.core.errors import Refused
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.state.provenance import Provenance
from orchestration.core.state.table_state import TableState
from resources.delta.warehouse import Warehouse

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame


class KeptRows(Protocol):
    """Rows that were evaluated, kept in memory or on disk until they are let go of."""

    def frame(self, partitions: PartitionSet | None = None) -> DataFrame:
        """As a frame of the session that there is now. partitions: rows of others need not be in it; None: all are."""
        ...

    def let_go(self) -> None:
        """Nobody reads them any more. Never fails."""
        ...


class Engine(Protocol):
    """One engine for one run. What makes rows is called within ``working``; what commits them need not be.

    Safe to call from several threads. Any error may be raised by any of them.
    """

    @property
    def name(self) -> str:
        """``embedded`` or ``spark``."""
        ...

    @property
    def application_id(self) -> str:
        """What a cluster, or this machine, calls the application; empty before it has started."""
        ...

    @property
    def refused(self) -> Refused | None:
        """Why a cluster had no room for it; None as long as it has."""
        ...

    @property
    def rows_at_once(self) -> int:
        """So many rows it evaluates at once in the memory that it may have."""
        ...

    def start(self) -> None:
        """Start it, and wait until it is ready. Raises RunError."""
        ...

    def cancel(self) -> None:
        """End what is going on."""
        ...

    def stop(self) -> None:
        """End it, and wait until nothing of it is left."""
        ...

    def working(self, what: str) -> AbstractContextManager[None]:
        """Within it this thread works on ``what``, by which the engine and its errors name it."""
        ...

    # Rows

    def table(self, asset: Asset, version: int, partitions: PartitionSet | None = None) -> DataFrame:
        """The rows of an asset's table at a version: of ``partitions``; None: all."""
        ...

    def rows(self, table: pa.Table) -> DataFrame:
        """An Arrow table as a frame, to be evaluated in the same piece of work."""
        ...

    def union(self, frames: Sequence[DataFrame]) -> DataFrame:
        """Frames of the same columns, one after the other."""
        ...

    def evaluate(self, frame: DataFrame) -> KeptRows:
        """Evaluate a frame once, or when it is first read, and keep its rows."""
        ...

    def together(self, parts: Sequence[tuple[PartitionSet, KeptRows]]) -> KeptRows:
        """Rows that were evaluated in parts, at least one, of the same columns, as one; each with its partitions."""
        ...

    def call(self, asset: Asset, frames: Sequence[DataFrame], arguments: Mapping[str, Any]) -> DataFrame:
        """What an asset's function makes of frames, to be evaluated in the same piece of work; None where that is
        nothing."""
        ...

    # Tables

    def create(self, asset: Asset, contract: Contract) -> None:
        """Create an asset's table, unless it is there by now."""
        ...

    def replace(
        self,
        rows: KeptRows,
        only: PartitionSet | None,
        asset: Asset,
        partitions: PartitionSet,
        number: int,
        provenance: Provenance,
        base: TableState,
    ) -> None:
        """One commit: the rows of ``partitions`` become ``rows``, and ``provenance`` goes with them.

        only: the partitions that are taken of ``rows``; None: all of them. number: so many rows they are. base: the
        state of the table on which this was decided.
        """
        ...

    def rewrite(
        self, frame: DataFrame, asset: Asset, contract: Contract, number: int, commit_metadata: str, base_version: int
    ) -> None:
        """One commit: all rows of a table become those of ``frame``, its schema that of ``contract``.

        frame: the contract's columns, and, last, those that others added.
        """
        ...


MakeEngine = Callable[[Warehouse, str, int, list[int]], Engine]
"""(warehouse, run id, rows expected of the largest step, open files to inherit) → engine."""
