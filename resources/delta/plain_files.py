"""The Parquet files of local Delta tables, for engines that read them without Delta's own reader.

Some tables cannot be read so: those with unknown features, and, for an engine that does not know INT96 (Sail), those
with instants in that old format of Spark. The footers of the files show it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from orchestration.core.declarations.asset import Asset
from orchestration.core.errors import WarehouseError, in_a_line
from orchestration.core.partitions.keys import PartitionSet
from resources.delta.mending import unreadable
from resources.delta.opening import open_table
from resources.delta.rows import check_mapping, covering, local_path, stored_batches
from resources.delta.warehouse import Warehouse, predicate

if TYPE_CHECKING:
    import pyarrow as pa

LEGACY_INSTANT = "INT96"


class Files(NamedTuple):
    """The files of a table. schema: the table's schema, as in Delta's JSON."""

    schema: str
    paths: list[str]


class PlainTables:
    """The tables of a local warehouse, for an engine that knows plain Delta and plain Parquet.

    old_instants: whether the engine reads INT96.
    """

    def __init__(self, warehouse: Warehouse, *, old_instants: bool = False) -> None:
        self._warehouse = warehouse
        self._old_instants = old_instants
        self._plain: set[str] = set()

    def read(self, asset: Asset, version: int, partitions: PartitionSet | None) -> Files | Any:
        """What may have rows of ``partitions`` (None: all) of an asset's table at ``version``: its files, or the
        deltalake table, where it has to be read through that.

        Files and not the table, which Sail knows too: of a column with NaN whose other values are all the same it takes
        the log's least and greatest value for all there is, and it does not find a folder with a space in its name.
        Raises WarehouseError where the table cannot be read, or a file is not as the log says: Sail would pass over it.
        """
        import pyarrow as pa
        from deltalake.exceptions import DeltaError

        try:
            table = self.open(asset, version)
            check_mapping(table)
            return self.plain(table, asset, partitions) or table
        except (DeltaError, OSError, pa.ArrowException) as error:
            raise unreadable(asset.key, version, error) from error

    def open(self, asset: Asset, version: int) -> Any:
        """The deltalake table at a version. Raises as deltalake."""

        return open_table(self._warehouse.table_uri(asset.key), version)

    def plain(self, table: Any, asset: Asset, partitions: PartitionSet | None) -> Files | None:
        """The files of a deltalake table that may have rows of ``partitions`` (None: all); None where they are not
        all that makes its rows. Raises WarehouseError where a file is not as the log says, OSError where it is gone."""
        mapping = table.metadata().configuration.get("delta.columnMapping.mode", "none").lower()
        if table.protocol().min_reader_version > 1 or table.metadata().partition_columns or mapping not in ("none", ""):
            return None
        files = [] if partitions is not None and not partitions else self._files(table, asset, partitions)
        instants = not self._old_instants and "timestamp" in table.schema().to_json()
        if instants and not all(self._is_plain(path) for path in files):
            return None
        return Files(table.schema().to_json(), files)

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
                    f"Restore it from a copy, or call `aqi repair {asset.key}`.",
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
        """Whether a file has no instants in INT96."""
        import pyarrow.parquet as pq

        if path not in self._plain:
            schema = pq.read_metadata(path).schema
            if any(schema.column(index).physical_type == LEGACY_INSTANT for index in range(len(schema))):
                return False
            self._plain.add(path)
        return True


def lost_file(asset: Asset, error: OSError) -> WarehouseError:
    """The error for a table with a data file that cannot be read."""
    return WarehouseError(
        f"{asset.key}: a data file of its table cannot be read ({in_a_line(error)[:300]})",
        f"Restore it from a copy, or call `aqi repair {asset.key}`.",
    )
