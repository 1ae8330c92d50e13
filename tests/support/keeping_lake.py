"""A lake whose runs keep what they asked and when, as those of the command do."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

from orchestration.core.planning.request import Request
from orchestration.core.runs.outcome import RunSummary, chunk_outcomes
from orchestration.engine.changes.tables import change_tables
from orchestration.engine.executor import prepare, run_in_order
from orchestration.engine.observation import observe_sources
from tests.support.small_lake import Lake

_numbers = itertools.count()


class KeepingLake(Lake):
    """Looks are part of the run: their answers are kept, and the moments of those that brought nothing new."""

    def run(self, request: Request) -> RunSummary:
        workspace = self.workspace
        run_id = f"run-{datetime.now(UTC).timestamp()}-{next(_numbers)}"
        observed = observe_sources(workspace, request, run_id)
        current = workspace.current(None if observed is None else observed.sent)
        plan, tables = workspace.plan(request, current)
        if observed is not None:
            observed.keep_moments(workspace, plan, run_id)
        change_tables(workspace, plan, tables, run_id)
        tables = workspace.states(tuple(request.assets))
        engine = self.shared.engine(workspace.warehouse)
        runner, source = prepare(workspace, plan, tables, run_id, lambda: self._wanted(engine), current, observed)
        outcomes = run_in_order(plan, runner, source)
        return RunSummary(run_id, plan, outcomes, 0.0, chunks=chunk_outcomes(request, plan, outcomes, runner.tables))
