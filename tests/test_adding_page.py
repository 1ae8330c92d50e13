"""docs/ADDING.md, done literally: its blocks, in order, in a copy of the project, on the embedded engine."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "ADDING.md"
COPIED = ("assets", "orchestration", "resources", "config", "scripts", "tests", "docs")
FILES = ("pyproject.toml", "Makefile", "ARCHITECTURE.md")
KEY = "gold.fact_pm25_daily"

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"In `([\w/]+\.py)`")


@dataclass
class Reader:
    """Somebody who does what the page says. said: what the commands of each block have printed."""

    folder: Path
    environment: dict[str, str]
    exports: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    @classmethod
    def begin(cls, folder: Path, server: str) -> Reader:
        for name in COPIED:
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.pyc.*", "kept"))
        for name in FILES:
            shutil.copy(ROOT / name, folder / name)
        (folder / ".venv").symlink_to(Path(sys.prefix))
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("AQI_", "PREFECT_"))}
        ours = {
            "PYTHONPATH": str(folder),
            "PYTHON": "true",  # `make` has no environment to set up: it is there
            "PREFECT_API_URL": server,
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CACHE_HOME": str(folder / "cache"),
        }
        return cls(folder, clean | ours)

    def shell(self, block: str) -> None:
        """Calls the commands; what one exports stays."""
        script = "\n".join(["set -eu", *self.exports, block])
        done = subprocess.run(
            ["bash", "-c", script], cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=280
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
        self.exports += [line for line in block.splitlines() if line.startswith("export ")]
        self.said.append(done.stdout + done.stderr)

    def write(self, file: str, block: str) -> None:
        """Puts each definition in the place of the one of its name; a new one before what it stands above."""
        path = self.folder / file
        for made in ast.parse(block).body:
            assert isinstance(made, ast.FunctionDef | ast.ClassDef), "only definitions are written over others"
            text = path.read_text(encoding="utf-8")
            old = next((one for one in ast.parse(text).body if getattr(one, "name", "") == made.name), None)
            lines, new = text.splitlines(), block.splitlines()
            if old is None:
                at = _begins(next(one for one in ast.parse(text).body if getattr(one, "name", "") == KEY[5:]))
                lines[at:at] = [*new, "", ""]
            else:
                lines[_begins(old) : old.end_lineno] = new
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _begins(of: ast.stmt) -> int:
    """The index of its first line, decorators and all."""
    decorators = getattr(of, "decorator_list", [])
    return min([of.lineno, *(one.lineno for one in decorators)]) - 1


@pytest.mark.engine
@pytest.mark.prefect
def test_the_page_is_done_as_it_stands(tmp_path: Path, server: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    reader = Reader.begin(tmp_path, server)
    for block in BLOCK.finditer(page):
        if block[1] == "sh":
            reader.shell(block[2])
        else:
            assert block[1] == "python"
            reader.write(FILE.findall(page[: block.start()])[-1], block[2])
    _made_up, begun, tested, planned, ruled, deployed = reader.said
    assert "2 passed" in begun and "2 passed" in tested
    assert f"## {KEY}" in (tmp_path / "docs" / "TABLES.md").read_text(encoding="utf-8")
    assert "pm25_max" in planned and "fresh" in planned and "bronze.open_meteo_hourly" in planned
    assert "silver.air_quality_hourly_clean" in ruled and KEY in ruled
    assert "aqi-pm25" in deployed
    for tool in (["ruff", "check"], ["ruff", "format", "--check"]):
        done = subprocess.run(
            [Path(sys.prefix) / "bin" / tool[0], *tool[1:], "assets", "tests/assets"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
