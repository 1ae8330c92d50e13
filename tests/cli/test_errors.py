"""What goes wrong otherwise: mistakes of ours, failures, interrupts, and how the process ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from orchestration.core.errors import RunError, UsageError
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
    result = aqi("status")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "error: it broke\n  Mend it.\n")


def test_a_failure_is_json_too_where_that_was_asked_for(aqi: Aqi, monkeypatch: pytest.MonkeyPatch) -> None:
    for error, status, told in (
        (RunError("it broke", "Mend it."), 1, {"error": "it broke", "remedy": "Mend it."}),
        (
            UsageError("as here:\n  ^", "Say it otherwise."),
            2,
            {"error": "as here:\n  ^", "remedy": "Say it otherwise."},
        ),
        (PermissionError(13, "Permission denied", "/data"), 1, {"error": "Permission denied: /data"}),
        (KeyboardInterrupt(), 130, {"error": "interrupted", "remedy": "call the same command again to go on"}),
    ):
        monkeypatch.setattr(Workspace, "select", raising(error))
        result = aqi("status", "--json")
        assert result.exit_code == status
        assert json.loads(result.stdout).items() >= told.items()
        assert told["error"] in result.stderr


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (["statuss"], "No such command 'statuss'"),
        (["status", "--jsn"], "No such option '--jsn'"),
        (["location", "rename", "hanoi"], "Missing argument 'NEW'."),
        (["backfill", "--chunk-mode", "yearly"], "Invalid value for '--chunk-mode'"),
    ],
    ids=lambda of: of[0] if isinstance(of, list) else "",
)
def test_a_call_that_cannot_be_read_is_told_in_json(aqi: Aqi, call: list[str], why: str) -> None:
    result = aqi(*call, "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"].startswith(why)
    assert why in result.stderr
    assert aqi(*call).stdout == ""


def test_json_that_is_no_option_but_a_name_is_left_alone(aqi: Aqi) -> None:
    result = aqi("show", "--", "--json", "more")
    assert (result.exit_code, result.stdout) == (2, "")


def test_an_error_in_json_has_no_secret(aqi: Aqi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Workspace, "select", raising(RunError("refused: sesame-1234", "Not with sesame-1234.")))
    result = aqi("status", "--json", AQI_OPEN_METEO__API_KEY="sesame-1234")
    assert "sesame-1234" not in result.stdout + result.stderr
    assert json.loads(result.stdout)["error"].startswith("refused: ")


def test_an_interrupt(aqi: Aqi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Workspace, "select", raising(KeyboardInterrupt()))
    result = aqi("status")
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr.startswith("interrupted")


@pytest.mark.costly
def test_a_reader_that_goes_away(aqi: Aqi) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run([AQI, "lineage"], stdout=writing, stderr=subprocess.PIPE, timeout=60, check=False)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.costly
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
