"""Named moments at which a run can be made to die, so that what a kill -9 leaves behind can be tested.

``AQI_CRASH_POINT=NAME[:N[:WHO]]`` kills this process with SIGKILL when the point NAME is reached for the N-th time
(1 unless given). WHO: ``python`` (unless given; the driver JVM, or the embedded engine,
goes on until it notices), or ``both``.

| point          | what is there by then |
|----------------|-----------------------|
| before-write   | a step has computed and checked its rows; nothing of it is written |
| before-commit  | its table exists, and its provenance file if it has one; no rows, no commit |
| after-files    | the data files are written; the commit that names them is not there (use WHO ``both``) |
| after-commit   | the commit is there; nobody was told |
| between-chunks | a chunk of a backfill is done, the next one is not |
| tables-changed | tables have the columns of their contracts; no step has begun |
| rename-begun   | a rename is written down; no table has changed |
| between-tables | a rename has changed a table, not the next one |
| before-rename-ends | all tables are renamed; it is still written down that it is under way |
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
"""Written after the file that they are of."""

_lock = threading.Lock()
_reached: dict[str, int] = {}


def reach(name: str) -> None:
    """The point ``name`` is reached. Does nothing unless the environment names it."""
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
    """Reaches ``after-files`` where the block would make ``commit``, a file of a table's log.

    Between deltalake's files and its commit there is less than a millisecond, and nothing of ours. So the name is taken
    as long as the block lasts: it cannot commit.
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
    """Reaches ``after-files`` as soon as ``folder`` has a new checksum: a data file of Spark's is complete then."""
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
