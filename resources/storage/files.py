"""Files of a warehouse through fsspec, without a JVM: a folder, or HDFS (hdfs-native speaks its protocol)."""

from __future__ import annotations

from functools import cache, wraps
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import fsspec

if TYPE_CHECKING:
    from collections.abc import Callable

_PATIENCE = {
    "dfs.client.failover.max.attempts": "4",
    "dfs.client.failover.sleep.base.millis": "250",
    "dfs.client.failover.sleep.max.millis": "2000",
}
"""Hadoop's own defaults wait for three minutes for a NameNode that is gone."""
_METHODS = ("info", "ls", "mkdir", "makedirs", "mv", "rm", "rm_file", "rmdir", "cat_file", "pipe_file")


def open_files(uri: str) -> tuple[Any, str]:
    """The fsspec file system of ``uri`` (a folder, or a URI) and the path in it.

    Its ``mv`` replaces what is there; what goes wrong is an OSError, FileNotFoundError where there is nothing.
    """
    if urlsplit(uri).scheme != "hdfs":
        files, root = fsspec.core.url_to_fs(uri)
        return files, str(root)
    parts = urlsplit(uri)
    return _hdfs(parts.hostname, parts.port), parts.path.rstrip("/") or "/"


@cache
def _hdfs(host: str | None, port: int | None) -> Any:
    from hdfs_native.fsspec import HdfsFileSystem

    class Hdfs(HdfsFileSystem):
        """hdfs-native, with a move that replaces, and errors of HDFS as OSError."""

        cachable = False
        """Or a child that is forked would hang: fsspec clears its cache there, and hdfs-native waits for threads that
        no child has."""

        def mv(self, path1: str, path2: str, **_options: Any) -> None:
            super().mv(path1, path2, overwrite=True)

    for name in _METHODS:
        setattr(Hdfs, name, _as_os_errors(getattr(Hdfs, name)))
    return Hdfs(host, port, **_PATIENCE)


def _as_os_errors(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def call(*arguments: Any, **named: Any) -> Any:
        try:
            return method(*arguments, **named)
        except RuntimeError as error:
            said = str(error).replace("\\n", "\n").splitlines()[0][:300]
            kind = PermissionError if "AccessControlException" in said else OSError
            raise kind(said) from error

    return call
