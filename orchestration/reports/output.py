"""What commands write with `-o`: a file whole or not at all, in place of what was there.

Whether it can be written is found out before any work. What is no file and no folder (``/dev/stdout``, a pipe) is
written to as it is.
"""

from __future__ import annotations

from errno import EISDIR
from pathlib import Path
from tempfile import TemporaryFile

from orchestration.core.errors import UsageError
from resources.storage.atomic_files import write_atomically
from resources.storage.files import open_files


def check_output(output: Path) -> None:
    """Raises UsageError where nothing can be written under that name; nothing is written."""
    if why := _in_the_way(output):
        raise UsageError(f"{output} cannot be written ({why})", "Name a file that can.")


def _in_the_way(output: Path) -> str:
    """Why it cannot be written; empty where it can."""
    try:
        file = output.expanduser().resolve()
        if file.is_dir():
            return "is a folder"
        if _is_device(file):
            return ""
        if not file.parent.is_dir():
            return f"{file.parent} is no folder"
        with TemporaryFile(dir=file.parent):  # permissions alone do not tell: /proc has them
            return ""
    except OSError as error:
        return error.strerror or type(error).__name__


def write_output(place: str, text: str) -> int:
    """Write to a file, or to a URI of one that fsspec knows; gives the size in bytes. Raises OSError."""
    content = text.encode("utf-8")
    if "://" in place:
        files, path = open_files(place)
    else:
        file = Path(place).expanduser()
        if _is_device(file):
            with file.open("wb") as opened:
                return opened.write(content)
        if file.is_dir():
            raise IsADirectoryError(EISDIR, "Is a directory", str(file))
        files, path = open_files(str(file.resolve()))
    write_atomically(files, path, content)
    return len(content)


def _is_device(file: Path) -> bool:
    return file.exists() and not file.is_file() and not file.is_dir()
