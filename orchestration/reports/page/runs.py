"""The page *Runs*: what ran when and in parallel, how long, rows, lags and failures over time."""

from __future__ import annotations

from typing import Any

from orchestration.core.calendar import instant_of
from orchestration.core.errors import in_a_line
from orchestration.reports.page.found import Found
from orchestration.reports.page.run_facts import MOST_RUNS, run_facts
from resources.delta.step_history import StepHistory, StepRow

TITLE = "Runs"


def facts(found: Found) -> dict[str, Any]:
    """JSON values, as ``run_facts`` says. A history of steps that cannot be read is said, and done without."""
    entries = found.entries
    unread, steps = "", list[StepRow]()
    if entries:
        try:
            since = min(instant_of(entry.started_at) for entry in entries[:MOST_RUNS])
            steps = StepHistory(found.workspace.warehouse.uri).rows(since=since)
        except (OSError, ValueError) as error:
            unread = in_a_line(error)
    return run_facts(entries, steps, found.measured, found.profile, unread)
