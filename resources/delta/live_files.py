"""What the present files of a table hold, read without a JVM from the files that the log names.

Needed if commits are missing from the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any, NamedTuple

from orchestration.core.errors import WarehouseError
from orchestration.core.partitions.keys import NULL_KEY, PartitionKey, PartitionSet
from orchestration.core.partitions.scheme import PartitionColumns
from orchestration.core.state.table_state import FileSpan
from resources.delta.opening import open_table
from resources.storage.patience import each_answered


class Live(NamedTuple):
    """What the present files of a table hold."""

    partitions: PartitionSet
    """The partitions that have rows."""
    files: Mapping[str, FileSpan]
    """Path of each file → the partitions that it can hold, by its statistics."""


def read_live(uri: str, version: int, columns: PartitionColumns | None) -> Live:
    """What the table at ``uri`` holds at a version. columns: None for an unpartitioned table.

    Reads two columns of every row: the statistics of a file with many locations do not say which location has which
    days. Raises WarehouseError if the table cannot be read.
    """
    import pyarrow as pa
    from deltalake.exceptions import DeltaError

    try:
        table = open_table(uri, version)
        files = pa.table(table.get_add_actions(flatten=True)).to_pylist()
        if columns is None:
            spans = {file["path"]: FileSpan(has_null=True, size=file.get("size_bytes")) for file in files}
            return Live(PartitionSet(has_null=bool(files)), spans)
        spans = {file["path"]: _span(file, columns) for file in files}
        batches = table.to_pyarrow_dataset().to_batches(columns=list(columns))
        return Live(_partitions(each_answered(uri, uri, batches), columns), spans)
    except (DeltaError, pa.ArrowException, OSError) as error:
        raise WarehouseError(
            f"{uri}: commits are missing from the table's log, and the table itself cannot be read ({error})",
            "Put its _delta_log or _aqi back from a copy, or make the table anew: `aqi repair` of it, with --rebuild.",
        ) from error


def span_of(first_day: Any, last_day: Any, first_location: Any, last_location: Any) -> FileSpan:
    """What a file can hold by its statistics, given as texts or values. A missing or unreadable bound counts as no
    bound."""
    first, last = (value if isinstance(value, str) else None for value in (first_location, last_location))
    return FileSpan(_day(first_day), _day(last_day), first, last)


def _span(file: Mapping[str, Any], columns: PartitionColumns) -> FileSpan:
    ends = (file.get(f"{end}.{column}") for column in columns for end in ("min", "max"))
    return replace(span_of(*ends), size=file.get("size_bytes"))


def _partitions(batches: Iterable[Any], columns: PartitionColumns) -> PartitionSet:
    keys: set[PartitionKey] = set()
    for batch in batches:
        keys |= partitions_in(batch, columns)
    return PartitionSet.from_keys(keys)


def partitions_in(batch: Any, columns: PartitionColumns | None) -> set[PartitionKey]:
    """The partitions of Arrow rows. columns: None for an unpartitioned table."""
    import pyarrow as pa

    if columns is None:
        return {NULL_KEY} if batch.num_rows else set()
    keys = set()
    for row in pa.Table.from_batches([batch]).group_by(list(columns)).aggregate([]).to_pylist():
        day, location = _day(row[columns.day]), row[columns.location]
        if day is not None and location is not None:
            keys.add(PartitionKey(day, location))
    return keys


def _day(value: Any) -> date | None:
    """The day of a date, or of an instant in UTC, as text or not."""
    try:
        return None if value is None else date.fromisoformat(str(value)[:10])
    except ValueError:
        return None
