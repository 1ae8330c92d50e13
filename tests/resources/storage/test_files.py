"""Files on HDFS through fsspec: what goes wrong is an OSError, whatever is called."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from hdfs_native.fsspec import HdfsFileSystem

from resources.storage.files import open_files

_ports = count(20_001)
"""One file system a port; nobody is there, and nobody is called."""


@pytest.mark.parametrize("method", ["info", "ls", "makedirs", "mv", "rm", "rm_file", "rmdir", "cat_file", "pipe_file"])
@pytest.mark.parametrize(
    ("said", "kind"), [("SafeModeException: no", OSError), ("AccessControlException: no", PermissionError)]
)
def test_what_goes_wrong_is_an_os_error(
    method: str, said: str, kind: type[OSError], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError(f"{said}\\n\tat org.apache")

    monkeypatch.setattr(HdfsFileSystem, method, fail)
    files, root = open_files(f"hdfs://127.0.0.1:{next(_ports)}/lake")
    with pytest.raises(kind, match=f"^{said}$"):
        getattr(files, method)(f"{root}/a", f"{root}/b")
