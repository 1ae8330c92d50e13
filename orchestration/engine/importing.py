"""Imports modules in which a project declares something; an error in them is reported with file and line."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestration.core.errors import DeclarationError, LakehouseError, in_a_line


@contextmanager
def importing(what: str, folder: Path) -> Iterator[None]:
    """Around an import of ``what`` in ``folder``.

    An error that comes from that folder, and is not one of this project's own, becomes a DeclarationError with file and
    line.
    """
    try:
        yield
    except LakehouseError:
        raise
    except Exception as error:
        where = _where(error, folder.resolve())
        if not where:
            raise
        raise DeclarationError(
            f"{what} cannot be imported: {where}: {in_a_line(error)}",
            f"Mend it there; `python -c 'import {what}'` shows how it came to it.",
        ) from error


def _where(error: Exception, folder: Path) -> str:
    """The file and line of an error, from the folder's parent; empty where it is not of the folder."""
    if isinstance(error, SyntaxError) and error.filename:
        frames = [(error.filename, error.lineno)]
    else:
        frames = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    ours = [(Path(file), line) for file, line in frames if Path(file).is_relative_to(folder)]
    return f"{ours[-1][0].relative_to(folder.parent)}:{ours[-1][1]}" if ours else ""
