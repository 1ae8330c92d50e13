"""The page *Runs*: which runs there were and when, their duration, rows, lags and failures over time."""

from __future__ import annotations

from typing import Any

from orchestration.core.calendar import instant_of
from orchestration.core.errors import in_a_line
from orchestration.reports.page.found import Found
from orchestration.reports.page.run_facts import MOST_RUNS, run_facts
from resources.delta.step_history import StepHistory, StepRow

TITLE = "Runs"


def facts(found: Found) -> dict[str, Any]:
    """JSON values, see ``run_facts``. If the history of steps cannot be read, the page says so and goes on without
    it.
    """
    entries = found.entries
    unread, steps = "", list[StepRow]()
    if entries:
        try:
            since = min(instant_of(entry.started_at) for entry in entries[:MOST_RUNS])
            steps = StepHistory(found.workspace.warehouse.uri).rows(since=since)
        except (OSError, ValueError) as error:
            unread = in_a_line(error)
    return run_facts(entries, steps, found.measured, found.profile, unread)
