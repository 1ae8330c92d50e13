"""The lock of a local warehouse: it has one writer at a time, until its Python and its driver JVM are both gone.

The lock is an ``flock`` on a file in the warehouse. The kernel keeps the lock as long as any process has the file open,
and the driver JVM inherits the open file: after a kill -9 of Python the next run waits until the JVM is gone too. A JVM
that hangs would keep the lock for ever. So a run that waits ends the processes of a dead run that still hold it, see
``_orphans``.

A run writes its name into the file after it took the lock. For a moment the file is empty, or names the holder before.
So a run that waits reads the file again before it reports a name.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import signal
import socket
import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from orchestration.core.errors import MachineError, WarehouseLocked
from resources.machine.processes import FOLDER as PROCESSES
from resources.machine.processes import Process
from resources.storage.json_text import read_json

LOCK_NAME = ".aqi.lock"
POLL_SECONDS = 0.1
NAME_SECONDS = 2.0
ORPHAN_GRACE_SECONDS = 5.0
TERM_SECONDS = 2.0
_NAME = {"run_id", "pid", "host", "since"}
"""The keys of a record that names a holder."""


class WarehouseLock:
    """A context manager that holds the lock of the warehouse in ``folder`` for the run ``run_id``.

    started_at: when the run started, ISO 8601. wait_seconds: how long it waits at most for another holder.
    on_wait: called once, with the name of the holder that it waits for. name_seconds: how long a holder may take to
    write its name; after that it is reported without a name. on_orphan: called with a sentence for each process of a
    dead run that was ended. orphan_grace_seconds: how long such a process may go on, from the moment in which this run
    finds that its run is dead. term_seconds: how long it may go on after SIGTERM, before SIGKILL. poll_seconds: the
    time between two attempts to take the lock.

    Entering raises MachineError where the folder cannot be written or its file system has no locks, and WarehouseLocked
    when the wait is over.
    """

    def __init__(
        self,
        folder: Path,
        run_id: str,
        started_at: str,
        wait_seconds: float,
        on_wait: Callable[[str], None] = lambda _holder: None,
        on_orphan: Callable[[str], None] = lambda _ended: None,
        *,
        orphan_grace_seconds: float = ORPHAN_GRACE_SECONDS,
        name_seconds: float = NAME_SECONDS,
        term_seconds: float = TERM_SECONDS,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._folder = folder
        self._holder: dict[str, str | int | None] = {
            "run_id": run_id,
            "pid": os.getpid(),
            "process_start": None if (this := Process.this()) is None else this.start,
            "host": socket.gethostname(),
            "since": started_at,
        }
        self._wait_seconds = wait_seconds
        self._on_wait = on_wait
        self._on_orphan = on_orphan
        self._orphan_grace_seconds, self._name_seconds = orphan_grace_seconds, name_seconds
        self._term_seconds, self._poll_seconds = term_seconds, poll_seconds
        self._fd = -1

    @property
    def fd(self) -> int:
        """The descriptor of the open lock file; a process that inherits it holds the lock too."""
        return self._fd

    def __enter__(self) -> WarehouseLock:
        self._fd = _open(self._folder)
        deadline = time.monotonic() + self._wait_seconds
        reported = False
        named_at = time.monotonic()
        dead: _DeadRun | None = None
        dead_since = 0.0
        while not self._try_lock():
            record = _read(self._fd)
            found = _dead_run(record)
            named = record.keys() >= _NAME and "released" not in record and found is None
            if named:
                named_at = time.monotonic()
            if named or time.monotonic() - named_at >= self._name_seconds:
                holder = _describe(record)
                if time.monotonic() >= deadline:
                    os.close(self._fd)
                    raise WarehouseLocked(
                        f"refused: in use by {holder}; the warehouse is {self._folder}",
                        "Wait until it is done, or end that process; the lock goes with it.",
                    )
                if not reported:
                    self._on_wait(holder)
                    reported = True
            if found != dead:
                dead, dead_since = found, time.monotonic()
            elif dead is not None and time.monotonic() - dead_since >= self._orphan_grace_seconds:
                for orphan in _end(_orphans(self._fd, dead), self._term_seconds, self._poll_seconds):
                    self._on_orphan(f"Ended {orphan}: it still held the warehouse for {dead}, which is dead.")
                dead_since = time.monotonic()
            time.sleep(self._poll_seconds)
        with contextlib.suppress(OSError):  # a full disk: runs that wait report another run, without its name
            _write(self._fd, self._holder)
        return self

    def _try_lock(self) -> bool:
        try:
            return _try_lock(self._fd)
        except OSError as error:
            os.close(self._fd)
            raise MachineError(
                f"the warehouse {self._folder} lies on a file system that gives no locks ({error.strerror})",
                "Mount it so that flock works (of NFS: version 4, or with its lock service and not `nolock`), or take "
                "a folder on another.",
            ) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):  # a child may still hold the lock; the record then says whose child it is
            _write(self._fd, {**self._holder, "released": True})
        os.close(self._fd)
        self._fd = -1


def _open(folder: Path) -> int:
    """The descriptor of the lock file, which is made if needed. All users who may write the folder may write the file,
    whatever the umask was when it was made. Raises MachineError where it cannot be opened."""
    lock = folder / LOCK_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        with contextlib.suppress(OSError):  # another user's file: that user's next run opens it to others
            found, wanted = os.fstat(fd).st_mode, stat.S_IMODE(folder.stat().st_mode) & 0o666
            if found & wanted != wanted:
                os.fchmod(fd, stat.S_IMODE(found) | wanted)
        return fd
    except OSError as error:
        if os.access(folder, os.W_OK | os.X_OK) and os.path.lexists(lock):
            raise MachineError(
                f"{lock} is not writable ({error.strerror})",
                f"Its owner, or root, gives all who run here rights to it: chmod g+rw {lock}.",
            ) from error
        what = f"the warehouse {folder} is not writable ({error.strerror})"
        raise MachineError(what, how_to_write(folder, error)) from error


def how_to_write(folder: Path, error: OSError) -> str:
    """The remedy for a warehouse's folder that cannot be written. For a folder with files in it the remedy is to get
    rights: another folder would begin empty, and everything would be fetched again."""
    if error.errno == errno.EROFS:
        return "Mount its disk for writing; what only reads goes on until then."
    if folder.is_dir() and (not os.access(folder, os.R_OK) or any(folder.iterdir())):
        return (
            f"Give this user rights to write in it (its owner: chmod -R g+rwX {folder}); what only reads goes on until "
            "then. AQI_WAREHOUSE__URI may name another, which begins with nothing."
        )
    return "Set AQI_WAREHOUSE__URI to a folder that this user may write."


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _describe(record: Mapping[str, Any]) -> str:
    if not record.keys() >= _NAME:
        return "another run"
    return f"run {record['run_id']} (process {record['pid']} on {record['host']}, since {record['since']})"


def _write(fd: int, holder: Mapping[str, Any]) -> None:
    os.ftruncate(fd, 0)
    os.pwrite(fd, json.dumps(holder).encode(), 0)


def _read(fd: int) -> Mapping[str, Any]:
    """The record of the holder in the lock file; empty where it cannot be read."""
    try:
        record = read_json(os.pread(fd, 4096, 0))
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


class _DeadRun(NamedTuple):
    run_id: str
    pid: int

    def __str__(self) -> str:
        return f"run {self.run_id} (process {self.pid})"


def _dead_run(record: Mapping[str, Any]) -> _DeadRun | None:
    """The run that ``record`` names, if it is certain that this run is dead; else None.

    A run on this host is dead when no process has its pid, or when the process with its pid started at another time.
    Nothing is certain about a run on another host, or with a record that is incomplete.
    """
    match record:
        case {"host": str(host), "run_id": str(run_id), "pid": int(pid), "process_start": int(start)}:
            with contextlib.suppress(OSError):
                is_here = host == socket.gethostname()
                process = Process.find(pid)
                return _DeadRun(run_id, pid) if is_here and (process is None or process.start != start) else None
    return None


def _orphans(lock: int, dead: _DeadRun) -> list[Process]:
    """The orphans: processes of this user that still hold the lock although the run that took it is dead.

    To have the file open is not enough: every run that waits has it open. The lock belongs to the one opening of the
    file that took it, and only a process that inherited this opening can keep it. For such a process, and for no other,
    the kernel shows the lock in /proc/<pid>/fdinfo, with the pid that took it. A process is an orphan if that pid is
    the pid of the dead run. Hence these are never orphans:

    - a run that waits, or a child that inherited the file from it: their openings hold no lock;
    - a run that took the lock a moment ago and has not written its name yet, or a child of it: there the pid is that of
      this new run. If it happens to have the pid of the dead run, it is found to hold the lock itself, and no process
      is an orphan;
    - this process, and any process of which the kernel shows nothing (not Linux, or another user's process).

    A kernel with separate pids for containers shows 0 for a pid that no longer exists. That also means the dead run:
    for a living process the kernel shows its pid.
    """
    file = os.fstat(lock)
    orphans = []
    with contextlib.suppress(FileNotFoundError):  # no /proc: not Linux
        for folder in PROCESSES.iterdir():
            with contextlib.suppress(OSError):  # the process is gone meanwhile, or this user may not see it
                if not folder.name.isdecimal() or folder.stat().st_uid != os.geteuid():
                    continue
                process = Process.find(int(folder.name))  # found before its files are read: no later process is taken
                if process is None or process.pid == os.getpid():
                    continue
                taker = _taker_of_held_lock(folder, file)
                if taker == process.pid:
                    return []
                if taker in (dead.pid, 0):
                    orphans.append(process)
    return orphans


def _taker_of_held_lock(folder: Path, file: os.stat_result) -> int | None:
    """The pid that took the lock on ``file``, if the process of ``folder`` holds that lock; else None.

    folder: ``/proc/<pid>``. file: the lock file.
    """
    for link in (folder / "fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            # The name is compared first: to read the inode of any open file may hang, if a file server is away.
            if link.readlink().name != LOCK_NAME or not os.path.samestat(link.stat(), file):
                continue
            for line in (folder / "fdinfo" / link.name).read_text(encoding="utf-8").splitlines():
                match line.split():
                    case ["lock:", _, "FLOCK", _, "WRITE", pid, *_]:
                        return int(pid)
    return None


def _end(processes: list[Process], term_seconds: float, poll_seconds: float) -> list[Process]:
    """End the processes by SIGTERM, and those that live ``term_seconds`` later by SIGKILL. Gives those that are
    gone."""
    left = processes
    for how in (signal.SIGTERM, signal.SIGKILL):
        for process in filter(_lives, left):
            with contextlib.suppress(OSError):
                os.kill(process.pid, how)
        deadline = time.monotonic() + term_seconds
        while (left := [process for process in left if _lives(process)]) and time.monotonic() < deadline:
            time.sleep(poll_seconds)
    return [process for process in processes if process not in left]


def _lives(process: Process) -> bool:
    try:
        now = Process.find(process.pid)
    except OSError:  # the pid belongs to another user's process by now
        return False
    return now is not None and now.start == process.start
