"""A process ends with the status of its work, whatever would happen while Python is taken down."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import atexit, os
from resources.machine.leaving import leaving

class Library:
    def __del__(self):
        os.abort()

library = Library()
with leaving():
    atexit.register(print, "its exit function")
    {end}
"""


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("pass", 0),
        ("raise SystemExit(0)", 0),
        ("raise SystemExit(3)", 3),
        ("raise SystemExit('in words')", 1),
        ("raise SystemExit", 0),
        ("raise KeyboardInterrupt", 130),
        ("raise ValueError", 1),
    ],
)
def test_the_status_is_that_of_the_work(end: str, status: int) -> None:
    script = [sys.executable, "-c", SCRIPT.format(end=end)]
    done = subprocess.run(script, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (status, "its exit function\n"), done.stderr
