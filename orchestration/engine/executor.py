"""Runs a materialization: lock, plan, one session of one engine, one Prefect flow, a truthful summary.

What is slow starts at once and side by side: the engine, Prefect, the first fetches.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from orchestration.core.errors import SourceError, WarehouseError
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.planning.commands import gap_in_words
from orchestration.core.planning.plan import Manner, Obstacle, Plan
from orchestration.core.planning.request import Hourly, Request, Restart
from orchestration.core.runs.outcome import Outcome, Problem, RunSummary, StepOutcome, chunk_outcomes
from orchestration.core.runs.profile import Phase
from orchestration.core.state.freshness import Current
from orchestration.core.state.table_state import TableState
from orchestration.engine.asking import Askings, check_sources
from orchestration.engine.changes.locations import check_ready
from orchestration.engine.changes.tables import change_tables, foreign_columns
from orchestration.engine.engines.engine import Engine, MakeEngine
from orchestration.engine.exclusive import RunListener, locked, log_folder, new_run_id
from orchestration.engine.fetching import Fetching, Wanted
from orchestration.engine.flow import MATERIALIZE, Work, run_flow, submit_tasks
from orchestration.engine.observation import SourceObservation, observe_sources
from orchestration.engine.profiling import Spans
from orchestration.engine.restart import RestartRecord
from orchestration.engine.run_context import RunContext
from orchestration.engine.run_events import Listeners, RunEvents
from orchestration.engine.run_record import RunRecord
from orchestration.engine.scales import told_of_run
from orchestration.engine.session import ENGINE_TITLES, Session, check_engine, own_engine
from orchestration.engine.steps import ROWS_A_PARTITION, StepRunner
from orchestration.engine.whereabouts import told_if_new
from orchestration.engine.workspace import Workspace
from resources.delta.pending import Pending
from resources.machine.interrupts import first_on_interrupt
from resources.machine.memory import economize
from resources.machine.state_folder import make_state_folder, state_folder_found
from resources.prefect.server import check_api, prefect_api
from resources.spark.on_yarn import check_master


def materialize(
    workspace: Workspace,
    request: Request,
    listener: RunListener,
    *,
    title: str,
    flow_name: str = MATERIALIZE,
    flow_run_id: str = "",
    make_engine: MakeEngine | None = None,
    wait: bool = False,
    where_told: bool = False,
) -> RunSummary:
    """Materialize what ``request`` asks for. The summary has failures of steps; anything else raises LakehouseError.

    If there is nothing to do, no lock is taken and no engine is started. title: the name of the flow run. flow_run_id:
    the flow run in which this is called, and whose tasks the steps become; empty for a flow run of their own. wait:
    whether to wait for limits of sources, as long as the settings allow. The lock is held meanwhile. where_told:
    whether the caller says where the tables go; else a new warehouse is told.
    """
    settings, spans = workspace.settings, Spans()
    askings = Askings(wait, listener.warned, most_seconds=settings.sources.limit_wait_minutes * 60)
    economize()
    run_id = os.environ.get("AQI_RUN_ID") or new_run_id()
    check_master(settings)
    settings.openlineage.check()

    def record_of(plan: Plan) -> RunRecord:
        return RunRecord(workspace, run_id, title, plan, listener.warned, flow_run_id, spans)

    with spans.span(Phase.PLAN), _written_down(record_of):
        check_ready(workspace, request)
        kinds = workspace.history.source_kinds
        kinds.begin(workspace.states(tuple(request.assets)))
        if isinstance(request, Hourly):  # which asks sources before it plans
            kinds.check_all(workspace.catalog, request.assets, workspace.sources)
        if isinstance(request, Hourly) and request.beyond:
            listener.warned(gap_in_words(request.beyond, request.fill))
        observed = observe_sources(workspace, request, run_id, spans, askings)
        current = workspace.current(None if observed is None else observed.sent)
        plan, states = workspace.plan(request, current)
        if observed is not None:
            observed.keep_moments(workspace, plan, run_id)
        if plan.steps and make_engine is None:
            check_engine(workspace, plan.steps)
        check_sources(workspace.sources, (one.source for one in _wanted(workspace, plan).values()))
        kinds.check_all(workspace.catalog, {one.asset for one in _wanted(workspace, plan).values()}, workspace.sources)
        if plan.steps and not flow_run_id:
            check_api()
        if plan.steps:
            state_folder_found()
    restart = RestartRecord(workspace, request, run_id, listener.warned) if isinstance(request, Restart) else None
    if plan.is_empty:
        unwritten = ""
        listener.planned(plan)
        if restart is not None:
            restart.end(ok=not any(item.is_blocked for item in plan.left_out))
        if any(item.obstacle is Obstacle.DAMAGED for item in plan.left_out):
            refused = record_of(plan)
            refused.refuse()
            unwritten = refused.unwritten
        return _summary(request, run_id, plan, (), states, spans, title, flow_run_id, unwritten=unwritten)
    make_engine = make_engine or own_engine(settings, listener)
    with contextlib.ExitStack() as telling, spans.around(Phase.LOCK, locked(workspace, run_id, listener)) as inherited:
        make_state_folder()  # not before: a call that is refused for its warehouse makes nothing
        with spans.span(Phase.PLAN), _written_down(record_of):
            Pending(workspace.warehouse.uri).check(request.assets)
            before, (plan, states) = states, workspace.plan(request, current)
            if observed is not None and observed.is_outdated(before, states):  # another run was faster: do not undo it
                observed = observe_sources(workspace, request, run_id, spans, askings)
                current = workspace.current(None if observed is None else observed.sent)
                plan, states = workspace.plan(request, current)
            listener.planned(plan)
            if not where_told and (message := told_if_new(workspace)):
                listener.warned(message)
            for line in foreign_columns(workspace, request.assets, states):
                listener.warned(line)
        if restart is not None:
            restart.begin()
            if restart.notice:
                listener.warned(restart.notice)
        record = record_of(plan)
        record.begin()
        if (events := RunEvents.of(workspace, run_id, title, flow_name, listener.warned, spans)) is not None:
            events.begin(plan)
            telling.push(events.end)  # when the lock is gone: a receiver may be slow
        with contextlib.ExitStack() as changing:
            changing.push(record.end)
            with spans.span(Phase.TABLES):
                change_tables(workspace, plan, states, run_id)
            if plan.steps:
                changing.pop_all()  # the run goes on, and ends below
        if not plan.steps:
            message = record.unwritten
            return _summary(request, run_id, plan, (), states, spans, title, flow_run_id, unwritten=message)
        states = workspace.states(tuple(request.assets)) if plan.tables else states
        largest = max(len(step.all_partitions) for step in plan.steps) * ROWS_A_PARTITION
        with spans.span(Phase.SESSION):
            engine = make_engine(workspace.warehouse, run_id, largest, inherited)
        with contextlib.ExitStack() as ending:
            ending.push(record.end)
            session = Session(engine, ending.enter_context(ThreadPoolExecutor(1, "engine-start")), spans)
            ending.callback(spans.timed(Phase.STOP, engine.stop))
            ending.callback(spans.timed(Phase.STOP, session.settle))
            ending.enter_context(first_on_interrupt(engine.cancel))  # it may wait, and all below for it
            if observed is None or observed.brought:
                listener.starting(f"{ENGINE_TITLES[engine.name]} and Prefect")
                session.begin()
            if not flow_run_id:
                served = prefect_api(log_folder() / f"{run_id}-prefect.log")
                ending.enter_context(spans.around(Phase.SERVER, served))
            with spans.span(Phase.PLAN):
                runner, source = prepare(
                    workspace, plan, states, run_id, session.get, current, observed, spans, askings
                )
            record.runner = runner
            if events is not None:
                events.runner = runner

            def cancel() -> None:
                if events is not None:
                    events.broken_off()
                if source is not None:
                    source.cancel()
                engine.cancel()

            work = Work(
                plan,
                runner,
                source,
                Listeners(listener, *(one for one in (events, restart) if one is not None)),
                settings.spark.max_parallel_steps,
                chunks=lambda: chunk_outcomes(request, plan, _outcomes(plan, runner), runner.tables),
                lag_hours=record.lag_hours,
                spans=spans,
                cancel=cancel,
                warned=listener.warned,
            )
            try:
                with first_on_interrupt(cancel), spans.span(Phase.PREFECT):
                    if flow_run_id:
                        submit_tasks(work, title)
                    else:
                        flow_run_id = run_flow(work, name=title, flow_name=flow_name)
                if engine.refused is not None:
                    raise engine.refused
            except BaseException:
                cancel()
                raise
            application_id = engine.application_id
    with spans.span(Phase.END):
        outcomes = told_of_run(workspace, _outcomes(plan, runner), states, runner.tables)
    ids = flow_run_id, application_id, record.unwritten
    summary = _summary(request, run_id, plan, outcomes, runner.tables, spans, title, *ids)
    if restart is not None:
        restart.end(ok=summary.ok)
    return summary


@contextlib.contextmanager
def _written_down(record_of: Callable[[Plan], RunRecord]) -> Iterator[None]:
    """Writes a refused run into the journal, if tables prevent a plan."""
    try:
        yield
    except WarehouseError:
        record_of(Plan((), ())).refuse()
        raise


def _outcomes(plan: Plan, runner: StepRunner) -> tuple[StepOutcome, ...]:
    """The outcome of every step of the plan, also of steps that never ran."""
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
    spans: Spans,
    title: str,
    flow_run_id: str = "",
    application_id: str = "",
    unwritten: str = "",
) -> RunSummary:
    with spans.span(Phase.END):
        chunks = chunk_outcomes(request, plan, outcomes, tables)
    profile = spans.profile(run_id, title, plan)
    beyond, fill = (request.beyond, request.fill) if isinstance(request, Hourly) else (PartitionSet.empty(), ())
    return RunSummary(
        run_id,
        plan,
        outcomes,
        profile.seconds,
        flow_run_id,
        application_id,
        chunks,
        beyond,
        profile,
        fill,
        unwritten,
    )


def prepare(
    workspace: Workspace,
    plan: Plan,
    tables: Mapping[str, TableState],
    run_id: str,
    engine: Callable[[], Engine],
    current: Current | None = None,
    observed: SourceObservation | None = None,
    spans: Spans | None = None,
    askings: Askings | None = None,
) -> tuple[StepRunner, Fetching | None]:
    """The runner of a plan's steps, and what fetches for them (None where nothing is fetched).

    current, observed: of the observation of the sources, if the plan was made after one. spans: measures. askings: how
    sources are asked in this run; None: as in ``observed``.
    """
    spans = spans or Spans()
    settings, current = workspace.settings, current or workspace.current()
    for step in plan.steps:  # read from source now, before threads would do it side by side
        for location in step.all_partitions.locations or (None,):
            current.code(workspace.catalog[step.asset], location)
    context = RunContext(
        run_id=run_id,
        plan=plan,
        catalog=workspace.catalog,
        contracts=workspace.contracts,
        parameters=workspace.parameters,
        warehouse=workspace.warehouse,
        tables=tables,
        current=current,
        engine=engine,
        history=workspace.history,
        arguments=workspace.code.arguments,
        sources=workspace.sources,
        folding=workspace.folding(current),
        moments=workspace.moments,
        spans=spans,
    )
    fetched = _wanted(workspace, plan)
    asked = None if observed is None else observed.source
    source = None
    if fetched:
        source = Fetching(
            workspace.sources,
            fetched,
            settings.configured_locations,
            settings.now,
            earlier=asked,
            keep=workspace.raw.keep,
            run_id=run_id,
            spans=spans,
            askings=askings,
            meet=workspace.history.meet,
        )
    return StepRunner(context, source), source


def _wanted(workspace: Workspace, plan: Plan) -> dict[str, Wanted]:
    """Step id → what has to be fetched for it."""
    return {
        step.id: Wanted(
            str(workspace.catalog[step.asset].source), step.fetched, step.asset, step.manner is Manner.FORCED
        )
        for step in plan.steps
        if workspace.catalog[step.asset].source is not None and step.fetched
    }


def run_in_order(plan: Plan, runner: StepRunner, source: Fetching | None) -> tuple[StepOutcome, ...]:
    """Run all fetches and steps one after the other, without Prefect: for tests and warm-ups."""
    outcomes = []
    for step in plan.steps:
        if source is not None:
            for task in source.tasks_of(step.id):
                with contextlib.suppress(SourceError):  # remembered by the source, reported by the step
                    source.fetch(task)
        outcomes.append(runner.run(step))
    return tuple(outcomes)


def _never_ran(partitions: PartitionSet) -> Problem:
    return Problem(Outcome.SKIPPED, partitions, "the run ended before this step")
