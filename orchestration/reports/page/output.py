"""Where a report is written: a file, whole or not at all, in place of what was there."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryFile

from orchestration.core.errors import UsageError
from resources.storage.files import open_files
from resources.storage.whole_files import write_whole


def check_output(output: Path) -> None:
    """Raises UsageError where no file of that name can be written; before any work."""
    file = output.expanduser().resolve()  # as it will be written: beside it, and then put in its place
    folder = file.parent
    why = ""
    if file.exists() and not file.is_file():
        why = "is no file"
    elif not folder.is_dir():
        why = f"{folder} is no folder"
    else:
        try:
            with TemporaryFile(dir=folder):  # permissions alone do not tell: /proc has them
                pass
        except OSError:
            why = f"nothing can be written in {folder}"
    if why:
        raise UsageError(f"{output} cannot be written ({why})", "Name a file that can.")


def write_output(place: str, text: str) -> int:
    """Write a report to a file, or a URI of one that fsspec knows; gives its size in bytes. Raises OSError."""
    content = text.encode("utf-8")
    files, path = open_files(place if "://" in place else str(Path(place).expanduser().resolve()))
    write_whole(files, path, content)
    return len(content)
