"""One writer on a local warehouse: real processes hold it, wait for it, are killed, or leave a child."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from orchestration.core.errors import EnvironmentError_, WarehouseLocked
from resources.storage.lock import LOCK_NAME, ORPHAN_GRACE_SECONDS, TERM_SECONDS, WarehouseLock

ROOT = Path(__file__).resolve().parents[3]
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


@pytest.fixture
def holds(tmp_path: Path) -> Iterator[Callable[[str], Holder]]:
    """Starts another process that holds the lock of ``tmp_path``."""
    started: list[Holder] = []

    def start(code: str) -> Holder:
        started.append(Holder(code, tmp_path))
        return started[-1]

    yield start
    for holder in started:
        holder.end()


def mine(folder: Path, wait_seconds: float = 0, on_wait: Callable[[str], None] = lambda _holder: None) -> WarehouseLock:
    return WarehouseLock(folder, "run-2", SINCE, wait_seconds, on_wait)


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


def test_a_second_process_is_told_who_holds_the_warehouse(holds: Callable[[str], Holder], tmp_path: Path) -> None:
    holder = holds(HOLD)
    assert holder.said == "held"
    told: list[str] = []
    with pytest.raises(WarehouseLocked) as caught, mine(tmp_path, on_wait=told.append):
        raise AssertionError("entered although it is held")
    assert caught.value.message == f"the warehouse {tmp_path} is in use by {described(holder.process.pid)}"
    assert caught.value.remedy == "Wait until it is done, or end that process; the lock goes with it."
    assert told == []  # it did not wait


def test_it_waits_as_long_as_it_was_told_and_says_once_for_whom(holds: Callable[[str], Holder], tmp_path: Path) -> None:
    holder = holds(HOLD)
    told: list[str] = []
    started = time.monotonic()
    with pytest.raises(WarehouseLocked), mine(tmp_path, 0.35, told.append):
        raise AssertionError("entered although it is held")
    assert 0.35 <= time.monotonic() - started < 5
    assert told == [described(holder.process.pid)]


def test_it_goes_on_as_soon_as_the_other_is_done(holds: Callable[[str], Holder], tmp_path: Path) -> None:
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


def test_kill_minus_9_releases_the_lock(holds: Callable[[str], Holder], tmp_path: Path) -> None:
    holder = holds(HOLD)
    assert not is_free(tmp_path)
    holder.process.kill()
    holder.process.wait(timeout=20)
    assert is_free(tmp_path)


def test_the_lock_outlives_its_process_while_a_child_has_the_file(
    holds: Callable[[str], Holder], tmp_path: Path
) -> None:
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


def test_leaving_the_lock_does_not_take_it_from_a_child_that_has_the_file(tmp_path: Path) -> None:
    """At the end of a run the driver JVM may still be about; only its own end gives the warehouse free."""
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with mine(tmp_path) as lock:
        waits = [sys.executable, "-c", "input()"]
        child = subprocess.Popen(waits, stdin=subprocess.PIPE, pass_fds=[lock.fd])
    try:
        assert not is_free(tmp_path)
    finally:
        child.communicate(b"\n", timeout=20)
    assert is_free(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


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


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", "3", "null"])
def test_a_holder_that_has_not_said_who_it_is(text: str, tmp_path: Path) -> None:
    with mine(tmp_path):
        (tmp_path / LOCK_NAME).write_text(text, encoding="utf-8")
        with pytest.raises(WarehouseLocked) as caught, mine(tmp_path):
            raise AssertionError("entered although it is held")
    assert caught.value.message == f"the warehouse {tmp_path} is in use by another run"


def test_two_warehouses_do_not_wait_for_each_other(tmp_path: Path) -> None:
    with mine(tmp_path / "a"), mine(tmp_path / "b" / "c"):
        assert (tmp_path / "b" / "c" / LOCK_NAME).is_file()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    folder = tmp_path / "file" / "warehouse"
    with pytest.raises(EnvironmentError_) as caught, mine(folder):
        raise AssertionError("entered without a folder")
    assert caught.value.message == f"the warehouse {folder} is not writable (Not a directory)"
    assert caught.value.remedy == "Set AQI_WAREHOUSE__URI to a folder that this user may write."
    assert caught.value.exit_status == 2


# --- what a dead run left behind -----------------------------------------------------------------

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


Left = Callable[[str], tuple[Holder, psutil.Process]]


@pytest.fixture
def left(holds: Callable[[str], Holder]) -> Iterator[Left]:
    """Starts a run and its child, and ends the child after the test where that has not been done."""
    started: list[psutil.Process] = []

    def start(code: str) -> tuple[Holder, psutil.Process]:
        run = holds(code)
        started.append(psutil.Process(int(run.said)))
        return run, started[-1]

    yield start
    for process in started:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


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


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resources.storage.lock.POLL_SECONDS", 0.02)


class Waiter:
    """Waits for the lock as a run does, and keeps what it was told of the processes that it ended."""

    def __init__(self, folder: Path, grace: float, wait: float = 20) -> None:
        self.ended: list[str] = []
        self.lock = WarehouseLock(folder, "run-2", SINCE, wait, on_orphan=self.ended.append, orphan_grace_seconds=grace)

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


def looks_often(folder: Path) -> Waiter:
    return Waiter(folder, grace=0, wait=0.15)


def test_what_hangs_of_a_dead_run_is_ended_after_the_grace(left: Left, tmp_path: Path) -> None:
    run, child = left(with_child(RUN_WITH_CHILD))
    kill(run)
    waiter = Waiter(tmp_path, grace=0.4)
    assert waiter.gets_it() >= 0.4
    assert waiter.ended == [ended(run, child)]
    assert not is_there(child)


def test_a_dead_run_that_nobody_has_waited_for_is_dead(left: Left, tmp_path: Path) -> None:
    """A zombie has its pid and its start still; without a proper init it keeps them for ever."""
    run, child = left(with_child(RUN_WITH_CHILD))
    run.process.kill()
    waiter = Waiter(tmp_path, grace=0.05)
    waiter.gets_it()
    assert waiter.ended == [ended(run, child)]


def test_what_does_not_go_on_sigterm_is_killed(left: Left, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resources.storage.lock.TERM_SECONDS", 0.3)
    run, child = left(with_child(RUN_WITH_CHILD, HANGS_ON_SIGTERM))
    kill(run)
    waiter = Waiter(tmp_path, grace=0.05)
    assert waiter.gets_it() >= 0.3
    assert waiter.ended == [ended(run, child)]
    assert not is_there(child)
    assert run.hears() == "asked"  # by SIGTERM, before the SIGKILL


def test_what_cannot_be_ended_is_not_said_to_be(left: Left, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process in the kernel's hands, on a disk that does not answer, outlives its SIGKILL."""
    run, child = left(with_child(RUN_WITH_CHILD))
    kill(run)
    with monkeypatch.context() as patched:
        patched.setattr("resources.storage.lock.TERM_SECONDS", 0.05)
        patched.setattr("os.kill", lambda _pid, _signal: None)
        looks_often(tmp_path).ends_nothing(child)


def test_what_goes_by_itself_within_the_grace_is_not_ended(left: Left, tmp_path: Path) -> None:
    goes = "import os, time; print(os.getpid(), flush=True); time.sleep(0.4); print('by itself', flush=True)"
    run, _ = left(with_child(RUN_WITH_CHILD, goes))
    kill(run)
    waiter = Waiter(tmp_path, grace=5)
    waiter.gets_it()
    assert waiter.ended == []
    assert run.hears() == "by itself"


def test_the_default_grace_gives_a_jvm_the_time_that_it_needs() -> None:
    assert ORPHAN_GRACE_SECONDS == 5
    assert TERM_SECONDS == 2


def test_who_waits_and_its_child_have_the_file_open_and_are_not_ended(left: Left, tmp_path: Path) -> None:
    run, child = left(with_child(RUN_WITH_CHILD))
    other, child_of_other = left(with_child(WAITS))
    other.process.send_signal(signal.SIGSTOP)  # it would get the lock first, perhaps
    with (tmp_path / LOCK_NAME).open(encoding="utf-8") as file:
        own = subprocess.Popen([sys.executable, "-c", HANGS], stdout=subprocess.DEVNULL, pass_fds=[file.fileno()])
    try:
        kill(run)
        waiter = Waiter(tmp_path, grace=0.05)
        waiter.gets_it()
        assert waiter.ended == [ended(run, child)]
        assert is_there(child_of_other)
        assert own.poll() is None
        other.process.send_signal(signal.SIGCONT)
        assert other.hears() == "held"
    finally:
        other.process.send_signal(signal.SIGCONT)
        own.kill()
        own.wait()


WAITS_FOR_ITS_PARENT = """
import os, time
from pathlib import Path
from orchestration.core.errors import WarehouseLocked
from resources.storage.lock import WarehouseLock
parent = os.getppid()
print(os.getpid(), flush=True)
while os.getppid() == parent:
    time.sleep(0.01)
try:
    WarehouseLock(Path(FOLDER), "run-2", "now", 0.25, on_orphan=print, orphan_grace_seconds=0).__enter__()
except WarehouseLocked:
    print("refused", flush=True)
"""


def test_it_does_not_end_itself(left: Left, tmp_path: Path) -> None:
    """Not even where it was started by the dead run, and got the file from it."""
    run, _ = left(with_child(RUN_WITH_CHILD, WAITS_FOR_ITS_PARENT.replace("FOLDER", repr(str(tmp_path)))))
    kill(run)
    assert run.hears() == "refused"


def test_a_living_run_is_not_touched_nor_is_its_child(left: Left, tmp_path: Path) -> None:
    run, child = left(with_child(RUN_WITH_CHILD))
    looks_often(tmp_path).ends_nothing(psutil.Process(run.process.pid), child)
    run.process.send_signal(signal.SIGSTOP)  # a stopped one lives, too
    try:
        looks_often(tmp_path).ends_nothing(psutil.Process(run.process.pid), child)
    finally:
        run.process.send_signal(signal.SIGCONT)


def test_the_child_of_a_living_run_that_has_left_the_lock_is_not_touched(left: Left, tmp_path: Path) -> None:
    run, child = left(with_child(RUN_WITH_CHILD, closes=True))
    looks_often(tmp_path).ends_nothing(psutil.Process(run.process.pid), child)


def test_a_pid_that_another_process_has_by_now(left: Left, tmp_path: Path) -> None:
    """The process of that pid lives, but started at another time than the run: the run is dead."""
    now, child = left(with_child(RUN_WITH_CHILD, closes=True))
    rewrite(tmp_path, process_start=ticks(now.process.pid) - 1)
    waiter = Waiter(tmp_path, grace=0.05)
    waiter.gets_it()
    assert waiter.ended == [ended(now, child)]
    assert now.process.poll() is None  # that one has nothing to do with it


def test_a_new_run_that_has_not_yet_said_who_it_is_is_not_touched(
    left: Left, holds: Callable[[str], Holder], tmp_path: Path
) -> None:
    """The file still names the dead run, and the lock is held: by the new one."""
    dead = holds(HOLD)
    kill(dead)
    new, child = left(with_child(TAKES))
    assert json.loads((tmp_path / LOCK_NAME).read_text(encoding="utf-8"))["pid"] == dead.process.pid
    looks_often(tmp_path).ends_nothing(psutil.Process(new.process.pid), child)


def test_nor_is_one_that_has_got_the_pid_of_the_dead_run(left: Left, tmp_path: Path) -> None:
    with mine(tmp_path):
        pass
    new, child = left(with_child(TAKES))
    rewrite(tmp_path, pid=new.process.pid, process_start=ticks(new.process.pid) - 1)
    looks_often(tmp_path).ends_nothing(psutil.Process(new.process.pid), child)


def test_a_lock_that_another_than_the_dead_run_took_is_not_touched(
    left: Left, holds: Callable[[str], Holder], tmp_path: Path
) -> None:
    """Whoever took it, and wherever that process is now: the kernel names it, and it is not the dead run."""
    dead = holds(HOLD)
    start = ticks(dead.process.pid)
    kill(dead)
    _, child = left(with_child(RUN_WITH_CHILD, closes=True))
    rewrite(tmp_path, pid=dead.process.pid, process_start=start)
    looks_often(tmp_path).ends_nothing(child)


def test_of_a_run_that_is_not_certainly_dead_nothing_is_ended(left: Left, tmp_path: Path) -> None:
    run, child = left(with_child(RUN_WITH_CHILD))
    kill(run)
    file = tmp_path / LOCK_NAME
    record = json.loads(file.read_text(encoding="utf-8"))
    for changed in (
        record | {"host": "another-host"},
        record | {"process_start": None},  # written where the kernel does not tell it
        record | {"process_start": "yesterday"},
        record | {"pid": "unknown"},
        record | {"pid": 1e999},
        {key: value for key, value in record.items() if key != "process_start"},
        [record],
    ):
        file.write_text(json.dumps(changed), encoding="utf-8")
        looks_often(tmp_path).ends_nothing(child)
    file.write_text(json.dumps(record)[:-1], encoding="utf-8")
    looks_often(tmp_path).ends_nothing(child)


def test_what_holds_another_warehouse_of_the_dead_run_is_not_ended(left: Left, tmp_path: Path) -> None:
    two = """
import subprocess, sys
from pathlib import Path
from resources.storage.lock import WarehouseLock
for name in "ab":
    lock = WarehouseLock(Path(sys.argv[1]) / name, "run-1", "2025-08-20T06:00:00Z", 0).__enter__()
    child = subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.DEVNULL, pass_fds=[lock.fd])
    sys.stdin.readline()
"""
    run, child_a = left(with_child(two))
    run.go_on()
    child_b = psutil.Process(int(run.hears()))
    try:
        kill(run)
        waiter = Waiter(tmp_path / "a", grace=0.05)
        waiter.gets_it()
        assert not is_there(child_a)
        assert is_there(child_b)
        assert len(waiter.ended) == 1
    finally:
        child_b.kill()


IN_A_CONTAINER = """
import subprocess, sys
from pathlib import Path
from resources.storage.lock import WarehouseLock
start = [sys.executable, "-c", RUN, sys.argv[1]]
run = subprocess.Popen(start, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
child = run.stdout.readline().strip()
run.kill()
run.wait()
Path("/proc/sys/kernel/ns_last_pid").write_text(str(run.pid - 1))  # the next process gets the pid of the run
other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
assert other.pid == run.pid
with WarehouseLock(Path(sys.argv[1]), "run-2", "now", 20, on_orphan=print, orphan_grace_seconds=0.1):
    assert other.poll() is None
other.communicate(b"x")
print(child, run.pid)
"""
CONTAINER = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"]


def test_in_a_container_where_the_kernel_does_not_know_the_pid_of_a_dead_run(tmp_path: Path) -> None:
    """Pids of its own; that of the dead run has another process. Its first process reaps nothing, as many do."""
    if shutil.which("unshare") is None or subprocess.run([*CONTAINER, "true"], check=False).returncode:
        pytest.skip("this user may not make a namespace of processes")
    code = IN_A_CONTAINER.replace("RUN", repr(with_child(RUN_WITH_CHILD)))
    start = [*CONTAINER, sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(start, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    told, pids = done.stdout.splitlines()
    child, run = pids.split()
    assert told.startswith(f"Ended process {child} (")
    assert told.endswith(f"for run run-1 (process {run}), which is dead.")
