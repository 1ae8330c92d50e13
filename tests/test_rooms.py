"""The rooms are folders, and who may import whom is said of folders: a planted import that goes wrong is found."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("assets", "orchestration", "resources")
CONTRACTS: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
    "importlinter"
]["contracts"]
CORE_CONTRACT = next(one for one in CONTRACTS if one.get("source_modules") == ["orchestration.core"])


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project's code, to be broken."""
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """What `make lint` does about imports, in a folder."""
    code = (
        "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command as lint; "
        "lint(['--no-logo', '--no-cache'])"
    )
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.costly
@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("orchestration/core/runs/outcome.py", "from resources.machine import clock"),
        ("orchestration/core/partitions/days.py", "import pathlib"),
        ("orchestration/core/partitions/days.py", "from orchestration.core.state import freshness"),
        ("orchestration/engine/steps.py", "from assets import facts"),
        ("orchestration/service/watch.py", "from orchestration.cli import printing"),
        ("orchestration/reports/status.py", "from orchestration.service import watch"),
        ("resources/delta/log.py", "from orchestration.engine import workspace"),
        ("assets/facts.py", "from resources.machine import clock"),
    ],
)
def test_an_import_that_goes_the_wrong_way_is_found(copy: Path, module: str, line: str) -> None:
    file = copy / module
    file.write_text(f"{file.read_text(encoding='utf-8')}\n\n{line}\n", encoding="utf-8")
    done = lint(copy)
    assert done.returncode == 1, done.stdout
    assert module.removesuffix(".py").replace("/", ".") in done.stdout.replace("\n", "")


def test_packages_import_nothing_by_themselves() -> None:
    """Importing a module runs the ``__init__.py`` of its folders: what these import, it imports too."""
    for folder in ("orchestration", "orchestration/core", "orchestration/engine", "resources"):
        for file in [ROOT / folder / "__init__.py", *(ROOT / folder).glob("*/__init__.py")]:
            if file.parent.name in ("cli", "lineage"):
                continue  # the command's address; the list of formats
            tree = ast.parse(file.read_text(encoding="utf-8"))
            assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)], file


def test_importing_the_core_loads_nothing_that_it_must_not_know() -> None:
    """Seen from a fresh interpreter: also what is imported inside functions at import time, or by name."""
    files = (ROOT / "orchestration" / "core").rglob("*.py")
    parts = (file.relative_to(ROOT).with_suffix("").parts for file in files if file.stem != "__init__")
    existing = sorted(".".join(part) for part in parts)
    code = (
        f"import importlib, json, sys\n"
        f"for name in {existing!r}: importlib.import_module(name)\n"
        f"print(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    loaded = set(json.loads(answer.stdout))
    libraries = set(CORE_CONTRACT["forbidden_modules"]) - set(sys.stdlib_module_names)
    assert loaded & {*libraries, "assets", "resources"} == set()


def test_the_command_s_help_loads_no_library_that_takes_time() -> None:
    code = "import json, sys, orchestration.cli.app\nprint(json.dumps(sorted(sys.modules)))"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    slow = {"deltalake", "numpy", "openlineage", "pandas", "prefect", "pyarrow", "pydantic", "pyspark"}
    assert slow & set(json.loads(answer.stdout)) == set()


@pytest.mark.costly
def test_what_sends_no_events_does_not_load_what_sends_them(tmp_path: Path) -> None:
    """Be they wanted: only a run loads OpenLineage's client."""
    code = (
        "import json, sys\n"
        "from click.testing import CliRunner\n"
        "from orchestration.cli.app import main\n"
        "for call in (['status'], ['plan', '*', '--partitions', 'last:1'], ['lineage']):\n"
        "    assert CliRunner().invoke(main, call).exit_code == 0\n"
        "import orchestration.engine.executor\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    (tmp_path / "lake" / "_aqi").mkdir(parents=True)
    env = {**os.environ, "AQI_WAREHOUSE__URI": str(tmp_path / "lake"), "OPENLINEAGE_URL": "http://127.0.0.1:9"}
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=True
    )
    assert not [name for name in json.loads(answer.stdout) if name.partition(".")[0] in ("openlineage", "httpx2")]
