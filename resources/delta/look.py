"""Inspects the folder of a table: whether the files that its log names are there with the right size, and whether the
log is complete.

One listing for each folder with live files; mostly that is one folder. No data file is opened, and no JVM is needed.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from orchestration.core.errors import WarehouseError, in_a_line
from orchestration.core.state.damage import LostFile, Trouble, as_folded, with_damage
from orchestration.core.state.table_state import FileSpan, TableState
from resources.delta.features import Features, trouble_of
from resources.delta.log import MOST, DeltaLog, commits_in
from resources.delta.mending import check_in_order, is_refused
from resources.delta.opening import open_table
from resources.delta.rows import BATCH_ROWS, local_path
from resources.storage.atomic_files import names_in
from resources.storage.files import open_files
from resources.storage.json_text import read_json
from resources.storage.patience import NoAnswer

PARQUET = b"PAR1"
_CHECKPOINT = re.compile(r"([0-9]{20})\.checkpoint\.(?:[0-9a-f-]{36}\.|([0-9]{10})\.([0-9]{10})\.)?(parquet|json)")
SPANS_NAMED = 3
_END_BYTES = 64
"""Of a commit, read to see whether it ends as commits do."""


def looked(key: str, log: DeltaLog, start: TableState | None, *, spark: bool) -> TableState:
    """The state of an asset's table by its log, with the damage that an inspection found.

    start: an earlier state to go on from. spark: whether Spark reads and writes the table. Raises OSError if its folder
    cannot be read.
    """
    state, error = log.state_as_far(None if start is None else as_folded(start))
    if state.version is None and error is None:
        if not log.snapshots.there():
            return state
        state = log.snapshots.newest(MOST) or state
    known = bool(state.records)
    if why := log_fault(log.uri) or ("" if error is None else in_a_line(error)) or cut_commit(log.uri):
        return with_damage(state, (), _trouble(key, log.uri, why, recorded=known))
    try:
        state = _whole(log.uri, state)
    except WarehouseError as unread:
        return with_damage(state, (), _trouble(key, log.uri, in_a_line(unread)))
    assert state.protocol is not None and state.properties is not None and state.schema is not None, "it is whole"
    features = Features.of_log(state.protocol, state.properties, state.schema)
    return with_damage(state, lost_files(log.uri, state.files), trouble_of(key, features, spark=spark))


def not_looked(key: str, log: DeltaLog, start: TableState | None, error: OSError) -> TableState:
    """The last known state of a table whose folder cannot be inspected, with the reason."""
    nothing = TableState()
    if error.errno == errno.ELOOP and (found := linked(key, log.uri, nothing)) is not nothing:
        return found
    remedy = f"`aqi repair {key} --rebuild` makes it anew."
    if isinstance(error, PermissionError):
        remedy = f"Give this user rights to read and write all that is in {log.uri}."
    elif error.errno == errno.EIO and "://" in log.uri:
        remedy = f"If its DataNodes do not come back (`hdfs fsck {urlsplit(log.uri).path}`), {remedy}"
    known, refused = start or log.last_known(), isinstance(error, PermissionError)
    what = f"the table of {key} cannot be read ({in_a_line(error)})"
    return with_damage(
        as_folded(known or TableState()), (), Trouble(what, remedy, recorded=known is not None, refused=refused)
    )


def _trouble(key: str, uri: str, why: str, *, recorded: bool = True) -> Trouble:
    what = why if why.startswith(uri) else f"{uri}: {why}"
    return Trouble(what.rstrip("."), f"`aqi repair {key} --rebuild` makes the table of {key} anew.", recorded=recorded)


def _whole(uri: str, state: TableState) -> TableState:
    """The state, with what older snapshots did not keep: sizes of files, and features. Raises WarehouseError."""
    known = state.protocol is not None and state.properties is not None and state.schema is not None
    if known and all(span.size is not None for span in state.files.values()):
        return state
    import pyarrow as pa
    from deltalake.exceptions import DeltaError

    try:
        table = open_table(uri, state.version)
        actions = pa.table(table.get_add_actions(flatten=True)).select(["path", "size_bytes"]).to_pylist()
    except (DeltaError, pa.ArrowException, OSError) as error:
        raise WarehouseError(f"{uri}: the table cannot be read ({in_a_line(error)[:300]})") from error
    sizes = {unquote(one["path"]): one["size_bytes"] for one in actions}
    files = {path: replace(span, size=sizes.get(unquote(path), span.size)) for path, span in state.files.items()}
    protocol, metadata = table.protocol(), table.metadata()
    said = {
        "minReaderVersion": protocol.min_reader_version,
        "minWriterVersion": protocol.min_writer_version,
        "readerFeatures": protocol.reader_features,
        "writerFeatures": protocol.writer_features,
    }
    return replace(
        state,
        files=files,
        schema=state.schema or table.schema().to_json(),
        description=state.description if state.schema else metadata.description,
        protocol=json.dumps({name: value for name, value in said.items() if value is not None}),
        properties=json.dumps(metadata.configuration),
    )


def linked(key: str, uri: str, state: TableState) -> TableState:
    """The state of a local table that does not exist; with the reason, if its folder is a link to nothing,
    or to itself."""
    folder = Path(local_path(uri))
    if not folder.is_symlink() or folder.exists():
        return state
    what = f"the folder of {key} is a link to {folder.readlink()}, where nothing is"
    remedy = f"Bring that back (a disk that is not mounted?), or remove the link {folder} and make the table anew."
    return with_damage(state, (), Trouble(what, remedy, recorded=False, refused=True))


def can_be_listed(uri: str) -> bool:
    """Whether a folder exists and can be listed."""
    files, root = open_files(uri)
    try:
        files.ls(root, detail=False)
        return bool(files.isdir(root))
    except OSError:
        return False


# Data files -----------------------------------------------------------------------------------------------------------


def lost_files(uri: str, live: Mapping[str, FileSpan]) -> tuple[LostFile, ...]:
    """The live files that are missing, or have another size than the log says. live: path → span.

    Files outside the table's folder are not checked. Raises OSError if the folder cannot be listed.
    """
    folders: dict[str, list[str]] = defaultdict(list)
    for path in live:
        if "://" not in path and not path.startswith("/"):
            folders[unquote(path).rpartition("/")[0]].append(path)
    files, root = open_files(uri)
    return tuple(
        LostFile(unquote(path), live[path], why)
        for folder, paths in sorted(folders.items())
        for there in [_sizes(files, f"{root}/{folder}".rstrip("/"))]
        for path in sorted(paths)
        if (why := _why_lost(there.get(unquote(path).rpartition("/")[2]), live[path].size))
    )


def check_files(uri: str, table: Any) -> None:
    """Check the files of a deltalake table on HDFS before reading it, as its client panics at a truncated file.

    Raises OSError if a file is not as the log says.
    """
    if not uri.startswith("hdfs://"):
        return
    import pyarrow as pa

    actions = pa.table(table.get_add_actions(flatten=True)).select(["path", "size_bytes"]).to_pylist()
    for lost in lost_files(uri, {one["path"]: FileSpan(size=one["size_bytes"]) for one in actions}):
        raise OSError(errno.EIO, lost.in_words, uri)


def _why_lost(there: int | None, size: int | None) -> str:
    if there is None:
        return "is gone"
    if size is None or there == size:
        return ""
    return f"{'is cut off' if there < size else 'is not as the log says'} ({there} of {size} bytes)"


def _sizes(files: Any, folder: str) -> dict[str, int]:
    """The sizes of the files in a folder by name; none where there is no folder."""
    try:
        listed = files.ls(folder, detail=True)
    except FileNotFoundError:
        return {}
    return {one["name"].rpartition("/")[2]: int(one["size"]) for one in listed if one["type"] == "file"}


# The log --------------------------------------------------------------------------------------------------------------


def log_fault(uri: str) -> str:
    """Why the log of a table cannot be read; empty if it can. Raises OSError."""
    files, root = open_files(uri)
    folder = f"{root}/_delta_log"
    return next(_wrong(files, folder, _sizes(files, folder)), "")


def _wrong(files: Any, folder: str, sizes: Mapping[str, int]) -> Iterator[str]:
    """sizes: of the files of the log by name, in bytes."""
    names = sorted(sizes)
    commits, checkpoints = commits_in(names), _checkpoints(names)
    last = max(checkpoints, default=-1)
    if not commits and not checkpoints:
        yield "its log is gone"
    behind = _behind(commits, checkpoints)
    gone = [(before + 1, after - 1) for before, after in pairwise([last, *behind]) if after > before + 1]
    if gone:
        first, end = gone[0]
        several = len(gone) > 1 or end > first
        named = ", ".join(map(_span_in_words, gone[:SPANS_NAMED])) + (", …" if len(gone) > SPANS_NAMED else "")
        yield f"version{'s' if several else ''} {named} of its log {'are' if several else 'is'} gone"
    empty = [version for version in behind if not sizes[f"{version:020d}.json"]]
    if empty:
        yield f"version {empty[0]} of its log is empty"
    if "_last_checkpoint" in names:
        hinted = _hinted(files, f"{folder}/_last_checkpoint")
        if hinted is not None and hinted not in checkpoints:
            yield f"the checkpoint of version {hinted} of its log is gone"
    for name in checkpoints.get(last, ()):
        if name.endswith(".parquet") and not _is_parquet(files, f"{folder}/{name}"):
            yield f"the checkpoint of version {last} of its log is damaged ({name})"


def cut_commit(uri: str) -> str:
    """Which commit that readers need does not end as commits do, as after a loss of power; empty if all do.

    It reads the end of each, as nobody else does where a snapshot covers a commit. Only of a folder of this machine:
    HDFS keeps files whole, and checks them with every read.
    """
    if urlsplit(uri).scheme not in ("", "file"):
        return ""
    files, root = open_files(uri)
    names = names_in(files, f"{root}/_delta_log")
    for version in _behind(commits_in(names), _checkpoints(names)):
        if not _ends_well(Path(root, "_delta_log", f"{version:020d}.json")):
            return f"version {version} of its log is cut off"
    return ""


def _ends_well(path: Path) -> bool:
    """Whether a commit ends as an action does, as it may not after a loss of power; true of one that cannot be read."""
    try:
        with path.open("rb") as commit:
            commit.seek(max(0, commit.seek(0, os.SEEK_END) - _END_BYTES))
            return commit.read().rstrip().endswith(b"}")
    except OSError:
        return True


def _span_in_words(span: tuple[int, int]) -> str:
    return str(span[0]) if span[0] == span[1] else f"{span[0]} to {span[1]}"


def _behind(commits: Iterable[int], checkpoints: Collection[int]) -> list[int]:
    """The commits that readers need: those after the last checkpoint."""
    last = max(checkpoints, default=-1)
    return [version for version in commits if version > last]


def _checkpoints(names: Sequence[str]) -> dict[int, list[str]]:
    """Version → the files of its checkpoint, for checkpoints that are complete."""
    found: dict[int, list[str]] = defaultdict(list)
    parts: dict[int, int] = {}
    for name in names:
        if read := _CHECKPOINT.fullmatch(name):
            found[int(read[1])].append(name)
            parts[int(read[1])] = int(read[3] or 1)
    return {version: of for version, of in found.items() if len(of) >= parts[version]}


def _hinted(files: Any, path: str) -> int | None:
    """The version of the checkpoint that Delta's own hint names; None for a file that is no hint."""
    try:
        return int(read_json(files.cat_file(path))["version"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _is_parquet(files: Any, path: str) -> bool:
    """Whether a file begins and ends like a Parquet file, with a possible footer."""
    try:
        size = int(files.info(path)["size"])
        if size < 12:
            return False
        head, tail = files.cat_file(path, start=0, end=4), files.cat_file(path, start=size - 8, end=size)
    except FileNotFoundError:
        return False
    return head == tail[4:] == PARQUET and int.from_bytes(tail[:4], "little") <= size - 12


# Every row ------------------------------------------------------------------------------------------------------------


class Unread(NamedTuple):
    """Live files of which not every row can be read."""

    lost: tuple[LostFile, ...] = ()
    """The files that are lost."""
    refused: tuple[LostFile, ...] = ()
    """The files that this user may not read, or that are temporarily not available."""


def unreadable_files(uri: str, live: Mapping[str, FileSpan], known: Collection[str] = ()) -> Unread:
    """The live files of which not every row can be read. Each is read to its end. known: files that are skipped.

    Raises WarehouseError if HDFS is in trouble, since then an unreadable file is not lost.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    files, root = open_files(uri)
    lost: list[LostFile] = []
    refused: list[LostFile] = []
    for path, span in sorted(live.items()):
        name = unquote(path)
        if name in known or "://" in path or path.startswith("/"):
            continue
        try:
            with files.open(f"{root}/{name}", "rb") as opened, pq.ParquetFile(opened) as file:
                for _ in file.iter_batches(BATCH_ROWS):
                    pass
        except NoAnswer:
            raise
        except (OSError, RuntimeError, pa.ArrowException) as error:  # hdfs-native
            one = LostFile(name, span, f"cannot be read ({in_a_line(error)[:200]})")
            (refused if is_refused(error) else lost).append(one)
    if lost:
        check_in_order(uri, f"{len(lost)} of the {len(live)} files of {root}")
    return Unread(tuple(lost), tuple(refused))


def log_trouble(key: str, uri: str) -> Trouble | None:
    """What is wrong with the commits that readers of a table need; None if nothing is. Each of these commits is read.

    Of commits that a snapshot covers, an inspection (``looked``) reads at most the ends. Raises WarehouseError if the
    file system is in trouble.
    """
    files, root = open_files(uri)
    names, log = names_in(files, f"{root}/_delta_log"), DeltaLog(uri)
    for version in log.versions(max(_checkpoints(names), default=-1)):
        try:
            log.actions(version)
        except NoAnswer:
            raise
        except (OSError, ValueError) as error:
            if is_refused(error):
                raise WarehouseError(f"version {version} of the log of {root}: {in_a_line(error)}") from error
            check_in_order(uri, f"version {version} of the log of {root}")
            return _trouble(key, uri, f"version {version} of its log cannot be read ({in_a_line(error)[:200]})")
    return None
