"""Rows replaced by deltalake, against a dict: any partitions, any rows, one commit each; and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, Schema
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.declarations.contract import Column, Contract
from orchestration.core.errors import CommitConflict, WarehouseError
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.partitions.scheme import PartitionColumns
from resources.delta.rows import (
    MOST_TERMS,
    batches_of,
    few_terms,
    local_path,
    replace_rows,
    rewrite_rows,
    stored_batches,
)
from tests.support.delta_files import append_with_int96

COLUMNS = PartitionColumns("day", "city")
CONTRACT = Contract(
    "Hours",
    "Hours.",
    (
        Column("city", "string", False, "", "City"),
        Column("day", "date", False, "", "Day"),
        Column("hour", "timestamp", False, "", "Hour"),
        Column("value", "double", True, "", "Value"),
        Column("rules", "array<string>", True, "", "Rules"),
    ),
    ("city", "hour"),
)
FIRST = date(2025, 1, 1)
CITIES = ("danang", "hanoi", "hue")

Row = dict[str, Any]
Held = dict[PartitionKey, list[Row]]
Rows = Callable[[pa.Schema], Iterable[pa.RecordBatch]]


def key(number: int, city: str = "hue") -> PartitionKey:
    return PartitionKey(FIRST + timedelta(days=number), city)


MANY = PartitionSet.from_keys(key(2 * number) for number in range(MOST_TERMS + 1))
FEW = PartitionSet.from_keys([key(0), key(2)])


def row(of: PartitionKey, hour: int = 0, value: float | None = 1.0, **more: Any) -> Row:
    at = datetime(of.day.year, of.day.month, of.day.day, hour, 30, 0, 123456, tzinfo=UTC)
    return {"city": of.location, "day": of.day, "hour": at, "value": value, "rules": ["a"] if hour % 2 else None} | more


def given_rows(rows: Iterable[Row], size: int = 3) -> Rows:
    """In batches of ``size``."""
    told = list(rows)

    def give(schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        for start in range(0, len(told), size):
            yield pa.RecordBatch.from_pylist(told[start : start + size], schema)

    return give


def create(folder: Path) -> str:
    DeltaTable.create(str(folder), Schema.from_json(json.dumps(CONTRACT.delta_schema())))
    return str(folder)


def replace(uri: str, partitions: PartitionSet, rows: Rows, base: int | None = None, **more: bool) -> None:
    replace_rows(uri, COLUMNS, partitions, rows, "ours", base, **more)


def stored(uri: str) -> list[Row]:
    return ordered(DeltaTable(uri).to_pyarrow_table().to_pylist())


def ordered(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=repr_of_key)


def repr_of_key(of: Row) -> tuple[str, datetime, str]:
    return of["city"], of["hour"].astimezone(UTC), repr(of["value"])


def rows_of(table: Mapping[PartitionKey, list[Row]]) -> list[Row]:
    return [one for rows in table.values() for one in rows]


def last_commit(uri: str) -> list[dict[str, Any]]:
    log = sorted((Path(uri) / "_delta_log").glob("*.json"))[-1]
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def files(uri: str) -> set[str]:
    return {local_path(found) for found in DeltaTable(uri).file_uris()}


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return create(tmp_path / "table")


# --- against a dict -------------------------------------------------------------------------------

keys = st.builds(key, st.integers(0, 9) | st.integers(0, 400), st.sampled_from(CITIES))
values = st.none() | st.floats(allow_nan=False) | st.sampled_from([float("inf"), -0.0, 5e-324])
stretches = st.builds(
    lambda first, step, number, cities: [key(first + step * at, city) for at in range(number) for city in cities],
    st.integers(0, 300),
    st.integers(1, 3),
    st.integers(1, MOST_TERMS + 30),
    st.lists(st.sampled_from(CITIES), min_size=1, unique=True),
)
partition_sets = (st.lists(keys, min_size=1, max_size=6) | stretches).map(PartitionSet.from_keys)


@st.composite
def replacements(draw: st.DrawFn) -> tuple[PartitionSet, Held]:
    """Partitions, and rows of some of them."""
    partitions = draw(partition_sets)
    some = draw(st.lists(st.sampled_from(list(partitions)), max_size=5, unique=True))
    return partitions, {at: [row(at, hour, draw(values)) for hour in range(draw(st.integers(1, 3)))] for at in some}


@settings(max_examples=40, deadline=None)
@given(st.lists(replacements(), min_size=1, max_size=4))
def test_any_partitions_are_replaced_and_no_other_row_changes(steps: list[tuple[PartitionSet, Held]]) -> None:
    """Whether a predicate names them, one covers them, or nothing of them is there yet."""
    with TemporaryDirectory() as folder:
        uri, expected = create(Path(folder) / "table"), Held()
        for number, (partitions, rows) in enumerate(steps):
            append = not any(at in partitions for at in expected)
            replace(uri, partitions, given_rows(rows_of(rows)), number, append=append)
            expected = {at: held for at, held in expected.items() if at not in partitions} | rows
            assert DeltaTable(uri).version() == number + 1
            assert stored(uri) == ordered(rows_of(expected))
            table = DeltaTable(uri)
            read = stored_batches(table, pa.schema(table.schema()), COLUMNS, partitions)
            assert ordered(one for batch in read for one in batch.to_pylist()) == ordered(rows_of(rows))


# --- what a commit has ----------------------------------------------------------------------------


def test_a_commit_has_provenance_statistics_and_microseconds(uri: str) -> None:
    replace(uri, PartitionSet.from_keys([key(0), key(1)]), given_rows([row(key(0)), row(key(1), 5, None)]), append=True)
    for said in (last_commit(uri), replaced_again(uri)):
        (info,) = (action["commitInfo"] for action in said if "commitInfo" in action)
        assert info["userMetadata"] == "ours"
        added = [action["add"] for action in said if "add" in action]
        assert added
        for add in added:
            stats = json.loads(add["stats"])
            assert stats["minValues"].keys() >= {"day", "city", "hour", "value"} <= stats["maxValues"].keys()
            assert (stats["minValues"]["day"], stats["minValues"]["city"]) == ("2025-01-01", "hue")
            assert stats["nullCount"]["city"] == 0
            assert stats["numRecords"] == 2
            column = pq.read_metadata(Path(uri) / add["path"]).schema.column(2)
            assert (column.name, column.physical_type) == ("hour", "INT64")
            assert json.loads(column.logical_type.to_json())["timeUnit"] == "microseconds"
            assert json.loads(column.logical_type.to_json())["isAdjustedToUTC"] is True


def replaced_again(uri: str) -> list[dict[str, Any]]:
    replace(uri, PartitionSet.from_keys([key(1)]), given_rows([row(key(1), 7, 2.0)]), 1)
    assert [one["value"] for one in stored(uri)] == [1.0, 2.0]
    return last_commit(uri)


def test_instants_of_the_old_kind_come_out_the_same_and_are_written_as_microseconds(uri: str) -> None:
    """Of any year: as nanoseconds, those of 1600 and 3000 would not fit."""
    years = (1600, 1969, 2025, 3000)
    old = [row(PartitionKey(date(year, 1, 1), "hue")) for year in years]
    append_legacy(uri, old)
    assert stored_by(uri) == ordered(old)
    replace(uri, PartitionSet.from_keys([PartitionKey(date(2025, 1, 1), "hue")]), given_rows([]), 1)
    left = [one for one in old if one["day"].year != 2025]
    assert stored_by(uri) == ordered(left)
    kinds = {pq.read_metadata(path).schema.column(2).physical_type for path in files(uri)}
    assert kinds == {"INT64"}


def stored_by(uri: str) -> list[Row]:
    table = DeltaTable(uri)
    batches = stored_batches(table, pa.schema(table.schema()), COLUMNS)
    return ordered(one for batch in batches for one in batch.to_pylist())


def test_files_of_other_days_stay(uri: str) -> None:
    for number in range(4):
        replace(uri, PartitionSet.from_keys([key(number)]), given_rows([row(key(number))]), append=True)
    before = files(uri)
    replace(uri, PartitionSet.from_keys([key(2)]), given_rows([row(key(2), 9)]))
    assert len(before - files(uri)) == 1
    apart = PartitionSet.from_keys([key(0), key(3), *(key(2 * number) for number in range(5, 60))])
    assert few_terms(apart)
    kept = files(uri)
    replace(uri, apart, given_rows([row(key(0), 9)]))
    assert len(kept & files(uri)) == 2
    assert [one["hour"].hour for one in stored(uri)] == [9, 0, 9]


def test_rows_flow_from_parquet_files_by_name_and_what_they_lack_is_null(uri: str, tmp_path: Path) -> None:
    made = pa.table(
        {
            "hour": pa.array([row(key(0))["hour"]], pa.timestamp("us", "UTC")),
            "value": pa.array([3], pa.int32()),
            "day": [key(0).day],
            "city": ["hue"],
            "more": [1],
        }
    )
    pq.write_table(made, tmp_path / "one.parquet")
    replace(uri, PartitionSet.from_keys([key(0)]), batches_of([tmp_path / "one.parquet"], 1))
    assert stored(uri) == [row(key(0), 0, 3.0, rules=None)]


@pytest.mark.parametrize("name", ["with a space", "hà nội", "a+b&c"])
def test_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    uri = create(tmp_path / name / "table")
    held = [row(key(2 * number)) for number in range(MOST_TERMS + 2)]
    replace(uri, PartitionSet.from_keys(key(2 * number) for number in range(MOST_TERMS + 2)), given_rows(held, 1000))
    assert stored_by(uri) == ordered(held)
    append_legacy(uri, [row(key(1))])
    assert all(Path(path).is_file() for path in files(uri))


def append_legacy(uri: str, rows: list[Row]) -> None:
    append_with_int96(uri, pa.Table.from_pylist(rows, pa.schema(DeltaTable(uri).schema())))


# --- all rows, and another schema -----------------------------------------------------------------

WIDER = Contract(
    "Hours",
    "Hours.",
    (
        Column("day", "date", False, "", "Day"),
        Column("city", "string", False, "", "City"),
        Column("index", "integer", False, "", "Index"),
        Column("note", "string", True, "", "Of others"),
    ),
    ("city", "day"),
)


def indexed(*values: int | None) -> Rows:
    return given_rows({"day": key(at).day, "city": "hue", "index": value} for at, value in enumerate(values))


def through_nullable(rows: Rows) -> Rows:
    return lambda schema: rows(pa.schema([field.with_nullable(True) for field in schema]))


def test_all_rows_and_the_schema_are_one_commit(uri: str) -> None:
    replace(uri, FEW, given_rows([row(key(0)), row(key(2))]), append=True)
    before = DeltaTable(uri).metadata()
    rewrite_rows(uri, WIDER.delta_schema()["fields"], indexed(7, 8), "ours", 1)
    after = DeltaTable(uri)
    assert (after.version(), json.loads(after.schema().to_json())) == (2, WIDER.delta_schema())
    assert (after.metadata().id, after.metadata().configuration) == (before.id, before.configuration)
    assert sorted(one["index"] for one in after.to_pyarrow_table().to_pylist()) == [7, 8]
    assert len(DeltaTable(uri, version=1).to_pyarrow_table()) == 2
    kinds = [next(iter(action)) for action in last_commit(uri)]
    assert {"metaData", "add", "remove", "commitInfo"} == set(kinds)
    assert [action["commitInfo"]["userMetadata"] for action in last_commit(uri) if "commitInfo" in action] == ["ours"]


def test_a_rewrite_of_another_version_or_with_a_null_commits_nothing(uri: str) -> None:
    replace(uri, FEW, given_rows([row(key(0))]), append=True)
    for version, rows, error in ((0, indexed(7), CommitConflict), (1, indexed(7, None), WarehouseError)):
        with pytest.raises(error):
            rewrite_rows(uri, WIDER.delta_schema()["fields"], through_nullable(rows), "ours", version)
    assert (DeltaTable(uri).version(), stored(uri)) == (1, [row(key(0))])


# --- what is refused ------------------------------------------------------------------------------


def through_files(folder: Path, rows: list[Row]) -> Rows:
    """As an engine hands them over; the files let anything be null."""
    fields = [
        pa.field(field.name, field.type) for field in pa.schema(Schema.from_json(json.dumps(CONTRACT.delta_schema())))
    ]
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(fields)), folder / "rows.parquet")
    return batches_of([folder / "rows.parquet"], len(rows))


@pytest.mark.parametrize("partitions", [FEW, MANY], ids=["few", "many"])
@pytest.mark.parametrize("column", ["city", "day", "hour"])
def test_a_null_that_must_not_be(uri: str, tmp_path: Path, partitions: PartitionSet, column: str) -> None:
    rows = through_files(tmp_path, [row(key(0)), row(key(2)) | {column: None}])
    for append in (False, True):
        with pytest.raises(WarehouseError, match=column):
            replace(uri, partitions, rows, 0, append=append)
    assert (DeltaTable(uri).version(), stored(uri)) == (0, [])


@pytest.mark.parametrize("partitions", [FEW, MANY], ids=["few", "many"])
@pytest.mark.parametrize("stray", [key(1), key(0, "hanoi"), key(200)], ids=str)
def test_a_row_of_another_partition(uri: str, partitions: PartitionSet, stray: PartitionKey) -> None:
    """Whether the predicate would hold for it or not."""
    replace(uri, PartitionSet.from_keys([key(0), stray]), given_rows([row(key(0), 3), row(stray, 3)]), append=True)
    before = stored(uri)
    with pytest.raises(WarehouseError):
        replace(uri, partitions, given_rows([row(key(0)), row(stray)]), 1)
    assert (DeltaTable(uri).version(), stored(uri)) == (1, before)


@pytest.mark.parametrize("append", [False, True])
def test_a_version_that_has_moved(uri: str, append: bool) -> None:
    replace(uri, FEW, given_rows([row(key(0))]), append=True)
    with pytest.raises(CommitConflict, match="another run has committed"):
        replace(uri, FEW, given_rows([row(key(0), 5)]), 0, append=append)
    assert stored(uri) == [row(key(0))]


@pytest.mark.parametrize("append", [False, True])
@pytest.mark.parametrize("partitions", [FEW, MANY], ids=["few", "many"])
def test_whoever_commits_while_rows_flow_wins(uri: str, append: bool, partitions: PartitionSet) -> None:
    """Another thread, held when the first rows are asked for: an append that Delta itself would let pass."""

    def meanwhile(schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        other = Thread(
            target=replace,
            args=(uri, PartitionSet.from_keys([key(300)]), given_rows([row(key(300))])),
            kwargs={"append": True},
        )
        other.start()
        other.join()
        yield from given_rows([row(key(0), 5)])(schema)

    replace(uri, FEW, given_rows([row(key(0))]), append=True)
    with pytest.raises(CommitConflict, match="another run has committed"):
        replace(uri, partitions, meanwhile, 1, append=append)
    assert stored(uri) == ordered([row(key(0)), row(key(300))])


def test_rows_that_cannot_be_read_commit_nothing(uri: str) -> None:
    def broken(schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        yield from given_rows([row(key(0))])(schema)
        raise OSError("the disk is gone")

    with pytest.raises(WarehouseError, match="the disk is gone"):
        replace(uri, FEW, broken, 0)
    assert DeltaTable(uri).version() == 0


def test_rows_that_are_not_as_many_as_were_decided_on(uri: str, tmp_path: Path) -> None:
    """Files that lost rows on their way, or are not there any more, are never committed for less."""
    through_files(tmp_path, [row(key(0)), row(key(2))])
    before = DeltaTable(uri).version()
    for files, number, said in (
        ([tmp_path / "rows.parquet"], 3, "2 rows .* must be 3"),
        ([tmp_path / "gone"], 0, "gone"),
    ):
        for append in (False, True):
            with pytest.raises(WarehouseError, match=said):
                replace(uri, FEW, batches_of(files, number), append=append)
    assert DeltaTable(uri).version() == before


def test_columns_that_have_other_names_in_the_files(uri: str, tmp_path: Path) -> None:
    """deltalake would read nulls, and write them back into other people's partitions."""
    first = Path(uri) / "_delta_log" / f"{0:020}.json"
    (metadata,) = (one for line in first.read_text().splitlines() if "metaData" in (one := json.loads(line)))
    schema = json.loads(metadata["metaData"]["schemaString"])
    for number, field in enumerate(schema["fields"], 1):
        field["metadata"] = {"delta.columnMapping.id": number, "delta.columnMapping.physicalName": f"col-{number}"}
    metadata["metaData"]["schemaString"] = json.dumps(schema)
    metadata["metaData"]["configuration"] = {"delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": "5"}
    protocol = {"protocol": {"minReaderVersion": 2, "minWriterVersion": 5}}
    first.with_name(f"{1:020}.json").write_text("\n".join(map(json.dumps, (metadata, protocol))))
    before = DeltaTable(uri).version()
    with pytest.raises(WarehouseError, match=r"columnMapping.*\n.*--engine spark"):
        replace(uri, FEW, given_rows([row(key(0))]))
    assert DeltaTable(uri).version() == before
