"""One writer on a local warehouse: a lock that lasts until Python and the driver JVM are both gone.

The lock is an ``flock`` on a file in the warehouse. The kernel keeps it as long as any process has the open file,
and the driver JVM inherits it: after a kill -9 of Python the next run waits until the JVM is gone too.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from orchestration.errors import EnvironmentError_, WarehouseLocked

LOCK_NAME = ".aqi.lock"
POLL_SECONDS = 0.1


class WarehouseLock:
    """Holds the lock of the warehouse in ``folder`` for the run ``run_id``.

    wait_seconds: how long to wait for another holder. on_wait: told once who holds it, before the wait.
    Entering raises EnvironmentError_ where the folder cannot be written, WarehouseLocked when the wait is over.
    """

    def __init__(
        self,
        folder: Path,
        run_id: str,
        started_at: str,
        wait_seconds: float,
        on_wait: Callable[[str], None] = lambda _holder: None,
    ) -> None:
        self._folder = folder
        self._holder = {
            "run_id": run_id,
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": started_at,
        }
        self._wait_seconds = wait_seconds
        self._on_wait = on_wait
        self._fd = -1

    @property
    def fd(self) -> int:
        """The open file; a process that inherits it holds the lock too."""
        return self._fd

    def __enter__(self) -> WarehouseLock:
        self._fd = _open(self._folder)
        deadline = time.monotonic() + self._wait_seconds
        told = False
        while not _try_lock(self._fd):
            holder = _describe(self._fd)
            if time.monotonic() >= deadline:
                os.close(self._fd)
                raise WarehouseLocked(
                    f"the warehouse {self._folder} is in use by {holder}",
                    "Wait until it is done, or end that process; the lock goes with it.",
                )
            if not told:
                self._on_wait(holder)
                told = True
            time.sleep(POLL_SECONDS)
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, json.dumps(self._holder).encode(), 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)
        self._fd = -1


def _open(folder: Path) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise EnvironmentError_(
            f"the warehouse {folder} is not writable ({error.strerror})",
            "Set AQI_WAREHOUSE__URI to a folder that this user may write.",
        ) from error


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _describe(fd: int) -> str:
    try:
        holder = json.loads(os.pread(fd, 4096, 0))
        return f"run {holder['run_id']} (process {holder['pid']} on {holder['host']}, since {holder['since']})"
    except (ValueError, KeyError, TypeError):
        return "another run"
