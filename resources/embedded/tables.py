"""What of Delta tables the embedded engine cannot read by itself: it is read by deltalake, through Arrow.

Spark's default before this project wrote instants of tables as UTC microseconds was INT96, which Sail cannot read; it
is found in the footers of the files. Features that tables got from others are deltalake's affair too, which knows them
or says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from orchestration.core.declarations.asset import Asset
from orchestration.core.errors import WarehouseError, in_a_line
from orchestration.core.partitions.keys import PartitionSet
from resources.delta.rows import check_mapping, covering, local_path, stored_batches
from resources.delta.warehouse import Warehouse, predicate

if TYPE_CHECKING:
    import pyarrow as pa

LEGACY_INSTANT = "INT96"


class Files(NamedTuple):
    """Files of a table. schema: the table's, as Delta's JSON has it."""

    schema: str
    paths: list[str]


class EmbeddedTables:
    """The tables of a local warehouse, as an engine reads them that knows plain Delta and plain Parquet."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._plain: set[str] = set()

    def read(self, asset: Asset, version: int, partitions: PartitionSet | None) -> Files | Any:
        """What may have rows of ``partitions`` (None: all) of an asset's table at ``version``: its files, or the
        deltalake table, where it has to be read through that.

        Files and not the table, which Sail knows too: of a column with NaN whose other values are all the same it takes
        the log's least and greatest value for all there is, and it does not find a folder with a space in its name.
        Raises WarehouseError where the table cannot be read, or a file is not as the log says: Sail would pass over it.
        """
        import pyarrow as pa
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError

        try:
            table = DeltaTable(self._warehouse.table_uri(asset.key), version=version)
            check_mapping(table)
            if table.protocol().min_reader_version > 1:
                return table
            files = [] if partitions is not None and not partitions else self._files(table, asset, partitions)
            plain = "timestamp" not in table.schema().to_json() or all(self._is_plain(path) for path in files)
            return Files(table.schema().to_json(), files) if plain else table
        except (DeltaError, OSError, pa.ArrowException) as error:
            raise unreadable(asset, version, error) from error

    def _files(self, table: Any, asset: Asset, partitions: PartitionSet | None) -> list[str]:
        import pyarrow as pa

        within = None
        if partitions is not None and asset.partition_columns is not None:
            within = predicate(asset.partition_columns, covering(partitions))
        sizes = pa.table(table.get_add_actions(flatten=True)).select(["path", "size_bytes"]).to_pylist()
        logged = {unquote(one["path"]): one["size_bytes"] for one in sizes}
        root = local_path(table.table_uri).rstrip("/")
        files = [local_path(uri) for uri in table.file_uris(file_pruning_predicate=within)]
        for path in files:
            name = path.removeprefix(f"{root}/")
            if Path(path).stat().st_size != logged.get(name):
                raise WarehouseError(
                    f"{asset.key}: the data file {name} is not as large as the table's log says",
                    "Restore it from a copy, or materialize the table's partitions again with --force.",
                )
        return files

    def batches(
        self, table: Any, asset: Asset, partitions: PartitionSet | None
    ) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """The schema and the rows of ``partitions`` (None: all) of a deltalake table."""
        import pyarrow as pa

        schema = pa.schema(table.schema())
        return schema, stored_batches(table, schema, asset.partition_columns, partitions)

    def _is_plain(self, path: str) -> bool:
        """Whether a file has no instants of the old kind."""
        import pyarrow.parquet as pq

        if path not in self._plain:
            schema = pq.read_metadata(path).schema
            if any(schema.column(index).physical_type == LEGACY_INSTANT for index in range(len(schema))):
                return False
            self._plain.add(path)
        return True


def unreadable(asset: Asset, version: int, error: Exception) -> WarehouseError:
    """The error of a table that cannot be read."""
    return WarehouseError(
        f"{asset.key}: its table cannot be read at version {version} ({in_a_line(error)[:300]})",
        "Restore it from a copy, or move its folder away and materialize it again; what only Spark can read, "
        "`--engine spark` does.",
    )


def write_parquet(rows: tuple[pa.Schema, Iterable[pa.RecordBatch]], folder: Path) -> None:
    """Write rows as one Parquet file in a new folder, batch by batch; also where there are none."""
    import pyarrow.parquet as pq

    schema, batches = rows
    folder.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(folder / "rows.parquet", schema, compression="lz4", store_schema=False) as writer:
        for batch in batches:
            writer.write_batch(batch)
