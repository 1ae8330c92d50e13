"""Where a report is written: a file, whole or not at all, in place of what was there."""

from __future__ import annotations

import os
from pathlib import Path

from orchestration.core.errors import UsageError
from resources.storage.files import open_files
from resources.storage.whole_files import write_whole


def check_output(output: Path) -> None:
    """Raises UsageError where no file of that name can be written; before any work."""
    folder = output.resolve().parent
    why = (
        "is no file"
        if output.exists() and not output.is_file()
        else f"{folder} is no folder"
        if not folder.is_dir()
        else f"nothing can be written in {folder}"
        if not os.access(folder, os.W_OK | os.X_OK)
        else ""
    )
    if why:
        raise UsageError(f"{output} cannot be written ({why})", "Name a file that can.")


def write_output(place: str, text: str) -> int:
    """Write a report to a file, or a URI of one that fsspec knows; gives its size in bytes. Raises OSError."""
    content = text.encode("utf-8")
    files, path = open_files(place if "://" in place else str(Path(place).expanduser().resolve()))
    write_whole(files, path, content)
    return len(content)
