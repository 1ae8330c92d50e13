"""The embedded engine's process: killed, hung, out of memory, out of disk, orphaned. Work fails by name; nothing stays.

A piece of work that fails takes nothing else along: the next one gets a new process, and rows that were kept are there.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from orchestration.core.errors import RunError
from orchestration.engine.engines.embedded import EmbeddedEngine
from resources.delta.warehouse import Warehouse
from resources.embedded.process import DEATH_SECONDS, EmbeddedProcess
from resources.embedded.scratch import FOLDER, Scratch
from resources.settings.spark_values import VALUE_SETTINGS
from tests.support.other_user import BORIS, as_user

pytestmark = pytest.mark.engine

ROOT = Path(__file__).resolve().parents[3]
ENDLESS = "SELECT sum(hash(a.id, b.id)) FROM range(10000000) a CROSS JOIN range(10000000) b"
ENDLESS_ROWS = "SELECT a.id, b.id AS other FROM range(10000000) a CROSS JOIN range(10000000) b"
LEAST_MEMORY = "256m"

Make = Callable[..., EmbeddedProcess]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes processes on a warehouse of the test's; none is left."""
    made: list[EmbeddedProcess] = []

    def one(memory: str = "1g", timeout: float = 60) -> EmbeddedProcess:
        size = int(memory[:-1]) << {"m": 20, "g": 30}[memory[-1]]
        made.append(
            EmbeddedProcess(tmp_path / "lake", size, memory, timeout, VALUE_SETTINGS, tmp_path / "embedded.log")
        )
        return made[-1]

    yield one
    for process in made:
        process.stop()
        assert process.pid is None or gone(process.pid)
    assert not (tmp_path / "lake" / FOLDER).exists()


def gone(pid: int) -> bool:
    """Whether it has ended; that nobody has asked for its exit status does not count."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def until(what: Callable[[], bool], seconds: float) -> None:
    """Wait for it."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.02)


def pid_of(process: EmbeddedProcess) -> int:
    assert process.pid is not None
    return process.pid


@contextmanager
def meanwhile(act: Callable[[], object], after: float = 0.5) -> Iterator[None]:
    """Another thread does something while the block is going on."""
    timer = threading.Timer(after, act)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def alive(process: EmbeddedProcess) -> bool:
    with process.working("the next piece"):
        return bool(process.session().sql("SELECT 1 AS one").collect() == [(1,)])


# --- killed, hung, cancelled ----------------------------------------------------------------------


@pytest.mark.parametrize("writes", [False, True])
def test_a_process_that_is_killed_fails_the_piece_of_work_alone(tmp_path: Path, make: Make, writes: bool) -> None:
    process = make()
    engine = EmbeddedEngine(Warehouse(str(tmp_path / "lake")), process)
    with engine.working("before"):
        kept = engine.evaluate(process.session().range(10))
    first, started = pid_of(process), time.monotonic()
    with meanwhile(lambda: os.kill(first, signal.SIGKILL)), pytest.raises(RunError) as caught, engine.working("a step"):
        if writes:
            engine.evaluate(process.session().sql(ENDLESS_ROWS))
        else:
            process.session().sql(ENDLESS).collect()
    assert time.monotonic() - started < 10
    assert "the embedded engine ended in mid-run: killed by signal 9; its log is " in caught.value.message
    assert caught.value.remedy == "Ask for the same days again."
    with engine.working("after"):
        assert kept.frame().count() == 10
        assert pid_of(process) != first
    kept.let_go()
    left = [path for path in process.scratch.rglob("*") if path.is_file()]
    assert left == [], "what was half written went with its piece of work, what was spilled with the process"
    assert len(list(process.scratch.iterdir())) == 1, "the live process's own"


def test_every_thread_whose_query_was_going_on_is_told(make: Make) -> None:
    process, told = make(), list[str]()
    alive(process)

    def work(name: str) -> None:
        try:
            with process.working(name):
                process.session().sql(ENDLESS).collect()
        except RunError as error:
            told.append(error.message)

    threads = [threading.Thread(target=work, args=(f"step {number}",)) for number in range(3)]
    with meanwhile(lambda: os.kill(pid_of(process), signal.SIGKILL)):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert len(told) == 3
    assert all("killed by signal 9" in message for message in told)
    assert alive(process)


def test_what_takes_too_long_fails_by_name(make: Make) -> None:
    process, started = make(timeout=1), time.monotonic()
    with pytest.raises(RunError) as caught, process.working("gold.endless#2025-03"):
        process.session().sql(ENDLESS).collect()
    assert time.monotonic() - started < 10
    assert "gold.endless#2025-03 took longer than 1 s (setting embedded.timeout_seconds)" in caught.value.message
    assert alive(process)


def test_time_is_counted_for_each_piece_of_work(make: Make) -> None:
    """Of a piece that has ended, and outside of any, no clock runs."""
    process = make(timeout=1)
    for _ in range(3):
        assert alive(process)
        time.sleep(0.6)
    first = pid_of(process)
    time.sleep(1)
    assert alive(process)
    assert pid_of(process) == first


def test_cancelling_ends_what_is_going_on_and_starts_nothing_more(make: Make) -> None:
    """As Ctrl-C does it: the engine is in no group of ours, so that the key does not reach it first."""
    process = make()
    alive(process)
    first, started = pid_of(process), time.monotonic()
    assert os.getpgid(first) != os.getpgid(0)
    with meanwhile(process.cancel), pytest.raises(RunError, match="it was cancelled"), process.working("a step"):
        process.session().sql(ENDLESS).collect()
    assert time.monotonic() - started < 10
    assert gone(first)
    with pytest.raises(RunError, match="the embedded engine was ended"), process.working("another step"):
        pass
    assert pid_of(process) == first


def test_an_error_of_the_query_is_its_own_and_is_not_waited_on(make: Make) -> None:
    process = make()
    alive(process)
    first, started = pid_of(process), time.monotonic()
    with pytest.raises(Exception, match=r"(?i)(divide|division) by zero") as caught, process.working("a step"):
        process.session().sql("SELECT 1 / id FROM range(3)").collect()
    assert not isinstance(caught.value, RunError)
    assert time.monotonic() - started < DEATH_SECONDS
    assert alive(process)
    assert pid_of(process) == first


def test_a_process_that_cannot_start_says_where_its_log_is(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    process = make()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", shutil.which("false"))
        with pytest.raises(RunError, match="the embedded engine did not start") as caught, process.working("a step"):
            pass
    assert "embedded.log" in caught.value.remedy


# --- memory ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("memory", "query"),
    [
        (LEAST_MEMORY, "SELECT size(collect_list(id)) FROM range(40000000)"),
        ("512m", "SELECT size(collect_list(repeat(cast(id AS string), 99))) FROM range(40000000)"),
    ],
    ids=["resident", "operators"],
)
def test_what_needs_too_much_memory_names_the_setting(make: Make, memory: str, query: str) -> None:
    """Beyond all of the memory the process ends; beyond the share of operators the query does."""
    process = make(memory)
    with pytest.raises(RunError) as caught, process.working("a step"):
        process.session().sql(query).collect()
    assert f"more than the {memory} of memory that it may have (setting embedded.memory" in caught.value.message
    assert alive(process)


def test_a_sort_of_more_than_operators_may_hold(tmp_path: Path, make: Make) -> None:
    """480 MB of rows: by way of scratch, or not at all and by name; nothing of it is left."""
    process = make("512m")
    engine = EmbeddedEngine(Warehouse(str(tmp_path / "lake")), process)
    engine.start()
    rows = process.session().sql("SELECT id, hash(id) AS h, hash(id, 1) AS i, id AS j FROM range(20000000)")
    try:
        with engine.working("a step"):
            kept = engine.evaluate(rows.sort("h", "id"))
            assert kept.frame().count() == 20_000_000
    except RunError as error:
        assert "setting embedded.memory" in error.message
    else:
        kept.let_go()
    assert [path for path in process.scratch.rglob("*") if path.is_file()] == []


# --- orphans --------------------------------------------------------------------------------------

PARENT = """
import sys
from pathlib import Path
from resources.embedded.process import EmbeddedProcess

process = EmbeddedProcess(Path(sys.argv[1]), 1 << 30, "1g", 60, {}, Path(sys.argv[2]))
session = process.session()
print(process.pid, process.scratch, flush=True)
if sys.argv[3] == "writes":
    session.sql(sys.argv[4]).write.parquet(str(process.scratch / "rows"))
sys.stdin.read()
"""


@contextmanager
def parent(folder: Path, does: str) -> Iterator[tuple[subprocess.Popen[str], int, Path]]:
    """A process with an engine; the engine's id, and its scratch folder."""
    call = [sys.executable, "-c", PARENT, str(folder / "lake"), str(folder / "embedded.log"), does, ENDLESS_ROWS]
    with subprocess.Popen(call, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        pid, scratch = started.stdout.readline().split(maxsplit=1)
        try:
            yield started, int(pid), Path(scratch.strip())
        finally:
            started.kill()


def swept(lake: Path) -> bool:
    """Whether the next one to come finds nothing but its own."""
    mine = Scratch(lake)
    try:
        return set((lake / FOLDER).iterdir()) == {mine.folder, Path(f"{mine.folder}.lock")}
    finally:
        mine.close()


@pytest.mark.parametrize("does", ["nothing", "writes"])
def test_an_engine_whose_parent_is_killed_ends_with_its_scratch(tmp_path: Path, does: str) -> None:
    with parent(tmp_path, does) as (process, engine, scratch):
        if does == "writes":
            until(lambda: any((scratch / "rows").glob("*")), 20)
        assert scratch.is_dir()
        process.kill()
        until(lambda: gone(engine), 5)
        assert does == "writes" or not list(scratch.parent.iterdir()), "files that are written may come after it looked"
    assert swept(tmp_path / "lake")
    assert not (tmp_path / "lake" / FOLDER).exists()


def test_what_is_left_where_both_are_killed_is_swept(tmp_path: Path) -> None:
    with parent(tmp_path, "writes") as (process, engine, scratch):
        until(lambda: any((scratch / "rows").glob("*")), 20)
        os.kill(engine, signal.SIGKILL)
        process.kill()
        until(lambda: gone(engine) and process.poll() is not None, 5)
        assert scratch.is_dir()
    assert swept(tmp_path / "lake")


def test_what_is_in_use_is_not_swept(tmp_path: Path) -> None:
    with parent(tmp_path, "nothing") as (_, _, scratch):
        mine = Scratch(tmp_path / "lake")
        assert scratch.is_dir()
        mine.close()
        assert scratch.is_dir()
        assert not mine.folder.exists()


# --- disk -----------------------------------------------------------------------------------------


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, make: Make) -> None:
    process = make()
    engine = EmbeddedEngine(Warehouse(str(tmp_path / "lake")), process)
    engine.start()
    psutil.Process(pid_of(process)).rlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    with pytest.raises(Exception, match="File too large") as caught, engine.working("a step"):
        engine.evaluate(process.session().range(1_000_000).selectExpr("id", "hash(id) AS h"))
    assert not isinstance(caught.value, RunError), "the process lives"
    assert [path for path in process.scratch.rglob("*") if path.is_file()] == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, make: Make) -> None:
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "_aqi").write_text("", encoding="utf-8")
    with pytest.raises(RunError, match=r"needs room for passing files below .*lake, and cannot write there"):
        make().session()
    (tmp_path / "lake" / "_aqi").unlink()


# --- what is around it ----------------------------------------------------------------------------


def test_variables_of_the_shell_do_not_reach_it(tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """One makes Sail write no file, others keep it from starting; a proxy is nothing for this machine."""
    monkeypatch.setenv("SAIL_PARQUET__MAXIMUM_PARALLEL_ROW_GROUP_WRITERS", "0")
    monkeypatch.setenv("SAIL_EXECUTION__DEFAULT_PARALLELISM", "x")
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    process = make()
    engine = EmbeddedEngine(Warehouse(str(tmp_path / "lake")), process)
    with engine.working("a test"):
        rows = engine.evaluate(process.session().range(1000))
        assert rows.frame().count() == 1000


def test_cancelling_does_not_wait_for_a_start(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a process that says nothing."""
    monkeypatch.setattr("resources.embedded.server.__file__", "-c")  # python -I -c SCRATCH: ends at once, or hangs
    monkeypatch.setattr("resources.embedded.process.sys.executable", "/bin/cat")
    process = make()
    started = time.monotonic()
    with meanwhile(process.cancel), pytest.raises(RunError, match="did not start"):
        process.session()
    assert time.monotonic() - started < DEATH_SECONDS + 5


def test_the_active_session_is_that_of_the_process_that_lives(make: Make) -> None:
    """An asset's function may ask for it; that of a process that was killed is none any more."""
    from pyspark.sql import SparkSession

    process = make()
    assert alive(process)
    os.kill(pid_of(process), signal.SIGKILL)
    with suppress(RunError):  # it may still be dying
        alive(process)
    with process.working("after it"):
        assert SparkSession.active().range(3).count() == 3


def test_a_folder_that_lost_its_lock_is_swept(tmp_path: Path) -> None:
    """As a process leaves it whose files came after it had looked."""
    (tmp_path / FOLDER / "left" / "rows").mkdir(parents=True)
    mine, other = Scratch(tmp_path), Scratch(tmp_path)
    assert {path.name for path in (tmp_path / FOLDER).iterdir() if path.is_dir()} == {
        mine.folder.name,
        other.folder.name,
    }
    mine.close()
    other.close()
    assert not (tmp_path / FOLDER).exists()


def test_who_may_not_write_in_the_warehouse_is_told_who_can_let_him(make: Make) -> None:
    """`aqi repair --verify` reads rows only, but the engine passes them on in files beside the tables."""
    make().session()  # what is imported for it may lie where others cannot read
    with tempfile.TemporaryDirectory(prefix="aqi-reader-") as folder:
        lake = Path(folder) / "lake"
        lake.mkdir()
        (lake / "table").mkdir()
        Path(folder).chmod(0o755)
        process = EmbeddedProcess(lake, 1 << 30, "1g", 60, {}, Path(folder) / "log")
        with as_user(BORIS), pytest.raises(RunError) as refused:
            process.session()
    assert refused.value.message.endswith(f"below {lake}, and cannot write there (Permission denied)")
    assert refused.value.remedy.startswith(f"Give this user rights to write in it (its owner: chmod -R g+rwX {lake})")
