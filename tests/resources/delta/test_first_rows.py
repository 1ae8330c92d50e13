"""The first rows in the order of a key are those that reading and sorting everything gives."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, WriterProperties, write_deltalake

from orchestration.core.errors import WarehouseError
from orchestration.core.partitions.scheme import PartitionColumns
from resources.delta import first_rows
from resources.delta.first_rows import Within, count_rows, rows_in_order

COLUMNS = PartitionColumns("day", "town")
KEYS = [["id"], ["town", "at"], ["at", "town"], ["number", "id"]]
FIRST = date(2025, 8, 1)
WITHIN = [
    None,
    Within(COLUMNS),
    Within(COLUMNS, (FIRST, FIRST)),
    Within(COLUMNS, (date(2025, 8, 2), date(2025, 8, 3)), ["hue"]),
    Within(COLUMNS, None, ["hue", "vinh"]),
    Within(COLUMNS, None, ["nowhere"]),
    Within(COLUMNS, (date(2030, 1, 1), date(2030, 1, 2))),
]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Five files of small groups; the first lacks a column that the others have, one has nulls in a column of keys."""
    uri, draw = str(tmp_path_factory.mktemp("rows") / "a table"), random.Random(15)
    for number in range(5):
        rows = [_row(draw, number, index) for index in range(40)]
        if number == 0:
            rows = [{name: value for name, value in row.items() if name != "later"} for row in rows]
        write_deltalake(
            uri,
            pa.Table.from_pylist(rows),
            mode="append",
            schema_mode="merge",
            writer_properties=WriterProperties(max_row_group_size=16),
        )
    assert sum(pq.ParquetFile(path).num_row_groups for path in Path(uri).glob("*.parquet")) == 15
    return uri


def _row(draw: random.Random, number: int, index: int) -> dict[str, Any]:
    at = datetime(2025, 8, 1, tzinfo=UTC) + timedelta(hours=draw.randrange(96))
    town = draw.choice(["hue", "vinh", "đà-nẵng", "hanoi"])
    return {
        "id": f"{draw.randrange(16**8):08x}-{number}-{index}",
        "town": town,
        "at": at,
        "day": at.date(),
        "number": None if number == 3 and index % 3 == 0 else draw.randrange(5),
        "later": draw.random(),
    }


@pytest.mark.costly
@pytest.mark.parametrize("within", WITHIN)
@pytest.mark.parametrize("key", KEYS)
def test_they_are_the_first_of_all_rows(
    table: str, key: list[str], within: Within | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys that are equal may come in either order, so only the keys and the rows of whole tables are compared."""
    monkeypatch.setattr(first_rows, "BATCH_ROWS", 7)
    everything = rows_in_order(table, 4, key, None, within)
    assert count_rows(table, 4, within) == everything.num_rows
    assert everything.num_rows == 0 or within is None or within.locations != ["nowhere"]
    for limit in (1, 3, 10, 199, 1000):
        found = rows_in_order(table, 4, key, limit, within)
        assert found.column_names == everything.column_names
        assert found.select(key).to_pylist() == everything.select(key).to_pylist()[:limit]
        if "id" in key:
            assert found.to_pylist() == everything.to_pylist()[:limit]
    assert sorted(found.to_pylist(), key=str) == sorted(everything.to_pylist(), key=str)


def test_an_earlier_version_and_an_empty_one(table: str, tmp_path: Path) -> None:
    assert rows_in_order(table, 0, ["id"], 1000, None).num_rows == 40
    empty = str(tmp_path / "empty")
    DeltaTable.create(empty, DeltaTable(table).schema())
    assert rows_in_order(empty, 0, ["id"], 10, None).num_rows == count_rows(empty, 0, None) == 0
    assert count_rows(table, 0, None) == 40


def test_groups_that_cannot_have_one_are_not_read(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    batches = first_rows._batches
    monkeypatch.setattr(first_rows, "_batches", lambda *a: (read.append(a[2]), batches(*a))[1])
    assert rows_in_order(table, 4, ["at", "town"], 1, None).num_rows == 1
    looked = len(read)
    read.clear()
    ordered = rows_in_order(table, 4, ["id"], 200, None)
    assert len(read) == 30 and looked <= 5
    assert ordered.num_rows == 200


@pytest.mark.parametrize("limit", [10, None])
def test_a_file_that_is_gone_or_none_is_told(table: str, tmp_path: Path, limit: int | None) -> None:
    broken = str(tmp_path / "broken")
    write_deltalake(broken, DeltaTable(table, version=1).to_pyarrow_table())
    (file,) = Path(broken).glob("*.parquet")
    file.write_bytes(b"no parquet")
    with pytest.raises(WarehouseError, match="broken cannot be read at version 0"):
        rows_in_order(broken, 0, ["id"], limit, None)
    file.unlink()
    with pytest.raises(WarehouseError, match="broken cannot be read at version 0"):
        rows_in_order(broken, 0, ["id"], limit, None)
