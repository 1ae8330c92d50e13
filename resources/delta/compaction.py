"""Compaction and clean-up of one Delta table, without a JVM: small files are joined, removed ones deleted, the log is
kept short.

Nothing here changes a row or a partition's state. Small files are joined by month, with the rows ordered by day and
location, so that a file holds few days. deltalake's own compaction joins files by the time of their commits, whatever
days they hold, and its Z-order rewrites the whole table each time.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import re
import time
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple

from orchestration.core.errors import WarehouseError
from orchestration.core.partitions.scheme import PartitionColumns
from orchestration.core.state.provenance import is_ours
from resources.delta.log import PROVENANCE_FOLDER, DeltaLog
from resources.delta.opening import open_table
from resources.delta.warehouse import ROWS_PER_FILE, no_hooks
from resources.storage.atomic_files import names_in, unfinished
from resources.storage.files import open_files

SMALL_FILES = 10
SMALL_ROWS = ROWS_PER_FILE // 4
COMMITS_BETWEEN_CHECKPOINTS = 10
NOT_OURS = frozenset({"deletionVectors", "columnMapping"})
"""Table features with which the rows of a file are not simply rows of the table."""
COMPACTION = "aqi maintenance: small files put together"


class SmallFile(NamedTuple):
    """A small data file. first_day, last_day: by its statistics."""

    path: str
    rows: int
    first_day: date
    last_day: date


class TableFiles:
    """The files of the table at ``uri``. columns: None for an unpartitioned table.

    small_files: at least this many are worth joining. between_checkpoints: a checkpoint is due after this many commits.
    """

    def __init__(
        self,
        uri: str,
        columns: PartitionColumns | None,
        *,
        small_files: int = SMALL_FILES,
        between_checkpoints: int = COMMITS_BETWEEN_CHECKPOINTS,
    ) -> None:
        self.uri = uri
        self._small_files, self._between_checkpoints = small_files, between_checkpoints
        self._columns = columns
        self._files, self._root = open_files(uri)

    # Small files ------------------------------------------------------------------------------------------------

    def groups(self, before: date) -> list[list[SmallFile]]:
        """Small files that are worth joining, a group for each new file; only files of days ``before`` the given one.

        Empty if the table has too few of them, or features that this project does not know.
        """

        table = open_table(self.uri)
        features = set(table.protocol().reader_features or ())
        if self._columns is None or table.metadata().partition_columns or features & NOT_OURS:
            return []
        found = [group for group in _groups(self._small(table), before) if len(group) > 1]
        return found if sum(map(len, found)) >= self._small_files else []

    def _small(self, table: Any) -> list[SmallFile]:
        import pyarrow as pa

        assert self._columns is not None
        day = self._columns.day
        found = []
        for file in pa.table(table.get_add_actions(flatten=True)).to_pylist():
            path, rows, first, last = (file.get(of) for of in ("path", "num_records", f"min.{day}", f"max.{day}"))
            lies_here = isinstance(path, str) and not path.startswith("/") and "%" not in path and "://" not in path
            if lies_here and rows and rows <= SMALL_ROWS and isinstance(first, date) and isinstance(last, date):
                found.append(SmallFile(path, rows, first, last))
        return found

    def compact(self, groups: Sequence[Sequence[SmallFile]]) -> None:
        """One commit that changes nothing but the files: each of ``groups`` becomes one file.

        Raises CommitFailedError, and changes nothing, if another run has committed meanwhile.
        """
        from deltalake import CommitProperties
        from deltalake.transaction import AddAction, RemoveAction

        table = open_table(self.uri)
        there = {file.path for file in self._small(table)}
        now = time.time_ns() // 1_000_000
        actions: list[Any] = []
        for group in groups:
            if not there.issuperset(file.path for file in group):
                raise WarehouseError(f"{self.uri}: another run has changed the table", "Call the command again.")
            rows = self._read(table, group)
            path, size = self._write(rows)
            actions.append(AddAction(path, size, {}, now, False, self._statistics(rows)))
            actions += [RemoveAction(path=file.path, data_change=False, deletion_timestamp=now) for file in group]
        table.create_write_transaction(
            actions=actions,
            mode="append",
            schema=table.schema(),
            commit_properties=CommitProperties(custom_metadata={"userMetadata": COMPACTION}, max_commit_retries=0),
            post_commithook_properties=no_hooks(),
        )

    def _read(self, table: Any, group: Iterable[SmallFile]) -> Any:
        """The rows of a group, ordered by day and location, in the table's columns and types.

        A column that was added after a file was written is null in its rows.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        assert self._columns is not None
        schema = pa.schema(table.schema())
        parts = []
        for file in group:
            part = pq.read_table(pa.BufferReader(self._files.cat_file(f"{self._root}/{file.path}")))
            if part.num_rows != file.rows:
                raise WarehouseError(f"{self.uri}: {file.path} has {part.num_rows} rows, its log says {file.rows}")
            for field in schema:
                if field.name not in part.schema.names:
                    part = part.append_column(field, pa.nulls(part.num_rows, field.type))
            parts.append(part.select(schema.names).cast(schema))
        by = [(column, "ascending") for column in self._columns]
        return pa.concat_tables(parts).sort_by(by)

    def _write(self, rows: Any) -> tuple[str, int]:
        import pyarrow.parquet as pq

        content = io.BytesIO()
        pq.write_table(rows, content, compression="snappy", store_schema=False)
        path = f"part-00000-{uuid.uuid4()}-c000.snappy.parquet"
        self._files.pipe_file(f"{self._root}/{path}", content.getvalue())
        return path, content.tell()

    def _statistics(self, rows: Any) -> str:
        """A file's statistics as Delta's protocol writes them: of days, instants, integers and the location."""
        import pyarrow as pa
        import pyarrow.compute as pc

        assert self._columns is not None
        least, most, nulls = {}, {}, {}
        for field in rows.schema:
            if pa.types.is_nested(field.type):
                continue
            column, kind = rows[field.name], field.type
            nulls[field.name] = column.null_count
            ordered = pa.types.is_date(kind) or pa.types.is_timestamp(kind) or pa.types.is_integer(kind)
            if column.null_count < rows.num_rows and (ordered or field.name == self._columns.location):
                ends = pc.min_max(column).as_py()
                least[field.name], most[field.name] = _as_json(ends["min"]), _as_json(ends["max"], up=True)
        return json.dumps({"numRecords": rows.num_rows, "minValues": least, "maxValues": most, "nullCount": nulls})

    def join_all(self) -> int:
        """deltalake's own compaction, for a table that has no partition states. Gives the number of replaced files."""

        table = open_table(self.uri)
        return int(table.optimize.compact()["numFilesRemoved"]) if len(table.file_uris()) >= self._small_files else 0

    # Files that nothing needs -----------------------------------------------------------------------------------

    def vacuum(self, retention_hours: float, *, dry_run: bool = False) -> int:
        """Delete files that left the table, or never belonged to it, this many hours ago. Gives their number.

        Folders whose names begin with ``_`` are left alone.
        """

        table = open_table(self.uri)
        hours = math.ceil(retention_hours)
        gone = table.vacuum(hours, dry_run=True, enforce_retention_duration=False, full=True)
        if gone and not dry_run:
            gone = table.vacuum(
                hours, dry_run=False, enforce_retention_duration=False, full=True, post_commithook_properties=no_hooks()
            )
            self._remove(_checksum(f"{self._root}/{path}") for path in gone)
        return len(gone)

    # The log ----------------------------------------------------------------------------------------------------

    def checkpoint(self, *, dry_run: bool = False) -> bool:
        """Write a Delta checkpoint, if the last one is old enough. Gives whether that was so."""

        table = open_table(self.uri)
        log = f"{self._root}/_delta_log"
        found = (re.match(r"([0-9]{20})\.checkpoint\.", name) for name in names_in(self._files, log))
        last = max((int(name[1]) for name in found if name), default=-1)
        if table.version() - last < self._between_checkpoints:
            return False
        if not dry_run:
            table.create_checkpoint()
            # Hadoop would check the new file against the checksum of the one that it wrote there itself.
            self._remove([_checksum(f"{log}/_last_checkpoint")])
        return True

    def clean_log(self) -> int:
        """Remove commits that Delta's log need not keep any more (``delta.logRetentionDuration``). Gives their number.

        Only for a table with a snapshot of its state.
        """

        log = f"{self._root}/_delta_log"
        before = set(names_in(self._files, log))
        open_table(self.uri).cleanup_metadata()
        gone = before - set(names_in(self._files, log))
        self._remove(_checksum(f"{log}/{name}") for name in gone)
        return sum(name.endswith(".json") for name in gone)

    def unneeded_provenance(self, log: DeltaLog, older_than: datetime) -> list[str]:
        """Provenance files, written before ``older_than``, that no commit in the log names.

        Snapshots hold what commits say, so they need no such file. Unfinished files of killed writers are included.
        """
        folder = f"{self._root}/{PROVENANCE_FOLDER}"
        names = [name for name in names_in(self._files, folder) if re.fullmatch(r"[0-9a-f]{64}\.json", name)]
        old = [name for name in names if self._modified(f"{folder}/{name}") < older_than]
        left = [name for name in unfinished(self._files, folder) if self._modified(f"{folder}/{name}") < older_than]
        needed = {f"{digest}.json" for digest in _named(log)} if old else set()
        return [f"{folder}/{name}" for name in (*old, *left) if name not in needed]

    def remove_provenance(self, paths: Iterable[str]) -> None:
        self._remove(paths)

    def _modified(self, path: str) -> datetime:
        """When a file was written; the present time if it is gone."""
        try:
            info = self._files.info(path)
        except FileNotFoundError:
            return datetime.now(UTC)
        if "mtime" in info:
            return datetime.fromtimestamp(info["mtime"], UTC)
        return datetime.fromtimestamp(info["modification_time"] / 1000, UTC)  # HDFS

    def _remove(self, paths: Iterable[str]) -> None:
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                self._files.rm_file(path)


def _groups(files: Iterable[SmallFile], before: date) -> list[list[SmallFile]]:
    """Files of the same month, by day, in groups that do not become too large."""
    fit = [file for file in files if file.last_day < before and _month(file.first_day) == _month(file.last_day)]
    groups: list[list[SmallFile]] = []
    for _, of_month in groupby(sorted(fit, key=lambda file: file[2:]), key=lambda file: _month(file.first_day)):
        rows = ROWS_PER_FILE
        for file in of_month:
            if rows + file.rows > ROWS_PER_FILE:
                groups.append([])
                rows = 0
            groups[-1].append(file)
            rows += file.rows
    return groups


def _month(day: date) -> tuple[int, int]:
    return day.year, day.month


def _named(log: DeltaLog) -> set[str]:
    """The digests of the provenance files that commits in the log name."""
    named = set()
    for version in log.versions():
        with contextlib.suppress(FileNotFoundError):  # removed since it was listed
            for action in log.actions(version):
                metadata = action.get("commitInfo", {}).get("userMetadata")
                if is_ours(metadata):
                    named.add(json.loads(metadata).get("file", ""))
    return named


def _as_json(value: Any, *, up: bool = False) -> Any:
    """A value as in a file's statistics, where instants have milliseconds. up: rounded up, for the end of a range."""
    if isinstance(value, datetime):
        instant = value.astimezone(UTC)
        if up and instant.microsecond % 1000:
            instant += timedelta(milliseconds=1)
        return instant.strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant.microsecond // 1000:03d}Z"
    return value.isoformat() if isinstance(value, date) else value


def _checksum(path: str) -> str:
    """The path at which Hadoop's local file system keeps the checksum of a file."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/.{name}.crc"
