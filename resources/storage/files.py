"""Files of a warehouse through fsspec, without a JVM: a folder, or HDFS (hdfs-native speaks its protocol)."""

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
"""Hadoop's own defaults wait for three minutes for a NameNode that is gone."""
_SAID = (
    ("SafeModeException", errno.EROFS, "HDFS is in safe mode"),
    ("QuotaExceededException", errno.EDQUOT, "a quota of HDFS is used up"),
    ("DataTransferError", errno.EIO, "no DataNode of HDFS gives a block of it"),
)
"""What HDFS's errors are to a program, and in words, by what they say."""
_QUOTA = re.compile(r"quota (?:\(directories and files\) )?of (?:directory )?(\S+) is exceeded")
_PART = 16 << 20
"""So many bytes have to come within the time that is waited."""
_METHODS = ("info", "ls", "mkdir", "makedirs", "mv", "rm", "rm_file", "rmdir", "cat_file", "pipe_file")


def open_files(uri: str) -> tuple[Any, str]:
    """The fsspec file system of ``uri`` (a folder, or a URI) and the path in it.

    Its ``mv`` replaces what is there; what goes wrong is an OSError, FileNotFoundError where there is nothing, and
    where HDFS refuses to write, or has lost a block, one with the errno for that (``_SAID``). Where HDFS does not
    answer, it is ``patience.NoAnswer``.
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
    if isinstance(error, NoAnswer):
        return error.remedy
    return "Check that this user may write there."


@cache
def _hdfs(host: str | None, port: int | None) -> Any:
    from hdfs_native.fsspec import HdfsFileSystem

    class Hdfs(HdfsFileSystem):
        """hdfs-native, with a move that replaces, and errors of HDFS as OSError."""

        cachable = False
        """Or a child that is forked would hang: fsspec clears its cache there, and hdfs-native waits for threads that
        no child has."""

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.client: Any = _Patient(self.client, f"hdfs://{host or ''}{f':{port}' if port else ''}")

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


class _Patient:
    """hdfs-native's client, whose calls end, as do those of the files that it opens: see ``patience``."""

    def __init__(self, client: Any, uri: str) -> None:
        self._client = client
        self._uri = uri

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(*arguments: Any, **named: Any) -> Any:
            path = str(arguments[0]) if arguments else self._uri
            given = answered(self._uri, path, lambda: method(*arguments, **named))
            if name == "list_status":  # which asks while it is gone through
                return answered(self._uri, path, lambda: list(given))
            return _file(given, self._uri, path) if name in ("read", "create", "append") else given

        return call


def _file(opened: Any, uri: str, path: str) -> Any:
    """An open file of hdfs-native, read and written in parts that each have to be answered."""
    from hdfs_native import FileReader, FileWriter

    class Reader(FileReader):
        """A file that is read."""

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
        """A file that is written."""

        def write(self, buf: Any) -> int:
            view = memoryview(buf).cast("B")
            for start in range(0, len(view), _PART):
                self._part(bytes(view[start : start + _PART]))
            return len(view)

        def _part(self, part: bytes) -> None:
            answered(uri, path, lambda: self.inner.write(part))

        def close(self) -> None:
            if not self.__dict__.get("ended"):  # it is called by ``with``, and once more when it is forgotten
                self.ended = True
                answered(uri, path, self.inner.close)

    # One object, or the other would complete the file when it is forgotten.
    opened.__class__ = Reader if isinstance(opened, FileReader) else Writer
    return opened
