"""Files that commands write with `-o`: whether they can be written is found out before any work."""

from __future__ import annotations

from pathlib import Path

from orchestration.core.errors import UsageError


def check_writable(output: Path, *, replaced: bool = False) -> None:
    """Raises UsageError where a file of that name cannot be written; nothing is written.

    replaced: it is written beside, and then put in its place.
    """
    import tempfile

    try:
        if output.is_file():
            with output.open("ab"):
                pass
        if replaced or not output.exists():
            with tempfile.TemporaryFile(dir=output.parent):
                pass
    except OSError as error:
        raise _refused(output, error) from error


def write_output(output: Path, text: str) -> None:
    """Write it. Raises UsageError where that fails all the same."""
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _refused(output, error) from error


def _refused(output: Path, error: OSError) -> UsageError:
    return UsageError(f"{output} cannot be written ({error.strerror})", "Name a file that can.")
