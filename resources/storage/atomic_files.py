"""Atomic writing: a file exists as a whole or not at all, whenever its writer is killed.

The argument ``files`` of all functions is the fsspec file system of the paths.
"""

from __future__ import annotations

import contextlib
import uuid
from typing import Any

_UNFINISHED = ".tmp"


def write_atomically(files: Any, path: str, content: bytes) -> None:
    """Write ``content`` to a hidden file beside ``path``, then rename that file to ``path``. A file that was there is
    replaced. Raises OSError."""
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
    """Write a file of a few bytes into ``folder``, and remove it. Raises OSError where that is refused.

    read_back: whether the file is read, too, before it is removed.
    """
    path = f"{folder}/.aqi-{uuid.uuid4().hex}{_UNFINISHED}"
    try:
        files.pipe_file(path, b"aqi")
        if read_back:
            files.cat_file(path)
    finally:
        with contextlib.suppress(OSError):
            files.rm_file(path)


def names_in(files: Any, folder: str) -> list[str]:
    """The names of the files in a folder, hidden ones too; empty where the folder does not exist."""
    try:
        return [path.rpartition("/")[2] for path in files.ls(folder, detail=False)]
    except FileNotFoundError:
        return []


def unfinished(files: Any, folder: str) -> list[str]:
    """The names of the hidden files in a folder that ``write_atomically`` has not renamed yet, or never will: a dot,
    the final name, a dot, a random part, ``.tmp``."""
    return [name for name in names_in(files, folder) if name.startswith(".") and name.endswith(_UNFINISHED)]
