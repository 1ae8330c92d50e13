"""Runs whole processes: their seconds, their CPU time, and what they and all below them have resident.

Memory is sampled from /proc, summed over the processes of a kind at one moment. What a command leaves behind (a JVM
outlives its Python by a second) is waited for before the next one, and ended by its id where it does not end.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

POLL_SECONDS = 0.1
LEFT_BEHIND_SECONDS = 20.0
DETAILS = "bench details: "
"""A line of standard output that begins so goes on with a JSON object, which is kept with the figures."""
MIB = 2**20
_AN_ERROR = re.compile(r"(Error|Exception|error)\b")


class Failed(Exception):
    """A command that did not do its work, in words."""


@dataclass
class Sample:
    """One round of a side. seconds: of the wall. peak_mib: most resident at one moment, by kind of process.

    Kinds: ``jvm``, ``engine`` (the embedded one's process), ``prefect`` (a server of the run), ``python`` (the rest),
    ``all`` (together). cpu_seconds: user and system, of all processes, as last seen.
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mib: dict[str, float] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)

    def add(self, other: Sample) -> None:
        """Add what was called after it."""
        self.seconds += other.seconds
        self.cpu_seconds += other.cpu_seconds
        self.peak_mib = {
            kind: max(self.peak_mib.get(kind, 0.0), other.peak_mib.get(kind, 0.0))
            for kind in {*self.peak_mib, *other.peak_mib}
        }
        self.details |= other.details


def kind_of(command: Sequence[str]) -> str:
    """What a process is, by its command line."""
    if not command:
        return "python"
    if Path(command[0]).name == "java":
        return "jvm"
    text = " ".join(command)
    if "prefect server" in text or "prefect.server" in text:
        return "prefect"
    return "engine" if "embedded/server.py" in text or "embedded.server" in text else "python"


def what_failed(lines: Sequence[str]) -> str:
    """Of a command's output the last line that speaks of an error; else the last."""
    said = [line.strip() for line in lines if line.strip()]
    errors = [line for line in said if _AN_ERROR.search(line)]
    return next(reversed(errors or said), "it said nothing")[:300]


class _Watched:
    """A process and all that was ever seen below it."""

    def __init__(self, pid: int) -> None:
        self._top = psutil.Process(pid)
        self._spent: dict[psutil.Process, float] = {}
        self.peak: dict[str, float] = {}

    def look(self) -> None:
        """Take a sample."""
        now: dict[str, float] = {}
        with contextlib.suppress(psutil.Error):
            for one in (self._top, *self._top.children(recursive=True)):
                with contextlib.suppress(psutil.Error), one.oneshot():
                    kind, spent = kind_of(one.cmdline()), one.cpu_times()  # asked anew: a shell becomes a JVM
                    self._spent[one] = spent.user + spent.system
                    resident = one.memory_info().rss / MIB
                    now[kind] = now.get(kind, 0.0) + resident
                    now["all"] = now.get("all", 0.0) + resident
        for kind, resident in now.items():
            self.peak[kind] = max(self.peak.get(kind, 0.0), resident)

    @property
    def cpu_seconds(self) -> float:
        return sum(self._spent.values())

    def end(self, patience: float) -> None:
        """Wait until all are gone; end those that are not by then, and wait for these."""
        if alive := self._wait(patience):
            for one in alive:
                with contextlib.suppress(psutil.Error):
                    one.kill()
            self._wait(LEFT_BEHIND_SECONDS)

    def _wait(self, seconds: float) -> list[psutil.Process]:
        """Those that still run after so many seconds. One that nobody has collected is gone all the same."""
        deadline = time.monotonic() + seconds
        while alive := [one for one in self._spent if _runs(one)]:
            if time.monotonic() >= deadline:
                break
            time.sleep(POLL_SECONDS / 2)
        return alive


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def run(command: Sequence[str], environment: Mapping[str, str], log: Path, longest: float, folder: Path) -> Sample:
    """Run a command to its end, with its output in ``log``. Raises Failed where it fails or takes too long."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        started = time.perf_counter()
        try:
            process = subprocess.Popen(
                command, env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=folder
            )
        except OSError as error:
            raise Failed(f"cannot be started: {error}") from None
        watched = _Watched(process.pid)
        try:
            while True:
                watched.look()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(POLL_SECONDS)
                    break
                if time.perf_counter() - started > longest:
                    raise Failed(f"took longer than {longest:.0f} s")
            seconds = time.perf_counter() - started
        except BaseException:
            watched.end(0)
            process.wait()
            raise
    watched.end(LEFT_BEHIND_SECONDS)
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    if process.returncode:
        raise Failed(f"ended with {process.returncode}: {what_failed(lines)}")
    details: dict[str, Any] = {}
    for line in lines:
        if line.startswith(DETAILS):
            details |= json.loads(line.removeprefix(DETAILS))
    return Sample(seconds, watched.cpu_seconds, {kind: round(mib, 1) for kind, mib in watched.peak.items()}, details)
