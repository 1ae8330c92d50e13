"""Other processes at the lock of a warehouse, ended after the test."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.lock_holders import Holder, Left, StartHolder


@pytest.fixture
def holds(tmp_path: Path) -> Iterator[StartHolder]:
    """Starts another process that holds the lock of ``tmp_path``."""
    started: list[Holder] = []

    def start(code: str) -> Holder:
        started.append(Holder(code, tmp_path))
        return started[-1]

    yield start
    for holder in started:
        holder.end()


@pytest.fixture
def left(holds: StartHolder) -> Iterator[Left]:
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
