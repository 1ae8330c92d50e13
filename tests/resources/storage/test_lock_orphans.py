"""What a dead run left at the lock of a local warehouse is ended by the run that waits, and nothing else is."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from resources.storage.lock import LOCK_NAME, ORPHAN_GRACE_SECONDS, TERM_SECONDS
from tests.support.lock_holders import (
    HANGS,
    HANGS_ON_SIGTERM,
    HOLD,
    ROOT,
    RUN_WITH_CHILD,
    TAKES,
    WAITS,
    Left,
    StartHolder,
    Waiter,
    ended,
    is_there,
    kill,
    looks_often,
    mine,
    rewrite,
    ticks,
    with_child,
)

pytestmark = pytest.mark.engine  # processes of their own


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


def test_what_does_not_go_on_sigterm_is_killed(left: Left, tmp_path: Path) -> None:
    run, child = left(with_child(RUN_WITH_CHILD, HANGS_ON_SIGTERM))
    kill(run)
    waiter = Waiter(tmp_path, grace=0.05, term=0.3)
    assert waiter.gets_it() >= 0.3
    assert waiter.ended == [ended(run, child)]
    assert not is_there(child)
    assert run.hears() == "asked"  # by SIGTERM, before the SIGKILL


def test_what_cannot_be_ended_is_not_said_to_be(left: Left, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process in the kernel's hands, on a disk that does not answer, outlives its SIGKILL."""
    run, child = left(with_child(RUN_WITH_CHILD))
    kill(run)
    with monkeypatch.context() as patched:
        patched.setattr("os.kill", lambda _pid, _signal: None)
        looks_often(tmp_path, term=0.05).ends_nothing(child)


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
    left: Left, holds: StartHolder, tmp_path: Path
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
    left: Left, holds: StartHolder, tmp_path: Path
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
