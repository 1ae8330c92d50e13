"""Files of a warehouse through fsspec, without a JVM: a folder, or HDFS (hdfs-native speaks its protocol)."""

from __future__ import annotations

import errno
import re
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
_SAID = (
    ("SafeModeException", errno.EROFS, "HDFS is in safe mode"),
    ("QuotaExceededException", errno.EDQUOT, "a quota of HDFS is used up"),
    ("DataTransferError", errno.EIO, "no DataNode of HDFS gives a block of it"),
)
"""What HDFS's errors are to a program, and in words, by what they say."""
_QUOTA = re.compile(r"quota (?:\(directories and files\) )?of (?:directory )?(\S+) is exceeded")
_METHODS = ("info", "ls", "mkdir", "makedirs", "mv", "rm", "rm_file", "rmdir", "cat_file", "pipe_file")


def open_files(uri: str) -> tuple[Any, str]:
    """The fsspec file system of ``uri`` (a folder, or a URI) and the path in it.

    Its ``mv`` replaces what is there; what goes wrong is an OSError, FileNotFoundError where there is nothing, and
    where HDFS refuses to write, or has lost a block, one with the errno for that (``_SAID``).
    """
    if urlsplit(uri).scheme != "hdfs":
        files, root = fsspec.core.url_to_fs(uri)
        return files, str(root)
    parts = urlsplit(uri)
    return _hdfs(parts.hostname, parts.port), parts.path.rstrip("/") or "/"


def remedy_of(error: OSError) -> str:
    """What helps where ``open_files``' file system refuses to write."""
    if error.errno == errno.EROFS:
        return "Call the command again when HDFS has left it (`hdfs dfsadmin -safemode get`)."
    if error.errno == errno.EDQUOT:
        return "Have the quota raised (`hdfs dfs -count -q -h -v` of that folder), then call the command again."
    return "Check that this user may write there."


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
            path = str(arguments[1]) if len(arguments) > 1 else ""
            for mark, number, what in _SAID:
                if mark in said:
                    of = _QUOTA.search(said) if number == errno.EDQUOT else None
                    raise OSError(number, f"{what}, that of {of[1]}" if of else what, path) from error
            kind = PermissionError if "AccessControlException" in said else OSError
            raise kind(said) from error

    return call
