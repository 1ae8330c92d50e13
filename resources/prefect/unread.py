"""Output that nobody reads any more: a run of a worker that was killed goes on."""

from __future__ import annotations

from rich.console import Console


def outlive_readers() -> None:
    """Where the reader of this process's output is gone, no line is written any more, and the process goes on.

    A worker reads what its runs say. Killed, it leaves the other end of the pipe closed, and rich, by which Prefect
    prints, would end the process at its next line: Crashed, ``Execution was aborted by Python system exit call``.
    """
    setattr(Console, "on_broken_pipe", _say_no_more)  # noqa: B010  # what rich calls then


def _say_no_more(console: Console) -> None:
    console.quiet = True
