"""Named moments at which a run can be made to die, so that what a kill -9 leaves behind can be tested.

``AQI_CRASH_POINT=NAME[:N[:WHO]]`` kills this process with SIGKILL when the point NAME is reached for the N-th time
(1 unless given). WHO: ``python`` (unless given; the driver JVM goes on until it notices), or ``both``.

| point          | what is there by then |
|----------------|-----------------------|
| before-write   | a step has computed and checked its rows; nothing of it is written |
| before-commit  | its table exists, and its provenance file if it has one; no rows, no commit |
| after-files    | Spark has written its data files; the commit that names them is not there (use WHO ``both``) |
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
def watching(folder: Path | None) -> Iterator[None]:
    """Reaches ``after-files`` as soon as a new data file in ``folder`` is complete (Hadoop wrote its checksum)."""
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
    return {path.name for path in folder.glob(".part-*.parquet.crc")}


def _wanted() -> tuple[str, int, str]:
    name, _, rest = os.environ[VARIABLE].partition(":")
    number, _, who = rest.partition(":")
    return name, int(number or 1), who or "python"


def _die(who: str) -> None:
    if who == "both":
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):  # gone already
                if child.name() == "java":
                    child.kill()
    os.kill(os.getpid(), signal.SIGKILL)
