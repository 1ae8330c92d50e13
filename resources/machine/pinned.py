"""Checks that an imported package is the one that set-up pinned, and not another one on PYTHONPATH."""

from __future__ import annotations

import sys
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path

from orchestration.core.errors import MachineError
from resources.machine.shell import own_folders


@cache
def check_pinned(package: str) -> None:
    """Raises MachineError where ``package`` is imported, or would be, from another folder than the one that set-up
    installed it in.

    Does not import the package. A package that is not installed is no error here: its users say so.
    """
    pinned = PathFinder.find_spec(package, own_folders())
    if pinned is None or pinned.origin is None:
        return
    loaded = sys.modules.get(package)
    file = loaded.__file__ if loaded is not None else getattr(find_spec(package), "origin", None)
    if file is None or Path(file).resolve() != Path(pinned.origin).resolve():
        place, ours = (str(Path(one).parent) if one else "an unknown place" for one in (file, pinned.origin))
        raise MachineError(
            f"PYTHONPATH: {package} would be the one in {place}, and set-up pinned that in {ours}",
            "Take that place out of PYTHONPATH, or start elsewhere; the command `aqi` puts it behind by itself.",
        )
