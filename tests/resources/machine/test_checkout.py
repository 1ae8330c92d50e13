"""Which commit a file is of, as git itself says it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from resources.machine.checkout import checkout_of

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")


def git(folder: Path, *call: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *who, *call], cwd=folder, check=True, capture_output=True, text=True, timeout=60)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "days.py").write_text("1", encoding="utf-8")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    checkout_of.cache_clear()
    return folder


def test_a_branch_a_packed_one_and_none(repository: Path) -> None:
    file = repository / "a" / "days.py"
    commit = git(repository, "rev-parse", "HEAD")
    assert checkout_of(file) == (repository, commit)
    git(repository, "pack-refs", "--all")
    checkout_of.cache_clear()
    assert checkout_of(file) == (repository, commit)
    git(repository, "checkout", "-q", "--detach")
    checkout_of.cache_clear()
    assert checkout_of(file) == (repository, commit)


def test_a_worktree(repository: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    git(repository, "worktree", "add", "-qb", "side", str(other))
    git(other, "commit", "-qm", "second", "--allow-empty")
    assert checkout_of(other / "a" / "days.py") == (other, git(other, "rev-parse", "HEAD"))


def test_what_is_damaged_and_what_is_in_none(repository: Path, tmp_path: Path) -> None:
    (repository / ".git" / "HEAD").unlink()
    assert checkout_of(repository / "a" / "days.py") == (repository, "")
    assert checkout_of(tmp_path / "days.py") is None
