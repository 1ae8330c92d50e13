"""Tables as the embedded engine reads them: plain ones, those with instants of the old kind, any partitions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.contract import Column, Contract
from orchestration.core.errors import RunError, WarehouseError
from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet
from orchestration.core.partitions.scheme import DailyByLocation
from orchestration.core.state.provenance import PartitionRecord, Provenance
from orchestration.core.state.table_state import TableState
from orchestration.engine.engines.embedded import MOST_PIECES, EmbeddedEngine
from resources.delta.rows import local_path
from resources.delta.warehouse import Warehouse
from tests.support.delta_files import append_with_int96

CONTRACT = Contract(
    "Hours",
    "Hours.",
    (
        Column("location_key", "string", False, "", "Location"),
        Column("date_utc", "date", False, "", "Day"),
        Column("ts_utc", "timestamp", False, "", "Hour"),
        Column("value", "double", True, "", "Value"),
        Column("rules", "array<string>", True, "", "Rules"),
    ),
    ("location_key", "ts_utc"),
)
HOURS = Asset("silver.hours", "Hours.", lambda: None, (), None, DailyByLocation(), "Hours", (), frozenset(), ())
FIRST = date(2020, 1, 1)
DAYS = Days.of(FIRST, FIRST + timedelta(days=699))
ALL = PartitionSet.of(DAYS, ["danang", "hue"])
SOME = PartitionSet.of(Days.of(date(2020, 2, 28), date(2020, 3, 2)), ["hue"]) | PartitionSet.of(
    Days.of(date(2021, 1, 1), date(2021, 1, 2)), ["danang", "hue", "hanoi"]
)
MANY = PartitionSet.from_keys(
    PartitionKey(FIRST + timedelta(days=2 * number), ("danang", "hue", "hanoi")[number % 3]) for number in range(320)
)
ODD_YEARS = (1600, 1900, 2263, 3000)
"""Instants that do not fit into nanoseconds, too."""

Row = dict[str, Any]


def row(at: PartitionKey) -> Row:
    instant = datetime(at.day.year, at.day.month, at.day.day, 23, 59, 59, 999999, tzinfo=UTC)
    value = None if at.day.day == 1 else float(at.day.toordinal())
    return {
        "location_key": at.location,
        "date_utc": at.day,
        "ts_utc": instant,
        "value": value,
        "rules": None if value is None else ["a", None],
    }


def ordered(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda of: (of["location_key"], of["date_utc"]))


def arrow(partitions: Iterable[PartitionKey]) -> pa.Table:
    import json

    from deltalake import Schema

    return pa.Table.from_pylist(
        [row(at) for at in partitions], pa.schema(Schema.from_json(json.dumps(CONTRACT.delta_schema())))
    )


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return created(tmp_path / "lake")


def created(folder: Path) -> Warehouse:
    made = Warehouse(str(folder))
    made.create(HOURS, CONTRACT)
    return made


@pytest.fixture(params=["plain", "old", "both"])
def filled(request: pytest.FixtureRequest, warehouse: Warehouse) -> Warehouse:
    """All partitions; in files of the old kind of instants, of the new one, or some in each."""
    uri = warehouse.table_uri(HOURS.key)
    odd = [PartitionKey(date(year, 1, 2), "hue") for year in ODD_YEARS]
    late = [at for at in ALL if at.day.year > 2020] if request.param == "both" else [*ALL, *odd]
    early = [*odd, *(at for at in ALL if at.day.year == 2020)] if request.param == "both" else []
    for part, legacy in ((early, True), (late, request.param == "old")):
        if part and legacy:
            append_with_int96(uri, arrow(part))
        elif part:
            write_deltalake(uri, arrow(part), mode="append")
    return warehouse


def read(engine: EmbeddedEngine, version: int, partitions: PartitionSet | None) -> list[Row]:
    with engine.working("a test"):
        table = engine.table(HOURS, version, partitions).toArrow()
    assert table.schema.field("ts_utc").type == pa.timestamp("us", "UTC")
    return ordered(table.to_pylist())


@pytest.mark.parametrize(
    ("name", "partitions"), [("all", None), ("some", SOME), ("many", MANY), ("none", PartitionSet.empty())]
)
def test_rows_of_partitions(embedded: Any, filled: Warehouse, name: str, partitions: PartitionSet | None) -> None:
    """Of all of them, of a few pieces, of more than fit into a condition, of none; and no file is rewritten."""
    engine = embedded.engine(filled)
    table = DeltaTable(filled.table_uri(HOURS.key))
    before = table.file_uris()
    assert (name == "many") == (partitions is not None and len(partitions.pieces()) > MOST_PIECES)
    expected = [row(at) for at in (ALL if partitions is None else ALL & partitions)]
    if partitions is None:
        expected += [row(PartitionKey(date(year, 1, 2), "hue")) for year in ODD_YEARS]
    assert read(engine, table.version(), partitions) == ordered(expected)
    assert DeltaTable(filled.table_uri(HOURS.key)).file_uris() == before
    assert DeltaTable(filled.table_uri(HOURS.key)).version() == table.version()


@pytest.mark.parametrize("name", ["with a space", "hà nội", "a+b&c", "a#b"])
def test_a_warehouse_of_any_name(embedded: Any, tmp_path: Path, name: str) -> None:
    warehouse = created(tmp_path / name)
    write_deltalake(warehouse.table_uri(HOURS.key), arrow(SOME), mode="append")
    engine = embedded.engine(warehouse)
    for partitions in (None, SOME):
        assert read(engine, 1, partitions) == ordered(row(at) for at in SOME)


def test_a_version_stays_as_it_was(embedded: Any, warehouse: Warehouse) -> None:
    """One before any row, and one from before the table had rows of the old kind."""
    uri, engine = warehouse.table_uri(HOURS.key), embedded.engine(warehouse)
    first, second = (PartitionKey(FIRST, at) for at in ("danang", "hue"))
    write_deltalake(uri, arrow([first]), mode="append")
    append_with_int96(uri, arrow([second]))
    assert read(engine, 0, None) == []
    assert read(engine, 1, None) == [row(first)]
    assert read(engine, 2, None) == [row(first), row(second)]


def test_what_is_read_of_it_can_be_replaced(embedded: Any, filled: Warehouse) -> None:
    """Read, evaluated and put back, but for one day: the rows are what they were, and their instants microseconds."""
    engine, uri = embedded.engine(filled), filled.table_uri(HOURS.key)
    version, gone = DeltaTable(uri).version(), PartitionKey(date(2020, 3, 1), "hue")
    base = TableState(version, dict.fromkeys(SOME, PartitionRecord(1, "f", {}, "", "")))
    with engine.working("a test"):
        kept = engine.evaluate(engine.table(HOURS, version, SOME).where("NOT (date_utc = DATE'2020-03-01')"))
        engine.replace(kept, None, HOURS, SOME, 7, Provenance("run-1", HOURS.key, "", {}), base)
        kept.let_go()
    assert DeltaTable(uri).version() == version + 1
    odd = [row(PartitionKey(date(year, 1, 2), "hue")) for year in ODD_YEARS]
    expected = ordered([*(row(at) for at in ALL if at != gone), *odd])
    assert read(engine, version + 1, None) == expected


NAN = float("nan")


@pytest.mark.parametrize("values", [[1.0, NAN], [NAN, 1.0, None], [NAN, NAN], [0.0, -0.0, NAN], [NAN]], ids=str)
def test_nan_is_a_value_of_its_own(embedded: Any, warehouse: Warehouse, values: list[float | None]) -> None:
    """Statistics leave it out: a column of NaN and one other value is not a column of that value."""
    made = [row(PartitionKey(FIRST + timedelta(days=at), "hue")) | {"value": value} for at, value in enumerate(values)]
    write_deltalake(warehouse.table_uri(HOURS.key), pa.Table.from_pylist(made, arrow([]).schema), mode="append")
    engine = embedded.engine(warehouse)
    expected = [repr(value) for value in values]
    assert [repr(one["value"]) for one in read(engine, 1, None)] == expected
    with engine.working("a test"):
        kept = engine.evaluate(engine.table(HOURS, 1))
        given = engine.rows(pa.Table.from_pylist(made, arrow([]).schema))
        for frame in (kept.frame(), given):
            rows = ordered(frame.toArrow().to_pylist())
            assert [repr(one["value"]) for one in rows] == expected
            assert frame.where("isnan(value)").count() == expected.count("nan")
    kept.let_go()


def test_nothing_of_a_piece_of_work_is_left_in_scratch(embedded: Any, filled: Warehouse) -> None:
    engine = embedded.engine(filled)
    scratch = embedded.process.scratch
    before = set(scratch.iterdir())
    with engine.working("a test"):
        kept = engine.evaluate(engine.table(HOURS, DeltaTable(filled.table_uri(HOURS.key)).version(), MANY))
    assert len(set(scratch.iterdir()) - before) == 1
    kept.let_go()
    assert set(scratch.iterdir()) == before


def test_a_file_that_is_lost_is_named(embedded: Any, filled: Warehouse) -> None:
    table = DeltaTable(filled.table_uri(HOURS.key))
    lost = Path(local_path(table.file_uris()[0]))
    lost.unlink()
    with pytest.raises(WarehouseError) as caught:
        read(embedded.engine(filled), table.version(), None)
    assert HOURS.key in caught.value.message
    assert lost.name in caught.value.message


def test_a_table_that_is_not_there_is_named(embedded: Any, tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match=HOURS.key):
        read(embedded.engine(Warehouse(str(tmp_path))), 0, None)


@pytest.mark.parametrize("how", ["gone", "empty", "short"])
def test_a_data_file_that_is_not_as_the_log_says(embedded: Any, warehouse: Warehouse, how: str) -> None:
    """Sail passes over a file that is gone or empty, and the rows would be fewer. What does not need it is read."""
    uri, engine = warehouse.table_uri(HOURS.key), embedded.engine(warehouse)
    first, second = (PartitionKey(day, "hue") for day in (FIRST, FIRST + timedelta(days=5)))
    for at in (first, second):
        write_deltalake(uri, arrow([at]), mode="append")
    assert len(read(engine, 2, None)) == 2  # its footer is known by now
    lost = Path(next(iter(set(DeltaTable(uri, version=1).file_uris()))))
    content = lost.read_bytes()
    if how == "gone":
        lost.unlink()
    else:
        lost.write_bytes(b"" if how == "empty" else content[:-9])
    for partitions in (None, PartitionSet.from_keys([first])):
        with pytest.raises(WarehouseError, match=HOURS.key):
            read(engine, 2, partitions)
    assert read(engine, 2, PartitionSet.from_keys([second])) == [row(second)]


def test_rows_that_were_evaluated_and_are_gone(embedded: Any, warehouse: Warehouse) -> None:
    """A frame over a folder that is not there any more would be an empty one."""
    engine = embedded.engine(warehouse)
    with engine.working("a test"):
        rows = engine.evaluate(embedded.process.session().range(10))
        rows.let_go()
        with pytest.raises(RunError, match="are gone"):
            rows.frame()


def test_nan_is_read_and_found_whatever_statistics_say(embedded: Any, tmp_path: Path) -> None:
    """They know nothing of it: [1, NaN] would be read as [1, 1], and a filter would pass over its file."""
    from pyspark.sql import functions as F

    warehouse = created(tmp_path / "lake")
    keys = [PartitionKey(FIRST, at) for at in ("danang", "hue")]
    rows = [row(keys[0]) | {"value": 1.0}, row(keys[1]) | {"value": float("nan")}]
    schema = arrow(keys).schema
    write_deltalake(warehouse.table_uri(HOURS.key), pa.Table.from_pylist(rows, schema), mode="append")
    engine = embedded.engine(warehouse)
    with engine.working("a test"):
        for frame in (engine.table(HOURS, 1), engine.evaluate(engine.table(HOURS, 1)).frame()):
            values = [one["value"] for one in ordered(frame.toArrow().to_pylist())]
            assert repr(values) == "[1.0, nan]"
            assert [repr(one.value) for one in frame.where(F.col("value") > 5).collect()] == ["nan"]
