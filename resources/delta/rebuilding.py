"""Makes a table again beside the old one, with a new log; and exchanges the two.

Rows are taken from the data files themselves, so neither features nor a broken log matter. No row is trusted because of
that; a repair compares them with the records.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from orchestration.core.declarations.contract import Contract
from orchestration.core.errors import WarehouseError, in_a_line
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.partitions.scheme import PartitionColumns
from resources.delta.live_files import partitions_in
from resources.delta.mending import check_in_order, is_refused
from resources.delta.rows import BATCH_ROWS, FILE_BYTES, ROW_GROUP_ROWS, in_schema
from resources.machine import failpoints
from resources.storage.atomic_files import names_in
from resources.storage.files import open_files
from resources.storage.patience import NoAnswer

if TYPE_CHECKING:
    import pyarrow as pa


_NEW = ".new-"


def make_beside(
    uri: str,
    new: str,
    contract: Contract,
    properties: Mapping[str, str],
    paths: Iterable[str],
    schema: str | None,
    columns: PartitionColumns | None,
    metadata_of: Callable[[PartitionSet], str],
) -> tuple[int, list[str]]:
    """Make a table at ``new`` with the rows of data files of the table at ``uri``.

    paths: of the files, as in the old log. schema: of the old table, for the names of columns in files. columns: those
    that say to which partition a row belongs. metadata_of: gives the commit's metadata for the partitions with rows.
    Gives the number of rows, and why files were left out. Raises WarehouseError if nothing can be written, or if HDFS
    is in trouble.
    """
    import pyarrow as pa
    from deltalake import CommitProperties, DeltaTable, Schema, WriterProperties, write_deltalake
    from deltalake.exceptions import DeltaError

    from resources.delta.warehouse import no_hooks

    files, root = open_files(uri)
    fields = Schema.from_json(json.dumps(contract.delta_schema()))
    wanted, names, left_out = pa.schema(fields), _names_in_files(schema), list[str]()
    sound, with_rows = [], set[PartitionKey]()
    for path in paths:
        try:
            inside = set[PartitionKey]()
            for batch in _rows(files, f"{root}/{unquote(path)}", wanted, names):
                inside |= partitions_in(batch, columns)
            sound.append(path)
            with_rows |= inside
        except NoAnswer:
            raise
        except (OSError, RuntimeError, pa.ArrowException, WarehouseError) as error:  # hdfs-native
            if is_refused(error):
                raise WarehouseError(
                    f"{root}/{unquote(path)} cannot be read ({in_a_line(error)[:200]}): the old table is as it was",
                    f"Give this user rights to read and write all that is in {root}.",
                ) from error
            left_out.append(f"{unquote(path)} ({in_a_line(error)[:200]})")
    if left_out or not sound:
        check_in_order(uri, f"{len(left_out)} files of {root}" if left_out else f"what was in {root}")
    count = [0]

    def rows() -> Iterator[pa.RecordBatch]:
        for path in sound:
            for batch in _rows(files, f"{root}/{unquote(path)}", wanted, names):
                count[0] += batch.num_rows
                yield batch

    metadata = metadata_of(PartitionSet.from_keys(with_rows))
    try:
        DeltaTable.create(
            new,
            fields,
            description=contract.description,
            configuration=dict(properties),
            post_commithook_properties=no_hooks(),
        )
        write_deltalake(
            new,
            pa.RecordBatchReader.from_batches(wanted, rows()),
            mode="append",
            commit_properties=CommitProperties(custom_metadata={"userMetadata": metadata}),
            post_commithook_properties=no_hooks(),
            target_file_size=FILE_BYTES,
            writer_properties=WriterProperties(max_row_group_size=ROW_GROUP_ROWS),
        )
    except (DeltaError, pa.ArrowException, OSError) as error:
        raise WarehouseError(f"{new}: {in_a_line(error)[:300]}", "The old table is as it was.") from error
    return count[0], left_out


def _rows(files: Any, path: str, schema: pa.Schema, names: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
    """The rows of a data file in the columns and types of ``schema``; names: of its columns, where they are others."""
    import pyarrow.parquet as pq

    with files.open(path, "rb") as opened, pq.ParquetFile(opened, coerce_int96_timestamp_unit="us") as file:
        for batch in file.iter_batches(BATCH_ROWS):
            called = [names.get(name, name) for name in batch.schema.names]
            yield in_schema(batch.rename_columns(called), schema)


def _names_in_files(schema: str | None) -> dict[str, str]:
    """Column → its name in data files, where somebody mapped names."""
    fields = json.loads(schema)["fields"] if schema else []
    named = ((field["name"], (field.get("metadata") or {}).get("delta.columnMapping.physicalName")) for field in fields)
    return {physical: name for name, physical in named if physical}


def exchange(uri: str, new: str, kept: str) -> None:
    """Move the table at ``new`` to ``uri``, and the one at ``uri`` to ``kept``.

    Called again, it goes on where it was broken off. Raises OSError.
    """
    files, old = open_files(uri)
    made, aside = (open_files(one)[1] for one in (new, kept))
    if files.exists(old) and not files.exists(aside):
        _move(files, old, aside)
        failpoints.reach("tables-changed")
    if files.exists(made) and not files.exists(old):
        _move(files, made, old)


def new_beside(uri: str, run_id: str) -> str:
    """The folder in which a run makes a new table, before it is moved."""
    return f"{uri}{_NEW}{run_id}"


def sweep(uri: str) -> None:
    """Remove unfinished new tables of killed runs. Raises OSError."""
    files, path = open_files(uri)
    folder, _, name = path.rpartition("/")
    for other in names_in(files, folder):
        if other.startswith(f"{name}{_NEW}"):
            files.rm(f"{folder}/{other}", recursive=True)


def remove(uri: str) -> None:
    """Remove what is left of a table that was never moved to its folder. Raises OSError."""
    files, path = open_files(uri)
    if files.exists(path):
        files.rm(path, recursive=True)


def _move(files: Any, one: str, other: str) -> None:
    if hasattr(files, "client"):  # HDFS
        files.mv(one, other)
    else:
        Path(one).rename(other)
