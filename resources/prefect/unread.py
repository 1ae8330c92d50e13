"""Output without a reader: the runs of a killed worker go on."""

from __future__ import annotations

from rich.console import Console


def outlive_readers() -> None:
    """If the reader of this process's output is gone, print nothing more and go on.

    A worker reads the output of its runs. If the worker is killed, the pipe is closed at its end. At the next line
    rich, which prints for Prefect, would end the process: Crashed, ``Execution was aborted by Python system exit
    call``.
    """
    setattr(Console, "on_broken_pipe", _say_no_more)  # noqa: B010  # rich calls it when the pipe is closed


def _say_no_more(console: Console) -> None:
    console.quiet = True
