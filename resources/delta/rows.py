"""Replaces rows of a table in one commit of deltalake, without a JVM. Only for a warehouse whose lock keeps other runs
out.

Rows flow in batches from Parquet files to Parquet files. deltalake checks NOT NULL and that every new row belongs to
what is replaced, writes statistics, and rewrites only files with rows to be replaced. Instants become UTC microseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from orchestration.core.errors import CommitConflict, WarehouseError
from orchestration.core.partitions.keys import Days, PartitionSet
from orchestration.core.partitions.scheme import PartitionColumns
from resources.delta.opening import open_table
from resources.machine import failpoints

if TYPE_CHECKING:
    import pyarrow as pa

MOST_TERMS = 64
"""A predicate has at most this many intervals of days and locations; deltalake's time grows with the square of their
number.

More intervals are covered by a larger one; further rows in it are written back unchanged.
"""
BATCH_ROWS = 8_192
"""deltalake holds some batches beside the row group that it writes: eight times as many rows took 80 MB more."""
ROW_GROUP_ROWS = 131_072
FILE_BYTES = 64 << 20
"""A file is in memory until it is written."""


def replace_rows(
    uri: str,
    columns: PartitionColumns | None,
    partitions: PartitionSet,
    batches: Callable[[pa.Schema], Iterable[pa.RecordBatch]],
    commit_metadata: str,
    base_version: int | None,
    *,
    append: bool = False,
) -> None:
    """One commit that replaces the rows of ``partitions`` by ``batches``.

    batches: takes a schema; gives the rows in its columns and types. append: whether the table has no row of
    ``partitions``; then it is not searched. base_version: on which this was decided; None for the newest.

    Raises CommitConflict if another commit came first, WarehouseError if a row does not fit. Then nothing is committed;
    files without a commit may be left for vacuum.
    """
    import pyarrow as pa
    from deltalake import WriterProperties, write_deltalake
    from deltalake.exceptions import CommitFailedError, DeltaError

    from resources.delta.warehouse import no_hooks, predicate

    table = open_table(uri)
    conflict = CommitConflict(f"{uri}: another run has committed to the table", "Call the command again.")
    if base_version is not None and table.version() != base_version:
        raise conflict
    check_mapping(table)
    schema = pa.schema(table.schema())
    rows, where = batches(schema), None
    if not append:
        within = covering(partitions)
        where = predicate(columns, within)
        if within is not partitions and columns is not None:
            stored = stored_batches(table, schema, columns, within, without=partitions)
            rows = _both(_within(rows, columns, partitions), stored)
    how: dict[str, Any] = {"mode": "append"} if append else {"mode": "overwrite", "predicate": where}
    flow = _Flow(rows)
    try:
        with failpoints.in_place_of(_next_commit(uri, table)):
            write_deltalake(
                table,
                pa.RecordBatchReader.from_batches(schema, flow),
                commit_properties=_committed_once(commit_metadata),
                post_commithook_properties=no_hooks(),
                target_file_size=FILE_BYTES,
                writer_properties=WriterProperties(max_row_group_size=ROW_GROUP_ROWS),
                **how,
            )
    except CommitFailedError as error:
        raise conflict from error
    except (DeltaError, pa.ArrowException, OSError) as error:
        raise flow.why(uri, error) from error


def rewrite_rows(
    uri: str,
    fields: Sequence[dict[str, Any]],
    batches: Callable[[pa.Schema], Iterable[pa.RecordBatch]],
    commit_metadata: str,
    base_version: int,
) -> None:
    """One commit that replaces all rows by ``batches``, and the schema by ``fields`` (as in Delta's JSON).

    The table's id, properties and history stay. Raises as ``replace_rows`` does.
    """
    import json

    import pyarrow as pa
    from deltalake import Schema, WriterProperties, write_deltalake
    from deltalake.exceptions import CommitFailedError, DeltaError

    from resources.delta.warehouse import no_hooks

    table = open_table(uri)
    conflict = CommitConflict(f"{uri}: another run has committed to the table", "Call the command again.")
    if table.version() != base_version:
        raise conflict
    check_mapping(table)
    schema = pa.schema(Schema.from_json(json.dumps({"type": "struct", "fields": list(fields)})))
    flow = _Flow(batches(schema))
    try:
        with failpoints.in_place_of(_next_commit(uri, table)):
            write_deltalake(
                table,
                pa.RecordBatchReader.from_batches(schema, flow),
                mode="overwrite",
                schema_mode="overwrite",
                commit_properties=_committed_once(commit_metadata),
                post_commithook_properties=no_hooks(),
                target_file_size=FILE_BYTES,
                writer_properties=WriterProperties(max_row_group_size=ROW_GROUP_ROWS),
            )
    except CommitFailedError as error:
        raise conflict from error
    except (DeltaError, pa.ArrowException, OSError) as error:
        raise flow.why(uri, error) from error


class _Flow:
    """Batches on their way into a commit. It remembers what went wrong with them, as deltalake passes on only the
    text.
    """

    def __init__(self, rows: Iterable[pa.RecordBatch]) -> None:
        self._rows = iter(rows)
        self._wrong: Exception | None = None

    def __iter__(self) -> _Flow:
        return self

    def __next__(self) -> pa.RecordBatch:
        try:
            return next(self._rows)
        except StopIteration:
            raise
        except Exception as error:
            self._wrong = error
            raise

    def why(self, uri: str, error: Exception) -> WarehouseError:
        """The error of a failed commit."""
        wrong = self._wrong or error
        if isinstance(wrong, WarehouseError):
            return type(wrong)(f"{uri}: {wrong.message}", wrong.remedy)
        said = str(wrong).splitlines()
        return WarehouseError(f"{uri}: {said[0][:300] if said else wrong!r}")


def check_mapping(table: Any) -> None:
    """Raises WarehouseError for a deltalake table with mapped names of columns: deltalake would read nulls and write
    them back."""
    mode = table.metadata().configuration.get("delta.columnMapping.mode", "none").lower()
    if mode not in ("none", ""):
        raise WarehouseError(
            f"{local_path(table.table_uri)}: others gave the table a mapping of its columns (delta.columnMapping.mode "
            f"is {mode})",
            "Spark can read it: call the command with --engine spark.",
        )


def _next_commit(uri: str, table: Any) -> Path:
    return Path(uri) / "_delta_log" / f"{table.version() + 1:020}.json"


def _committed_once(metadata: str) -> Any:
    """Properties of a commit that fails if another one came first."""
    from deltalake import CommitProperties

    return CommitProperties(custom_metadata={"userMetadata": metadata}, max_commit_retries=0)


def batches_of(
    files: Sequence[Path], number: int, columns: PartitionColumns | None = None, only: PartitionSet | None = None
) -> Callable[[pa.Schema], Iterator[pa.RecordBatch]]:
    """The rows of Parquet files, in batches, in any schema: columns by name, null where missing.

    only: the partitions to take, by ``columns``; None: all. Raises WarehouseError if there are not ``number`` rows.
    """

    def read(schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        names = None if only is None or columns is None else _names(only)
        count = 0
        for path in files:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(BATCH_ROWS):
                    if names is not None and columns is not None:
                        batch = batch.filter(pc.is_in(_partition_of(batch, columns), value_set=names))
                    count += batch.num_rows
                    if batch.num_rows:
                        yield in_schema(batch, schema)
        if count != number:
            raise WarehouseError(f"{count} rows are there to be committed, and must be {number}")

    return read


def stored_batches(
    table: Any,
    schema: pa.Schema,
    columns: PartitionColumns | None,
    partitions: PartitionSet | None = None,
    without: PartitionSet | None = None,
) -> Iterator[pa.RecordBatch]:
    """The rows of a deltalake table, in batches: those of ``partitions`` (None: all) without those of ``without``."""
    import pyarrow.compute as pc

    box = None
    if partitions is not None and columns is not None:
        if not partitions.locations:
            return
        days = partitions.days
        box = (pc.field(columns.day) >= days.first) & (pc.field(columns.day) <= days.last)
        box &= pc.field(columns.location).isin(sorted(partitions.locations))
    dataset = _dataset(table)
    scanner = dataset.scanner(
        columns=[name for name in schema.names if name in dataset.schema.names],
        filter=box,
        batch_size=BATCH_ROWS,
        batch_readahead=1,
        fragment_readahead=1,
    )
    wanted = None if partitions is None or columns is None or _is_box(partitions) else _names(partitions)
    unwanted = None if without is None or columns is None else _names(without)
    for batch in scanner.to_batches():
        if wanted is not None or unwanted is not None:
            assert columns is not None
            at = _partition_of(batch, columns)
            if wanted is not None:
                batch = batch.filter(pc.is_in(at, value_set=wanted))
            elif unwanted is not None:
                batch = batch.filter(pc.invert(pc.is_in(at, value_set=unwanted)))
        if batch.num_rows:
            yield in_schema(batch, schema)


def _dataset(table: Any) -> Any:
    """A table of this machine as Arrow reads it.

    By Arrow's own file system: deltalake's cannot be called from the threads of a write of deltalake, which is where
    rows flow. Old instants (INT96) in microseconds: as nanoseconds, those before 1677 or after 2262 would be others.
    """
    from pyarrow.dataset import ParquetReadOptions
    from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

    folder = local_path(table.table_uri)
    return table.to_pyarrow_dataset(
        filesystem=SubTreeFileSystem(folder, LocalFileSystem()),
        parquet_read_options=ParquetReadOptions(coerce_int96_timestamp_unit="us"),
    )


def local_path(uri: str) -> str:
    """The path of a table or one of its files, which deltalake percent-encodes, with or without a scheme."""
    return unquote(uri.removeprefix("file://"))


def few_terms(partitions: PartitionSet) -> bool:
    """Whether deltalake can take a predicate over ``partitions``."""
    return len({(first, last) for _, first, last in partitions.pieces()}) <= MOST_TERMS


def covering(partitions: PartitionSet) -> PartitionSet:
    """``partitions``; or a larger set that needs fewer intervals."""
    return partitions if few_terms(partitions) else _box(partitions)


def _both(one: Iterable[pa.RecordBatch], other: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield from one
    yield from other


def _within(
    rows: Iterable[pa.RecordBatch], columns: PartitionColumns, partitions: PartitionSet
) -> Iterator[pa.RecordBatch]:
    """The rows. Raises WarehouseError for a row of another partition."""
    import pyarrow.compute as pc

    names = _names(partitions)
    for batch in rows:
        if not pc.all(pc.is_in(_partition_of(batch, columns), value_set=names)).as_py():
            raise WarehouseError("a row is of none of the partitions that are replaced")
        yield batch


def _partition_of(batch: pa.RecordBatch, columns: PartitionColumns) -> Any:
    """The partition of each row, in the form of ``_names``."""
    import pyarrow.compute as pc

    return pc.binary_join_element_wise(pc.cast(batch[columns.day], "string"), batch[columns.location], "/")


def _names(partitions: PartitionSet) -> Any:
    import pyarrow as pa

    return pa.array([f"{key.day}/{key.location}" for key in partitions], pa.string())


def _box(partitions: PartitionSet) -> PartitionSet:
    """All partitions from the first day to the last of all its locations."""
    days = partitions.days
    return PartitionSet.of(Days.of(days.first, days.last), partitions.locations)


def _is_box(partitions: PartitionSet) -> bool:
    return bool(partitions) and _box(partitions) == partitions


def in_schema(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """A batch in the columns and types of a schema. Raises WarehouseError for a value that has no place in it."""
    import pyarrow as pa

    columns = []
    for field in schema:
        index = batch.schema.get_field_index(field.name)
        column = pa.nulls(batch.num_rows, field.type) if index < 0 else batch.column(index)
        try:
            columns.append(column if column.type == field.type else column.cast(field.type))
        except pa.ArrowException as error:
            raise WarehouseError(f"column {field.name} does not fit the table: {error}") from error
        if not field.nullable and column.null_count:
            raise WarehouseError(f"column {field.name} has a null, and must not have one")
    return pa.RecordBatch.from_arrays(columns, schema=schema)
