"""The engine ``embedded``: Sail, in a process of its own, runs the PySpark functions of assets. deltalake commits.

Evaluated rows are kept in Parquet files in a scratch folder, so memory does not grow with them. The Sail process reads
and computes. This process commits, under the lock of the warehouse.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.contract import Contract
from orchestration.core.errors import RunError
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.state.provenance import Provenance
from orchestration.core.state.table_state import TableState
from orchestration.engine.engines.engine import KeptRows
from orchestration.engine.engines.parquet_rows import LocalCommits, ParquetRows, Part
from orchestration.engine.engines.spark_child import SparkChild
from resources.delta.mending import unreadable
from resources.delta.plain_files import Files, PlainTables
from resources.delta.rows import batches_of, rewrite_rows
from resources.delta.table_schema import check_features, fields_of, grow
from resources.delta.warehouse import Warehouse, condition
from resources.embedded.process import EmbeddedProcess
from resources.embedded.scratch import remove_folder, write_parquet
from resources.machine import failpoints

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

BYTES_A_ROW = 8192
"""Memory of the engine for one row of a batch. A wide row has 200 bytes, in several copies, in several steps at
once.
"""
MOST_PIECES = 256
"""Up to this many intervals of partitions are written as a condition; more are joined as a table."""


class EmbeddedEngine:
    """See ``engine.Engine``."""

    name = "embedded"
    refused = None

    def __init__(
        self, warehouse: Warehouse, process: EmbeddedProcess, on_spark: Callable[[], SparkChild] | None = None
    ) -> None:
        self._warehouse, self._process = warehouse, process
        self._spark: SparkChild | None = None
        self._on_spark = None if on_spark is None else self._started_once(on_spark)
        self._tables = PlainTables(warehouse)
        self._work = threading.local()
        self._commits = LocalCommits(warehouse)

    @property
    def rows_at_once(self) -> int:
        return self._process.memory // BYTES_A_ROW

    @property
    def application_id(self) -> str:
        return "" if self._process.pid is None else f"embedded-{self._process.pid}"

    def start(self) -> None:
        self._process.session()

    def cancel(self) -> None:
        if self._spark is not None:
            self._spark.kill()
        self._process.cancel()

    def stop(self) -> None:
        if self._spark is not None:
            self._spark.end()
        with self._commits.one_at_a_time:  # what is being committed lies in the scratch that goes now
            self._process.stop()

    def _started_once(self, make: Callable[[], SparkChild]) -> Callable[[], SparkChild]:
        lock = threading.Lock()

        def get() -> SparkChild:
            with lock:
                self._spark = self._spark or make()
                return self._spark

        return get

    @contextlib.contextmanager
    def working(self, what: str) -> Iterator[None]:
        """Scratch files that are read for a piece of work are removed with it."""
        outer, mine = getattr(self._work, "folders", None), list[Path]()
        self._work.folders = mine
        try:
            with self._process.working(what):
                yield
        finally:
            self._work.folders = outer
            for folder in mine:
                shutil.rmtree(folder, ignore_errors=True)

    def table(self, asset: Asset, version: int, partitions: PartitionSet | None = None) -> DataFrame:
        found = self._tables.read(asset, version, partitions)
        if isinstance(found, Files):
            rows = self._files(found.schema, found.paths)
            return rows if partitions is None else self._of(rows, asset, partitions)
        folder = self._folder(passing=True)
        try:
            write_parquet(self._tables.batches(found, asset, partitions), folder)
        except Exception as error:
            raise unreadable(asset.key, version, error) from error
        return self._process.session().read.parquet(str(folder))

    def rows(self, table: pa.Table) -> DataFrame:
        folder = self._folder(passing=True)
        write_parquet((table.schema, table.to_batches()), folder)
        return self._process.session().read.parquet(str(folder))

    def union(self, frames: Sequence[DataFrame]) -> DataFrame:
        return reduce(lambda one, other: one.unionByName(other), frames)

    def evaluate(self, frame: DataFrame) -> KeptRows:
        folder, schema = self._folder(), _bare(frame.schema)
        try:
            frame.write.parquet(str(folder))
            if not any(folder.glob("*.parquet")):  # no rows, no files
                if not frame.isEmpty():
                    raise RunError("the embedded engine has written no file for rows that there are")
                write_parquet((_arrow(schema), ()), folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        files = tuple(sorted(map(str, folder.glob("*.parquet"))))
        return ParquetRows([Part(str(folder), files)], schema, self._read, remove_folder)

    def _read(self, schema: StructType, paths: Sequence[str]) -> DataFrame:
        session = self._process.session()
        if gone := [path for path in paths if not Path(path).exists()]:
            raise RunError(f"rows that this run evaluated are gone ({gone[0]})", "Ask for the same days again.")
        return session.read.schema(schema).parquet(*paths)

    def together(self, parts: Sequence[tuple[PartitionSet, KeptRows]]) -> KeptRows:
        return ParquetRows.together(parts)

    def call(self, asset: Asset, frames: Sequence[DataFrame], arguments: Mapping[str, Any]) -> DataFrame:
        made: DataFrame
        if asset.engine != "spark":
            made = asset.function(*frames, **arguments)
            return made
        if self._on_spark is None:
            raise RunError(
                f"{asset.key} is for Spark alone, which this run does not have", "Run it with --engine spark."
            )
        folders = []
        for frame in frames:
            rows = self.evaluate(frame)
            assert isinstance(rows, ParquetRows)
            self._work.folders += [Path(part.folder) for part in rows.parts]
            folders += [Path(part.folder) for part in rows.parts]
        output = self._folder(passing=True)
        child = self._on_spark()
        timer = threading.Timer(self._process.timeout, child.kill)
        timer.daemon = True
        timer.start()
        try:
            child.make(asset, folders, arguments, output)
        finally:
            timer.cancel()
        return self._process.session().read.parquet(str(output))

    def create(self, asset: Asset, contract: Contract) -> None:
        self._warehouse.create(asset, contract)

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
        self._commits.replace(rows, only, asset, partitions, number, provenance, base)

    def rewrite(
        self, frame: DataFrame, asset: Asset, contract: Contract, number: int, commit_metadata: str, base_version: int
    ) -> None:
        uri = self._warehouse.table_uri(asset.key)
        fields = fields_of(uri, frame, contract)
        check_features(uri)
        rows = self.evaluate(frame)
        assert isinstance(rows, ParquetRows)
        import pyarrow.parquet as pq

        failpoints.reach("before-commit")
        try:
            number = sum(pq.read_metadata(file).num_rows for file in rows.files)
            with self._commits.one_at_a_time:
                rewrite_rows(uri, fields, batches_of(rows.files, number), commit_metadata, base_version)
                grow(uri, fields, contract.description, "")  # deltalake leaves what the table is described as
        finally:
            rows.let_go()

    def _files(self, schema: str, files: list[str]) -> DataFrame:
        """Files of a table as a frame, in the columns of its schema."""
        from pyspark.sql.types import StructType

        columns = _bare(StructType.fromJson(json.loads(schema)))
        if not files:
            return self.rows(_arrow(columns).empty_table())
        return self._process.session().read.schema(columns).parquet(*files)

    def _of(self, rows: DataFrame, asset: Asset, partitions: PartitionSet) -> DataFrame:
        """The rows of ``partitions``."""
        columns = asset.partition_columns
        if columns is None or len(partitions.pieces()) <= MOST_PIECES:
            return rows.where(condition(columns, partitions))
        import pyarrow as pa

        keys = [(key.day, key.location) for key in partitions]
        table = pa.table({columns.day: [day for day, _ in keys], columns.location: [at for _, at in keys]})
        return rows.join(self.rows(table), list(columns), "left_semi")

    def _folder(self, *, passing: bool = False) -> Path:
        """The name of a new folder for rows. passing: it is removed at the end of the current piece of work."""
        folder = self._process.scratch / uuid.uuid4().hex
        if passing:
            assert self._work.folders is not None, "within a piece of work"
            self._work.folders.append(folder)
        return folder


def _bare(schema: StructType) -> StructType:
    """The schema without comments of columns: Sail keeps them in one part of a plan, loses them in another, and then
    fails."""
    from pyspark.sql.types import StructField, StructType

    return StructType([StructField(of.name, of.dataType, of.nullable) for of in schema.fields])


def _arrow(schema: StructType) -> Any:
    from pyspark.sql.pandas.types import to_arrow_schema

    return to_arrow_schema(schema, timezone="UTC")
