"""A Delta table's commit files, written by hand as Delta's protocol has them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem

from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.partitions.scheme import PartitionColumns
from orchestration.core.state.provenance import Provenance, dumps
from resources.delta.log import PROVENANCE_FOLDER, DeltaLog
from resources.delta.snapshot_files import FORMAT_2
from tests.support.records import AT, RECORD, key

Action = dict[str, Any]

CREATED: tuple[Action, ...] = (
    {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
    {"metaData": {"id": "1", "schemaString": "{}", "partitionColumns": []}},
)


class Table:
    """A table's folder, written action by action."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = DeltaLog(str(folder), PartitionColumns("date_utc", "location_key"))

    def commit_file(self, version: int) -> Path:
        return self.folder / "_delta_log" / f"{version:020d}.json"

    def commit(self, version: int, *actions: Action) -> None:
        file = self.commit_file(version)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(json.dumps(action) + "\n" for action in actions), encoding="utf-8")

    def ours(
        self, version: int, *days: int, actions: tuple[Action, ...] = (), wiped: PartitionSet | None = None
    ) -> None:
        """A commit of ours that records days of August 2025 in Hue."""
        records = {key(day): RECORD for day in days}
        said = Provenance("run-1", "gold.hours", AT, records, wiped or PartitionSet.empty())
        self.commit(version, info(dumps(said.to_json())), *actions)

    def kept(self) -> list[str]:
        """The names of the snapshots, and of whatever lies beside them; the mark of their format aside."""
        folder = self.folder / PROVENANCE_FOLDER
        return sorted(file.name for file in folder.iterdir() if file.name != FORMAT_2) if folder.is_dir() else []

    def file(self, name: str) -> Path:
        """A file beside the snapshots."""
        return self.folder / PROVENANCE_FOLDER / name


def info(metadata: str | None = None) -> Action:
    told: dict[str, Any] = {"timestamp": 1, "operation": "WRITE"}
    return {"commitInfo": told if metadata is None else told | {"userMetadata": metadata}}


def stats(first: str, last: str, low: str = "hue", high: str = "hue") -> str:
    least, most = {"date_utc": first, "location_key": low}, {"date_utc": last, "location_key": high}
    return json.dumps({"numRecords": 24, "minValues": least, "maxValues": most, "nullCount": {"aqi": 3}})


def add(path: str, statistics: str | None = None, **more: Any) -> Action:
    told: Action = {"path": path, "partitionValues": {}, "size": 1, "modificationTime": 1, "dataChange": True}
    return {"add": told | ({} if statistics is None else {"stats": statistics}) | more}


def remove(path: str, **more: Any) -> Action:
    return {"remove": {"path": path, "deletionTimestamp": 1, "dataChange": True} | more}


def after_listing(folder: Path, then: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the next listing of ``folder`` and what follows from it, ``then`` happens."""
    listed, left = LocalFileSystem.ls, [then]

    def ls(files: Any, path: str, *arguments: Any, **named: Any) -> Any:
        found = listed(files, path, *arguments, **named)
        if left and Path(path) == folder:
            left.pop()()
        return found

    monkeypatch.setattr(LocalFileSystem, "ls", ls)


def append_with_int96(uri: str, rows: Any, name: str = "part-legacy.parquet") -> None:
    """A commit with a file as Spark wrote them before this project chose microseconds. rows: an Arrow table."""
    import pyarrow.parquet as pq
    from deltalake import DeltaTable
    from deltalake.transaction import AddAction

    path = Path(uri) / name
    pq.write_table(rows, path, use_deprecated_int96_timestamps=True)
    table = DeltaTable(uri)
    file = AddAction(name, path.stat().st_size, {}, 0, True, json.dumps({"numRecords": rows.num_rows}))
    table.create_write_transaction([file], "append", table.schema())
