"""An engine makes rows: it runs the PySpark functions of assets, reads tables at fixed versions, and commits.

There are two: ``embedded`` (no JVM, one machine) and ``spark`` (a local JVM, or YARN). Plans, records, code versions,
Prefect tasks and commands do not know which one is used. Promise: no warehouse can tell which one made it.
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
    """Evaluated rows, kept in memory or on disk until they are let go."""

    def frame(self, partitions: PartitionSet | None = None) -> DataFrame:
        """The rows as a frame of the present session. partitions: rows of other partitions may be left out; None: all
        rows."""
        ...

    def let_go(self) -> None:
        """Nobody reads them any more. Never fails."""
        ...


class Engine(Protocol):
    """One engine for one run. Making rows happens within ``working``; committing need not.

    Safe to call from several threads. Every method may raise any error.
    """

    @property
    def name(self) -> str:
        """``embedded`` or ``spark``."""
        ...

    @property
    def application_id(self) -> str:
        """The id of the application on the cluster, or on this machine; empty before the start."""
        ...

    @property
    def refused(self) -> Refused | None:
        """Why a cluster had no room for the engine; None as long as it has room."""
        ...

    @property
    def rows_at_once(self) -> int:
        """How many rows the engine can evaluate at once in its memory."""
        ...

    def start(self) -> None:
        """Start it, and wait until it is ready. Raises RunError."""
        ...

    def cancel(self) -> None:
        """End everything that is going on."""
        ...

    def stop(self) -> None:
        """End the engine, and wait until nothing of it is left."""
        ...

    def working(self, what: str) -> AbstractContextManager[None]:
        """While this is entered, the thread works on ``what``; the engine and its errors use this name."""
        ...

    # Rows

    def table(self, asset: Asset, version: int, partitions: PartitionSet | None = None) -> DataFrame:
        """The rows of ``partitions`` (None: all) of an asset's table, at a version."""
        ...

    def rows(self, table: pa.Table) -> DataFrame:
        """An Arrow table as a frame that has to be evaluated within the same piece of work."""
        ...

    def union(self, frames: Sequence[DataFrame]) -> DataFrame:
        """Frames of the same columns, one after the other."""
        ...

    def evaluate(self, frame: DataFrame) -> KeptRows:
        """Evaluate a frame once, at the latest when it is first read, and keep its rows."""
        ...

    def together(self, parts: Sequence[tuple[PartitionSet, KeptRows]]) -> KeptRows:
        """Rows that were evaluated in several parts, with the partitions of each part, as one. All parts have the same
        columns."""
        ...

    def call(self, asset: Asset, frames: Sequence[DataFrame], arguments: Mapping[str, Any]) -> DataFrame:
        """The result of an asset's function, as a frame that has to be evaluated within the same piece of work. None
        where the function returns nothing."""
        ...

    # Tables

    def create(self, asset: Asset, contract: Contract) -> None:
        """Create an asset's table, unless it exists by now."""
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
        """One commit that replaces the rows of ``partitions`` by ``rows``, with ``provenance``.

        only: the partitions that are taken from ``rows``; None: all. number: the number of their rows. base: the state
        of the table on which the change was decided.
        """
        ...

    def rewrite(
        self, frame: DataFrame, asset: Asset, contract: Contract, number: int, commit_metadata: str, base_version: int
    ) -> None:
        """One commit that replaces all rows of a table by ``frame``, and its schema by that of ``contract``.

        frame: the contract's columns, and after them those that somebody else added.
        """
        ...


MakeEngine = Callable[[Warehouse, str, int, list[int]], Engine]
"""(warehouse, run id, expected rows of the largest step, open files to inherit) → engine."""
