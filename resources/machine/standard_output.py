"""Standard output that remembers the error when it cannot be written, so that an error of a full disk under standard
output is not taken for an error of a table."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Raw(io.FileIO):
    failure: OSError | None = None
    """The error of the last write that failed."""

    def write(self, data: ReadableBuffer, /) -> int:
        """Write as any file does, and remember an error."""
        try:
            return super().write(data)
        except OSError as error:
            self.failure = error
            raise


_RAW: list[_Raw] = []


def watch_standard_output() -> None:
    """From now on remember errors of standard output, for `output_failure`. Does nothing where other code has replaced
    ``sys.stdout``."""
    stream = sys.stdout
    if _RAW or not isinstance(stream, io.TextIOWrapper) or stream is not sys.__stdout__:
        return
    stream.flush()
    raw = _Raw(stream.fileno(), "w", closefd=False)
    sys.stdout = io.TextIOWrapper(
        raw if stream.write_through else io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
    _RAW.append(raw)


def output_failure(error: BaseException) -> str:
    """Why standard output cannot be written, if ``error`` is the error of that; empty for any other error, and where
    the reader of a pipe went away."""
    failure = next((raw.failure for raw in _RAW), None)
    if failure is None or error is not failure or isinstance(failure, BrokenPipeError):
        return ""
    return failure.strerror or type(failure).__name__
