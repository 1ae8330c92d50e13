"""Profiles of runs in a warehouse: one a run, the newest are kept, a damaged one is told."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from orchestration.core.runs.journal import RunEntry, RunState
from orchestration.core.runs.profile import Phase, Profile, Span
from resources.storage.journal import Journal
from resources.storage.run_profiles import FOLDER, RunProfiles


def profile(run_id: str) -> Profile:
    return Profile(run_id, "* last:1", "2026-01-01T00:00:00Z", 2.0, (), (Span(Phase.PLAN, 0.0, 1.5),))


def test_it_reads_back_as_it_was(tmp_path: Path) -> None:
    profiles = RunProfiles(str(tmp_path))
    assert profiles.run_ids() == []
    profiles.write(profile("run-1"))
    assert RunProfiles(str(tmp_path)).read("run-1") == profile("run-1")
    assert profiles.run_ids() == ["run-1"]


def test_the_journal_does_not_see_them(tmp_path: Path) -> None:
    """Nor does any version before: they lie in a folder that these do not know."""
    RunProfiles(str(tmp_path)).write(profile("run-1"))
    journal = Journal(str(tmp_path))
    journal.write(RunEntry("run-1", "* last:1", "2026-01-01T00:00:00Z", state=RunState.COMPLETED))
    assert [entry.run_id for entry in journal.entries()] == ["run-1"]


def test_the_newest_are_kept(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir(parents=True)
    (tmp_path / FOLDER / ".run-0.json.gz.0123.tmp").touch()
    profiles = RunProfiles(str(tmp_path), kept=2)
    for number in range(4):
        profiles.write(profile(f"run-{number}"))
    assert profiles.run_ids() == ["run-2", "run-3"]
    assert sorted(path.name for path in (tmp_path / FOLDER).iterdir()) == ["run-2.json.gz", "run-3.json.gz"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no archive",
        gzip.compress(b"{", mtime=0),
        gzip.compress(b"{}", mtime=0),
        gzip.compress(json.dumps({"format": 1}).encode(), mtime=0)[:-9],
    ],
)
def test_a_damaged_one_is_told(tmp_path: Path, content: bytes) -> None:
    profiles = RunProfiles(str(tmp_path))
    (tmp_path / FOLDER).mkdir(parents=True)
    (tmp_path / FOLDER / "run-1.json.gz").write_bytes(content)
    with pytest.raises(ValueError):
        profiles.read("run-1")
    with pytest.raises(FileNotFoundError):
        profiles.read("run-2")
