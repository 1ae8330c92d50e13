"""Tables of which files are lost: read without them, and mended by a commit that takes them out of the log."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from typing import Any
from urllib.parse import unquote

from orchestration.core.errors import CommitConflict, WarehouseError, in_a_line
from resources.delta.opening import open_table
from resources.machine import crash_points
from resources.storage.files import open_files, remedy_of
from resources.storage.whole_files import try_to_write


def check_writable(key: str, uri: str) -> None:
    """Find out what HDFS refuses before deltalake does, whose client panics in mid-write. Raises WarehouseError."""
    try:
        try_to_write(*open_files(uri))
    except OSError as error:
        raise WarehouseError(f"{key}: {uri} cannot be written ({in_a_line(error)})", remedy_of(error)) from error


def take_out(uri: str, paths: Iterable[str], commit_metadata: str, version: int | None) -> None:
    """One commit that takes files out of the log of the table at ``uri``, and adds none; needs no JVM.

    paths: as the log has them. What is left of the files stays, for vacuum. version: on which this was decided.
    Raises CommitConflict where another commit came first, WarehouseError where nobody can commit.
    """
    from deltalake import CommitProperties
    from deltalake.exceptions import CommitFailedError, DeltaError
    from deltalake.transaction import RemoveAction

    from resources.delta.warehouse import no_hooks

    table, now = open_table(uri), time.time_ns() // 1_000_000
    conflict = CommitConflict(f"{uri}: another run has committed to the table", "Call the command again.")
    if table.version() != version:
        raise conflict
    actions: list[Any] = [RemoveAction(path=path, data_change=True, deletion_timestamp=now) for path in paths]
    crash_points.reach("before-commit")
    try:
        table.create_write_transaction(
            actions=actions,
            mode="append",
            schema=table.schema(),
            commit_properties=CommitProperties(custom_metadata={"userMetadata": commit_metadata}, max_commit_retries=0),
            post_commithook_properties=no_hooks(),
        )
    except CommitFailedError as error:
        raise conflict from error
    except DeltaError as error:
        raise WarehouseError(f"{uri}: {in_a_line(error)[:300]}") from error


def without_files(dataset: Any, paths: Collection[str]) -> Any:
    """Arrow's data set of a table without some of its files. paths: in the table's folder."""
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
    """Whether a file could not be read because of rights, or because nobody answers: it may be as it should."""
    if isinstance(error, PermissionError | ConnectionError | TimeoutError):
        return True
    return any(word in str(error) for word in ("Permission denied", "AccessControlException"))


def how_to_mend(key: str, error: Exception) -> str:
    """What to do about a table that could not be read, whatever a look says of it: a look opens no file."""
    if is_refused(error):
        return f"Give this user rights to read and write all that is in the folder of {key}."
    return (
        f"`aqi status {key}` says what is wrong with it; `aqi repair {key}` mends lost files, with --rebuild the rest. "
        f"Where status calls it fresh, a file was written over, or is there and cannot be read: `aqi repair {key} "
        "--verify`."
    )
