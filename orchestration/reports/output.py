"""Writes files for the option `-o`: a file is written completely or not at all, and replaces an earlier one.

`check_output` is called before any work. A path that is neither a file nor a folder (``/dev/stdout``, a pipe) is
written to directly.
"""

from __future__ import annotations

from errno import EISDIR
from pathlib import Path
from tempfile import TemporaryFile

from orchestration.core.errors import UsageError
from resources.storage.atomic_files import write_atomically
from resources.storage.files import open_files


def check_output(output: Path) -> None:
    """Raises UsageError if no file of this name can be written. Writes nothing."""
    if why := _in_the_way(output):
        raise UsageError(f"{output} cannot be written ({why})", "Name a file that can.")


def _in_the_way(output: Path) -> str:
    """Why a file cannot be written; empty where it can."""
    try:
        file = output.expanduser().resolve()
        if file.is_dir():
            return "is a folder"
        if _is_device(file):
            return ""
        if not file.parent.is_dir():
            return f"{file.parent} is no folder"
        with TemporaryFile(dir=file.parent):  # permissions do not decide it: those of /proc allow writing
            return ""
    except OSError as error:
        return error.strerror or type(error).__name__


def write_output(place: str, text: str) -> int:
    """Write a text to a file, or to a URI that fsspec knows. Returns its size in bytes. Raises OSError."""
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
