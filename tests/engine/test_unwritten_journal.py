"""Runs of which the journal cannot take an entry: they are told, kept aside, and written down by the next run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.planning.plan import LeftOut, Obstacle, Plan
from orchestration.core.runs.journal import RunState
from orchestration.core.runs.outcome import RunSummary
from orchestration.engine.run_record import RunRecord
from orchestration.engine.workspace import Workspace
from orchestration.project import load, open_workspace
from resources.machine.state_folder import state_folder
from resources.storage.journal import Journal
from tests.support.cli_calls import DAILY, Aqi

LACKING = Plan((), (LeftOut(DAILY, PartitionSet.null(), "it is damaged", Obstacle.DAMAGED),))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "lake").mkdir()
    return open_workspace(load(environment={}, flags={"warehouse": {"uri": str(tmp_path / "lake")}}))


def full(monkeypatch: pytest.MonkeyPatch, *folders: Path) -> None:
    """No file below these folders is written any more."""
    from resources.storage import atomic_files

    write = atomic_files.write_atomically

    def refuse(files: Any, path: str, content: bytes) -> None:
        if any(str(folder) in path for folder in folders):
            raise OSError(28, "No space left on device", path)
        write(files, path, content)

    monkeypatch.setattr("resources.storage.journal.write_atomically", refuse)


def refused_run(workspace: Workspace, run_id: str, warn: Callable[[str], None]) -> str:
    record = RunRecord(workspace, run_id, "* hourly", LACKING, warn)
    record.refuse()
    return record.unwritten


def test_a_run_on_a_full_disk_is_among_the_runs(
    workspace: Workspace, aqi: Aqi, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    folder = workspace.warehouse.folder
    assert folder is not None
    with monkeypatch.context() as patch:
        full(patch, folder / "_aqi")
        said = refused_run(workspace, "20250820T060000-a", told.append)
    assert "could not be written (No space left on device" in said
    assert f"run 20250820T060000-a is kept at {Journal(str(folder)).aside}" in said
    assert said in told
    assert not (folder / "_aqi" / "runs").exists()
    (entry,) = Journal(str(folder)).entries()
    assert entry.state is RunState.FAILED
    runs = aqi.json("runs", AQI_WAREHOUSE__URI=str(folder))
    assert [(one["run_id"], one["state"]) for one in runs] == [("20250820T060000-a", "failed")]
    summary = RunSummary("20250820T060000-a", LACKING, (), 0.0, unwritten=said)
    assert summary.to_json()["unwritten"] == said
    assert summary.in_words().endswith(said)


def test_the_next_run_writes_it_down(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = workspace.warehouse.folder
    assert folder is not None
    with monkeypatch.context() as patch:
        full(patch, folder / "_aqi")
        refused_run(workspace, "20250820T060000-a", lambda _: None)
    journal = Journal(str(folder))
    assert refused_run(workspace, "20250820T070000-b", lambda _: None) == ""
    assert sorted(path.stem for path in (folder / "_aqi" / "runs").glob("*.json")) == [
        "20250820T060000-a",
        "20250820T070000-b",
    ]
    assert list(journal.aside.iterdir()) == []
    assert [one.run_id for one in journal.entries()] == ["20250820T070000-b", "20250820T060000-a"]


def test_what_is_kept_aside_is_the_later_word_of_a_run(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its beginning could be written, and its end could not: it is no run that goes on."""
    folder = workspace.warehouse.folder
    assert folder is not None
    record = RunRecord(workspace, "20250820T060000-a", "*", LACKING, lambda _: None)
    record.begin()
    assert Journal(str(folder)).entries()[0].state is RunState.RUNNING
    with monkeypatch.context() as patch:
        full(patch, folder / "_aqi")
        record.end(None, None, None)
    (entry,) = Journal(str(folder)).entries()
    assert entry.state is RunState.FAILED
    other = Journal(f"{folder}-of-others")
    assert other.entries() == [], "of another warehouse"


def test_where_nothing_can_be_kept_that_is_said(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = workspace.warehouse.folder
    assert folder is not None
    full(monkeypatch, folder, state_folder())
    said = refused_run(workspace, "20250820T060000-a", lambda _: None)
    assert "nothing else will know of run 20250820T060000-a" in said
    assert Journal(str(folder)).entries() == []


def test_what_is_damaged_aside_is_passed_over(workspace: Workspace) -> None:
    journal = Journal(str(workspace.warehouse.folder))
    journal.aside.mkdir(parents=True)
    (journal.aside / "x.json").write_text(json.dumps({"format": 7}))
    assert journal.entries() == []
