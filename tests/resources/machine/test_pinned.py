"""Whether the package that would be imported is the pinned one: of processes with another before it, and without."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from resources.machine import pinned
from tests.support.aqi_process import ROOT

CHECKED = """
import sys
{before}
from orchestration.core.errors import LakehouseError
from resources.machine.pinned import check_pinned
try:
    check_pinned("click")
except LakehouseError as error:
    print(error)
assert "click" not in sys.modules or {loaded}
"""


def told(folder: Path, before: str = "", *, loaded: bool = False) -> str:
    """What a process says that has ``folder`` before all else."""
    program = CHECKED.format(before=before, loaded=loaded)
    env = {"PYTHONPATH": f"{folder}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
    call = [sys.executable, "-c", program]
    done = subprocess.run(call, env=env, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("loaded", [False, True])
def test_another_one_is_refused_with_both_locations(tmp_path: Path, loaded: bool) -> None:
    (tmp_path / "click").mkdir()
    (tmp_path / "click" / "__init__.py").write_text("")
    said = told(tmp_path, "import click" if loaded else "", loaded=loaded)
    assert said.startswith(f"PYTHONPATH: click would be the one in {tmp_path / 'click'}, and set-up pinned that in ")
    assert "Take that place out of PYTHONPATH" in said


def test_the_pinned_one_is_not_nor_one_that_is_not_installed(tmp_path: Path) -> None:
    assert told(tmp_path) == ""
    assert told(tmp_path, "import click", loaded=True) == ""
    pinned.check_pinned("no_such_package_of_anybody")
