"""Opens the file system of a warehouse by fsspec, without a JVM: a local folder, or HDFS by the client hdfs-native."""

from __future__ import annotations

import errno
import re
from functools import cache, wraps
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import fsspec

from resources.storage.patience import NoAnswer, answered

if TYPE_CHECKING:
    from collections.abc import Callable

_PATIENCE = {
    "dfs.client.failover.max.attempts": "4",
    "dfs.client.failover.sleep.base.millis": "250",
    "dfs.client.failover.sleep.max.millis": "2000",
}
"""Settings of HDFS's client. With Hadoop's defaults it waits three minutes for a NameNode that is gone."""
_SAID = (
    ("SafeModeException", errno.EROFS, "HDFS is in safe mode"),
    ("QuotaExceededException", errno.EDQUOT, "a quota of HDFS is used up"),
    ("DataTransferError", errno.EIO, "no DataNode of HDFS gives a block of it"),
)
"""(a mark in the text of an error of HDFS, its errno, what is wrong in words)."""
_QUOTA = re.compile(r"quota (?:\(directories and files\) )?of (?:directory )?(\S+) is exceeded")
_PART = 16 << 20
"""Files are read and written in parts of at most this many bytes. Each part has to be answered in time."""
_METHODS = ("info", "ls", "mkdir", "makedirs", "mv", "rm", "rm_file", "rmdir", "cat_file", "pipe_file")
"""The methods whose errors are turned into OSError."""


def open_files(uri: str) -> tuple[Any, str]:
    """The fsspec file system of ``uri`` (a folder, or a URI), and the path of ``uri`` in it.

    The file system's ``mv`` replaces a file that exists. All its errors are OSErrors: FileNotFoundError for a path that
    does not exist; one with an errno of ``_SAID`` where HDFS refuses to write or has lost a block;
    ``patience.NoAnswer`` where HDFS does not answer.
    """
    if urlsplit(uri).scheme != "hdfs":
        files, root = fsspec.core.url_to_fs(uri)
        return files, str(root)
    parts = urlsplit(uri)
    return _hdfs(parts.hostname, parts.port), parts.path.rstrip("/") or "/"


def remedy_of(error: OSError) -> str:
    """The remedy for an error of writing on a file system of `open_files`."""
    if error.errno == errno.EROFS:
        return "Call the command again when HDFS has left it (`hdfs dfsadmin -safemode get`)."
    if error.errno == errno.EDQUOT:
        return "Have the quota raised (`hdfs dfs -count -q -h -v` of that folder), then call the command again."
    if isinstance(error, NoAnswer):
        return error.remedy
    return "Check that this user may write there."


@cache
def _hdfs(host: str | None, port: int | None) -> Any:
    from hdfs_native.fsspec import HdfsFileSystem

    class Hdfs(HdfsFileSystem):
        """The file system of hdfs-native, whose ``mv`` replaces a file, and whose errors are OSErrors."""

        cachable = False
        """fsspec does not cache it. In a forked child fsspec clears its cache, and hdfs-native would then wait for ever
        for threads that the child does not have."""

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.client: Any = _Patient(self.client, f"hdfs://{host or ''}{f':{port}' if port else ''}")

        def mv(self, path1: str, path2: str, **_options: Any) -> None:
            super().mv(path1, path2, overwrite=True)

    for name in _METHODS:
        setattr(Hdfs, name, _as_os_errors(getattr(Hdfs, name)))
    return Hdfs(host, port, **_PATIENCE)


def _as_os_errors(method: Callable[..., Any]) -> Callable[..., Any]:
    """``method``, raising OSError in place of hdfs-native's RuntimeError."""

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


class _Patient:
    """hdfs-native's client with a time limit for its calls and for those of the files that it opens, see
    ``patience``."""

    def __init__(self, client: Any, uri: str) -> None:
        self._client = client
        self._uri = uri

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(*arguments: Any, **named: Any) -> Any:
            path = str(arguments[0]) if arguments else self._uri
            given = answered(self._uri, path, lambda: method(*arguments, **named))
            if name == "list_status":  # its result asks HDFS while it is iterated over
                return answered(self._uri, path, lambda: list(given))
            return _file(given, self._uri, path) if name in ("read", "create", "append") else given

        return call


def _file(opened: Any, uri: str, path: str) -> Any:
    """``opened``, an open file of hdfs-native, that is now read or written in parts; each part has a time limit."""
    from hdfs_native import FileReader, FileWriter

    class Reader(FileReader):
        """A file that is read in parts."""

        def read(self, size: int = -1) -> bytes:
            left = len(self) - self.tell() if size < 0 else size
            parts = []
            while left > 0 and (part := self._part(min(left, _PART))):
                parts.append(part)
                left -= len(part)
            return b"".join(parts)

        def _part(self, size: int) -> bytes:
            return answered(uri, path, lambda: self.inner.read(size))

    class Writer(FileWriter):
        """A file that is written in parts."""

        def write(self, buf: Any) -> int:
            view = memoryview(buf).cast("B")
            for start in range(0, len(view), _PART):
                self._part(bytes(view[start : start + _PART]))
            return len(view)

        def _part(self, part: bytes) -> None:
            answered(uri, path, lambda: self.inner.write(part))

        def close(self) -> None:
            if not self.__dict__.get("ended"):  # called by ``with``, and again when the object is deleted
                self.ended = True
                answered(uri, path, self.inner.close)

    # The object itself changes its class: a second object beside it would complete the file when it is deleted.
    opened.__class__ = Reader if isinstance(opened, FileReader) else Writer
    return opened
