"""The rows of a fetched asset by partition and hour: the hours as masks, and rows selected by masks.

In Arrow and numpy, without an engine: what ``core.runs.fold`` decides about hours is carried out on rows here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestration.core.declarations.contract import RowRule
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.runs.fold import HOURS, Hours
from orchestration.core.source import INGESTED_AT, Source

if TYPE_CHECKING:
    import pyarrow as pa

MICROSECONDS_AN_HOUR = 3_600_000_000
EPOCH_DAY = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class HourlyTable:
    """Hourly rows of several partitions."""

    rows: pa.Table
    location: str
    """The column with the location."""
    instant: str
    """The column with the first instant of the hour."""
    columns: Sequence[str]
    """The columns whose values are counted."""
    rules: Sequence[RowRule]
    """The row rules; a row that breaks one may be replaced."""

    @cached_property
    def _coded(self) -> tuple[Any, Any, list[str]]:
        """For each row the number of its location and its hour since 1970; and the locations by number."""
        import pyarrow as pa
        import pyarrow.compute as pc

        coded = pc.dictionary_encode(self.rows[self.location].combine_chunks())
        coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
        codes = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        return codes, hours_since_1970(self.rows[self.instant]), coded.dictionary.to_pylist()

    @cached_property
    def _places(self) -> tuple[Any, list[PartitionKey], Any]:
        """For each row the number of its partition and the hour of the day; and the partitions by number."""
        codes, hours, names = self._coded
        days = np.floor_divide(hours, HOURS)
        first = int(days.min()) if len(days) else 0
        span = int(days.max()) - first + 1 if len(days) else 1
        found, numbers = np.unique(codes * span + days - first, return_inverse=True)
        keys = [
            PartitionKey(date.fromordinal(EPOCH_DAY + first + int(one) % span), names[int(one) // span])
            for one in found
        ]
        return numbers.reshape(-1), keys, hours - days * HOURS

    @property
    def partitions(self) -> PartitionSet:
        """The partitions that have rows."""
        return PartitionSet.from_keys(self._places[1])

    def hours(self) -> dict[PartitionKey, Hours]:
        """For each partition, what its rows have."""
        _, keys, _ = self._places
        there = self._masks(np.ones(self.rows.num_rows, dtype=bool))
        values = {name: self._masks(_present(self.rows[name])) for name in self.columns}
        broken = self._masks(self._breaks())
        return {
            key: Hours(there[at], {name: masks[at] for name, masks in values.items()}, broken[at])
            for at, key in enumerate(keys)
        }

    def only(self, masks: Mapping[PartitionKey, int]) -> pa.Table:
        """The rows of the given hours (as masks) of the given partitions."""
        import pyarrow as pa

        numbers, keys, hours = self._places
        wanted = np.array([masks.get(key, 0) for key in keys], dtype=np.int64)
        if not len(wanted) or not wanted.any():
            return self.rows.slice(0, 0)
        if (wanted == (1 << HOURS) - 1).all():
            return self.rows
        return self.rows.filter(pa.array((wanted[numbers] >> hours) & 1 == 1))

    def _masks(self, marked: Any) -> list[int]:
        """For each partition the hours of its marked rows, as a mask."""
        numbers, keys, hours = self._places
        bits = np.where(marked, np.left_shift(np.int64(1), hours), 0)
        found = np.zeros(len(keys), dtype=np.int64)
        np.bitwise_or.at(found, numbers, bits)
        return [int(one) for one in found]

    def _breaks(self) -> Any:
        """The rows that break a row rule about columns of the source."""
        broken = np.zeros(self.rows.num_rows, dtype=bool)
        for rule in self.rules:
            if rule.column in self.columns:
                broken |= _breaks(rule, self.rows[rule.column])
        return broken

    def frozen(self, at_least: int, *, over_midnight: bool = False) -> dict[PartitionKey, int]:
        """For each partition the hours, as a mask, that belong to a stretch of at least ``at_least`` hours without any
        change.

        Hours without values do not count. A stretch ends with the day, unless ``over_midnight``: then the result
        depends on which days are in the table together.
        """
        if self.rows.num_rows < at_least or at_least < 1:
            return {}
        (numbers, keys, _), (codes, hours, _) = self._places, self._coded
        order = np.lexsort((hours, codes))
        numbers, codes, hours = numbers[order], codes[order], hours[order]
        same = (codes[1:] == codes[:-1]) & (hours[1:] == hours[:-1] + 1)
        if not over_midnight:
            same &= numbers[1:] == numbers[:-1]
        some = np.zeros(len(order), dtype=bool)
        for name in self.columns:
            values, present = as_numbers(self.rows[name])
            values, present = values[order], present[order]
            some |= present
            same &= np.where(present[1:] & present[:-1], values[1:] == values[:-1], present[1:] == present[:-1])
        same &= some[1:] & some[:-1]
        starts = np.flatnonzero(np.concatenate([[True], ~same]))
        lengths = np.diff(np.append(starts, len(order)))
        found: dict[PartitionKey, int] = {}
        for start, length in zip(starts[lengths >= at_least], lengths[lengths >= at_least], strict=True):
            for row in range(int(start), int(start + length)):
                key = keys[int(numbers[row])]
                found[key] = found.get(key, 0) | 1 << int(hours[row] % HOURS)
        return found


def hours_since_1970(instants: Any) -> Any:
    """Hours since 1970 of instants."""
    import pyarrow as pa

    micros = instants.combine_chunks().cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
    return np.floor_divide(micros.to_numpy(zero_copy_only=False), MICROSECONDS_AN_HOUR)


def _present(column: Any) -> Any:
    import pyarrow.compute as pc

    return pc.is_valid(column).to_numpy()


def as_numbers(column: Any) -> tuple[Any, Any]:
    """A column as numbers (texts as codes), and the rows in which it has a value."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        column = pc.dictionary_encode(column.combine_chunks()).indices
    present = pc.is_valid(column).to_numpy(zero_copy_only=False)
    return pc.fill_null(column.cast(pa.float64()), 0.0).to_numpy(zero_copy_only=False), present


def _breaks(rule: RowRule, column: Any) -> Any:
    """The rows in which a column breaks a rule. Null breaks only a rule of the kind ``null``."""
    values, present = as_numbers(column)
    match rule.kind:
        case "null":
            return ~present
        case "below":
            return present & (values < rule.bound)
        case "above":
            return present & (values > rule.bound)
        case "not_finite":
            return present & ~np.isfinite(values)
        case _:  # of the key, which a source's rows have by what they are
            return np.zeros(len(present), dtype=bool)


def schema_of(source: Source[Any]) -> pa.Schema:
    """The columns of a fetched asset's rows, with ``_ingested_at``."""
    import pyarrow as pa

    kinds = {
        "string": pa.string(),
        "timestamp": pa.timestamp("us", tz="UTC"),
        "integer": pa.int32(),
        "double": pa.float64(),
        "date": pa.date32(),
        "long": pa.int64(),
        "boolean": pa.bool_(),
    }
    return pa.schema([*((name, kinds[kind]) for name, kind in source.columns), (INGESTED_AT, kinds["timestamp"])])


def stamped(rows: pa.Table, asked: datetime) -> pa.Table:
    """The rows, with the moment at which they were fetched."""
    import pyarrow as pa

    return rows.append_column(INGESTED_AT, pa.repeat(pa.scalar(asked, pa.timestamp("us", tz="UTC")), rows.num_rows))
