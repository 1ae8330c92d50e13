"""Delta tables of a warehouse by Spark: created, read at pinned versions, changed by one commit a step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.contract import Contract
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.state.provenance import Provenance
from orchestration.core.state.table_state import TableState
from resources.delta.warehouse import ROWS_PER_FILE, TABLE_PROPERTIES, Warehouse, condition, is_conflict
from resources.machine import failpoints

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


TRANSACTION = "aqi"
"""What replaces rows without a lock is an application to Delta; its version is the one that the commit is to be."""


class SparkTables:
    """The tables of a warehouse in a session."""

    def __init__(self, warehouse: Warehouse, spark: SparkSession) -> None:
        self._warehouse, self._spark = warehouse, spark

    def create(self, asset: Asset, contract: Contract) -> None:
        """Create an asset's table by one commit without data: schema, NOT NULL, comments, properties.

        Done by Spark and not by deltalake, because the session then knows the table's state and the first write
        need not work it out (warm: 0.4 + 0.5 s instead of 0.01 + 1.6 s). But Spark cannot where a killed run has left a
        log without a commit ("table not found"): there deltalake does it.
        """
        if self._warehouse.has_log(asset):
            self._warehouse.create(asset, contract)
            return
        from delta.tables import DeltaTable
        from pyspark.sql.types import StructType

        builder = (
            DeltaTable.createIfNotExists(self._spark)
            .location(self._warehouse.table_uri(asset.key))
            .addColumns(StructType.fromJson(contract.delta_schema()))
            .comment(contract.description)
        )
        for name, value in TABLE_PROPERTIES.items():
            builder = builder.property(name, value)
        try:
            builder.execute()
        except Exception as error:  # another run created it in the same moment
            if not is_conflict(error) or self._warehouse.newest(asset) is None:
                raise

    def read(self, key: str, version: int) -> DataFrame:
        """The table at a version."""
        return self._spark.read.format("delta").option("versionAsOf", version).load(self._warehouse.table_uri(key))

    def replace(
        self,
        frame: DataFrame,
        asset: Asset,
        partitions: PartitionSet,
        rows: int,
        provenance: Provenance,
        base: TableState,
    ) -> None:
        """One commit: the rows of ``partitions`` become those of ``frame``, and ``provenance`` goes with them.

        frame: only rows of ``partitions``, in the order of the table's columns; rows: how many they are.
        base: the state of the table on which this was decided. Partitions that it does not have are appended,
        which is more than twice as fast as replacing nothing, but only where the lock of a local warehouse keeps
        others out: elsewhere two runs might append the same, while of two that replace it Delta refuses one. Local
        tables come here where only Delta knows their features; one that others made append-only takes nothing that
        replaces, be it nothing. Of two that replace rows that are kept against others, on the same base, Delta takes
        the first alone, also where the second begins to write after that: it is told that they are one transaction,
        and makes no commit then.
        """
        warehouse = self._warehouse
        metadata = warehouse.metadata(asset, provenance)
        failpoints.reach("before-commit")
        frame = laid_out(frame, asset, rows)
        uri = warehouse.table_uri(asset.key)
        with failpoints.watching(warehouse.folder and Path(uri)):
            if warehouse.is_local and not partitions & base.present:
                frame.write.format("delta").mode("append").option("userMetadata", metadata).save(uri)
            else:
                writer = frame.writeTo(f"delta.{_quoted(uri)}").option("userMetadata", metadata)
                if asset.hours is not None and not warehouse.is_local and base.version is not None:
                    writer = writer.option("txnAppId", TRANSACTION).option("txnVersion", str(base.version + 1))
                writer.overwrite(condition(asset.partition_columns, partitions))


def laid_out(frame: DataFrame, asset: Asset, rows: int) -> DataFrame:
    """A frame of so many rows as it goes into files: one, or more by ranges of days where they are many."""
    files = max(1, -(-rows // ROWS_PER_FILE))
    if files == 1 or asset.partition_columns is None:
        return frame.coalesce(1)
    return frame.repartitionByRange(files, *asset.partition_columns)


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
