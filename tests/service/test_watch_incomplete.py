"""A watch over tables with holes: told once, and once when they are given up. No server is needed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestration.core.alerts.incidents import ServerView
from orchestration.core.alerts.watch_state import Kind, Message
from orchestration.service.watch import Sources, Watch
from tests.support.holes import NOW, opened, with_holes


class Taken:
    """A channel that takes everything."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def send(self, message: Message) -> None:
        self.messages.append(message)


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return with_holes(tmp_path / "w")


def watch(folder: Path, channel: Taken, now: datetime = NOW) -> Watch:
    """A watch as a new process has it."""
    settings, said = opened(folder, now).settings, list[str]()
    incomplete = Sources(settings, "", said.append).incomplete
    return Watch(
        settings,
        {"taken": channel},
        lambda _state: ServerView(frozenset()),
        list,
        said.append,
        read_incomplete=incomplete,
        clock=lambda: now,
    )


def test_days_with_holes_are_told_once_and_when_they_are_given_up(lake: Path) -> None:
    channel = Taken()
    for _ in range(2):
        [incident] = watch(lake, channel).observe().incidents
        assert incident.kind is Kind.INCOMPLETE
        assert incident.partitions == ("2025-08-21/hanoi", "2025-08-22/hanoi")
    later = datetime(2025, 9, 21, 6, tzinfo=UTC)  # the 21st of August is 31 days old, the 22nd 30
    assert len(watch(lake, channel, later).observe().incidents) == 1
    assert [message.event for message in channel.messages] == ["began"]
    assert "2025-08-22/hanoi: 0 of 24 hours" in channel.messages[0].text
    for _ in range(2):
        assert watch(lake, channel, datetime(2025, 9, 22, 6, tzinfo=UTC)).observe().incidents == ()
    _, ended = channel.messages
    assert (ended.event, ended.kind) == ("recovered", "incomplete")
    assert "2025-08-21/hanoi: 0 of 24 hours (aqi 0, pm25 23)\n2025-08-22/hanoi: 0 of 24 hours\n" in ended.text


def test_what_was_given_up_before_anybody_looked_is_no_incident(lake: Path) -> None:
    channel = Taken()
    assert watch(lake, channel, datetime(2026, 1, 1, tzinfo=UTC)).observe().is_healthy
    assert channel.messages == []
