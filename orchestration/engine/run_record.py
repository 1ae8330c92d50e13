"""What is kept of a run besides its commits: its entry in the journal, snapshots of states, its steps, its profile."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType

from orchestration.core.calendar import iso
from orchestration.core.errors import LakehouseError, in_a_line
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.planning.plan import Obstacle, Plan, Step
from orchestration.core.runs.journal import Attempt, RunEntry, RunState
from orchestration.core.runs.outcome import Outcome, Problem, StepOutcome
from orchestration.core.runs.profile import Phase
from orchestration.core.state.lags import Lag
from orchestration.engine.lags import read_lags, worst_lag_hours
from orchestration.engine.made_with import made_with
from orchestration.engine.profiling import Spans
from orchestration.engine.steps import StepRunner
from orchestration.engine.workspace import Workspace
from resources.delta.step_history import StepHistory, StepRow
from resources.machine import failpoints
from resources.storage.journal import Journal
from resources.storage.parameter_values import ParameterValues
from resources.storage.run_profiles import RunProfiles


class RunRecord:
    """Writes the record of a run when it begins and when it ends, however it ends. warn: called if something could not
    be written.

    unwritten: why the journal has no entry of the run, a sentence; empty where it has one. flow_run_id: of the flow run
    of its deployment. runner: the runner of the steps, once there is one. spans: measures the run; None: measures from
    now on.
    """

    def __init__(
        self,
        workspace: Workspace,
        run_id: str,
        title: str,
        plan: Plan,
        warn: Callable[[str], None],
        flow_run_id: str = "",
        spans: Spans | None = None,
    ) -> None:
        self._workspace = workspace
        self._plan = plan
        self._warn = warn
        self._spans = spans or Spans()
        self._started = time.perf_counter()
        attempts = {asset: Attempt(planned=planned) for asset, planned in _by_asset(plan.steps).items()}
        for item in plan.left_out:
            if item.obstacle is Obstacle.DAMAGED:
                attempts.setdefault(item.asset, Attempt())
        self._entry = RunEntry(
            run_id,
            title,
            iso(datetime.now(UTC)),
            pid=os.getpid(),
            host=socket.gethostname(),
            flow_run_id=flow_run_id,
            attempts=attempts,
            made_with=made_with(workspace.settings),
        )
        self.runner: StepRunner | None = None
        self.unwritten = ""
        self._refused = False

    def refuse(self) -> None:
        """Record a run of which nothing could be made."""
        self._refused = True
        self.begin()
        self.end(None, None, None)

    def begin(self) -> None:
        with self._spans.span(Phase.END):
            if self._write(self._entry):
                self._keep_parameters()

    def _keep_parameters(self) -> None:
        """Store the values of parameters, so that a later change can be shown with both values."""
        values = self._workspace.code.all_settings(self._workspace.catalog)
        try:
            ParameterValues(self._workspace.warehouse.uri).keep(values)
        except OSError as error:
            self._warn(f"the values of parameters could not be kept ({in_a_line(error)})")

    def end(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Record the outcome of the run, however it ended."""
        with self._spans.span(Phase.END):
            self._end(interrupted=kind is not None and not issubclass(kind, Exception))
            self._keep_profile()

    def _end(self, *, interrupted: bool) -> None:
        """interrupted: whether the run was ended by Ctrl-C or by its worker."""
        failpoints.reach("before-journal")
        outcomes = {} if self.runner is None else dict(self.runner.outcomes)
        attempts = {}
        for asset, attempt in self._entry.attempts.items():
            done = [outcomes[step.id] for step in self._plan.steps_of(asset) if step.id in outcomes]
            problems = tuple(problem for outcome in done for problem in outcome.problems)
            problems += tuple(
                Problem(Outcome.SKIPPED, item.partitions, item.reason)
                for item in self._plan.left_out
                if item.asset == asset and item.obstacle is Obstacle.DAMAGED
            )
            attempts[asset] = replace(
                attempt, good=PartitionSet.union_of(outcome.succeeded for outcome in done), problems=problems
            )
        bad = any(outcome.not_made for outcome in outcomes.values()) or len(outcomes) < len(self._plan.steps)
        bad = bad or self._refused or any(item.obstacle is Obstacle.DAMAGED for item in self._plan.left_out)
        written = self._write(
            replace(
                self._entry,
                ended_at=iso(datetime.now(UTC)),
                state=RunState.INTERRUPTED if interrupted else RunState.FAILED if bad else RunState.COMPLETED,
                seconds=time.perf_counter() - self._started,
                attempts=attempts,
            )
        )
        self._keep_states(outcome for outcome in outcomes.values() if outcome.succeeded)
        if written or self._workspace.warehouse.is_local:  # where HDFS takes nothing, its client would panic
            self._keep_history(list(outcomes.values()))

    def _keep_history(self, outcomes: Sequence[StepOutcome]) -> None:
        if not outcomes:
            return
        lag_hours = self.lag_hours(outcomes)
        rows = [
            StepRow(
                run_id=self._entry.run_id,
                flow_run_id=self._entry.flow_run_id,
                title=self._entry.title,
                asset=outcome.step.asset,
                step=outcome.step.id,
                state=outcome.state,
                started_at=datetime.fromisoformat(self._entry.started_at),
                seconds=outcome.seconds,
                rows=outcome.rows,
                partitions_written=len(outcome.written),
                partitions_unchanged=len(outcome.unchanged),
                partitions_failed=len(outcome.failed),
                partitions_skipped=len(outcome.skipped),
                lag_hours=lag_hours[outcome.step.asset],
            )
            for outcome in outcomes
        ]
        StepHistory(self._workspace.warehouse.uri).append(rows, self._warn)

    def lag_hours(self, outcomes: Iterable[StepOutcome]) -> dict[str, float | None]:
        """The lags of the assets of ``outcomes``, by key; None where a lag is not known."""
        assert self.runner is not None, "there are outcomes"
        keys = sorted({outcome.step.asset for outcome in outcomes})
        found: list[Lag] = []
        try:
            found = read_lags(self._workspace, keys, self.runner.tables)
        except (LakehouseError, OSError) as error:
            self._warn(f"how far the tables lie behind could not be told ({error})")
        return {key: worst_lag_hours(found, key) for key in keys}

    def _keep_states(self, outcomes: Iterable[StepOutcome]) -> None:
        for asset in {outcome.step.asset for outcome in outcomes}:
            assert self.runner is not None, "there are outcomes"
            try:
                self._workspace.warehouse.keep_state(self._workspace.catalog[asset], self.runner.tables[asset])
            except OSError as error:
                self._warn(f"no snapshot of the provenance of {asset} could be written ({in_a_line(error)})")

    def _keep_profile(self) -> None:
        profile = self._spans.profile(self._entry.run_id, self._entry.title, self._plan)
        try:
            RunProfiles(self._workspace.warehouse.uri).write(profile)
        except OSError as error:
            self._warn(f"the profile of the run could not be written ({in_a_line(error)})")

    def _write(self, entry: RunEntry) -> bool:
        """Whether it could be written."""
        problem = write_down(self._workspace, entry)
        if problem:
            self._warn(problem)
        self.unwritten = problem
        return not problem


def write_down(workspace: Workspace, entry: RunEntry) -> str:
    """Write an entry into the journal. If that is not possible, it is stored elsewhere; gives a sentence about that."""
    journal = Journal(workspace.warehouse.uri)
    try:
        journal.write(entry)
    except OSError as error:
        text = f"the journal of runs could not be written ({in_a_line(error)})"
        try:
            journal.keep_aside(entry)
        except OSError as second:
            return f"{text}, nor {journal.aside} ({in_a_line(second)}): nothing else will know of run {entry.run_id}"
        return f"{text}; run {entry.run_id} is kept at {journal.aside} until the next run can write it down"
    return ""


def _by_asset(steps: Iterable[Step]) -> dict[str, PartitionSet]:
    """What the steps make, by asset."""
    made: dict[str, PartitionSet] = {}
    for step in steps:
        made[step.asset] = made.get(step.asset, PartitionSet.empty()) | step.all_partitions
    return made
