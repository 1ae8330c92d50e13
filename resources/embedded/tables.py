"""What of Delta tables the embedded engine cannot read by itself: it is read by deltalake, through Arrow.

Spark's default before this project wrote instants of tables as UTC microseconds was INT96, which Sail cannot read; it
is found in the footers of the files. Features that tables got from others are deltalake's affair too, which knows them
or says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.core.declarations.asset import Asset
from orchestration.core.errors import WarehouseError
from orchestration.core.partitions.keys import PartitionSet
from resources.delta.rows import covering, local_path, stored_batches
from resources.delta.warehouse import Warehouse, predicate

if TYPE_CHECKING:
    import pyarrow as pa

LEGACY_INSTANT = "INT96"


class EmbeddedTables:
    """The tables of a local warehouse, as an engine reads them that knows plain Delta and plain Parquet."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._plain: set[str] = set()

    def through_arrow(self, asset: Asset, version: int) -> Any:
        """The deltalake table, where an asset's table at ``version`` has to be read through it; else None."""
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError

        uri = self._warehouse.table_uri(asset.key)
        try:
            table = DeltaTable(uri, version=version)
            if table.protocol().min_reader_version > 1 or not self._are_plain(table):
                return table
        except (DeltaError, OSError) as error:
            raise WarehouseError(
                f"{asset.key}: its table cannot be read at version {version} ({' '.join(str(error).split())[:300]})",
                "Restore it from a copy, or move its folder away and materialize it again.",
            ) from error
        return None

    def files(self, asset: Asset, version: int, partitions: PartitionSet | None) -> tuple[str, list[str]]:
        """The schema, as Delta's JSON has it, and the files that may have rows of ``partitions`` (None: all).

        Files and not the table, which Sail knows too: of a column with NaN whose other values are all the same it takes
        the log's least and greatest value for all there is, and it does not find a folder with a space in its name.
        """
        from deltalake import DeltaTable

        table = DeltaTable(self._warehouse.table_uri(asset.key), version=version)
        within = None
        if partitions is not None and asset.partition_columns is not None:
            if not partitions:
                return table.schema().to_json(), []
            within = predicate(asset.partition_columns, covering(partitions))
        return table.schema().to_json(), [local_path(uri) for uri in table.file_uris(file_pruning_predicate=within)]

    def batches(
        self, table: Any, asset: Asset, partitions: PartitionSet | None
    ) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """The schema and the rows of ``partitions`` (None: all) of a deltalake table."""
        import pyarrow as pa

        schema = pa.schema(table.schema())
        return schema, stored_batches(table, schema, asset.partition_columns, partitions)

    def _are_plain(self, table: Any) -> bool:
        """Whether no file of a table has instants of the old kind."""
        if "timestamp" not in table.schema().to_json():
            return True
        return all(self._is_plain(uri) for uri in table.file_uris())

    def _is_plain(self, uri: str) -> bool:
        import pyarrow.parquet as pq

        if uri not in self._plain:
            schema = pq.read_metadata(local_path(uri)).schema
            if any(schema.column(index).physical_type == LEGACY_INSTANT for index in range(len(schema))):
                return False
            self._plain.add(uri)
        return True


def write_parquet(rows: tuple[pa.Schema, Iterable[pa.RecordBatch]], folder: Path) -> None:
    """Write rows as one Parquet file in a new folder, batch by batch; also where there are none."""
    import pyarrow.parquet as pq

    schema, batches = rows
    folder.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(folder / "rows.parquet", schema, compression="lz4", store_schema=False) as writer:
        for batch in batches:
            writer.write_batch(batch)
