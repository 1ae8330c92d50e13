"""Files that are there whole or not at all, whenever their writer is killed.

files: everywhere the fsspec file system that they are in.
"""

from __future__ import annotations

import contextlib
import uuid
from typing import Any

_UNFINISHED = ".tmp"


def write_atomically(files: Any, path: str, content: bytes) -> None:
    """Write ``content`` to a hidden name beside ``path``, then rename that; replaces what was there. Raises OSError."""
    folder, _, name = path.rpartition("/")
    temporary = f"{folder}/.{name}.{uuid.uuid4().hex}{_UNFINISHED}"
    files.makedirs(folder, exist_ok=True)
    try:
        files.pipe_file(temporary, content)
        files.mv(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            files.rm_file(temporary)
        raise


def try_to_write(files: Any, folder: str, *, read_back: bool = False) -> None:
    """Write a file of a few bytes, and remove it; read_back: read it before. Raises OSError where one is refused."""
    path = f"{folder}/.aqi-{uuid.uuid4().hex}{_UNFINISHED}"
    try:
        files.pipe_file(path, b"aqi")
        if read_back:
            files.cat_file(path)
    finally:
        with contextlib.suppress(OSError):
            files.rm_file(path)


def names_in(files: Any, folder: str) -> list[str]:
    """The names in a folder, hidden ones too; none where there is no such folder."""
    try:
        return [path.rpartition("/")[2] for path in files.ls(folder, detail=False)]
    except FileNotFoundError:
        return []


def unfinished(files: Any, folder: str) -> list[str]:
    """What ``write_atomically`` has not yet renamed, or never will: a dot, the name to be, a random part."""
    return [name for name in names_in(files, folder) if name.startswith(".") and name.endswith(_UNFINISHED)]
