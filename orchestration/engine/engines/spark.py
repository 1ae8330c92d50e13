"""The engine ``spark``: a driver JVM on this machine, or an application on YARN."""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.contract import Contract
from orchestration.core.errors import LakehouseError, Refused
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.state.provenance import Provenance
from orchestration.core.state.table_state import TableState
from orchestration.engine.engines.engine import KeptRows
from orchestration.engine.engines.parquet_rows import LocalCommits, ParquetRows, Part
from resources.delta.plain_files import PlainTables, lost_file
from resources.delta.table_schema import rewrite
from resources.delta.warehouse import Warehouse, condition
from resources.embedded.process import CONNECT_MODE
from resources.embedded.scratch import Scratch, remove_folder
from resources.spark.tables import SparkTables, laid_out
from resources.storage.remote_scratch import RemoteScratch

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

PATTERNS = frozenset("*?{}")
"""Characters that Spark takes for patterns in a path, and that the name of a folder may have."""
AS_IT_IS = "__globPaths__"
"""Spark's own option that says whether paths are patterns."""


class SparkProvider(Protocol):
    """Gives the Spark session of a run. Tests give a shared one."""

    def start(self) -> SparkSession: ...

    @property
    def application_id(self) -> str: ...

    def cancel(self) -> None: ...

    def stop(self) -> None: ...

    def explained(self, error: Exception) -> LakehouseError | None:
        """The real cause, where ``error`` is only a consequence of it; else None."""


ROWS_AT_ONCE = (1 << 30) // 4096
"""For the default heap, see ``rows_at_once``."""


def rows_at_once(heap_bytes: int) -> int:
    """How many rows a heap can bear at once: 4 KiB for each.

    A wide row has 200 bytes, and only the rows of two tasks are in memory at a time. The memory is needed for the key
    sets of the aggregation and for incoming Arrow batches.
    """
    return heap_bytes // 4096


class SparkEngine:
    """The Spark implementation of ``engine.Engine``.

    Evaluated rows are kept in Parquet files beside the warehouse, not in Spark's memory. On a local warehouse deltalake
    commits, as for the embedded engine; tables with features that only Delta itself supports are committed by Delta.
    """

    name = "spark"

    def __init__(self, warehouse: Warehouse, provider: SparkProvider, rows_at_once: int = ROWS_AT_ONCE) -> None:
        self._warehouse, self._provider = warehouse, provider
        self._spark: SparkSession | None = None
        self.scratch: Scratch | RemoteScratch | None = None
        self._plain = PlainTables(warehouse, old_instants=True)
        self._commits = LocalCommits(warehouse)
        self.rows_at_once = rows_at_once
        self.refused: Refused | None = None

    @property
    def application_id(self) -> str:
        return self._provider.application_id

    def start(self) -> None:
        os.environ.pop(CONNECT_MODE, None)
        folder = self._warehouse.folder
        self.scratch = RemoteScratch(self._warehouse.uri) if folder is None else Scratch(folder)
        try:
            self._spark = self._provider.start()
        except Refused as error:
            self.refused = error
            raise

    def cancel(self) -> None:
        self._provider.cancel()

    def stop(self) -> None:
        self._provider.stop()
        with self._commits.one_at_a_time:  # what is being committed lies in the scratch that goes now
            if self.scratch is not None:
                self.scratch.close()
                self.scratch = None

    @contextlib.contextmanager
    def working(self, what: str) -> Iterator[None]:
        """Names the jobs of this thread, and gives them a fair share beside those of other steps.

        Raises RunError if Spark runs out of memory, or ends.
        """
        os.environ.pop(CONNECT_MODE, None)  # or an asset's functions would make expressions of Connect
        try:
            context = self._session.sparkContext
            context.setLocalProperty("spark.scheduler.pool", what)
            context.setJobDescription(what)
            yield
        except LakehouseError:
            raise
        except Exception as error:
            if (known := self._provider.explained(error)) is not None:
                if isinstance(known, Refused):
                    self.refused = known
                raise known from error
            raise

    def table(self, asset: Asset, version: int, partitions: PartitionSet | None = None) -> DataFrame:
        rows = self._files(asset, version, partitions)
        if rows is None:
            rows = self._tables.read(asset.key, version)
        return rows if partitions is None else rows.where(condition(asset.partition_columns, partitions))

    def rows(self, table: pa.Table) -> DataFrame:
        return self._session.createDataFrame(table)

    def union(self, frames: Sequence[DataFrame]) -> DataFrame:
        together = reduce(lambda one, other: one.unionByName(other), frames)
        return together.coalesce(self._session.sparkContext.defaultParallelism) if len(frames) > 1 else together

    def evaluate(self, frame: DataFrame) -> KeptRows:
        assert self.scratch is not None, "the engine was started"
        folder = f"{self.scratch.folder}/{uuid.uuid4().hex}"
        try:
            frame.write.parquet(folder)
        except BaseException:
            self._remove(folder)
            raise
        paths = [folder] if self._warehouse.folder is None else sorted(map(str, Path(folder).glob("*.parquet")))
        return ParquetRows([Part(folder, tuple(paths))], frame.schema, self._read, self._remove)

    def together(self, parts: Sequence[tuple[PartitionSet, KeptRows]]) -> KeptRows:
        return ParquetRows.together(parts)

    def call(self, asset: Asset, frames: Sequence[DataFrame], arguments: Mapping[str, Any]) -> DataFrame:
        made: DataFrame = asset.function(*frames, **arguments)
        return made

    def create(self, asset: Asset, contract: Contract) -> None:
        if self._warehouse.folder is not None:
            self._warehouse.create(asset, contract)
            return
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
        if self._warehouse.takes_rows(asset):
            self._commits.replace(rows, only, asset, partitions, number, provenance, base)
            return
        with self.working(asset.key):
            frame = rows.frame(only)
            part = frame if only is None else frame.where(condition(asset.partition_columns, only))
            self._tables.replace(part, asset, partitions, number, provenance, base)

    def rewrite(
        self, frame: DataFrame, asset: Asset, contract: Contract, number: int, commit_metadata: str, base_version: int
    ) -> None:
        uri = self._warehouse.table_uri(asset.key)
        rewrite(self._session, uri, laid_out(frame, asset, number), contract, commit_metadata, base_version)

    def _files(self, asset: Asset, version: int, partitions: PartitionSet | None) -> DataFrame | None:
        """The rows of the files that can have rows of ``partitions``, on a local warehouse; None if Delta's own reader
        is needed."""
        if self._warehouse.folder is None:
            return None
        from deltalake.exceptions import DeltaError
        from pyspark.sql.types import StructType

        try:
            found = self._plain.plain(self._plain.open(asset, version), asset, partitions)
        except DeltaError:  # a feature that deltalake does not even know by name; or Delta says what is wrong
            return None
        except OSError as error:
            raise lost_file(asset, error) from error
        if found is None:
            return None
        schema = StructType.fromJson(json.loads(found.schema))
        return self._read(schema, found.paths) if found.paths else self._session.createDataFrame([], schema)

    def _read(self, schema: StructType, paths: Sequence[str]) -> DataFrame:
        reader = self._session.read.schema(schema)
        if not PATTERNS & set(self._warehouse.uri):
            return reader.parquet(*paths)
        reader = reader.option(AS_IT_IS, "false")  # of several files at once it would give each row several times
        return self.union([reader.parquet(path) for path in paths])

    def _remove(self, folder: str) -> None:
        if isinstance(self.scratch, RemoteScratch):
            self.scratch.remove(folder)
        else:
            remove_folder(folder)

    @property
    def _session(self) -> SparkSession:
        assert self._spark is not None, "the engine was started"
        return self._spark

    @property
    def _tables(self) -> SparkTables:
        return SparkTables(self._warehouse, self._session)
