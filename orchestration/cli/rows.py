"""Rows of a table as CSV, as JSON, and as a table for people that fits their terminal."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from orchestration.core.calendar import iso
from orchestration.core.json_value import JsonValue
from orchestration.reports.fitting import GAP, columns_that_fit

if TYPE_CHECKING:
    import pyarrow as pa

AT_ONCE = 10_000
"""So many rows are Python's values at a time."""
MOST_DIGITS = 9
"""A number that is longer is rounded where people read it."""
_AN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def as_csv(rows: pa.Table) -> Iterator[str]:
    """Header and rows, in parts; dates ``2025-08-08``, timestamps ``2025-08-08T06:00:00Z``, nothing for null."""
    yield _csv_lines([rows.column_names])
    for batch in rows.to_batches(max_chunksize=AT_ONCE):
        yield _csv_lines([[_cell(value) for value in row.values()] for row in batch.to_pylist()])


def as_json(rows: pa.Table) -> Iterator[dict[str, JsonValue]]:
    """An object a row; dates, timestamps, NaN and infinities are text as in CSV, null is null."""
    for batch in rows.to_batches(max_chunksize=AT_ONCE):
        for row in batch.to_pylist():
            yield {name: _plain(value) for name, value in row.items()}


def as_lines(rows: pa.Table, names: Sequence[str]) -> Iterator[str]:
    """Header and rows as a table of the columns ``names``, as wide as it is."""
    import pyarrow as pa

    shown = rows.select(list(names))
    cells = _cells(shown)
    widths = [max(map(len, of)) for of in cells]
    to_the_right = [pa.types.is_integer(of) or pa.types.is_floating(of) for of in shown.schema.types]
    for row in zip(*cells, strict=True):
        parts = (
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, to_the_right, strict=True)
        )
        yield (" " * GAP).join(parts).rstrip()


def as_records(rows: pa.Table, width: int) -> Iterator[str]:
    """A paragraph a row, a line a column, for a terminal that the key alone is too wide for.

    Columns without a value are left out; a value that does not fit beside its name stands below it.
    """
    names = [name for name in rows.column_names if rows[name].null_count < max(rows.num_rows, 1)]
    cells = _cells(rows.select(names))
    widest = max((len(value) for of in cells for value in of[1:] if len(value) <= width // 2), default=0)
    room = min(max(map(len, names), default=0), width - GAP - widest)
    for number in range(1, rows.num_rows + 1):
        if number > 1:
            yield ""
        for name, of in zip(names, cells, strict=True):
            beside = f"{name.ljust(room)}{' ' * GAP}{of[number]}"
            yield from [beside.rstrip()] if len(beside) <= width else [name, f"{' ' * GAP}{of[number]}"]


def that_fit(rows: pa.Table, key: Sequence[str], width: int) -> list[str]:
    """The columns of ``rows`` that fit beside one another: those of the key, then in their order what there is room
    for; made-up ids come last, columns without a value not at all."""
    there = [name for name in rows.column_names if name in key or rows[name].null_count < max(rows.num_rows, 1)]
    widths = {
        name: max(map(len, of)) for name, of in zip(rows.column_names, _cells(rows), strict=True) if name in there
    }
    first = [name for name in there if name in key]
    ids = [name for name in there if name not in key and _are_ids(rows[name])]
    rest = [name for name in there if name not in first and name not in ids]
    chosen = columns_that_fit([(name, widths[name]) for name in (*first, *rest, *ids)], width, len(first))
    return [name for name in there if name in chosen]


def _are_ids(column: pa.ChunkedArray) -> bool:
    """Whether values are UUIDs, by the first of them."""
    value = next((one for one in column.slice(0, 1).to_pylist()), None)
    return isinstance(value, str) and _AN_ID.fullmatch(value) is not None


def _cells(rows: pa.Table) -> list[list[str]]:
    """By column, its name and its cells."""
    values = [[_for_people(value) for value in rows[name].to_pylist()] for name in rows.column_names]
    return [[name, *of] for name, of in zip(rows.column_names, values, strict=True)]


def _for_people(value: object) -> str:
    """A cell as it is read: of a number with many digits the first six, as ``16.6667``."""
    text = str(_cell(value))
    return f"{value:.6g}" if isinstance(value, float) and len(text) > MOST_DIGITS and abs(value) < 1e6 else text


def _csv_lines(rows: Sequence[Sequence[JsonValue]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def _plain(value: object) -> JsonValue:
    if isinstance(value, datetime):
        return iso(value if value.tzinfo else value.replace(tzinfo=UTC))
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _cell(value: object) -> JsonValue:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ";".join(str(item) for item in value)
    return _plain(value)
