"""What goes wrong otherwise: mistakes of ours, failures, interrupts, and how the process ends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from orchestration.core.errors import RunError
from orchestration.engine.workspace import Workspace
from tests.support.aqi_process import AQI
from tests.support.cli_calls import Aqi


def raising(error: BaseException) -> Callable[..., Any]:
    def instead(*_: object) -> None:
        raise error

    return instead


def test_an_unexpected_error_is_not_swallowed(aqi: Aqi, monkeypatch: pytest.MonkeyPatch) -> None:
    error = ZeroDivisionError("a mistake of ours")
    monkeypatch.setattr(Workspace, "select", raising(error))
    result = aqi("status")
    assert result.exception is error
    assert result.exit_code == 1


def test_a_failure_is_one(aqi: Aqi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Workspace, "select", raising(RunError("it broke", "Mend it.")))
    result = aqi("status", "--json")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "error: it broke\n  Mend it.\n")


def test_an_interrupt(aqi: Aqi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Workspace, "select", raising(KeyboardInterrupt()))
    result = aqi("status")
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr.startswith("interrupted")


def test_a_reader_that_goes_away(aqi: Aqi) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run([AQI, "lineage"], stdout=writing, stderr=subprocess.PIPE, timeout=60, check=False)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


def test_the_process_ends_by_itself_after_everything_that_asked_to_be_called() -> None:
    """Not by the interpreter's taking down, in which Arrow's threads abort a process now and then."""
    program = """
import atexit, sys, threading, time
from orchestration.cli.common import main, run
class Kept:
    def __del__(self): print("taken down")
kept = Kept()
@main.command()
def end():
    atexit.register(print, "called")
    threading.Thread(target=lambda: (time.sleep(0.2), print("thread"))).start()
    print("done")
    sys.exit({status!r})
sys.argv = ["aqi", "end"]
run()
"""
    for status, expected in ((None, 0), (0, 0), (3, 3), ("text", 1)):
        done = subprocess.run(
            [sys.executable, "-c", program.format(status=status)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout.split()) == (expected, ["done", "thread", "called"]), done.stderr
    crashed = program.replace("sys.exit({status!r})", "1 / 0")
    done = subprocess.run([sys.executable, "-c", crashed], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
