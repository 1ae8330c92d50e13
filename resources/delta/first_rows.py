"""The rows of a Delta table in the order of its key. For a local table, the first rows without reading all columns of
the rest.

The key of every row is read, batch by batch; the other columns are read only for the first rows. Uses Parquet directly,
as Arrow's data sets, and arrays made from Python lists, import pandas.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from datetime import date
from functools import reduce
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from orchestration.core.errors import WarehouseError, in_a_line
from orchestration.core.partitions.scheme import PartitionColumns
from resources.delta.look import check_files
from resources.delta.opening import open_table
from resources.delta.rows import BATCH_ROWS, local_path
from resources.storage.patience import answered

if TYPE_CHECKING:
    import pyarrow as pa

FEW_ROWS = 1000
"""Up to this many rows are picked one by one."""


class Within(NamedTuple):
    """A restriction of rows. days: first and last, both included; None for all. locations: None for all."""

    columns: PartitionColumns
    days: tuple[date, date] | None = None
    locations: Sequence[str] | None = None


def rows_in_order(uri: str, version: int, key: Sequence[str], limit: int | None, within: Within | None) -> pa.Table:
    """Rows of the table at ``uri`` in the order of ``key``, at most ``limit`` of those in ``within``.

    Raises WarehouseError if the table cannot be read.
    """
    import pyarrow as pa
    from deltalake.exceptions import DeltaError

    try:
        table = open_table(uri, version)
        if limit is not None and limit <= FEW_ROWS and _is_plain(table):
            return _first_rows(table, key, limit, within)
        check_files(uri, table)
        return _all_rows(table, key, limit, within)
    except (DeltaError, OSError, pa.ArrowException, KeyError) as error:
        raise WarehouseError(
            f"{local_path(uri)} cannot be read at version {version} ({in_a_line(error)})",
            "`aqi status` says what is wrong with it, and what mends it; where that is nothing, `aqi repair --verify`.",
        ) from error


def count_rows(uri: str, version: int, within: Within | None) -> int:
    """The number of rows in ``within`` of the table at ``uri``. For a local table only days and locations are read.

    Raises WarehouseError if the table cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq
    from deltalake.exceptions import DeltaError

    try:
        table = open_table(uri, version)
        if not _is_plain(table):
            return int(_all_rows(table, [], None, within).num_rows)
        looked_at = () if within is None else tuple(within.columns)
        schema = pa.schema([field for field in pa.schema(table.schema()) if field.name in looked_at])
        return sum(_count(pq, local_path(path), schema, within) for path in table.file_uris())
    except (DeltaError, OSError, pa.ArrowException, KeyError) as error:
        raise WarehouseError(
            f"{local_path(uri)} cannot be read at version {version} ({in_a_line(error)})", "`aqi status` says why."
        ) from error


def _count(pq: Any, path: str, schema: pa.Schema, within: Within | None) -> int:
    """How many rows of a file count. schema: of the columns that are looked at."""
    with _opened(pq, path) as file:
        if within is None or (within.days is None and within.locations is None):
            return int(file.metadata.num_rows)
        batches = (batch for group, start, _ in _groups(file) for batch, _ in _batches(file, schema, group, start))
        return sum(batch.filter(_mask(batch, within)).num_rows for batch in batches)


def _mask(batch: pa.RecordBatch, within: Within) -> Any:
    """Which rows count, as Arrow's booleans; of days and of locations, at least one of which is named."""
    import pyarrow as pa
    import pyarrow.compute as pc

    masks = []
    if within.days is not None:
        of, (first, final) = batch[within.columns.day], within.days
        masks.append(pc.and_(pc.greater_equal(of, pa.scalar(first)), pc.less_equal(of, pa.scalar(final))))
    if within.locations is not None:
        here = pa.array(list(within.locations), pa.string())
        masks.append(pc.is_in(batch[within.columns.location].cast(pa.string()), value_set=here))
    return reduce(pc.and_, masks)


def _is_plain(table: Any) -> bool:
    """Whether the rows of a deltalake table are those of its Parquet files, and these lie on this machine."""
    metadata = table.metadata()
    mapping = metadata.configuration.get("delta.columnMapping.mode", "none").lower()
    plain = table.protocol().min_reader_version <= 1 and not metadata.partition_columns and mapping in ("none", "")
    return plain and local_path(table.table_uri).startswith("/")


def _all_rows(table: Any, key: Sequence[str], limit: int | None, within: Within | None) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    filters: list[tuple[str, str, Any]] = []
    if within is not None and within.days is not None:
        filters = [(within.columns.day, ">=", within.days[0]), (within.columns.day, "<=", within.days[1])]
    uri = str(table.table_uri)
    rows = answered(uri, uri, lambda: table.to_pyarrow_table(filters=filters or None))
    if within is not None and within.locations is not None:  # not by a filter: see ``Warehouse.read_partitions``
        here = pa.array(list(within.locations), pa.string())
        rows = rows.filter(pc.is_in(rows[within.columns.location].cast(pa.string()), value_set=here))
    return rows.take(pc.sort_indices(rows.select(key), sort_keys=_order(key))[:limit]) if key else rows


def _order(key: Sequence[str]) -> list[tuple[str, str]]:
    return [(name, "ascending") for name in key]


def _first_rows(table: Any, key: Sequence[str], limit: int, within: Within | None) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pruned = None
    if within is not None and within.days is not None:
        first, last = within.days
        pruned = f"{within.columns.day} >= DATE '{first}' AND {within.columns.day} <= DATE '{last}'"
    paths = [local_path(uri) for uri in table.file_uris(file_pruning_predicate=pruned)]
    schema = pa.schema(table.schema())
    names = dict.fromkeys([*key, *(within.columns if within is not None else ())])
    looked_at = pa.schema([schema.field(name) for name in names])
    found = _Foremost(key, limit, within)
    for number, path in enumerate(paths):
        with _opened(pq, path) as file:
            for group, start, _ in _groups(file):
                if found.may_have_more(file.metadata, group):
                    for batch, at in _batches(file, looked_at, group, start):
                        found.look(batch, number, at)
    rows: dict[tuple[int, int], pa.RecordBatch] = {}
    for number in {one.file for one in found.rows}:
        wanted = sorted(one.row for one in found.rows if one.file == number)
        with _opened(pq, paths[number]) as file:
            rows |= {(number, row): batch for row, batch in _taken(file, schema, wanted)}
    return pa.Table.from_batches([rows[one.file, one.row] for one in found.rows], schema)


class _Row(NamedTuple):
    """A row that is among the first so far. order: its key, in comparable form; first: the first column of the key, as
    in Arrow."""

    order: tuple[tuple[bool, Any], ...]
    file: int
    row: int
    first: Any


class _Foremost:
    """The first rows, in order, of all rows that were read so far."""

    def __init__(self, key: Sequence[str], limit: int, within: Within | None) -> None:
        self._key, self._limit, self._within = list(key), limit, within
        self.rows: list[_Row] = []

    @property
    def _last(self) -> Any:
        """The first column of the key in the last of these rows; None while there are fewer than wanted."""
        full = len(self.rows) == self._limit and self.rows[-1].first.is_valid
        return self.rows[-1].first if full else None

    def may_have_more(self, metadata: Any, group: int) -> bool:
        """Whether a row group can have a row that comes before the last of these, by the least value in its footer."""
        if (last := self._last) is None:
            return True
        columns = (metadata.row_group(group).column(index) for index in range(metadata.num_columns))
        column = next((one for one in columns if one.path_in_schema == self._key[0]), None)
        if column is None or column.statistics is None or not column.statistics.has_min_max:
            return True
        least, most = column.statistics.min, last.as_py()
        return type(least) is not type(most) or not isinstance(most, str | int | date) or bool(least <= most)

    def look(self, batch: pa.RecordBatch, file: int, start: int) -> None:
        """Read the rows of a batch. start: the number of its first row in the file."""
        import pyarrow.compute as pc

        mask = self._mask(batch)
        part = (batch if mask is None else batch.filter(mask)).select(self._key)
        numbers = None if mask is None else pc.indices_nonzero(mask)
        order = pc.sort_indices(part, sort_keys=_order(self._key))[: self._limit]
        keys = part.take(order)
        rows = (order if numbers is None else numbers.take(order)).to_pylist()
        more = [
            _Row(tuple((value is None, value) for value in of.values()), file, start + row, keys.column(0)[at])
            for at, (of, row) in enumerate(zip(keys.to_pylist(), rows, strict=True))
        ]
        self.rows = sorted([*self.rows, *more], key=attrgetter("order", "file", "row"))[: self._limit]

    def _mask(self, batch: pa.RecordBatch) -> Any:
        """Which rows count and may come before what is there; None where all do."""
        import pyarrow.compute as pc

        masks = []
        if (last := self._last) is not None:
            masks.append(pc.less_equal(batch[self._key[0]], last))
        if self._within is not None and (self._within.days is not None or self._within.locations is not None):
            masks.append(_mask(batch, self._within))
        return reduce(pc.and_, masks) if masks else None


def _opened(pq: Any, path: str) -> Any:
    return pq.ParquetFile(path, coerce_int96_timestamp_unit="us")


def _groups(file: Any) -> Iterator[tuple[int, int, int]]:
    """The groups of rows of a file: number, first row, and the row after the last."""
    start = 0
    for group in range(file.num_row_groups):
        end = start + file.metadata.row_group(group).num_rows
        yield group, start, end
        start = end


def _batches(file: Any, schema: pa.Schema, group: int, start: int) -> Iterator[tuple[pa.RecordBatch, int]]:
    """The rows of a group in the columns and types of ``schema``, null where the file lacks one, with the number of the
    first. start: of the group's."""
    import pyarrow as pa

    there = [name for name in schema.names if file.schema_arrow.get_field_index(name) >= 0]
    nullable = pa.schema([field.with_nullable(True) for field in schema])
    for batch in file.iter_batches(BATCH_ROWS, row_groups=[group], columns=there):
        columns = []
        for field in schema:
            index = batch.schema.get_field_index(field.name)
            column = pa.nulls(batch.num_rows, field.type) if index < 0 else batch.column(index)
            columns.append(column if column.type == field.type else column.cast(field.type))
        yield pa.RecordBatch.from_arrays(columns, schema=nullable), start
        start += batch.num_rows


def _taken(file: Any, schema: pa.Schema, wanted: Sequence[int]) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Rows of a file, each with its number. wanted: their numbers, rising."""
    import pyarrow as pa

    left = deque(wanted)
    for group, start, end in _groups(file):
        for batch, at in _batches(file, schema, group, start) if left and left[0] < end else ():
            while left and left[0] < at + batch.num_rows:
                row = left.popleft()
                yield row, pa.RecordBatch.from_arrays(batch.slice(row - at, 1).columns, schema=schema)
            if not left or left[0] >= end:
                break
