"""The history of steps, read from a moment on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from resources.delta.step_history import StepHistory, StepRow

AT = datetime(2026, 1, 1, tzinfo=UTC)


def test_steps_of_runs_since_a_moment_are_the_newest(tmp_path: Path) -> None:
    history = StepHistory(str(tmp_path))
    rows = [
        StepRow(f"run-{day}", "", "", "gold.a", "gold.a", "completed", AT + timedelta(days=day), 1.0, day, 1, 0, 0, 0)
        for day in range(4)
    ]
    for row in rows:
        history.append([row], lambda text: None)
    assert history.rows(since=AT + timedelta(days=2)) == [rows[3], rows[2]]
    assert history.rows(1, AT) == [rows[3]]
    assert history.rows(since=AT + timedelta(days=9)) == []
