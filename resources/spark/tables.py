"""Creates, reads and changes the Delta tables of a warehouse by Spark. A step makes one commit."""

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
"""The id of the application in Delta's transactions of commits that replace rows without a lock. The version of such a
transaction is the table version that the commit is to have."""


class SparkTables:
    """The tables of a warehouse, used by a session of Spark."""

    def __init__(self, warehouse: Warehouse, spark: SparkSession) -> None:
        self._warehouse, self._spark = warehouse, spark

    def create(self, asset: Asset, contract: Contract) -> None:
        """Create an asset's table by a commit without rows: its schema, NOT NULL, comments and properties.

        Spark creates the table, and not deltalake, because the session then knows the table's state and need not read
        it for the first write. Creating and writing take 0.4 + 0.5 s (by deltalake 0.01 + 1.6 s) in a warm session. But
        Spark fails ("table not found") where a killed run left the folder of a log without a commit; there deltalake
        creates the table.
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
        """The rows of the table of the asset ``key`` at a version."""
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
        """Replace the rows of ``partitions`` by those of ``frame``, in one commit that also has ``provenance``.

        frame: only rows of ``partitions``, in the order of the table's columns. rows: their number. base: the state of
        the table on which the change was decided.

        Append or replace: partitions that ``base`` does not have are appended in a local warehouse, which is more than
        twice as fast as replacing nothing. There the lock keeps other runs out. On a cluster two runs might append the
        same rows; of two runs that replace them, Delta refuses one. A local table is written here where only Spark's
        Delta supports its features. If others made it append-only, it refuses to replace, even to replace nothing.

        Two runs on one ``base``: the new rows of an asset with ``hours`` are merged with the rows that ``base`` has. If
        two runs do that without a lock, only the first may commit, even if the second begins to write after that. So
        both commits name the same transaction (``TRANSACTION`` and version), and Delta makes no second commit of it.
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
    """A frame laid out for writing: as one file, or, for more than ``ROWS_PER_FILE`` rows, as several files by ranges
    of the partition columns. rows: the number of its rows."""
    files = max(1, -(-rows // ROWS_PER_FILE))
    if files == 1 or asset.partition_columns is None:
        return frame.coalesce(1)
    return frame.repartitionByRange(files, *asset.partition_columns)


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
