"""scripts/setup.py as tests take it: loaded as a module, or copied to a folder of the test's and called there."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]


def load_setup() -> ModuleType:
    """scripts/setup.py as a module of its own name: ``setup`` means something else to packaging tools."""
    spec = importlib.util.spec_from_file_location("aqi_setup", ROOT / "scripts" / "setup.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


setup = load_setup()
CODE = (
    "scripts/setup.py",
    "scripts/setup_java.py",
    "scripts/setup_machine.py",
    "resources/machine/java.py",
)
"""The set-up and the modules that it imports."""
PACKAGES = ("scripts/__init__.py", "resources/__init__.py", "resources/machine/__init__.py")


def script(path: Path, body: str) -> Path:
    """An executable file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(body, encoding="utf-8")
    path.chmod(0o755)
    return path


def copy_of_project(tree: Path) -> Path:
    """A folder with what scripts/setup.py reads, and nothing else."""
    for name in (*CODE, *PACKAGES, "config/java.lock.json", "requirements.lock", "pyproject.toml"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tree / name)
    return tree


def call(tree: Path, environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Call the copy's scripts/setup.py with nothing but this environment."""
    command = [sys.executable, str(tree / "scripts" / "setup.py"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
