"""The git checkout that a file belongs to, and the commit that is checked out. Reads git's files, does not call git."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

_COMMIT = re.compile("[0-9a-f]{40,64}")


class Checkout(NamedTuple):
    """A git checkout."""

    root: Path
    """Its top folder."""
    commit: str
    """The commit that is checked out; empty where it cannot be read."""


@lru_cache(maxsize=64)
def checkout_of(file: Path) -> Checkout | None:
    """The checkout that ``file`` is in; None where it is in none."""
    root = next((folder for folder in file.resolve().parents if (folder / ".git").exists()), None)
    if root is None:
        return None
    try:
        return Checkout(root, _commit(_git_folder(root / ".git")))
    except (OSError, UnicodeDecodeError):
        return Checkout(root, "")


def _git_folder(place: Path) -> Path:
    """The folder with git's data. In a worktree ``.git`` is a file, which names that folder.

    place: the path ``.git`` of a checkout.
    """
    if place.is_dir():
        return place
    return (place.parent / place.read_text(encoding="utf-8").partition("gitdir:")[2].strip()).resolve()


def _commit(git: Path) -> str:
    """The commit that HEAD names, directly or by a branch; empty where it cannot be told. git: the folder with its
    data."""
    head = (git / "HEAD").read_text(encoding="utf-8").strip()
    if not head.startswith("ref:"):
        return head if _COMMIT.fullmatch(head) else ""
    name = head.removeprefix("ref:").strip()
    shared = git / "commondir"
    common = (git / shared.read_text(encoding="utf-8").strip()).resolve() if shared.is_file() else git
    for folder in (git, common):
        if (folder / name).is_file():
            return (folder / name).read_text(encoding="utf-8").strip()
    packed = common / "packed-refs"
    lines = packed.read_text(encoding="utf-8").splitlines() if packed.is_file() else []
    return next((line.split(" ")[0] for line in lines if line.endswith(f" {name}")), "")
