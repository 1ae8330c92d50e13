"""Calls to HDFS that get no answer: they end, by name; and tables there are opened where nothing can wait for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import deltalake
import pytest

from resources.delta.opening import open_table
from resources.storage import patience
from resources.storage.files import open_files
from resources.storage.patience import NoAnswer, answered, each_answered

pytestmark = pytest.mark.costly  # servers, or waits

URI = "hdfs://nobody:8020/lake"
_ports = count(21_001)
"""One file system a port; nobody is there, and nobody is called."""


@pytest.fixture(autouse=True)
def never(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """What nobody sets before the test has ended; a call waits for a quarter of a second."""
    monkeypatch.setattr(patience, "_seconds", lambda: 0.25)
    monkeypatch.setattr(patience, "_silent", set())
    event = threading.Event()
    yield event
    event.set()


def test_a_call_without_an_answer_ends_by_name(never: threading.Event) -> None:
    with pytest.raises(NoAnswer) as found:
        answered(URI, "/lake/a", never.wait)
    assert found.value.exit_status == 1
    assert "HDFS (nobody:8020) gave no answer within 0.25 s about /lake/a" in str(found.value)
    assert "`hdfs dfsadmin -report`" in str(found.value)
    assert isinstance(found.value, OSError)


def test_who_was_silent_is_waited_for_a_moment_until_there_is_an_answer(
    never: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "_seconds", lambda: 60.0)
    monkeypatch.setattr(patience, "MOMENT_SECONDS", 0.3)
    patience._silent.add("nobody:8020")
    with pytest.raises(NoAnswer):
        answered(URI, "/lake/a", never.wait)
    assert answered(URI, "/lake/a", lambda: 1) == 1
    assert answered(URI, "/lake/a", lambda: time.sleep(0.4) or 2) == 2


def test_what_a_call_raises_is_raised(tmp_path: Path) -> None:
    def fail() -> None:
        raise ValueError("no")

    for uri in (URI, str(tmp_path)):
        with pytest.raises(ValueError, match="no"):
            answered(uri, "a", fail)


def test_a_folder_of_this_machine_is_waited_for() -> None:
    assert answered("/lake", "a", lambda: time.sleep(0.2) or threading.current_thread()) is threading.main_thread()


def test_each_of_several_has_its_own_time(never: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_seconds", lambda: 0.6)

    def items() -> Iterator[int]:
        for number in range(3):
            time.sleep(0.22)
            yield number
        never.wait()

    came = each_answered(URI, "a", items())
    assert [next(came), next(came), next(came)] == [0, 1, 2]
    with pytest.raises(NoAnswer):
        next(came)


@pytest.mark.parametrize("method", ["ls", "info", "cat_file", "exists", "makedirs", "rm", "pipe_file", "mv"])
def test_every_way_to_files_ends(method: str, never: threading.Event) -> None:
    more = {"pipe_file": [b"b"], "mv": ["/lake/b"]}.get(method, [])

    class Silent:
        def __getattr__(self, _name: str) -> Any:
            return lambda *_, **__: never.wait()

    files, root = open_files(f"hdfs://127.0.0.1:{next(_ports)}/lake")
    files.client._client = Silent()
    with pytest.raises(NoAnswer):
        getattr(files, method)(f"{root}/a", *more)


def test_a_table_on_hdfs_is_opened_where_its_log_is_one_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or deltalake may wait for ever: see ``resources.delta.opening``."""
    steps: list[Any] = []

    class Table:
        def __init__(self, _uri: str, version: int | None = None) -> None:
            steps.append(version)

        def load_as_version(self, version: int) -> None:
            steps.append(("to", version))

        def update_incremental(self) -> None:
            steps.append("on")

    names = [f"{version:020d}.json" for version in range(120)] + [f"{100:020d}.checkpoint.parquet"]
    monkeypatch.setattr(deltalake, "DeltaTable", Table)
    monkeypatch.setattr("resources.delta.opening.names_in", lambda *_: names)
    uri = f"hdfs://127.0.0.1:{next(_ports)}/lake/days"
    for version in (None, 119, 100, 99, 0):
        open_table(uri, version)
    assert steps == [100, "on", 100, ("to", 119), 100, 0, ("to", 99), 0]
    steps.clear()
    names[:] = [f"{version:020d}.json" for version in range(7, 9)]  # the log begins later, and nobody can read it
    open_table(uri)
    open_table("/lake/days", 3)
    assert steps == [None, 3]


def test_a_panic_of_the_client_is_an_error_like_others() -> None:
    class PanicException(BaseException):
        """As Rust's, which Python's ``except Exception`` lets pass."""

    def panic() -> None:
        raise PanicException("Cannot read past end of the file")

    with pytest.raises(OSError, match="HDFS's client failed: Cannot read past"):
        answered(URI, "/lake/a", panic)
