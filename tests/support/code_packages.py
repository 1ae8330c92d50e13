"""Packages of code that a test writes and imports anew for every text."""

from __future__ import annotations

import importlib
import linecache
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent
from types import ModuleType

from orchestration.engine.code.reached import Form

FORMS = "assets_y"
"""The package whose function ``root`` the fixture ``form`` reads."""

FormOf = Callable[..., Form]


def imported(folder: Path, texts: Mapping[str, str]) -> ModuleType:
    """The module ``main`` of a package that holds these texts and no others, by name of the module."""
    forget(folder.name)
    for file in folder.glob("*.py"):
        file.unlink()
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(dedent(text), encoding="utf-8")
    importlib.invalidate_caches()
    linecache.clearcache()
    return importlib.import_module(f"{folder.name}.main")


def forget(package: str) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]
    importlib.invalidate_caches()
