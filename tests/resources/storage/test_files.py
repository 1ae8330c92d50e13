"""Files on HDFS through fsspec: what goes wrong is an OSError, whatever is called."""

from __future__ import annotations

import errno
from itertools import count
from typing import Any

import pytest
from hdfs_native.fsspec import HdfsFileSystem

from orchestration.core.errors import in_a_line
from resources.storage.files import open_files

_ports = count(20_001)
"""One file system a port; nobody is there, and nobody is called."""


@pytest.mark.parametrize("method", ["info", "ls", "makedirs", "mv", "rm", "rm_file", "rmdir", "cat_file", "pipe_file"])
@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("IOException: no", (OSError, None, "IOException: no")),
        ("AccessControlException: no", (PermissionError, None, "AccessControlException: no")),
        ("SafeModeException: no", (OSError, errno.EROFS, "HDFS is in safe mode: ")),
        ("QuotaExceededException: no", (OSError, errno.EDQUOT, "a quota of HDFS is used up: ")),
        (
            "DSQuotaExceededException: The DiskSpace quota of /lake is exceeded: quota = 1 B",
            (OSError, errno.EDQUOT, "a quota of HDFS is used up, that of /lake: "),
        ),
        ("DataTransferError: all", (OSError, errno.EIO, "no DataNode of HDFS gives a block of it: ")),
    ],
)
def test_what_goes_wrong_is_an_os_error(
    method: str, said: str, told: tuple[type[OSError], int | None, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError(f"{said}\\n\tat org.apache")

    monkeypatch.setattr(HdfsFileSystem, method, fail)
    files, root = open_files(f"hdfs://127.0.0.1:{next(_ports)}/lake")
    kind, number, words = told
    with pytest.raises(kind) as found:
        getattr(files, method)(f"{root}/a", f"{root}/b")
    assert found.value.errno == number
    assert in_a_line(found.value).startswith(words if number else f"{kind.__name__}: {words}")
