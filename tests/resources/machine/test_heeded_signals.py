"""Signals end a process however it was started, and what its threads wait for first: real processes."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.support.aqi_process import ROOT

pytestmark = pytest.mark.costly  # servers, or waits

HEEDS = """
import sys, time
from resources.machine.interrupts import Terminated, first_on_interrupt, heed_signals
heed_signals()
try:
    with first_on_interrupt(lambda: print("first", flush=True)):
        print("ready", flush=True)
        time.sleep(60)
except KeyboardInterrupt as error:
    time.sleep(0.3)
    sys.exit(143 if isinstance(error, Terminated) else 130)
"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signals_that_the_parent_ignores_and_blocks(number: signal.Signals, status: int) -> None:
    shell = "import os, signal, sys\nfor one in (signal.SIGINT, signal.SIGTERM): signal.signal(one, signal.SIG_IGN)\n"
    shell += "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\n"
    shell += "os.execv(sys.executable, [sys.executable, '-c', sys.argv[1]])"
    process = subprocess.Popen([sys.executable, "-c", shell, HEEDS], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    assert process.stdout.read() == "first\n"
    assert process.wait(20) == status
