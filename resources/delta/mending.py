"""Tables with lost files: they are read without these files, and mended by a commit that takes the files out of the
log."""

from __future__ import annotations

import errno
import time
from collections.abc import Collection, Iterable
from typing import Any
from urllib.parse import unquote

from orchestration.core.errors import CommitConflict, WarehouseError, in_a_line
from resources.delta.opening import open_table
from resources.machine import failpoints
from resources.storage.atomic_files import names_in, try_to_write
from resources.storage.files import open_files, remedy_of
from resources.storage.patience import NoAnswer


def check_writable(key: str, uri: str) -> None:
    """Finds out what HDFS refuses before deltalake writes, as its client panics in the middle. Raises
    WarehouseError.
    """
    try:
        try_to_write(*open_files(uri))
    except OSError as error:
        of = "" if key == uri else f"{key}: "
        raise WarehouseError(f"{of}{uri} cannot be written ({in_a_line(error)})", remedy_of(error)) from error


def check_in_order(uri: str, unread: str) -> None:
    """Finds out whether something unreadable on HDFS is lost, or only temporarily not available. unread: what it is,
    for people.

    Raises WarehouseError if HDFS cannot store and return a few bytes, or if DataNodes are away that may come back. A
    folder of this machine always passes.
    """
    if not uri.startswith("hdfs://"):
        return
    from resources.hadoop.datanodes import datanodes_gone

    why, more = "", ""
    try:
        try_to_write(*open_files(uri), read_back=True)
    except OSError as error:
        why = in_a_line(error)
        more = remedy_of(error) if error.errno in (errno.EROFS, errno.EDQUOT) else ""
    gone = 0 if why else datanodes_gone(uri)
    if gone:
        why = f"{gone} of its DataNodes {'is' if gone == 1 else 'are'} gone"
        more = "One that never comes back is taken off the cluster (dfs.hosts.exclude, `-refreshNodes`)."
    if why:
        raise WarehouseError(
            f"{unread} cannot be read, and HDFS is in trouble ({why}): nothing is taken for lost",
            f"Look at `hdfs dfsadmin -report`, and call again when its DataNodes are back. {more}".rstrip(),
        )


def take_out(uri: str, paths: Iterable[str], commit_metadata: str, version: int | None) -> None:
    """One commit that takes files out of the log of the table at ``uri`` and adds none. Needs no JVM.

    paths: as in the log. The files themselves stay for vacuum. version: on which this was decided. Raises
    CommitConflict if another commit came first, WarehouseError if nobody can commit.
    """
    from deltalake import CommitProperties
    from deltalake.exceptions import CommitFailedError, DeltaError
    from deltalake.transaction import RemoveAction

    from resources.delta.warehouse import no_hooks

    if "://" in uri:
        check_writable(uri, uri)
    table, now = open_table(uri), time.time_ns() // 1_000_000
    conflict = CommitConflict(f"{uri}: another run has committed to the table", "Call the command again.")
    if table.version() != version:
        raise conflict
    actions: list[Any] = [RemoveAction(path=path, data_change=True, deletion_timestamp=now) for path in paths]
    failpoints.reach("before-commit")
    try:
        table.create_write_transaction(
            actions=actions,
            mode="append",
            schema=table.schema(),
            commit_properties=CommitProperties(custom_metadata={"userMetadata": commit_metadata}, max_commit_retries=0),
            post_commithook_properties=no_hooks(),
        )
    except CommitFailedError as error:
        raise not_committed(uri, table.version(), conflict, error) from error
    except DeltaError as error:
        raise WarehouseError(f"{uri}: {in_a_line(error)[:300]}") from error


def not_committed(uri: str, before: int, conflict: CommitConflict, error: Exception) -> WarehouseError:
    """Why deltalake could not commit to a table that was at version ``before``. Its error is the same for a file system
    that refuses and for another run that came first; only in the latter case there is a newer version."""
    try:
        files, root = open_files(uri)
        if f"{before + 1:020d}.json" in names_in(files, f"{root}/_delta_log"):
            return conflict
        try_to_write(files, f"{root}/_delta_log")
    except OSError as refused:
        return WarehouseError(f"{uri} cannot be written ({in_a_line(refused)})", remedy_of(refused))
    return WarehouseError(f"{uri}: {in_a_line(error)[:300]}", "Call the command again; `aqi doctor` looks for more.")


def without_files(dataset: Any, paths: Collection[str]) -> Any:
    """The Arrow data set of a table without some of its files. paths: in the table's folder."""
    from pyarrow.dataset import FileSystemDataset

    fragments = [one for one in dataset.get_fragments() if unquote(one.path) not in paths]
    return FileSystemDataset(fragments, dataset.schema, dataset.format, dataset.filesystem)


def unreadable(key: str, version: int | None, error: Exception) -> WarehouseError:
    """The error of an asset's table that cannot be read."""
    return WarehouseError(
        f"{key}: its table cannot be read at version {version} ({in_a_line(error)[:300]})",
        how_to_mend(key, error),
    )


def is_refused(error: Exception) -> bool:
    """Whether a file could not be read for lack of permission, or because nobody answers. Then it may be undamaged."""
    if isinstance(error, PermissionError | ConnectionError | TimeoutError):
        return True
    return any(word in str(error) for word in ("Permission denied", "AccessControlException"))


def how_to_mend(key: str, error: Exception) -> str:
    """What to do about a table that could not be read, whatever an inspection says: that does not open files."""
    if isinstance(error, NoAnswer):
        return error.remedy
    if is_refused(error):
        return f"Give this user rights to read and write all that is in the folder of {key}."
    return (
        f"`aqi status {key}` says what is wrong with it; `aqi repair {key}` mends lost files, with --rebuild the rest. "
        f"Where status calls it fresh, a file was written over, or is there and cannot be read: `aqi repair {key} "
        "--verify`."
    )
