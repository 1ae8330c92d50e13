"""Whether a warehouse exists at an address: nothing at all is not an empty warehouse."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from orchestration.core.errors import MachineError
from resources.storage.atomic_files import names_in
from resources.storage.files import open_files
from resources.storage.patience import NoAnswer

OWN = "_aqi"
"""A folder that lies beside the tables of every warehouse."""
BESIDE = 200
"""Among this many neighbouring folders, similar names are looked for."""


def is_there(uri: str, layers: Iterable[str]) -> bool:
    """Whether there is a warehouse at ``uri``: a table of one of ``layers``, or the folder that every run leaves.

    Raises MachineError if that cannot be found out.
    """
    files, root = open_files(uri)
    try:
        return not {OWN, *layers}.isdisjoint(names_in(files, root))
    except (NotADirectoryError, FileNotFoundError):
        return False
    except NoAnswer:
        raise
    except PermissionError:
        return True  # it is for the tables to tell
    except OSError as error:
        raise MachineError(
            f"the warehouse {uri} cannot be read ({error})", "Check AQI_WAREHOUSE__URI and that this user may read it."
        ) from error


def what_is_there(uri: str) -> str:
    """What is at ``uri`` instead of a warehouse: ``nothing``, ``a file``, …"""
    files, root = open_files(uri)
    if not files.exists(root):
        return "nothing is there"
    if not files.isdir(root):
        return "a file is there"
    return "other things are there" if files.ls(root, detail=False) else "the folder is empty"


def nearest(folder: Path, layers: Iterable[str]) -> list[Path]:
    """Warehouses beside ``folder`` with similar names."""
    try:
        beside = [path.name for path, _ in zip(sorted(folder.parent.iterdir()), range(BESIDE), strict=False)]
    except OSError:
        return []
    names = get_close_matches(folder.name, beside, n=5, cutoff=0.5)
    return [path for path in map(folder.parent.joinpath, names) if path.is_dir() and is_there(str(path), layers)]
