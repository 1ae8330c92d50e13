"""The engine ``spark``: a driver JVM on this machine or an application on YARN, Delta's own commits."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any, Protocol

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.contract import Contract
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.state.provenance import Provenance
from orchestration.core.state.table_state import TableState
from orchestration.engine.engines.engine import KeptRows
from resources.delta.table_schema import rewrite
from resources.delta.warehouse import Warehouse, condition
from resources.embedded.process import CONNECT_MODE
from resources.spark.tables import SparkTables, laid_out

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession


class SparkProvider(Protocol):
    """Gives a Spark session for a run; tests give one that is shared."""

    def start(self) -> SparkSession: ...

    @property
    def application_id(self) -> str: ...

    def cancel(self) -> None: ...

    def stop(self) -> None: ...


class SparkRows:
    """A frame that Spark keeps, once it is evaluated."""

    def __init__(self, frame: DataFrame) -> None:
        self._frame = frame.persist()

    def frame(self, partitions: PartitionSet | None = None) -> DataFrame:
        return self._frame

    def let_go(self) -> None:
        with contextlib.suppress(Exception):  # a JVM that is gone has forgotten it
            self._frame.unpersist()


class SparkEngine:
    """See ``engine.Engine``."""

    name = "spark"
    rows_at_once = sys.maxsize

    def __init__(self, warehouse: Warehouse, provider: SparkProvider) -> None:
        self._warehouse, self._provider = warehouse, provider
        self._spark: SparkSession | None = None

    @property
    def application_id(self) -> str:
        return self._provider.application_id

    def start(self) -> None:
        os.environ.pop(CONNECT_MODE, None)
        self._spark = self._provider.start()

    def cancel(self) -> None:
        self._provider.cancel()

    def stop(self) -> None:
        self._provider.stop()

    @contextlib.contextmanager
    def working(self, what: str) -> Iterator[None]:
        """Gives this thread's jobs a name, and a fair share beside those of other steps."""
        os.environ.pop(CONNECT_MODE, None)  # or an asset's functions would make expressions of Connect
        context = self._session.sparkContext
        context.setLocalProperty("spark.scheduler.pool", what)
        context.setJobDescription(what)
        yield

    def table(self, asset: Asset, version: int, partitions: PartitionSet | None = None) -> DataFrame:
        rows = self._tables.read(asset.key, version)
        return rows if partitions is None else rows.where(condition(asset.partition_columns, partitions))

    def rows(self, table: pa.Table) -> DataFrame:
        return self._session.createDataFrame(table)

    def union(self, frames: Sequence[DataFrame]) -> DataFrame:
        together = reduce(lambda one, other: one.unionByName(other), frames)
        return together.coalesce(self._session.sparkContext.defaultParallelism) if len(frames) > 1 else together

    def evaluate(self, frame: DataFrame) -> KeptRows:
        return SparkRows(frame)

    def together(self, parts: Sequence[tuple[PartitionSet, KeptRows]]) -> KeptRows:
        assert len(parts) == 1, "Spark evaluates everything at once"
        return parts[0][1]

    def call(self, asset: Asset, frames: Sequence[DataFrame], arguments: Mapping[str, Any]) -> DataFrame:
        made: DataFrame = asset.function(*frames, **arguments)
        return made

    def create(self, asset: Asset, contract: Contract) -> None:
        with self.working(asset.key):
            self._tables.create(asset, contract)

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
        with self.working(asset.key):
            frame = rows.frame()
            part = frame if only is None else frame.where(condition(asset.partition_columns, only))
            self._tables.replace(part, asset, partitions, number, provenance, base)

    def rewrite(
        self, frame: DataFrame, asset: Asset, contract: Contract, number: int, commit_metadata: str, base_version: int
    ) -> None:
        uri = self._warehouse.table_uri(asset.key)
        rewrite(self._session, uri, laid_out(frame, asset, number), contract, commit_metadata, base_version)

    @property
    def _session(self) -> SparkSession:
        assert self._spark is not None, "the engine was started"
        return self._spark

    @property
    def _tables(self) -> SparkTables:
        return SparkTables(self._warehouse, self._session)
