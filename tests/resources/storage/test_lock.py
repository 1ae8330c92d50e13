"""One writer on a local warehouse: real processes hold it, wait for it, are killed, or leave a child."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from orchestration.core.errors import MachineError, WarehouseLocked
from resources.storage.lock import LOCK_NAME
from tests.support.lock_holders import HOLD, SINCE, Holder, StartHolder, described, is_free, kill, mine, ticks

pytestmark = pytest.mark.costly  # servers, or waits

HOLD_WITH_CHILD = """
import subprocess, sys
from pathlib import Path
from resources.storage.lock import WarehouseLock
with WarehouseLock(Path(sys.argv[1]), "run-1", "2025-08-20T06:00:00Z", 0) as lock:
    sleeper = [sys.executable, "-c", "import sys; sys.stdin.readline()"]
    child = subprocess.Popen(sleeper, stdin=sys.stdin, stdout=subprocess.DEVNULL, pass_fds=[lock.fd])
    print(child.pid, flush=True)
    child.wait()
"""


def test_a_second_process_is_told_who_holds_the_warehouse(holds: StartHolder, tmp_path: Path) -> None:
    holder = holds(HOLD)
    assert holder.said == "held"
    told: list[str] = []
    with pytest.raises(WarehouseLocked) as caught, mine(tmp_path, on_wait=told.append):
        raise AssertionError("entered although it is held")
    assert caught.value.message == f"refused: in use by {described(holder.process.pid)}; the warehouse is {tmp_path}"
    assert caught.value.remedy == "Wait until it is done, or end that process; the lock goes with it."
    assert told == []  # it did not wait


def test_it_waits_as_long_as_it_was_told_and_says_once_for_whom(holds: StartHolder, tmp_path: Path) -> None:
    holder = holds(HOLD)
    told: list[str] = []
    started = time.monotonic()
    with pytest.raises(WarehouseLocked), mine(tmp_path, 0.35, told.append):
        raise AssertionError("entered although it is held")
    assert 0.35 <= time.monotonic() - started < 5
    assert told == [described(holder.process.pid)]


def test_it_goes_on_as_soon_as_the_other_is_done(holds: StartHolder, tmp_path: Path) -> None:
    """The holder releases while this process waits, and only when it was told that it is waited for."""
    holder = holds(HOLD)
    with mine(tmp_path, 30, lambda _holder: holder.go_on()):
        assert holder.hears() == "released"
        assert holder.process.poll() is None  # it gave the lock back, it did not have to end


def test_the_lock_is_released_at_exit_and_by_a_failure(tmp_path: Path) -> None:
    lock = mine(tmp_path)
    with lock:
        assert lock.fd >= 0
        assert not is_free(tmp_path)
    assert lock.fd == -1
    assert is_free(tmp_path)
    with pytest.raises(KeyboardInterrupt), mine(tmp_path):
        raise KeyboardInterrupt
    assert is_free(tmp_path)


def test_a_refused_lock_leaves_no_file_open(tmp_path: Path) -> None:
    with mine(tmp_path):
        before = sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208
        assert not is_free(tmp_path)
        assert sorted(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_kill_minus_9_releases_the_lock(holds: StartHolder, tmp_path: Path) -> None:
    holder = holds(HOLD)
    assert not is_free(tmp_path)
    holder.process.kill()
    holder.process.wait(timeout=20)
    assert is_free(tmp_path)


def test_the_lock_outlives_its_process_while_a_child_has_the_file(holds: StartHolder, tmp_path: Path) -> None:
    """The driver JVM outlives a killed Python by a second or two, and may still write: nobody else may."""
    holder = holds(HOLD_WITH_CHILD)
    child = int(holder.said)
    os.kill(holder.process.pid, signal.SIGKILL)
    assert holder.process.wait(timeout=20) == -signal.SIGKILL
    os.kill(child, 0)  # it lives
    with pytest.raises(WarehouseLocked) as caught, mine(tmp_path, 0.2):
        raise AssertionError("entered although the child holds it")
    assert described(holder.process.pid) in caught.value.message
    holder.go_on()  # the child ends
    with mine(tmp_path, 20):
        pass


def open_below(folder: Path) -> list[str]:
    """The files below a folder that this process has open; what else it has, others open and close meanwhile."""
    names = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # closed by now, as that of this listing
            names.append(str(link.readlink()))
    return [name for name in names if name.startswith(str(folder))]


def test_leaving_the_lock_does_not_take_it_from_a_child_that_has_the_file(tmp_path: Path) -> None:
    """At the end of a run the driver JVM may still be about; only its own end gives the warehouse free."""
    with mine(tmp_path) as lock:
        assert open_below(tmp_path)
        waits = [sys.executable, "-c", "input()"]
        child = subprocess.Popen(waits, stdin=subprocess.PIPE, pass_fds=[lock.fd])
    try:
        assert not is_free(tmp_path)
    finally:
        child.communicate(b"\n", timeout=20)
    assert is_free(tmp_path)
    assert not open_below(tmp_path)


def test_other_children_do_not_inherit_the_lock(tmp_path: Path) -> None:
    waits = [sys.executable, "-c", "print('here', flush=True); input()"]
    with mine(tmp_path):
        child = subprocess.Popen(waits, stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"here\n"  # its own files are in place
        assert is_free(tmp_path)
    finally:
        child.communicate(b"\n", timeout=20)


def test_the_file_names_its_holder_also_after_one_with_a_longer_name(tmp_path: Path) -> None:
    (tmp_path / LOCK_NAME).write_text("x" * 5000, encoding="utf-8")
    with mine(tmp_path):
        assert json.loads((tmp_path / LOCK_NAME).read_text(encoding="utf-8")) == {
            "run_id": "run-2",
            "pid": os.getpid(),
            "process_start": ticks(os.getpid()),
            "host": socket.gethostname(),
            "since": SINCE,
        }


# Holds as HOLD does, but pauses between taking the lock and a step of writing who it is.
PAUSES = """
import os, sys
def CALL(*args, real=os.CALL):
    os.CALL = real
    print("taken", flush=True)
    sys.stdin.readline()
    return real(*args)
os.CALL = CALL
"""


@pytest.fixture(params=["empty", "of a run that is done", "of a run that is dead"])
def unnamed(request: pytest.FixtureRequest, tmp_path: Path, holds: StartHolder) -> Holder:
    """A run that has taken the lock and not yet written who it is: the file is empty, or of a run before."""
    if request.param == "of a run that is done":
        with mine(tmp_path):
            pass
    if request.param == "of a run that is dead":
        kill(holds(HOLD))
    holder = holds(PAUSES.replace("CALL", "pwrite" if request.param == "empty" else "ftruncate") + HOLD)
    assert holder.said == "taken"
    return holder


def test_who_writes_its_name_later_is_told_by_name(unnamed: Holder, tmp_path: Path) -> None:
    told: list[str] = []

    def waits() -> None:
        with mine(tmp_path, 30, told.append, name_seconds=30):
            pass

    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(waits)
        time.sleep(0.3)
        assert told == []
        unnamed.go_on()
        assert unnamed.hears() == "held"
        while not told:
            time.sleep(0.01)
        unnamed.go_on()
        waiting.result(20)
    assert told == [described(unnamed.process.pid)]


def test_who_writes_its_name_later_is_named_to_one_that_does_not_wait(unnamed: Holder, tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool:
        refused = pool.submit(refusal, tmp_path, name_seconds=30)
        time.sleep(0.3)
        assert not refused.done()
        unnamed.go_on()
        assert refused.result(20).startswith(f"refused: in use by {described(unnamed.process.pid)};")


def test_who_never_writes_its_name_holds_it_all_the_same(unnamed: Holder, tmp_path: Path) -> None:
    before = (tmp_path / LOCK_NAME).read_text(encoding="utf-8")
    named = f"run {json.loads(before)['run_id']} (process " if before else "another run"
    assert f"refused: in use by {named}" in refusal(tmp_path, name_seconds=0.2)
    told: list[str] = []
    with pytest.raises(WarehouseLocked), mine(tmp_path, 0.4, told.append):
        raise AssertionError("entered although it is held")
    assert len(told) == 1
    assert told[0].startswith(named)
    unnamed.go_on()


def refusal(folder: Path, name_seconds: float) -> str:
    with pytest.raises(WarehouseLocked) as caught, mine(folder, name_seconds=name_seconds):
        raise AssertionError("entered although it is held")
    return caught.value.message


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", "3", "null"])
def test_a_holder_that_has_not_said_who_it_is(text: str, tmp_path: Path) -> None:
    with mine(tmp_path):
        (tmp_path / LOCK_NAME).write_text(text, encoding="utf-8")
        with pytest.raises(WarehouseLocked) as caught, mine(tmp_path):
            raise AssertionError("entered although it is held")
    assert caught.value.message == f"refused: in use by another run; the warehouse is {tmp_path}"


def test_two_warehouses_do_not_wait_for_each_other(tmp_path: Path) -> None:
    with mine(tmp_path / "a"), mine(tmp_path / "b" / "c"):
        assert (tmp_path / "b" / "c" / LOCK_NAME).is_file()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_that_gives_no_locks(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As NFS without its lock service: nothing keeps two runs apart there, so none begins."""

    def refuse(fd: int, _how: int) -> None:
        opened.append(fd)
        raise OSError(number, os.strerror(number))

    opened: list[int] = []
    monkeypatch.setattr("resources.storage.lock.fcntl.flock", refuse)
    with pytest.raises(MachineError) as caught, mine(tmp_path):
        raise AssertionError("entered without a lock")
    assert caught.value.message == (
        f"the warehouse {tmp_path} lies on a file system that gives no locks ({os.strerror(number)})"
    )
    assert "flock" in caught.value.remedy
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(opened[0])


def test_a_full_disk_has_no_room_for_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock is held all the same: the run goes on, and names what it cannot write."""

    def refuse(*_args: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("resources.storage.lock.os.pwrite", refuse)
    with mine(tmp_path):
        assert not is_free(tmp_path)
    assert is_free(tmp_path)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    folder = tmp_path / "file" / "warehouse"
    with pytest.raises(MachineError) as caught, mine(folder):
        raise AssertionError("entered without a folder")
    assert caught.value.message == f"the warehouse {folder} is not writable (Not a directory)"
    assert caught.value.remedy == "Set AQI_WAREHOUSE__URI to a folder that this user may write."
    assert caught.value.exit_status == 2


def test_a_warehouse_on_a_disk_that_turned_read_only_is_not_to_be_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who did as told would begin an empty one elsewhere."""

    def refuse(*_args: object) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    (tmp_path / "gold").mkdir()
    monkeypatch.setattr("resources.storage.lock.os.open", refuse)
    with pytest.raises(MachineError) as caught, mine(tmp_path):
        raise AssertionError("entered")
    assert caught.value.message == f"the warehouse {tmp_path} is not writable (Read-only file system)"
    assert caught.value.remedy == "Mount its disk for writing; what only reads goes on until then."
