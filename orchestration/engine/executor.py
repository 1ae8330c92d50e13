"""Runs a materialization: lock, plan, one Spark session, one Prefect flow, a truthful summary.

What is slow starts at once and side by side: the driver JVM, Prefect, the first fetches.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from orchestration.core.errors import AqiError, CommitConflict, SourceError, WarehouseError
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.planning.hourly import gap_in_words
from orchestration.core.planning.planner import Plan, Request
from orchestration.core.runs.outcome import Outcome, Problem, RunSummary, StepOutcome, chunk_outcomes
from orchestration.core.state.freshness import NOT_ANSWERED, Current
from orchestration.core.state.provenance import TableState
from orchestration.engine.changes.places import check_ready
from orchestration.engine.changes.tables import change_tables, foreign_columns
from orchestration.engine.fetching import OpenMeteoSource
from orchestration.engine.flow import MATERIALIZE, Listener, Work, run_flow, submit_tasks
from orchestration.engine.run_record import RunRecord
from orchestration.engine.steps import RunContext, StepRunner, explain
from orchestration.engine.workspace import Workspace
from resources.delta.pending import Pending
from resources.delta.warehouse import is_conflict
from resources.hadoop.configuration import HadoopConf
from resources.hadoop.resource_manager import ResourceManager
from resources.machine.clock import iso
from resources.open_meteo.client import OpenMeteoClient
from resources.prefect.server import EmbeddedServer, configured_api_url
from resources.settings.load import Settings
from resources.spark.driver import (
    SparkDriver,
    check_java,
    check_java_libraries,
    is_submitted,
    spark_archive,
    spark_conf,
)
from resources.spark.on_yarn import check_cluster, check_master, end_orphans, yarn_conf
from resources.storage.lock import WarehouseLock

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

HOURS_A_DAY = 24


class RunListener(Listener, Protocol):
    """Is told what happens in a run."""

    def waiting(self, holder: str) -> None: ...

    def planned(self, plan: Plan) -> None: ...

    def starting(self, what: str) -> None: ...

    def warned(self, message: str) -> None: ...

    def orphan_ended(self, message: str) -> None: ...


class SparkProvider(Protocol):
    """Gives a Spark session for a run; tests give one that is shared."""

    def start(self) -> SparkSession: ...

    @property
    def application_id(self) -> str: ...

    def cancel(self) -> None: ...

    def stop(self) -> None: ...


MakeSpark = Callable[[str, int, list[int]], SparkProvider]
"""(run id, rows expected of the largest step, files to inherit) → provider."""


def log_folder() -> Path:
    """Where the output of JVMs and of our own Prefect server goes."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "aqi" / "logs"


def new_run_id() -> str:
    """A short unique name of a run, sortable by time."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"


def materialize(
    workspace: Workspace,
    request: Request,
    listener: RunListener,
    *,
    title: str,
    flow_name: str = MATERIALIZE,
    flow_run_id: str = "",
    make_spark: MakeSpark | None = None,
) -> RunSummary:
    """Materialize what ``request`` asks for. Failures in steps are in the summary; AqiError is raised for the rest.

    Where there is nothing to do, neither the lock is taken nor Java looked for. title: names the flow run.
    flow_run_id: of the flow run that this is called in, whose tasks its steps become; empty: they get one of their own.
    """
    started = time.perf_counter()
    settings, run_id = workspace.settings, os.environ.get("AQI_RUN_ID") or new_run_id()
    check_master(settings)
    check_ready(workspace, request)
    if request.beyond:
        listener.warned(gap_in_words(request.beyond))
    looked = look(workspace, request)
    current = workspace.current(None if looked is None else looked.sent)
    plan, states = workspace.plan(request, current)
    if plan.is_empty:
        listener.planned(plan)
        return _summary(request, run_id, plan, (), states, started, flow_run_id)
    if plan.steps and make_spark is None:
        check_spark(workspace)
    make_spark = make_spark or _own_driver(settings, workspace.warehouse.uri, listener)
    with locked(workspace, run_id, listener) as inherited:
        Pending(workspace.warehouse.uri).check(request.assets)
        before, (plan, states) = states, workspace.plan(request, current)
        if looked is not None and looked.is_outdated(before, states):  # another run was faster: do not undo it
            looked = look(workspace, request)
            current = workspace.current(None if looked is None else looked.sent)
            plan, states = workspace.plan(request, current)
        listener.planned(plan)
        for line in foreign_columns(workspace, request.assets, states):
            listener.warned(line)
        record = RunRecord(workspace, run_id, title, plan, listener.warned, flow_run_id)
        record.begin()
        with contextlib.ExitStack() as changing:
            changing.push(record.end)
            change_tables(workspace, plan, states, run_id)
            if plan.steps:
                changing.pop_all()  # the run goes on, and ends below
        if not plan.steps:
            return _summary(request, run_id, plan, (), states, started, flow_run_id)
        states = workspace.states(tuple(request.assets)) if plan.tables else states
        largest = max(len(step.all_partitions) for step in plan.steps) * HOURS_A_DAY
        driver = make_spark(run_id, largest, inherited)
        with contextlib.ExitStack() as ending:
            ending.push(record.end)
            session = _Session(driver, ending.enter_context(ThreadPoolExecutor(1, "spark-start")))
            ending.callback(driver.stop)
            ending.callback(session.settle)
            if looked is None or looked.brought:
                listener.starting("Spark and Prefect")
                session.begin()
            if not flow_run_id:
                ending.enter_context(_prefect(run_id))
            runner, source = prepare(workspace, plan, states, run_id, session.get, current, looked)
            record.runner = runner
            work = Work(
                plan,
                runner,
                source,
                listener,
                settings.spark.max_parallel_steps,
                chunks=lambda: chunk_outcomes(request, plan, _outcomes(plan, runner), runner.tables),
                lag_hours=record.lag_hours,
            )
            try:
                if flow_run_id:
                    submit_tasks(work, title)
                else:
                    flow_run_id = run_flow(work, name=title, flow_name=flow_name)
            except BaseException:
                if source is not None:
                    source.cancel()
                driver.cancel()
                raise
            application_id = driver.application_id
    return _summary(request, run_id, plan, _outcomes(plan, runner), runner.tables, started, flow_run_id, application_id)


class _Session:
    """The session of a run: started when it is told to, or when it is wanted."""

    def __init__(self, driver: SparkProvider, pool: ThreadPoolExecutor) -> None:
        self._driver = driver
        self._pool = pool
        self._lock = threading.Lock()
        self._started: Future[SparkSession] | None = None

    def begin(self) -> Future[SparkSession]:
        """Start it, if nobody has."""
        with self._lock:
            if self._started is None:
                self._started = self._pool.submit(self._driver.start)
            return self._started

    def get(self) -> SparkSession:
        """Wait until it is ready."""
        return self.begin().result()

    def settle(self) -> None:
        """Wait for a session that is still starting: only what has started can be stopped."""
        if self._started is not None:
            with contextlib.suppress(Exception):
                self._started.result()


@dataclass(frozen=True)
class Look:
    """What sources sent when they were asked about the partitions of a request.

    assets: that were asked for. sent: digests by source and partition. brought: whether anything came.
    """

    assets: tuple[str, ...]
    source: OpenMeteoSource
    sent: Mapping[str, Mapping[PartitionKey, str]]

    @property
    def brought(self) -> bool:
        return any(digest != NOT_ANSWERED for digests in self.sent.values() for digest in digests.values())

    @property
    def problems(self) -> list[str]:
        """What could not be asked, a line each."""
        errors = (item for asset in self.assets for item in self.source.errors(asset).items())
        return [f"{task}: {explain(error)}" for task, error in errors]

    def is_outdated(self, before: Mapping[str, TableState], now: Mapping[str, TableState]) -> bool:
        """Whether another run has made something of these assets since the states ``before`` were read."""
        states = ((before.get(asset, TableState()), now.get(asset, TableState())) for asset in self.assets)
        return any(one.version != other.version for one, other in states)


def look(workspace: Workspace, request: Request) -> Look | None:
    """Ask the sources of a request what they send now; None where it compares nothing, or has no fetched asset."""
    if not request.compare:
        return None
    fetched = [workspace.catalog[key] for key in sorted(request.assets) if workspace.catalog[key].source is not None]
    if not fetched:
        return None
    wanted = {asset.key: request.compare for asset in fetched}
    source = OpenMeteoSource(workspace.settings, wanted, _client(workspace.settings))
    source.fetch_all()
    return Look(tuple(wanted), source, {str(asset.source): source.sent(asset.key) for asset in fetched})


def _outcomes(plan: Plan, runner: StepRunner) -> tuple[StepOutcome, ...]:
    """What became of every step of the plan, also of one that never ran."""
    return tuple(
        runner.outcomes.get(step.id) or StepOutcome(step, problems=(_never_ran(step.all_partitions),))
        for step in plan.steps
    )


def _summary(
    request: Request,
    run_id: str,
    plan: Plan,
    outcomes: tuple[StepOutcome, ...],
    tables: Mapping[str, TableState],
    started: float,
    flow_run_id: str = "",
    application_id: str = "",
) -> RunSummary:
    chunks = chunk_outcomes(request, plan, outcomes, tables)
    seconds = time.perf_counter() - started
    return RunSummary(run_id, plan, outcomes, seconds, flow_run_id, application_id, chunks, request.beyond)


def prepare(
    workspace: Workspace,
    plan: Plan,
    tables: Mapping[str, TableState],
    run_id: str,
    spark: Callable[[], SparkSession],
    current: Current | None = None,
    looked: Look | None = None,
) -> tuple[StepRunner, OpenMeteoSource | None]:
    """What runs a plan's steps, and what fetches for them (None where nothing is fetched).

    current, looked: with which the plan was made, if sources were asked before.
    """
    settings, current = workspace.settings, current or workspace.current()
    for step in plan.steps:  # read from source now, before threads would do it side by side
        for place in step.all_partitions.locations or (None,):
            current.code(workspace.catalog[step.asset], place)
    context = RunContext(
        run_id=run_id,
        plan=plan,
        catalog=workspace.catalog,
        contracts=workspace.contracts,
        parameters=workspace.parameters,
        warehouse=workspace.warehouse,
        tables=tables,
        current=current,
        spark=spark,
        history=workspace.history,
        arguments=workspace.code.arguments,
    )
    fetched = {
        step.id: step.fetched
        for step in plan.steps
        if workspace.catalog[step.asset].source is not None and step.fetched
    }
    asked = None if looked is None else looked.source
    source = OpenMeteoSource(settings, fetched, _client(settings), looked=asked) if fetched else None
    return StepRunner(context, source), source


def run_in_order(plan: Plan, runner: StepRunner, source: OpenMeteoSource | None) -> tuple[StepOutcome, ...]:
    """Fetch and run all steps one after the other, without Prefect: for tests and warm-ups."""
    outcomes = []
    for step in plan.steps:
        if source is not None:
            for task in source.tasks_of(step.id):
                with contextlib.suppress(SourceError):  # remembered by the source, reported by the step
                    source.fetch(task)
        outcomes.append(runner.run(step))
    return tuple(outcomes)


@contextlib.contextmanager
def spark_session(
    workspace: Workspace,
    run_id: str,
    rows_expected: int,
    inherited: list[int],
    listener: RunListener,
    make_spark: MakeSpark | None = None,
) -> Iterator[SparkSession]:
    """A session for what is no materialization: started at the beginning of the block, stopped at its end.

    rows_expected, inherited: see ``MakeSpark``. Raises EnvironmentError_ before anything is started.
    """
    check_master(workspace.settings)
    if make_spark is None:
        check_spark(workspace)
        make_spark = _own_driver(workspace.settings, workspace.warehouse.uri, listener)
    driver = make_spark(run_id, rows_expected, inherited)
    listener.starting("Spark")
    try:
        yield driver.start()
    except Exception as error:
        driver.cancel()
        if isinstance(error, AqiError):
            raise
        kind = CommitConflict if is_conflict(error) else WarehouseError
        raise kind(explain(error), "Call the same command again; nothing is half-done.") from error
    except BaseException:
        driver.cancel()
        raise
    finally:
        driver.stop()


def check_spark(workspace: Workspace) -> None:
    """Raises EnvironmentError_ where this machine, or the cluster, cannot give a session."""
    if not is_submitted():
        check_java()
        check_java_libraries()
        if workspace.settings.on_yarn:
            check_cluster(workspace.settings, workspace.warehouse.uri)


def _client(settings: Settings) -> OpenMeteoClient:
    api = settings.open_meteo
    return OpenMeteoClient(
        api.base_url,
        api.api_key.get_secret_value() if api.api_key else None,
        connect_timeout_seconds=api.connect_timeout_seconds,
        read_timeout_seconds=api.read_timeout_seconds,
        attempts=api.attempts,
        backoff_seconds=api.backoff_seconds,
        calls_per_minute=api.calls_per_minute,
        calls_per_hour=api.calls_per_hour,
        calls_per_day=api.calls_per_day,
    )


def _own_driver(settings: Settings, warehouse: str, listener: RunListener) -> MakeSpark:
    def make(run_id: str, rows_expected: int, inherited: list[int]) -> SparkProvider:
        on_yarn = None
        if settings.on_yarn and not is_submitted():
            on_yarn = yarn_conf(settings, run_id, warehouse, spark_archive(settings, warehouse, listener.starting))
        conf = spark_conf(settings, run_id, rows_expected, on_yarn)
        return SparkDriver(conf, log_folder() / f"{run_id}-spark.log", inherited)

    return make


@contextlib.contextmanager
def locked(workspace: Workspace, run_id: str, listener: RunListener) -> Iterator[list[int]]:
    """The lock of a local warehouse; gives the open files that the driver JVM must inherit.

    A warehouse on HDFS has none: what a dead run left on YARN is ended, and Delta refuses one of two commits that
    would change the same.
    """
    folder = workspace.warehouse.folder
    if folder is None:
        if workspace.settings.on_yarn and not is_submitted():
            end_orphans(ResourceManager(HadoopConf.load()), workspace.warehouse.uri, listener.orphan_ended)
        yield []
        return
    wait = workspace.settings.warehouse.lock_wait_seconds
    with WarehouseLock(folder, run_id, iso(datetime.now(UTC)), wait, listener.waiting, listener.orphan_ended) as lock:
        yield [lock.fd]


@contextlib.contextmanager
def _prefect(run_id: str) -> Iterator[None]:
    """Prefect's API for a run: the configured one, or a server of our own until the end of the block."""
    if configured_api_url():
        yield
        return
    with EmbeddedServer(log_folder() / f"{run_id}-prefect.log") as server:
        from prefect.context import refresh_global_settings_context

        server.wait()
        before = os.environ.get("PREFECT_API_URL")
        os.environ["PREFECT_API_URL"] = server.api_url
        refresh_global_settings_context()
        try:
            yield
        finally:
            if before is None:
                del os.environ["PREFECT_API_URL"]
            else:
                os.environ["PREFECT_API_URL"] = before
            refresh_global_settings_context()


def _never_ran(partitions: PartitionSet) -> Problem:
    return Problem(Outcome.SKIPPED, partitions, "the run ended before this step")
