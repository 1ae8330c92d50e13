"""What other hands, disks and tools do to a table in a folder; each is done to a copy of a sound warehouse."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from deltalake import DeltaTable

from tests.support import oracle


def data_files(table: Path) -> list[Path]:
    """The files that are the table's now, by name."""
    return sorted(Path(unquote(path)) for path in DeltaTable(str(table)).file_uris())


def commits(table: Path) -> list[Path]:
    return sorted((table / "_delta_log").glob("*.json"))


def commit(table: Path, *actions: dict[str, Any]) -> Path:
    """Somebody else's next commit, as Delta's protocol has it."""
    path = table / "_delta_log" / f"{int(commits(table)[-1].stem) + 1:020d}.json"
    lines = [{"commitInfo": {"timestamp": 1, "operation": "of others"}}, *actions]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


def metadata(table: Path) -> dict[str, Any]:
    lines = (json.loads(line) for path in commits(table) for line in path.read_text().splitlines())
    return [dict(line["metaData"]) for line in lines if "metaData" in line][-1]


def with_properties(table: Path, **properties: str) -> dict[str, Any]:
    found = metadata(table)
    return {"metaData": {**found, "configuration": {**found["configuration"], **properties}}}


def with_fields(table: Path, change: Callable[[list[dict[str, Any]]], object]) -> None:
    found = metadata(table)
    schema = json.loads(found["schemaString"])
    change(schema["fields"])
    commit(table, {"metaData": {**found, "schemaString": json.dumps(schema)}})


def protocol(reader: Iterable[str], writer: Iterable[str]) -> dict[str, Any]:
    versions = {"minReaderVersion": 3, "minWriterVersion": 7}
    return {"protocol": {**versions, "readerFeatures": list(reader), "writerFeatures": list(writer)}}


def lose_a_file(table: Path) -> None:
    data_files(table)[0].unlink()


def lose_all_files(table: Path) -> None:
    for path in data_files(table):
        path.unlink()


def cut_a_file(table: Path) -> None:
    path = data_files(table)[-1]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def enable_deletion_vectors(table: Path) -> None:
    feature = protocol(["deletionVectors"], ["deletionVectors", "appendOnly", "invariants"])
    commit(table, feature, with_properties(table, **{"delta.enableDeletionVectors": "true"}))


def map_columns(table: Path) -> None:
    def name(fields: list[dict[str, Any]]) -> None:
        for number, field in enumerate(fields, 1):
            mapped = {"delta.columnMapping.id": number, "delta.columnMapping.physicalName": field["name"]}
            field["metadata"] = {**field["metadata"], **mapped}

    with_fields(table, name)
    properties = {"delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": "99"}
    commit(table, {"protocol": {"minReaderVersion": 2, "minWriterVersion": 5}}, with_properties(table, **properties))


def name_an_unknown_feature(table: Path) -> None:
    commit(table, protocol(["featureOfTomorrow"], ["featureOfTomorrow"]))


def feed_changes(table: Path) -> None:
    commit(
        table,
        {"protocol": {"minReaderVersion": 1, "minWriterVersion": 4}},
        with_properties(table, **{"delta.enableChangeDataFeed": "true"}),
    )


def require_a_column(table: Path) -> None:
    note = {"name": "note", "type": "string", "nullable": False, "metadata": {}}
    with_fields(table, lambda fields: fields.append(note))


def retype_a_column(table: Path) -> None:
    with_fields(table, lambda fields: next(of for of in fields if of["type"] == "integer").update(type="string"))


def drop_a_required_column(table: Path) -> None:
    def drop(fields: list[dict[str, Any]]) -> None:
        fields.remove(next(field for field in fields if not field["nullable"] and field["type"] == "integer"))

    with_fields(table, drop)


def recase_a_column(table: Path) -> None:
    def shout(fields: list[dict[str, Any]]) -> None:
        field = next(field for field in fields if field["nullable"])
        field["name"] = field["name"].upper()

    with_fields(table, shout)


def lose_a_commit(table: Path) -> None:
    lost = commit(table)
    commit(table)
    lost.unlink()


def lose_the_first_commit(table: Path) -> None:
    commits(table)[0].unlink()


def cut_a_commit(table: Path) -> None:
    commit(table).write_text('{"commitInfo":{"timest')


def nest_a_commit_too_deep(table: Path) -> None:
    commit(table).write_text("[" * 100_000)


def empty_a_commit(table: Path) -> None:
    """One that a snapshot covers, so that nobody reads it again."""
    commits(table)[-2].write_text("")


def cut_a_commit_that_is_read_no_more(table: Path) -> None:
    path = commits(table)[-2]
    path.write_text(path.read_text()[:-20])


def fill_a_commit_with_zeros(table: Path) -> None:
    """As some file systems leave a file after a loss of power."""
    path = commits(table)[-2]
    path.write_bytes(bytes(path.stat().st_size))


def lose_the_log(table: Path) -> None:
    shutil.rmtree(table / "_delta_log")


def cut_the_checkpoint(table: Path) -> None:
    DeltaTable(str(table)).create_checkpoint()
    path = next((table / "_delta_log").glob("*.checkpoint.parquet"))
    path.write_bytes(path.read_bytes()[:100])


def lose_the_checkpoint(table: Path) -> None:
    DeltaTable(str(table)).create_checkpoint()
    next((table / "_delta_log").glob("*.checkpoint.parquet")).unlink()


def cut_the_snapshot(table: Path) -> None:
    for path in (table / "_aqi").glob("state-*"):
        path.write_bytes(path.read_bytes()[:20])


def put_another_in_its_place(table: Path) -> None:
    """The folder of the episodes, by a slip of ``cp``."""
    shutil.rmtree(table)
    shutil.copytree(table.parent / oracle.EPISODE.partition(".")[2], table)


def leave_files(table: Path) -> None:
    (table / "notes.txt").write_text("not ours")
    (table / "part-of-others.parquet").write_bytes(b"no Parquet")
    (table / "_temporary").mkdir()


@dataclass(frozen=True)
class Damage:
    """What is done to the table of ``key``. said: what `aqi status` says of it; empty: it is harmless.

    rebuilt: it takes --rebuild. readable: its partitions stay what they are.
    """

    do: Callable[[Path], object]
    key: str
    said: str = ""
    rebuilt: bool = False
    readable: bool = False

    def to(self, warehouse: Path) -> None:
        layer, _, name = self.key.partition(".")
        self.do(warehouse / layer / name)

    def __str__(self) -> str:
        return self.do.__name__


ONE_OF_A_KIND = [
    Damage(lose_a_file, oracle.FACT_HOURLY, "is gone"),
    Damage(enable_deletion_vectors, oracle.FACT_HOURLY, "deletionVectors", rebuilt=True),
    Damage(require_a_column, oracle.CITY_DAILY, "note was added", rebuilt=True, readable=True),
    Damage(lose_a_commit, oracle.SILVER, "of its log is gone", rebuilt=True),
]
OTHERS = [
    Damage(lose_all_files, oracle.BRONZE, "is gone"),
    Damage(lose_a_file, "gold.dim_location", "is gone"),
    Damage(cut_a_file, oracle.CITY_DAILY, "is cut off"),
    Damage(cut_a_file, oracle.SILVER, "is cut off"),
    Damage(map_columns, oracle.CITY_DAILY, "columnMapping", rebuilt=True),
    Damage(name_an_unknown_feature, oracle.SILVER, "featureOfTomorrow", rebuilt=True),
    Damage(feed_changes, oracle.FACT_HOURLY, "only Spark can write it", rebuilt=True, readable=True),
    Damage(retype_a_column, oracle.CITY_DAILY, "contract integer", rebuilt=True),
    Damage(drop_a_required_column, oracle.CITY_DAILY, "is gone", rebuilt=True, readable=True),
    Damage(recase_a_column, oracle.CITY_DAILY, "is called", rebuilt=True),
    Damage(lose_the_first_commit, oracle.EPISODE, "of its log is gone", rebuilt=True),
    Damage(cut_a_commit, oracle.EPISODE, "of the table's log is damaged", rebuilt=True),
    Damage(nest_a_commit_too_deep, oracle.EPISODE, "of the table's log is damaged", rebuilt=True),
    Damage(empty_a_commit, oracle.FACT_HOURLY, "of its log is empty", rebuilt=True),
    Damage(cut_a_commit_that_is_read_no_more, oracle.SILVER, "of its log is cut off", rebuilt=True),
    Damage(fill_a_commit_with_zeros, oracle.CITY_DAILY, "of its log is cut off", rebuilt=True),
    Damage(lose_the_log, oracle.CITY_DAILY, "its log is gone", rebuilt=True),
    Damage(cut_the_checkpoint, oracle.BRONZE, "is damaged", rebuilt=True),
    Damage(lose_the_checkpoint, oracle.FACT_HOURLY, "is gone", rebuilt=True),
    Damage(cut_the_snapshot, oracle.SILVER),
    Damage(leave_files, oracle.SILVER),
]
