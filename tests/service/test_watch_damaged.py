"""A watch over tables of which files are lost: told once, and once when they are mended. No server is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.core.alerts.incidents import ServerView
from orchestration.core.alerts.watch_state import Kind
from orchestration.engine.changes.tables import tell_lost
from orchestration.service.watch import Sources, Watch, make_watch
from tests.service.test_watch_incomplete import Taken
from tests.support import oracle
from tests.support.damages import data_files
from tests.support.holes import NOW, opened, with_holes


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return with_holes(tmp_path / "w")


def watch(folder: Path, channel: Taken) -> Watch:
    """A watch as a new process has it."""
    settings, said = opened(folder).settings, list[str]()
    broken = Sources(settings, "", said.append).broken
    return Watch(
        settings,
        {"taken": channel},
        lambda _state: ServerView(frozenset()),
        list,
        said.append,
        read_broken=broken,
        clock=lambda: NOW,
    )


def test_a_lost_file_is_told_by_itself_until_it_is_mended(lake: Path) -> None:
    channel = Taken()
    table = lake.joinpath(*oracle.BRONZE.split("."))
    assert watch(lake, channel).observe().is_healthy
    (file,) = data_files(table)
    content = file.read_bytes()
    file.unlink()
    for _ in range(2):
        [incident] = watch(lake, channel).observe().incidents
        assert incident.kind is Kind.DAMAGED
    assert f"{file.name} is gone" in incident.text
    assert f"Go on: `aqi repair {oracle.BRONZE}` mends it." in incident.text
    file.write_bytes(content)
    assert watch(lake, channel).observe().is_healthy
    assert [message.event for message in channel.messages] == ["began", "recovered"]


def test_a_repair_that_was_broken_off_ends_nothing(lake: Path) -> None:
    channel, workspace = Taken(), opened(lake)
    data_files(lake.joinpath(*oracle.BRONZE.split(".")))[0].unlink()
    assert not watch(lake, channel).observe().is_healthy
    tell_lost(workspace, oracle.BRONZE, workspace.states([oracle.BRONZE])[oracle.BRONZE], "killed")
    [incident] = watch(lake, channel).observe().incidents
    assert f"Go on: `aqi repair {oracle.BRONZE}` mends it." in incident.text
    assert [message.event for message in channel.messages] == ["began"]


@pytest.mark.costly
def test_the_watch_of_the_command_looks_at_tables(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sources, "server", lambda _sources, _state: ServerView(frozenset()))
    data_files(lake.joinpath(*oracle.BRONZE.split(".")))[0].unlink()
    made = make_watch(opened(lake).settings, {}, "http://127.0.0.1:9/api", lambda _line: None)
    assert f"damaged:{oracle.BRONZE}" in {incident.key for incident in made.observe().incidents}
