"""Upkeep of a table's files: which are put together and how, what is deleted, and that no state changes."""

from __future__ import annotations

import json
import os
from datetime import date, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, Field
from deltalake.schema import PrimitiveType
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.errors import WarehouseError
from resources.delta import warehouse
from resources.delta.compaction import ROWS_PER_FILE, SmallFile, TableFiles, _as_json, _groups
from tests.support.cli_calls import EPISODE
from tests.support.filled_tables import JULY, LONG_AGO, Tables, commits, says

# --- small files ----------------------------------------------------------------------------------


def test_small_files_are_put_together_by_month(tables: Tables) -> None:
    """No state changes, no row; days that are still revised keep files of their own; a file's days stay few."""
    before, rows, table = tables.state, tables.rows(), tables.table
    done = tables.upkeep()
    assert (done.joined, done.into) == (11, 2)
    assert says(tables.state) == says(before)
    assert tables.rows() == rows
    assert tables.table.schema().to_json() == table.schema().to_json()
    assert tables.table.metadata().configuration == table.metadata().configuration == warehouse.TABLE_PROPERTIES
    assert tables.table.metadata().description == tables.workspace.contracts[EPISODE].description
    assert "comment" in table.schema().to_json()
    assert tables.spans() == [
        ("2025-07-01", "2025-07-30", "hanoi", "hue"),
        ("2025-08-02", "2025-08-16", "hanoi", "hue"),
        ("2025-08-18", "2025-08-18", "hanoi", "hue"),
        ("2025-08-19", "2025-08-19", "hanoi", "hue"),
    ]
    assert [(again.joined, again.kept) for again in (tables.upkeep(), tables.upkeep())] == [(0, True), (0, False)]


def test_files_are_of_the_tables_types_and_sorted(tables: Tables) -> None:
    before = {path.name for path in tables.table_folder.glob("*.parquet")}
    tables.upkeep()
    new = [path for path in tables.table_folder.glob("*.parquet") if path.name not in before]
    assert len(new) == 2
    for path in new:
        schema = pq.read_schema(path)
        fields = json.loads(tables.table.schema().to_json())["fields"]
        assert [str(schema.field(field["name"]).type) for field in fields if field["type"] == "timestamp"] == [
            "timestamp[us, tz=UTC]"
        ] * sum(field["type"] == "timestamp" for field in fields)
        assert schema.names == [field["name"] for field in fields]
        rows = pq.read_table(path).to_pylist()
        assert rows == sorted(rows, key=lambda row: (row["start_date_utc"], row["location_key"]))


def test_statistics_hold_every_row(tables: Tables) -> None:
    """Rows are found by them: each instant lies within its file's, to the microsecond."""
    import pyarrow.dataset as ds

    rows = tables.rows()
    tables.upkeep()
    for row in rows[:4]:
        found = tables.table.to_pyarrow_dataset().to_table(filter=ds.field("start_ts_utc") == row["start_ts_utc"])
        assert row in found.to_pylist()
    (last,) = [action for action in commits(tables) if "put together" in action["commitInfo"].get("userMetadata", "")]
    stats = [json.loads(add["stats"]) for add in last["add"]]
    assert [of["numRecords"] for of in stats] == [28, 16]
    assert stats[0]["minValues"]["start_ts_utc"] == "2025-07-01T00:30:00.123Z"
    assert stats[0]["maxValues"]["start_ts_utc"] == "2025-07-30T07:30:00.124Z"
    assert {change["dataChange"] for change in (*last["add"], *last["remove"])} == {False}


def test_a_column_that_is_younger_than_files_is_null_in_them(tables: Tables) -> None:
    tables.table.alter.add_columns([Field("note", PrimitiveType("string"))])
    rows = tables.rows()
    assert {row["note"] for row in rows} == {None}
    assert tables.upkeep().joined == 11
    assert tables.rows() == rows
    (last,) = [action for action in commits(tables) if "put together" in action["commitInfo"].get("userMetadata", "")]
    assert [json.loads(add["stats"])["nullCount"]["note"] for add in last["add"]] == [28, 16]


def test_what_somebody_does_after_it_makes_unrecorded_what_the_file_can_hold(tables: Tables) -> None:
    tables.upkeep()
    tables.table.delete("start_date_utc = '2025-08-05' AND location_key = 'hue'")
    assert {key.day for key in tables.state.unrecorded} == {date(2025, 8, day) for day in range(2, 17)}


def test_few_files_are_left_as_they_are(tmp_path: Path) -> None:
    tables = Tables(tmp_path / "lake")
    tables.create()
    for day in JULY[:7]:
        tables.day(day)
    assert (tables.upkeep().joined, len(tables.spans())) == (0, 7)
    for day in (date(2025, 6, 30), date(2025, 5, 1), date(2025, 4, 1)):
        tables.day(day)
    assert tables.upkeep().joined == 0, "ten files, but three are alone in their months"


def test_a_table_with_features_that_are_not_ours_is_left_as_it_is(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    protocol = tables.table.protocol()._replace(reader_features=["deletionVectors"])
    monkeypatch.setattr(DeltaTable, "protocol", lambda _table: protocol)
    assert TableFiles(str(tables.table_folder), tables.asset.partition_columns).groups(date(2030, 1, 1)) == []


def test_a_commit_in_between_wins(tables: Tables) -> None:
    files = TableFiles(str(tables.table_folder), tables.asset.partition_columns)
    groups = files.groups(date(2030, 1, 1))
    tables.table.delete("start_date_utc = '2025-07-03'")
    with pytest.raises(WarehouseError, match="another run has changed the table"):
        files.compact(groups)


some_days = st.dates(date(2025, 1, 1), date(2025, 4, 1))
some_files = st.lists(
    st.builds(
        lambda name, rows, first, more: SmallFile(str(name), rows, first, first + timedelta(more)),
        st.integers(),
        st.integers(1, ROWS_PER_FILE // 2),
        some_days,
        st.integers(0, 40),
    ),
    max_size=12,
    unique_by=lambda file: file.path,
)


@given(some_files, some_days)
def test_groups(files: list[SmallFile], before: date) -> None:
    """Each file of one month is in one group; a group has one month, and no more rows than a file may have."""
    groups = _groups(files, before)
    grouped = [file for group in groups for file in group]
    assert sorted(grouped) == sorted(
        file
        for file in files
        if file.last_day < before
        and (file.first_day.year, file.first_day.month) == (file.last_day.year, file.last_day.month)
    )
    for group in groups:
        assert group
        assert len({day.month for file in group for day in file[2:]}) == 1
        assert sum(file.rows for file in group) <= ROWS_PER_FILE


def test_the_end_of_a_range_is_rounded_up() -> None:
    at = datetime.fromisoformat("2025-08-19T23:59:59.999001Z")
    assert (_as_json(at), _as_json(at, up=True)) == ("2025-08-19T23:59:59.999Z", "2025-08-20T00:00:00.000Z")
    assert _as_json(at.replace(microsecond=5000), up=True) == "2025-08-19T23:59:59.005Z"


# --- files that nothing needs ---------------------------------------------------------------------


def test_what_was_removed_is_kept_for_the_retention_and_then_deleted(tables: Tables) -> None:
    """Checksums that Hadoop wrote go with their files; what lies in `_aqi`, however old, stays."""
    tables.workspace.warehouse.keep_state(tables.asset, tables.state)
    for path in tables.table_folder.glob("*.parquet"):
        (path.parent / f".{path.name}.crc").write_bytes(b"crc")
    (tables.table_folder / "_aqi" / "part-0.parquet").write_bytes(b"x")
    for path in (tables.table_folder / "_aqi").iterdir():
        os.utime(path, (LONG_AGO, LONG_AGO))
    rows, records = tables.rows(), says(tables.state)
    done = tables.upkeep()
    assert (done.joined, done.vacuumed) == (11, 0)
    assert len(list(tables.table_folder.glob("*.parquet"))) == 15
    kept = {path.name for path in (tables.table_folder / "_aqi").iterdir()}
    assert TableFiles(str(tables.table_folder), None).vacuum(0, dry_run=True) == 11
    assert TableFiles(str(tables.table_folder), None).vacuum(0) == 11
    assert len(list(tables.table_folder.glob("*.parquet"))) == 4
    assert len(list(tables.table_folder.glob(".*.crc"))) == 2
    assert {path.name for path in (tables.table_folder / "_aqi").iterdir()} == kept
    assert (tables.rows(), says(tables.state)) == (rows, records)


def test_files_of_killed_writers_go_when_they_are_old(tables: Tables) -> None:
    for name in ("part-old.parquet", "part-new.parquet"):
        (tables.table_folder / name).write_bytes(b"x")
    os.utime(tables.table_folder / "part-old.parquet", (LONG_AGO, LONG_AGO))
    records = says(tables.state)
    assert tables.upkeep().vacuumed == 1
    assert not (tables.table_folder / "part-old.parquet").exists()
    assert (tables.table_folder / "part-new.parquet").exists()
    assert says(tables.state) == records
