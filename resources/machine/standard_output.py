"""Standard output that remembers why it could not be written: a full disk there is no fault of a table."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Raw(io.FileIO):
    failure: OSError | None = None

    def write(self, data: ReadableBuffer, /) -> int:
        """As a file's."""
        try:
            return super().write(data)
        except OSError as error:
            self.failure = error
            raise


_RAW: list[_Raw] = []


def watch_standard_output() -> None:
    """From now on `output_failure` knows. Not where something else stands in for the stream."""
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
    """Why standard output cannot be written, where that is what ``error`` is; empty where it is not. A reader that
    went away is none."""
    failure = next((raw.failure for raw in _RAW), None)
    if failure is None or error is not failure or isinstance(failure, BrokenPipeError):
        return ""
    return failure.strerror or type(failure).__name__
