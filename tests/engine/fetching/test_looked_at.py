"""Fetching all at once before a run: what it brought is not asked for again, what goes wrong is remembered."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from orchestration.core.errors import SourceError, SourceUnreachable
from orchestration.core.partitions.keys import Days, PartitionSet
from orchestration.core.runs.decisions import Sourced
from resources.open_meteo.client import OpenMeteoClient, Sent
from tests.support.fetches import ENDED, KEYS, STEP, TWO_DAYS, UNFINISHED, outcomes, simulator, source


def test_what_was_looked_at_is_not_asked_for_again() -> None:
    with simulator() as api:
        before = source(api.url)
        before.fetch_all()
        asked = api.requests_served.total()
        sent = before.sent(STEP)
        assert sent.keys() == set(TWO_DAYS) and all(len(digest) == 32 for digest in sent.values())
        one_day = PartitionSet.of(Days.of(UNFINISHED), ["hanoi"])
        then = source(api.url, {"step": one_day}, looked=before)
        assert [(task.location, task.step) for task in then.tasks] == [("hanoi", "step")]
        outcomes(then)
        assert api.requests_served.total() == asked
        assert then.fetched("step") == one_day
        table = then.table("step", one_day)
        assert table is not None and set(table["ts_utc"].cast(pa.date32()).to_pylist()) == {UNFINISHED}
        (key,) = one_day
        assert then.sourced("step")[key] == Sourced(sent[key], "2025-08-09T10:30:00Z")


def test_what_was_not_looked_at_is_asked_for() -> None:
    earlier = PartitionSet.of(Days.of(ENDED - timedelta(1), UNFINISHED), ["hanoi"])
    with simulator() as api:
        before = source(api.url)
        before.fetch_all()
        then = source(api.url, {"step": earlier}, looked=before)
        outcomes(then)
        assert then.fetched("step") == earlier


def test_what_goes_wrong_in_any_other_way_is_an_error_of_the_task() -> None:
    """Else its days would be passed over in silence."""

    class Broken(OpenMeteoClient):
        def fetch(self, *_: object, **__: object) -> Sent:
            raise RuntimeError("a bug")

    asked = source("http://127.0.0.1:9", client=Broken)
    found = outcomes(asked)
    assert all(isinstance(error, SourceError) and "a bug" in str(error) for error in found.values())
    assert len(asked.errors(STEP)) == len(KEYS)


def test_a_source_that_is_unreachable_is_asked_once() -> None:
    """Four requests and more, of which those that have not been sent when the first gives up are not."""
    with simulator() as api:
        url = api.url
    many = PartitionSet.of(Days.of(ENDED - timedelta(60), UNFINISHED), KEYS)
    sent = 0

    class Counted(OpenMeteoClient):
        def fetch(self, *arguments: Any, **named: Any) -> Sent:
            nonlocal sent
            sent += 1
            return super().fetch(*arguments, **named)

    asked = source(url, many, max_days=1, attempts=1, client=Counted)
    asked.fetch_all()
    assert 1 <= sent <= 4
    assert set(asked.sent(STEP).values()) == {""} and len(asked.sent(STEP)) == len(many)
    assert len(asked.errors(STEP)) == len(asked.tasks) > 60


ROOT = Path(__file__).resolve().parents[3]


INTERRUPTED = """
import sys
from tests.support.fetches import source
try:
    source(sys.argv[1], read_timeout_seconds=60, attempts=9).fetch_all()
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.costly
def test_an_interrupted_look_ends_at_once() -> None:
    """The API accepts and does not answer; nobody asks it again.

    In a process of its own, which ends when its last thread does: then nobody is left to ask.
    """
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        silent.settimeout(60)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        command = [sys.executable, "-c", INTERRUPTED, url]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as asking:
            try:
                waits, _ = silent.accept()
                asking.send_signal(signal.SIGINT)
                assert asking.stdout is not None
                assert asking.stdout.readline() == "interrupted\n"  # the answer is waited for no more
                waits.close()
                assert asking.wait(20) == 0
            finally:
                asking.kill()
        silent.setblocking(False)
        with pytest.raises(BlockingIOError):
            silent.accept()


def test_a_location_that_does_not_answer_is_told_and_not_asked_again() -> None:
    with simulator() as api:
        url = api.url
    before = source(url)  # nobody is there any more
    before.fetch_all()
    assert set(before.sent(STEP).values()) == {""}
    then = source(url, {"step": TWO_DAYS}, looked=before)
    found = outcomes(then)
    assert found.keys() == set(KEYS) and all(isinstance(error, SourceUnreachable) for error in found.values())
    assert not then.fetched("step")
