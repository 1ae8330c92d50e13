"""Crash points, in processes of their own: who is killed, when, and what is left alone."""

from __future__ import annotations

import ast
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from resources.machine import failpoints

pytestmark = pytest.mark.engine  # processes of their own

ROOT = Path(__file__).resolve().parents[3]
SURVIVED, KILLED = 0, -signal.SIGKILL


def run(code: str, wanted: str | None, **options: str) -> subprocess.CompletedProcess[str]:
    """A process that runs ``code`` with ``failpoints`` imported and the variable set to ``wanted``."""
    return subprocess.run(
        [sys.executable, "-c", f"from pathlib import Path\nfrom resources.machine import failpoints\n{code}"],
        cwd=ROOT,
        env=environment(wanted) | options,
        capture_output=True,
        text=True,
        timeout=30,
    )


def environment(wanted: str | None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != failpoints.VARIABLE}
    return kept if wanted is None else {**kept, failpoints.VARIABLE: wanted}


COUNT = """
for number in range(1, 6):
    failpoints.reach("after-commit")
    print(number, flush=True)
"""


@pytest.mark.parametrize(
    ("wanted", "passed"),
    [
        ("after-commit", 0),
        ("after-commit:2", 1),
        ("after-commit:5:python", 4),
        ("after-commit::both", 0),
    ],
)
def test_the_process_dies_when_the_point_is_reached_for_the_nth_time(wanted: str, passed: int) -> None:
    done = run(COUNT, wanted)
    assert (done.returncode, done.stderr) == (KILLED, "")
    assert done.stdout.split() == [str(number) for number in range(1, passed + 1)]


@pytest.mark.parametrize("wanted", [None, "", "after-commit:6", "before-write", "after", "after-commit-2:1"])
def test_nothing_happens_otherwise(wanted: str | None) -> None:
    """Without the variable; a number that is not reached; another point, or one that is none."""
    done = run(COUNT, wanted)
    assert (done.returncode, done.stdout.split(), done.stderr) == (SURVIVED, ["1", "2", "3", "4", "5"], "")


def test_every_point_is_counted_by_itself() -> None:
    code = """
for point in ("before-write", "after-commit", "before-write", "after-commit"):
    failpoints.reach(point)
    print(point, flush=True)
"""
    done = run(code, "after-commit:2")
    assert done.returncode == KILLED
    assert done.stdout.split() == ["before-write", "after-commit", "before-write"]


def test_points_that_threads_reach_at_once_are_counted_once_each() -> None:
    """Eight threads, a hundred times each: the last of all kills."""
    code = """
import sys, threading
sys.setswitchinterval(1e-6)
def work():
    for _ in range(100):
        failpoints.reach("before-write")
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print("all through", flush=True)
failpoints.reach("before-write")
print("not reached", flush=True)
"""
    done = run(code, "before-write:801")
    assert (done.returncode, done.stdout) == (KILLED, "all through\n")


# Who dies -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "java_dies"),
    [("before-commit", False), ("before-commit:1:python", False), ("before-commit:1:both", True)],
)
def test_the_jvm_dies_only_with_both(tmp_path: Path, wanted: str, java_dies: bool) -> None:
    """A child called java stands in for the driver JVM; the one called other is nobody's business."""
    sleep = shutil.which("sleep")
    assert sleep is not None
    for name in ("java", "other"):
        shutil.copy(sleep, tmp_path / name)
    code = """
import subprocess
silent = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
children = [subprocess.Popen([name, "60"], **silent) for name in ("java", "other")]
print(*[child.pid for child in children], flush=True)
failpoints.reach("before-commit")
"""
    done = run(code, wanted, PATH=str(tmp_path))
    assert done.returncode == KILLED
    java, other = (int(pid) for pid in done.stdout.split())
    try:
        assert ended(java, within_seconds=5 if java_dies else 0.1) is java_dies
        assert not ended(other, within_seconds=0)
    finally:
        for pid in (java, other):
            if not ended(pid, within_seconds=0):
                os.kill(pid, signal.SIGKILL)


def ended(pid: int, within_seconds: float) -> bool:
    """Whether a process is gone, or only a zombie is left of it."""

    def gone() -> bool:
        try:
            return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return True

    return eventually(gone, within_seconds)


def eventually(condition: Callable[[], bool], within_seconds: float) -> bool:
    deadline = time.monotonic() + within_seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.01)
    return True


# Data files -----------------------------------------------------------------------------------------

WATCH = """
import os, time
folder = Path(os.environ["FOLDER"])
with failpoints.watching(folder):
    (folder / "part-0002.snappy.parquet").touch()
    time.sleep(0.05)
    print("file begun", flush=True)
    (folder / os.environ["CHECKSUM"]).touch()
    time.sleep(float(os.environ["WAIT"]))
    print("alive", flush=True)
print("after", flush=True)
"""
CHECKSUM = ".part-0002.snappy.parquet.crc"


def watch(folder: Path, wanted: str | None, checksum: str = CHECKSUM, wait: float = 0.05) -> tuple[int, list[str]]:
    done = run(WATCH, wanted, FOLDER=str(folder), CHECKSUM=checksum, WAIT=str(wait))
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def test_a_process_dies_when_the_checksum_of_a_new_data_file_appears(tmp_path: Path) -> None:
    """Not before: a file without a checksum is not complete. Files of earlier commits do not count."""
    (tmp_path / ".part-0001.snappy.parquet.crc").touch()
    assert watch(tmp_path, "after-files", wait=20) == (KILLED, ["file begun"])


@pytest.mark.parametrize(
    ("wanted", "checksum"),
    [
        ("after-files", ".00000000000000000007.json.crc"),
        ("after-files", ".part-0001.snappy.parquet.crc"),  # there before
        ("after-files", "part-0003.snappy.parquet"),
        ("after-files:2", CHECKSUM),
        ("before-commit", CHECKSUM),
        (None, CHECKSUM),
    ],
)
def test_watching_does_nothing_otherwise(tmp_path: Path, wanted: str | None, checksum: str) -> None:
    (tmp_path / ".part-0001.snappy.parquet.crc").touch()
    assert watch(tmp_path, wanted, checksum) == (SURVIVED, ["file begun", "alive", "after"])


def test_the_second_table_s_files_can_be_waited_for(tmp_path: Path) -> None:
    """One table's files are one time, however many they are."""
    code = """
import os, time
for name in ("one", "two", "three"):
    folder = Path(os.environ["FOLDER"]) / name  # not there yet, as before a table's first commit
    with failpoints.watching(folder):
        folder.mkdir()
        for number in range(3):
            (folder / f".part-{number}.parquet.crc").touch()
        time.sleep(0.2 if name == "one" else 20)
    print(name, flush=True)
"""
    done = run(code, "after-files:2", FOLDER=str(tmp_path))
    assert (done.returncode, done.stdout.split(), done.stderr) == (KILLED, ["one"], "")


def test_what_goes_wrong_while_watching_is_raised_and_nothing_is_left_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(failpoints.VARIABLE, "after-files:99")
    before = set(threading.enumerate())
    with pytest.raises(ZeroDivisionError), failpoints.watching(tmp_path):
        assert len(set(threading.enumerate()) - before) == 1
        raise ZeroDivisionError
    assert not set(threading.enumerate()) - before


@pytest.mark.parametrize("wanted", [None, "before-write", "after-files"])
def test_nothing_watches_where_there_is_no_folder_or_no_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: str | None
) -> None:
    if wanted is not None:
        monkeypatch.setenv(failpoints.VARIABLE, wanted)
    before = set(threading.enumerate())
    with failpoints.watching(None if wanted == "after-files" else tmp_path):
        assert not set(threading.enumerate()) - before


# Names ----------------------------------------------------------------------------------------------


def test_every_point_is_explained() -> None:
    """The table of the module's docstring has a line for each, in the order of a run."""
    rows = [line.split("|") for line in (failpoints.__doc__ or "").splitlines() if line.startswith("| ")]
    names = [row[1].strip() for row in rows[1:]]
    assert tuple(names) == failpoints.POINTS
    assert all(row[2].strip() for row in rows)


def test_only_known_points_are_reached() -> None:
    """A misspelt one would never kill, and its tests would test nothing."""
    reached = set()
    for folder in ("orchestration", "resources"):
        for file in (ROOT / folder).rglob("*.py"):
            reached |= names_reached(ast.parse(file.read_text(encoding="utf-8")))
    assert reached
    assert reached <= set(failpoints.POINTS)


def names_reached(tree: ast.Module) -> set[str]:
    """The names that ``reach`` is called with."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "reach":
            found |= {argument.value for argument in node.args if isinstance(argument, ast.Constant)} - {False}
    return found
