"""Other processes that hold the lock of a warehouse, wait for it, or leave a child with it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from orchestration.core.errors import WarehouseLocked
from resources.storage.lock import LOCK_NAME, WarehouseLock

ROOT = Path(__file__).resolve().parents[2]
SINCE = "2025-08-20T06:00:00Z"

HOLD = """
import sys
from pathlib import Path
from resources.storage.lock import WarehouseLock
with WarehouseLock(Path(sys.argv[1]), "run-1", "2025-08-20T06:00:00Z", 0):
    print("held", flush=True)
    sys.stdin.readline()
print("released", flush=True)
sys.stdin.readline()
"""


class Holder:
    """Another process; its standard input is what it waits for."""

    def __init__(self, code: str, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, str(folder)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.said = self.hears()

    def hears(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait(timeout=20)
        if self.process.stdout is not None:
            self.process.stdout.close()


StartHolder = Callable[[str], Holder]
"""Starts another process that holds the lock of ``tmp_path``."""
Left = Callable[[str], tuple[Holder, psutil.Process]]
"""Starts a run and its child."""


def mine(
    folder: Path,
    wait_seconds: float = 0,
    on_wait: Callable[[str], None] = lambda _holder: None,
    name_seconds: float = 0.1,
) -> WarehouseLock:
    """The lock of ``folder`` as a run of the test's takes it, which looks often."""
    return WarehouseLock(folder, "run-2", SINCE, wait_seconds, on_wait, name_seconds=name_seconds, poll_seconds=0.02)


def is_free(folder: Path) -> bool:
    try:
        with mine(folder):
            return True
    except WarehouseLocked:
        return False


def ticks(pid: int) -> int:
    """When the process started, as the kernel has it."""
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])


def described(pid: int) -> str:
    return f"run run-1 (process {pid} on {socket.gethostname()}, since {SINCE})"


def kill(run: Holder) -> None:
    run.process.kill()
    assert run.process.wait(timeout=20) == -signal.SIGKILL


def rewrite(folder: Path, **changes: Any) -> None:
    """Change what the lock's file says of its holder."""
    record = json.loads((folder / LOCK_NAME).read_text(encoding="utf-8"))
    (folder / LOCK_NAME).write_text(json.dumps(record | changes), encoding="utf-8")


def ended(run: Holder, process: psutil.Process) -> str:
    run_1 = f"run run-1 (process {run.process.pid})"
    python = Path(sys.executable).name
    return f"Ended process {process.pid} ({python}): it still held the warehouse for {run_1}, which is dead."


# A run and its child, which has the lock's file, as the driver JVM has it. The child says its pid once it is ready;
# its standard input is not the test's, so that nothing but a signal ends it.
RUN_WITH_CHILD = """
import subprocess, sys
from pathlib import Path
from resources.storage.lock import WarehouseLock
with WarehouseLock(Path(sys.argv[1]), "run-1", "2025-08-20T06:00:00Z", 0) as lock:
    subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.DEVNULL, pass_fds=[lock.fd])
    CLOSES or sys.stdin.readline()
sys.stdin.readline()
"""
HANGS = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
HANGS_ON_SIGTERM = f"import signal; signal.signal(signal.SIGTERM, lambda *_: print('asked', flush=True)); {HANGS}"

# A run that has taken the lock and not yet written who it is, with a child that has the file.
TAKES = """
import fcntl, os, subprocess, sys
fd = os.open(sys.argv[1] + "/.aqi.lock", os.O_RDWR)
fcntl.flock(fd, fcntl.LOCK_EX)
subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.DEVNULL, pass_fds=[fd])
sys.stdin.readline()
"""

# A run that waits, with a child that has the file too; it never ends anything itself.
WAITS = """
import subprocess, sys
from pathlib import Path
from resources.storage.lock import WarehouseLock
def waits(_holder):
    subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.DEVNULL, pass_fds=[lock.fd])
lock = WarehouseLock(Path(sys.argv[1]), "run-3", "2025-08-20T06:00:00Z", 60, waits, orphan_grace_seconds=60)
with lock:
    print("held", flush=True)
"""


def with_child(code: str, child: str = HANGS, closes: bool = False) -> str:
    return code.replace("CHILD", repr(child)).replace("CLOSES", repr(closes))


def is_there(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Waiter:
    """Waits for the lock as a run does, and keeps what it was told of the processes that it ended."""

    def __init__(self, folder: Path, grace: float, wait: float = 20, term: float = 2) -> None:
        self.ended: list[str] = []
        self.lock = WarehouseLock(
            folder,
            "run-2",
            SINCE,
            wait,
            on_orphan=self.ended.append,
            orphan_grace_seconds=grace,
            name_seconds=0.1,
            term_seconds=term,
            poll_seconds=0.02,
        )

    def gets_it(self) -> float:
        started = time.monotonic()
        with self.lock:
            return time.monotonic() - started

    def ends_nothing(self, *processes: psutil.Process) -> None:
        """It looks several times, is refused, and all are still there."""
        with pytest.raises(WarehouseLocked):
            self.gets_it()
        assert self.ended == []
        for process in processes:
            assert is_there(process), process


def looks_often(folder: Path, term: float = 2) -> Waiter:
    return Waiter(folder, grace=0, wait=0.15, term=term)
