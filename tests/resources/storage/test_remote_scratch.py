"""Scratch of runs on a cluster's file system: what dead ones left behind goes, what may be alive stays."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem

from resources.machine.processes import Process
from resources.storage.remote_scratch import DAYS_KEPT, RemoteScratch, age_days, is_left

HERE = socket.gethostname()
THIS = Process.this()
assert THIS is not None
ID = "0" * 32
ALIVE = f"{ID}@{HERE}@{THIS.pid}-{THIS.start}"


def dead() -> str:
    """The name of a folder of a process of this machine that has ended."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return f"{ID}@{HERE}@{ended.pid}-1"


def of(where: str, pid: int, start: int) -> str:
    return f"{ID}@{where}@{pid}-{start}"


@pytest.mark.parametrize("age_days", [0, DAYS_KEPT + 1])
def test_what_is_of_a_process_that_is_dead(age_days: float) -> None:
    """Of this machine that is certain; of another one, or where nobody tells which there are, its age says."""
    old = age_days > DAYS_KEPT
    assert not is_left(ALIVE, age_days)
    assert is_left(of(HERE, THIS.pid, THIS.start + 1), age_days)  # another process had that number
    assert is_left(dead(), age_days)
    assert is_left(of("elsewhere.example", THIS.pid, 1), age_days) is old
    assert is_left(of(HERE, 0, 0), age_days) is old
    assert not is_left("somebody's", age_days)


def test_how_old_a_folder_is_in_the_words_of_either_file_system() -> None:
    now = 1_800_000_000.0
    assert age_days({"mtime": now - 86_400}, now) == 1
    assert age_days({"modification_time": (now - 2 * 86_400) * 1000}, now) == 2
    assert age_days({}, now) == 0


def test_a_new_one_removes_what_dead_ones_left(tmp_path: Path) -> None:
    root = tmp_path / "_aqi" / "scratch"
    names = {
        "dead": dead(),
        "alive": ALIVE,
        "far": f"{ID}@far.example@7-7",
        "old": f"{ID}@far.example@8-8",
        "other": "of somebody else",
    }
    for name in names.values():
        (root / name / "rows").mkdir(parents=True)
        (root / name / "rows" / "part-0.parquet").touch()
    then = time.time() - (DAYS_KEPT + 1) * 86_400
    for name in ("old", "other"):
        os.utime(root / names[name], (then, then))
    scratch = RemoteScratch(str(tmp_path))
    assert {path.name for path in root.iterdir()} == {names[of] for of in ("alive", "far", "other")}
    for folder in ("one", "two"):
        Path(scratch.folder, folder).mkdir(parents=True)
    scratch.remove(f"{scratch.folder}/one")
    scratch.remove(f"{scratch.folder}/never")
    assert [path.name for path in Path(scratch.folder).iterdir()] == ["two"]
    scratch.close()
    scratch.close()
    assert not Path(scratch.folder).exists()


def test_a_folder_that_cannot_be_listed_fails_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError("no")

    with monkeypatch.context() as patch:
        patch.setattr(LocalFileSystem, "ls", refuse)
        scratch = RemoteScratch(str(tmp_path))
    Path(scratch.folder).mkdir(parents=True)
    scratch.close()
    assert not Path(scratch.folder).exists()
