"""Processes of this machine, told apart for certain."""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path
from typing import NamedTuple

FOLDER = Path("/proc")
_PR_SET_PDEATHSIG = 1


class Process(NamedTuple):
    """A process. start: clock ticks since the boot; with the pid it tells a process from all others.

    A time of day (psutil's create_time) is worked out from the clock: once that is set, a living process would look
    like another.
    """

    pid: int
    start: int
    name: str

    def __str__(self) -> str:
        return f"process {self.pid} ({self.name})"

    @classmethod
    def find(cls, pid: int) -> Process | None:
        """The process; None where there is none, or only its zombie."""
        try:
            stat = (FOLDER / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return None
        before, _, after = stat.rpartition(")")  # the name before it may hold anything
        state, *numbers = after.split()
        return None if state in "ZX" else cls(pid, int(numbers[18]), before.partition("(")[2])

    @classmethod
    def this(cls) -> Process | None:
        """The process that asks; None where the kernel does not tell (no /proc)."""
        return cls.find(os.getpid())


def end_with_parent() -> None:
    """For a process that has just been forked: the kernel sends it SIGTERM when its parent dies."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
