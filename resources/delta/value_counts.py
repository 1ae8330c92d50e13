"""Counts the values of fetched partitions whose records do not say how many there are, as those of format 1.

They are counted from the rows, once and without a JVM. The counts are kept in a small file beside the tables, by
partition and fingerprint: ``<warehouse>/_aqi/counts/<asset>.json``. No commit is made and no state follows from it. If
the file is gone or cannot be written, the values are counted again.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

from orchestration.core.declarations.asset import Asset
from orchestration.core.errors import WarehouseError
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.state.table_state import TableState
from resources.delta.warehouse import Warehouse
from resources.storage.atomic_files import write_atomically
from resources.storage.files import open_files
from resources.storage.json_text import read_json

if TYPE_CHECKING:
    from orchestration.core.state.counted_values import CountedValues

FORMAT = 1
FOLDER = "_aqi/counts"
PARTITIONS_AT_ONCE = 20_000
"""This many partitions are read at a time: some half a million hourly rows."""

Counts = Mapping[str, int]


class ValueCounts:
    """The counts of a warehouse's tables. It remembers what it has read."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._read: dict[tuple[str, tuple[str, ...]], CountedValues] = {}

    def counted(self, asset: Asset, state: TableState, columns: Sequence[str]) -> TableState:
        """The state, with counts of ``columns`` put into the records that lack them. Only for reports, never for
        commits.

        Records of partitions that cannot be read, or are not as recorded, stay without counts.
        """
        if not columns or asset.partition_columns is None or state.version is None:
            return state
        from orchestration.core.state.counted_values import uncounted

        lacking = uncounted(state.records, state.unrecorded)
        if not len(lacking):
            return state
        at = asset.key, tuple(columns)
        known = self._read.get(at)
        if known is None:
            known = self._load(asset, columns)
        new = known.lacks(state.records, lacking)
        if new:
            found = self._count(asset, state, columns, new)
            if found is None:
                return state
            known = known.with_more(state.records, lacking, found)
            self._keep(asset, columns, known)
        self._read[at] = known
        return replace(state, records=known.put_into(state.records, lacking))

    def _count(
        self, asset: Asset, state: TableState, columns: Sequence[str], partitions: PartitionSet
    ) -> dict[PartitionKey, Counts] | None:
        """The counts of partitions; None if their rows cannot be read."""
        import pyarrow as pa
        from deltalake.exceptions import DeltaError

        of = asset.partition_columns
        assert of is not None and state.version is not None, "a table with dated records"
        found: dict[PartitionKey, Counts] = {}
        alike: dict[tuple[int, ...], Counts] = {}
        try:
            fields = {field["name"] for field in self._warehouse.schema(asset.key, state)[0]}
            there = [name for name in columns if name in fields]
            if not there:
                return None
            without = () if state.damage is None else [one.path for one in state.damage.lost]
            for first, last in _spans(partitions):
                filters = [(of.day, ">=", first), (of.day, "<=", last)]
                rows = self._warehouse.read_arrow(asset.key, state.version, [*of, *there], filters, without)
                counts = rows.group_by([of.day, of.location]).aggregate([(name, "count") for name in there])
                days, locations = counts[of.day].to_pylist(), counts[of.location].to_pylist()
                values = zip(*(counts[f"{name}_count"].to_pylist() for name in there), strict=True)
                for day, location, numbers in zip(days, locations, values, strict=True):
                    alike.setdefault(numbers, dict(zip(there, numbers, strict=True)))
                    found[PartitionKey(day, location)] = alike[numbers]
        except (WarehouseError, DeltaError, pa.ArrowException, OSError):
            return None
        return found

    def _path(self, asset: Asset) -> tuple[Any, str]:
        files, root = open_files(self._warehouse.uri)
        return files, f"{root}/{FOLDER}/{asset.key}.json"

    def _load(self, asset: Asset, columns: Sequence[str]) -> CountedValues:
        """The kept counts of these columns; none if the file is incomplete."""
        from orchestration.core.state.counted_values import CountedValues

        try:
            files, path = self._path(asset)
            data = read_json(files.cat_file(path))
            if data["format"] != FORMAT or not set(columns) <= set(data["columns"]):
                return CountedValues.none()
            return CountedValues.from_json(data)
        except (OSError, ValueError, KeyError, TypeError):
            return CountedValues.none()

    def _keep(self, asset: Asset, columns: Sequence[str], known: CountedValues) -> None:
        data = {"format": FORMAT, "columns": list(columns), **known.to_json()}
        with contextlib.suppress(OSError):  # counted again the next time
            files, path = self._path(asset)
            write_atomically(files, path, json.dumps(data, separators=(",", ":")).encode())


def _spans(keys: Iterable[PartitionKey]) -> Iterator[tuple[date, date]]:
    """Ranges of days that cover ``keys``, each for one read."""
    per_day = sorted(Counter(key.day for key in keys if key.day is not None).items())
    first, size = None, 0
    last = date.min
    for day, count in per_day:
        if first is not None and size + count > PARTITIONS_AT_ONCE:
            yield first, last
            first, size = None, 0
        first, last, size = first or day, day, size + count
    if first is not None:
        yield first, last
