"""Sends OpenLineage events of a run and of its steps while the run goes on.

``core.openlineage`` decides what an event says; ``resources.openlineage`` sends it beside the run. Nothing that goes
wrong here fails a run; a warning is given once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import Any, Protocol

from orchestration.core.declarations.asset import Asset
from orchestration.core.lineage.columns import ColumnLineage
from orchestration.core.openlineage.columns import ReportedColumns, reported_columns
from orchestration.core.openlineage.events import (
    EventType,
    Period,
    RunFacts,
    StepFacts,
    TableFacts,
    ended_as,
    run_event,
    step_event,
)
from orchestration.core.openlineage.naming import Dataset
from orchestration.core.openlineage.quality import Quality, checks_of
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.planning.plan import Plan, Step
from orchestration.core.runs.outcome import StepOutcome, in_words
from orchestration.core.runs.profile import Phase
from orchestration.core.state.table_state import TableState
from orchestration.engine.fetching import FetchTask
from orchestration.engine.flow import Listener
from orchestration.engine.lineage.datasets import code_of, dataset_of, source_facts
from orchestration.engine.lineage.recorded import recorded_columns
from orchestration.engine.profiling import Spans
from orchestration.engine.steps import StepRunner, explain
from orchestration.engine.workspace import Workspace
from resources.machine.package import package_version
from resources.openlineage.sender import Sender, Sent

ENGINES = {"embedded": ("Sail", "pysail"), "spark": ("Spark", "pyspark")}
"""Engine → its name for people, and its Python package."""

Columns = Callable[[str, TableState], ColumnLineage | None]
"""(asset key, state of its table) → the column lineage of its present code; None where it is not known."""


def _version(package: str) -> str:
    """Of an installed package; events are told without it too."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


class Sending(Protocol):
    """See ``Sender``."""

    def send(self, event: Mapping[str, Any]) -> None: ...

    def close(self) -> Sent: ...


class Listeners:
    """Several listeners as one."""

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = listeners

    def fetched(self, task: FetchTask, error: str | None) -> None:
        for listener in self._listeners:
            listener.fetched(task, error)

    def step_started(self, step: Step) -> None:
        for listener in self._listeners:
            listener.step_started(step)

    def step_done(self, outcome: StepOutcome) -> None:
        for listener in self._listeners:
            listener.step_done(outcome)


class RunEvents:
    """A ``Listener`` that sends events. Call ``begin`` before the first step, and ``end`` when the run is over, however
    it ended.

    job: the name of the flow. warn: called if events were lost. spans: measures the waiting at the end. columns: None:
    the recorded column lineage. now: the machine's clock.
    """

    def __init__(
        self,
        workspace: Workspace,
        run_id: str,
        title: str,
        job: str,
        sender: Sending,
        warn: Callable[[str], None],
        spans: Spans | None = None,
        columns: Columns | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        settings = workspace.settings
        name, package = ENGINES[settings.engine]
        self._run = RunFacts(
            run_id, job, settings.openlineage.namespace, title, name, _version(package), package_version()
        )
        self._workspace = workspace
        self._sender = sender
        self._warn = warn
        self._spans = spans or Spans()
        self._columns = columns or partial(_recorded, workspace)
        self._now = now
        self._plan = Plan((), ())
        self._period: Period | None = None
        self._lock = threading.Lock()
        self._open, self._broken_off = True, False
        self._failed = False
        self._started: set[str] = set()
        self._outcomes: dict[str, StepOutcome] = {}
        self.runner: StepRunner | None = None

    @classmethod
    def of(
        cls, workspace: Workspace, run_id: str, title: str, job: str, warn: Callable[[str], None], spans: Spans
    ) -> RunEvents | None:
        """The sender of events for a run; None where the settings do not ask for events."""
        settings = workspace.settings.openlineage
        return None if settings.way == "off" else cls(workspace, run_id, title, job, Sender(settings), warn, spans)

    def begin(self, plan: Plan) -> None:
        """The run begins."""
        self._plan = plan
        self._carefully(self._begin)

    def fetched(self, task: FetchTask, error: str | None) -> None: ...

    def step_started(self, step: Step) -> None:
        with self._lock:
            if self._open:
                self._started.add(step.id)
                self._carefully(lambda: self._step(EventType.START, step))

    def broken_off(self) -> None:
        """The run is about to end its steps: failures from now on are reported as ABORT."""
        with self._lock:
            self._broken_off = True

    def step_done(self, outcome: StepOutcome) -> None:
        with self._lock:
            if self._open and not (self._broken_off and outcome.not_made):
                self._outcomes[outcome.step.id] = outcome
                self._carefully(lambda: self._step(ended_as(outcome), outcome.step, outcome))

    def end(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """The run is over. Waits for unsent events, at most as long as the settings allow."""
        with self._lock:
            self._open = False
        with self._spans.span(Phase.END):
            self._carefully(lambda: self._end(error))
            sent = self._sender.close()
        if sent.lost:
            self._warn(f"{sent.lost} of {sent.taken + sent.lost} events of lineage did not arrive: {sent.why}")

    def _begin(self) -> None:
        periods = [period for step in self._plan.steps if (period := self._period_of(step)) is not None]
        if periods:
            self._period = min(first for first, _ in periods), max(after for _, after in periods)
        self._sender.send(run_event(EventType.START, self._now(), self._run, self._period))

    def _end(self, error: BaseException | None) -> None:
        interrupted = error is not None and not isinstance(error, Exception)
        why = "the run was interrupted" if interrupted else "" if error is None else explain(error)
        for step in self._plan.steps:
            if step.id not in self._outcomes:
                if step.id not in self._started:
                    self._step(EventType.START, step)
                self._step(EventType.ABORT, step, error=why or "the run ended before this step")
        if error is None:
            why = in_words(self._plan, [*self._outcomes.values()])
            if len(self._outcomes) < len(self._plan.steps):
                why = why or "steps did not run"
        kind = EventType.ABORT if interrupted else EventType.FAIL if why else EventType.COMPLETE
        self._sender.send(run_event(kind, self._now(), self._run, self._period, why))

    def _carefully(self, tell: Callable[[], None]) -> None:
        try:
            tell()
        except Exception as error:  # whatever it is, the run goes on  # noqa: BLE001
            if not self._failed:
                self._failed = True
                self._warn(f"events of lineage could not be made ({explain(error)})")

    # What events say of a step --------------------------------------------------------------------------------------

    def _step(self, kind: EventType, step: Step, outcome: StepOutcome | None = None, error: str = "") -> None:
        asset = self._workspace.catalog[step.asset]
        facts = StepFacts(step, asset.description, self._period_of(step), code_of(self._workspace, asset))
        reads = self._reads(step, asset, ended=outcome is not None)
        self._sender.send(
            step_event(
                kind, self._now(), self._run, facts, reads, self._writes(step, asset, reads, outcome), outcome, error
            )
        )

    def _reads(self, step: Step, asset: Asset, *, ended: bool) -> list[TableFacts]:
        read: dict[str, tuple[set[int], PartitionSet]] = {}  # what several chunks wrote is one table all the same
        for item in step.inputs:
            done = self._outcomes.get(item.step or "")
            at = item.version if done is None else done.version
            versions, partitions = read.get(item.asset, (set(), PartitionSet.empty()))
            read[item.asset] = versions | (set() if at is None else {at}), partitions | item.partitions
        reads = [
            self._table(self._workspace.catalog[key], max(versions, default=None), partitions, ended=ended)
            for key, (versions, partitions) in read.items()
        ]
        if asset.source is not None:
            if step.fetched:
                reads.append(source_facts(self._workspace, asset.source))
            if step.base_version is not None and (asset.hours is not None or step.stored):  # rows that it keeps
                reads.append(self._table(asset, step.base_version, step.all_partitions))
        return reads

    def _writes(self, step: Step, asset: Asset, reads: Sequence[TableFacts], outcome: StepOutcome | None) -> TableFacts:
        version, partitions = None, step.all_partitions
        if outcome is not None:
            version, partitions = outcome.version, outcome.written
        lineage = self._lineage(asset, {table.dataset for table in reads})
        return self._table(asset, version, partitions, ended=outcome is not None, lineage=lineage)

    def _lineage(self, asset: Asset, read: Collection[Dataset]) -> ReportedColumns | None:
        """The column lineage of an asset; origins that the step does not read are left out."""
        state = None if self.runner is None else self.runner.tables.get(asset.key)
        lineage = None if state is None else self._columns(asset.key, state)
        if lineage is None:
            return None

        def named(of: str) -> Dataset | None:
            dataset = dataset_of(self._workspace, of)
            return dataset if dataset in read or of not in (asset.key, asset.source) else None

        return reported_columns(lineage, named)

    def _table(
        self,
        asset: Asset,
        version: int | None,
        partitions: PartitionSet,
        *,
        ended: bool = False,
        lineage: ReportedColumns | None = None,
    ) -> TableFacts:
        state = None if self.runner is None or not ended else self.runner.tables.get(asset.key)
        return TableFacts(
            dataset=dataset_of(self._workspace, asset.key),
            contract=self._workspace.contracts.get(asset.key),
            version=version,
            columns=asset.partition_columns,
            partitions=partitions,
            quality=None if state is None else Quality.of(asset, state, partitions),
            checks=checks_of(asset),
            lineage=lineage,
        )

    def _period_of(self, step: Step) -> Period | None:
        scheme = self._workspace.catalog[step.asset].partitions
        pieces = (step.partitions or step.may_rewrite).pieces() if scheme is not None else []
        if scheme is None or not pieces:
            return None
        return (
            min(scheme.begins(PartitionKey(first, location)) for location, first, _ in pieces),
            max(scheme.ends(PartitionKey(last, location)) for location, _, last in pieces),
        )


def _recorded(workspace: Workspace, key: str, state: TableState) -> ColumnLineage | None:
    """The recorded column lineage of an asset's present code."""
    found = recorded_columns(workspace, {key: state})
    return None if key in found.of_older_code else found.lineages.get(key)
