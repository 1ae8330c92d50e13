"""Every module of orchestration stands in one room, and the pure core is as pure as pyproject.toml says.

Who may import whom is checked by import-linter (``make lint``); here: that its lists are complete.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
    "importlinter"
]["contracts"]


def modules(package: str) -> set[str]:
    """Dotted names of the modules in a package, the package itself aside."""
    files = (ROOT / package).rglob("*.py")
    parts = (file.relative_to(ROOT).with_suffix("").parts for file in files if file.stem != "__init__")
    return {".".join(part) for part in parts}


def layer(index: int) -> list[str]:
    """The modules of one layer of the layers contract, in the order of the file."""
    contract = next(contract for contract in CONTRACTS if contract["type"] == "layers")
    return [name.strip(" ()") for name in contract["layers"][index].split(":")]


SHELL, CORE = layer(0), layer(-1)
CORE_CONTRACT = next(
    contract
    for contract in CONTRACTS
    if contract["type"] == "forbidden" and "orchestration.core.declarations.asset" in contract["source_modules"]
)


def test_every_module_of_orchestration_is_in_exactly_one_room() -> None:
    listed = [*SHELL, *CORE]
    assert sorted(listed) == sorted(set(listed)), "a module is listed twice in pyproject.toml"
    unlisted = modules("orchestration") - set(listed)
    assert not unlisted, f"add to the shell or to the pure core in pyproject.toml: {sorted(unlisted)}"


def test_both_lists_of_the_core_are_the_same() -> None:
    assert CORE_CONTRACT["source_modules"] == CORE == sorted(CORE)


def test_packages_import_nothing_by_themselves() -> None:
    """Importing a core module runs ``orchestration/__init__.py``: what that imports, the core imports."""
    tree = ast.parse((ROOT / "orchestration" / "__init__.py").read_text(encoding="utf-8"))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]


def test_importing_the_core_loads_nothing_that_it_must_not_know() -> None:
    """Seen from a fresh interpreter: also what is imported inside functions at import time, or by name."""
    existing = sorted(modules("orchestration") & set(CORE))
    code = (
        f"import importlib, json, sys\n"
        f"for name in {existing!r}: importlib.import_module(name)\n"
        f"print(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    loaded = set(json.loads(answer.stdout))
    assert loaded & {*CORE_CONTRACT["forbidden_modules"], "assets", "resources"} == set()
