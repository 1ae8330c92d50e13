"""Failpoints: named moments at which a run can be made to die, so that tests can see what a kill -9 leaves behind.

``AQI_CRASH_POINT=NAME[:N[:WHO]]`` kills this process with SIGKILL when the point NAME is reached for the N-th time. N
is 1 unless given. WHO is ``python`` unless given: then the driver JVM, or the embedded engine, goes on until it notices
that Python is gone. With ``both`` it is killed too.

| point          | what exists at that moment |
|----------------|----------------------------|
| before-write   | a step has computed and checked its rows; nothing is written |
| before-commit  | the step's table exists, and its provenance file if it needs one; no rows, no commit |
| after-files    | the data files are written; the commit that names them does not exist (use WHO ``both``) |
| after-commit   | the commit exists; the run has not recorded the outcome of the step |
| between-chunks | a chunk of a backfill is done, the next one is not |
| tables-changed | tables have the columns of their contracts; no step has begun |
| rename-begun   | the file that says that a rename is under way is written; no table has changed |
| between-tables | a rename has changed a table, but not the next one |
| before-rename-ends | a rename has changed all tables; the file that says that it is under way still exists |
| before-journal | all steps are done; the journal and the snapshots of provenance are not written |
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

VARIABLE = "AQI_CRASH_POINT"
POINTS = (
    "before-write",
    "before-commit",
    "after-files",
    "after-commit",
    "between-chunks",
    "tables-changed",
    "rename-begun",
    "between-tables",
    "before-rename-ends",
    "before-journal",
)
POLL_SECONDS = 0.002
ENGINES_MODULE = "resources/embedded/server.py"
HADOOPS_CHECKSUMS = ".part-*.parquet.crc"
"""Hadoop writes the checksum of a data file after the file."""

_lock = threading.Lock()
_reached: dict[str, int] = {}


def reach(name: str) -> None:
    """Called when the point ``name`` is reached: kills this process if ``AQI_CRASH_POINT`` says so."""
    if not os.environ.get(VARIABLE):
        return
    wanted, number, who = _wanted()
    if wanted != name:
        return
    with _lock:
        _reached[name] = _reached.get(name, 0) + 1
        if _reached[name] == number:
            _die(who)


@contextlib.contextmanager
def in_place_of(commit: Path) -> Iterator[None]:
    """Reaches ``after-files`` instead of letting the block write ``commit``, a file of a table's log.

    deltalake commits within a millisecond after it has written data files, and none of our code runs in between. So a
    file of the commit's name exists during the block, and deltalake cannot commit.
    """
    name = "after-files"
    if not os.environ.get(VARIABLE) or _wanted()[0] != name:
        yield
        return
    _, number, who = _wanted()
    with _lock:
        _reached[name] = _reached.get(name, 0) + 1
        is_it = _reached[name] == number
    if not is_it:
        yield
        return
    commit.touch(exist_ok=False)
    try:
        yield
    finally:
        commit.unlink()
        _die(who)


@contextlib.contextmanager
def watching(folder: Path | None) -> Iterator[None]:
    """Within the block, ``after-files`` is reached as soon as ``folder`` has a new checksum: then Spark has completed a
    data file. folder: of a table; None: nothing is watched."""
    if folder is None or not os.environ.get(VARIABLE) or _wanted()[0] != "after-files":
        yield
        return
    before = _checksums(folder)
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            if _checksums(folder) - before:
                reach("after-files")
                return
            time.sleep(POLL_SECONDS)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _checksums(folder: Path) -> set[str]:
    return {path.name for path in folder.glob(HADOOPS_CHECKSUMS)}


def _wanted() -> tuple[str, int, str]:
    """NAME, N and WHO of ``AQI_CRASH_POINT``."""
    name, _, rest = os.environ[VARIABLE].partition(":")
    number, _, who = rest.partition(":")
    return name, int(number or 1), who or "python"


def _die(who: str) -> None:
    if who == "both":
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):  # gone already
                if child.name() == "java" or any(ENGINES_MODULE in word for word in child.cmdline()):
                    child.kill()
    os.kill(os.getpid(), signal.SIGKILL)
