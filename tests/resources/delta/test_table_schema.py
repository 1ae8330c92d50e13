"""A table grows by one commit of metadata, without a JVM; whoever comes second is refused."""

from __future__ import annotations

import json
import threading
from datetime import date
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, Schema, write_deltalake

from orchestration.core.errors import CommitConflict, WarehouseError
from resources.delta import table_schema
from resources.delta.log import DeltaLog
from resources.delta.table_schema import grow, write_new
from resources.delta.warehouse import TABLE_PROPERTIES

LOCAL = fsspec.filesystem("file")


def field(name: str, kind: Any, comment: str, *, nullable: bool = False, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "nullable": nullable, "metadata": {"comment": comment, **more}}


OLD = [
    field("location", "string", "Location"),
    field("day", "date", "Day"),
    field("aqi", "integer", "Index", nullable=True),
]
NEW = [
    field("location", "string", "Location, a key"),
    field("local", "timestamp", "Local hour", nullable=True),
    field("day", "date", "Day"),
    field("aqi", "integer", "Index", nullable=True),
    field("rules", {"type": "array", "elementType": "string", "containsNull": True}, "Rules", nullable=True),
]


def make(folder: Path, fields: list[dict[str, Any]] = OLD, configuration: dict[str, str] = TABLE_PROPERTIES) -> str:
    uri = str(folder / "table")
    schema = Schema.from_json(json.dumps({"type": "struct", "fields": fields}))
    DeltaTable.create(uri, schema, description="Hours.", configuration=configuration)
    return uri


@pytest.fixture
def uri(tmp_path: Path) -> str:
    """A table with two rows, at version 1."""
    uri = make(tmp_path)
    add(uri, "hanoi", 1)
    return uri


def add(uri: str, location: str, aqi: int) -> None:
    schema = pa.schema(
        [pa.field("location", pa.string(), False), pa.field("day", pa.date32(), False), ("aqi", pa.int32())]
    )
    write_deltalake(
        uri, pa.table({"location": [location], "day": [date(2025, 1, 1)], "aqi": [aqi]}, schema=schema), mode="append"
    )


def fields_of(uri: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DeltaTable(uri).schema().to_json())["fields"]
    return found


def test_columns_comments_and_description_are_one_commit_of_metadata(uri: str) -> None:
    before = DeltaTable(uri).metadata()
    assert grow(uri, NEW, "Hours of a location.", '{"aqi": 2}') == 2
    actions = DeltaLog(uri).actions(2)
    assert [next(iter(action)) for action in actions] == ["commitInfo", "metaData"]
    assert actions[0]["commitInfo"]["userMetadata"] == '{"aqi": 2}'
    assert fields_of(uri) == [NEW[0], NEW[2], NEW[3], NEW[1], NEW[4]]  # the table's order, then what is new
    after = DeltaTable(uri).metadata()
    assert after.description == "Hours of a location."
    assert (after.id, after.created_time, after.partition_columns) == (before.id, before.created_time, [])
    assert after.configuration == before.configuration == TABLE_PROPERTIES
    assert DeltaTable(uri).to_pyarrow_table().to_pylist() == [
        {"location": "hanoi", "day": date(2025, 1, 1), "aqi": 1, "local": None, "rules": None}
    ]
    assert DeltaTable(uri, version=1).to_pyarrow_table().column_names == ["location", "day", "aqi"]
    assert DeltaTable(uri).history(1)[0]["operation"] == "UPDATE SCHEMA"
    assert not list(Path(uri, "_delta_log").glob(".*"))


def test_growing_again_is_no_commit(uri: str) -> None:
    assert grow(uri, NEW, "Hours.", "") == 2
    assert grow(uri, NEW, "Hours.", "") is None
    assert DeltaTable(uri).version() == 2


def test_a_comment_or_the_description_alone_is_a_commit(uri: str) -> None:
    assert grow(uri, OLD, "Other hours.", "") == 2
    assert grow(uri, [{**OLD[0], "metadata": {"comment": "µg/m³\u2028"}}, *OLD[1:]], "Other hours.", "") == 3
    assert fields_of(uri)[0]["metadata"] == {"comment": "µg/m³\u2028"}
    assert len(DeltaLog(uri).actions(3)) == 2
    assert DeltaTable(uri).metadata().description == "Other hours."


def test_a_table_of_which_a_checkpoint_is_all_that_is_left(uri: str) -> None:
    DeltaTable(uri).create_checkpoint()
    for commit in Path(uri, "_delta_log").glob("*.json"):
        commit.unlink()
    assert grow(uri, NEW, "Hours.", "") == 2
    assert DeltaTable(uri).metadata().configuration == TABLE_PROPERTIES
    DeltaTable(uri).create_checkpoint()
    for commit in Path(uri, "_delta_log").glob("*.json"):
        commit.unlink()
    assert [found["name"] for found in fields_of(uri)] == ["location", "day", "aqi", "local", "rules"]
    assert DeltaTable(uri).to_pyarrow_table().num_rows == 1


def test_columns_of_others_stay(tmp_path: Path) -> None:
    theirs = field("note", "string", "Theirs", nullable=True, **{"delta.invariants": "{}"})
    uri = make(tmp_path, [*OLD, theirs])
    grow(uri, NEW, "Hours.", "")
    assert theirs in fields_of(uri)


def test_another_version_than_it_was_decided_on_is_refused(uri: str) -> None:
    add(uri, "hue", 2)
    with pytest.raises(CommitConflict, match="another run has committed"):
        grow(uri, NEW, "Hours.", "", base_version=1)
    assert DeltaTable(uri).version() == 2
    assert grow(uri, NEW, "Hours.", "", base_version=2) == 3


def test_a_commit_that_comes_between_wins(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Held after the table was read: another run commits, and ours is refused and leaves nothing behind."""

    def meanwhile(files: Any, path: str, content: bytes) -> bool:
        add(uri, "hue", 2)
        return write_new(files, path, content)

    monkeypatch.setattr(table_schema, "write_new", meanwhile)
    with pytest.raises(CommitConflict):
        grow(uri, NEW, "Hours.", "")
    assert fields_of(uri) == OLD
    assert DeltaTable(uri).to_pyarrow_table().num_rows == 2
    assert not list(Path(uri, "_delta_log").glob(".*"))


def test_a_writer_that_read_the_table_before_is_refused(uri: str) -> None:
    stale = DeltaTable(uri)
    grow(uri, NEW, "Hours.", "")
    with pytest.raises(Exception, match="Failed to commit transaction"):
        stale.create_write_transaction(
            [], "append", stale.schema(), commit_properties=CommitProperties(max_commit_retries=0)
        )


def test_of_many_writers_of_a_file_one_wins(tmp_path: Path) -> None:
    path, wins, start = tmp_path / "00.json", [], threading.Barrier(8)

    def write(number: int) -> None:
        start.wait()
        if write_new(LOCAL, str(path), str(number).encode() * 10_000):
            wins.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() == str(wins[0]).encode() * 10_000
    assert len(wins) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["00.json"]


def test_a_file_system_that_cannot_promise_it_is_refused() -> None:
    files = fsspec.filesystem("memory")
    with pytest.raises(WarehouseError, match="no file system on which two commits cannot replace each other"):
        write_new(files, "/x/00.json", b"{}")
    assert not files.exists("/x/00.json")


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ([*OLD, field("o3", "double", "Ozone")], "a new column must be nullable (got o3, which is not)"),
        ([OLD[0], OLD[1], field("aqi", "double", "", nullable=True)], "the type of aqi must stay integer (got double)"),
        ([OLD[0], OLD[1], field("aqi", "integer", "")], "aqi must stay nullable"),
    ],
)
def test_what_takes_more_than_metadata_is_refused(uri: str, wanted: list[dict[str, Any]], says: str) -> None:
    with pytest.raises(WarehouseError) as caught:
        grow(uri, wanted, "Hours.", "")
    assert caught.value.message == f"{uri}: {says}"
    assert DeltaTable(uri).version() == 1


@pytest.mark.parametrize(
    ("reader", "writer", "configuration", "metadata", "named"),
    [
        (3, {"columnMapping"}, {"delta.columnMapping.mode": "none"}, {}, ""),
        (1, {"inCommitTimestamp"}, {"delta.enableInCommitTimestamps": "true"}, {}, "inCommitTimestamp"),
        (1, {"identityColumns"}, {}, {"delta.identity.start": 1}, "identityColumns"),
        (1, {"generatedColumns"}, {}, {"delta.generationExpression": "1"}, "generatedColumns"),
        (1, {"generatedColumns", "identityColumns", "appendOnly", "invariants", "changeDataFeed"}, {}, {}, ""),
        (1, {"rowTracking", "somethingNew"}, {}, {}, "rowTracking, somethingNew"),
    ],
)
def test_features_that_are_not_known_are_refused_by_name(
    uri: str, reader: int, writer: set[str], configuration: dict[str, str], metadata: dict[str, Any], named: str
) -> None:
    first = Path(uri, "_delta_log", f"{0:020d}.json")
    protocol: dict[str, Any] = {"minReaderVersion": reader, "minWriterVersion": 7, "writerFeatures": sorted(writer)}
    if reader == 3:
        protocol["readerFeatures"] = sorted(writer)
    lines = []
    for line in first.read_text(encoding="utf-8").splitlines():
        action = json.loads(line)
        if "protocol" in action:
            action = {"protocol": protocol}
        if "metaData" in action:
            schema = json.loads(action["metaData"]["schemaString"])
            schema["fields"][2]["metadata"].update(metadata)
            action["metaData"]["schemaString"] = json.dumps(schema)
            action["metaData"]["configuration"].update(configuration)
        lines.append(json.dumps(action))
    first.write_text("\n".join(lines), encoding="utf-8")
    if not named:
        assert grow(uri, NEW, "Hours.", "") == 2
        return
    with pytest.raises(WarehouseError) as caught:
        grow(uri, NEW, "Hours.", "")
    assert caught.value.message == f"{uri}: the table has features that others gave it: {named}"
    assert not Path(uri, "_delta_log", f"{2:020d}.json").exists()
