"""Processes of this machine, identified so that a reused pid is not mistaken for the process that had it before."""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path
from typing import NamedTuple

FOLDER = Path("/proc")
_PR_SET_PDEATHSIG = 1


class Process(NamedTuple):
    """A process. ``pid`` and ``start`` together identify it."""

    pid: int
    start: int
    """When it started, in clock ticks since the boot. A time of day (psutil's ``create_time``) would not do: it is
    computed from the clock, and changes when the clock is set."""
    name: str
    """The name of its program, as the kernel shows it."""

    def __str__(self) -> str:
        return f"process {self.pid} ({self.name})"

    @classmethod
    def find(cls, pid: int) -> Process | None:
        """The process with this pid; None where there is none, or only a zombie."""
        try:
            stat = (FOLDER / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return None
        before, _, after = stat.rpartition(")")  # the name before it may hold anything
        state, *numbers = after.split()
        return None if state in "ZX" else cls(pid, int(numbers[18]), before.partition("(")[2])

    @classmethod
    def this(cls) -> Process | None:
        """This process itself; None where the kernel has no ``/proc``."""
        return cls.find(os.getpid())


def end_with_parent() -> None:
    """For a process that has just been forked: the kernel sends it SIGTERM when its parent dies."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
