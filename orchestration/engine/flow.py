"""A plan as a Prefect flow: one task for each fetch and each step, named by asset and partitions.

A failed task reports its failure. Steps that depend on it still run: a step makes the partitions whose inputs are there
and leaves out the others. The state of the flow run says whether everything was made.

Tasks have no tags. For a task with tags, Prefect asks its server about concurrency limits, one task after the other,
and fails the task if the server is away.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from orchestration.core.errors import RunError, SourceNotAsked
from orchestration.core.planning.plan import Plan, Step
from orchestration.core.runs.causes import shape
from orchestration.core.runs.names import fetch_name, step_name
from orchestration.core.runs.outcome import ChunkOutcome, StepOutcome, done_in_words, in_words
from orchestration.core.runs.profile import Phase
from orchestration.core.runs.step_words import (
    StepState,
    kinds_of_failure,
    sentence,
    state_of,
    step_in_words,
    steps_table,
)
from orchestration.engine.fetching import FETCHES_AT_ONCE, Fetching, FetchTask
from orchestration.engine.profiling import Spans
from orchestration.engine.slots import Slots
from orchestration.engine.steps import StepRunner, explain
from resources.machine.interrupts import first_on_interrupt
from resources.machine.secrets import telling_no_secret
from resources.prefect.client import open_api, what_failed

CHUNKS_AHEAD, PARTITIONS_AHEAD = 4, 8_000
"""At most this many chunks are fetched before they are written, and fewer if they have more partitions together:
fetched rows are in memory until they are written."""
PARTITIONS_A_SLOT = 2_000
"""A step with more partitions takes several of the slots for steps: the records of its partitions are in memory while
it runs."""
WAITING_THREADS = 24
"""A task takes a thread as soon as it is submitted, also while it waits for others."""
HISTORY_SECONDS = 30
NOT_ASKED, SAME_CAUSE = str(StepState.NOT_ASKED), "SameCause"
"""Names of task states: what was not tried any more; and a fetch, or chunk, that failed for the same reason as an
earlier one. Only that earlier one is shown as failed. Dependants run as after a failed task."""
MATERIALIZE, BACKFILL = "materialize", "backfill"
"""Names of flows."""
STEPS_ARTIFACT, CHUNKS_ARTIFACT = "run-steps", "backfill-chunks"
"""Keys of artifacts."""


class Listener(Protocol):
    """Is told about fetches and steps, from several threads."""

    def fetched(self, task: FetchTask, error: str | None) -> None: ...

    def step_started(self, step: Step) -> None: ...

    def step_done(self, outcome: StepOutcome) -> None: ...


@dataclass(frozen=True)
class Work:
    """What a flow does: the steps of a plan. ``runner`` has the outcomes."""

    plan: Plan
    runner: StepRunner
    source: Fetching | None
    listener: Listener
    parallel_steps: int
    chunks: Callable[[], Sequence[ChunkOutcome]] = tuple
    """Gives the outcomes of a backfill's chunks. Called when all steps are done; the result is kept as an artifact."""
    lag_hours: Callable[[Sequence[StepOutcome]], Mapping[str, float | None]] = lambda _outcomes: {}
    """Gives the lags of assets, by key. Called when all steps are done; the result is kept as an artifact."""
    spans: Spans = field(default_factory=Spans)
    cancel: Callable[[], None] = lambda: None
    """Ends everything for which steps wait. It is called first on SIGTERM, since Prefect's own handler waits for the
    tasks."""
    warned: Callable[[str], None] = lambda _message: None
    """Is given what went wrong beside the steps, a sentence."""

    @property
    def tasks(self) -> int:
        """The number of task runs that the flow makes."""
        fetches = 0 if self.source is None else sum(len(self.source.groups_of(step.id)) for step in self.plan.steps)
        return len(self.plan.steps) + fetches


def task_threads(parallel_steps: int) -> Any:
    """The task runner for such a flow."""
    from prefect.task_runners import ThreadPoolTaskRunner

    runner: ThreadPoolTaskRunner[Any] = ThreadPoolTaskRunner(
        max_workers=parallel_steps + FETCHES_AT_ONCE + WAITING_THREADS
    )
    return runner


def run_flow(work: Work, *, name: str, flow_name: str) -> str:
    """Run ``work`` as a flow of its own. Gives the id of the flow run, once Prefect's history of it is complete.

    Where all steps are done, a server that cannot be told so is a warning.
    """
    from prefect import flow
    from prefect.client.schemas.objects import State
    from prefect.runtime import flow_run
    from prefect.states import Completed, Failed

    ids: list[str] = []

    @flow(
        name=flow_name,
        flow_run_name=name,
        validate_parameters=False,
        persist_result=False,
        task_runner=task_threads(work.parallel_steps),
    )
    def materialization() -> State[Any]:
        ids.append(str(flow_run.id))
        with telling_no_secret():
            submit_tasks(work, name)
        outcomes = [outcome for step in work.plan.steps if (outcome := work.runner.outcomes.get(step.id)) is not None]
        bad = in_words(work.plan, outcomes)
        if bad or len(outcomes) < len(work.plan.steps):
            return Failed(message=bad or "steps did not run")
        return Completed(message=done_in_words(outcomes))

    try:
        state = materialization(return_state=True)
        if ids:
            with work.spans.span(Phase.HISTORY):
                wait_for_history(ids[0], work.tasks)
    except Exception as error:
        if not (wrong := what_failed(error)) or len(work.runner.outcomes) < len(work.plan.steps):
            raise
        work.warned(f"Prefect's server {wrong}: it does not know how this run ended. What was made is made.")
        return ids[0] if ids else ""
    if not work.runner.outcomes and work.plan.steps:  # no step says why
        raise RunError(f"the run ended before its first step: {state.message or state.name}", "See its log.")
    return ids[0] if ids else ""


def submit_tasks(work: Work, name: str) -> None:
    """Run ``work`` as tasks of the current flow run, and wait for them."""
    from prefect import get_run_logger, task
    from prefect.artifacts import create_table_artifact
    from prefect.cache_policies import NO_CACHE
    from prefect.client.schemas.objects import State
    from prefect.states import Cancelled, Completed, Failed

    from resources.prefect.upstream import upstream

    plan, runner, source, listener = work.plan, work.runner, work.source, work.listener
    fetching, working = threading.Semaphore(FETCHES_AT_ONCE), Slots(work.parallel_steps)
    told_first = dict[str, tuple[str, int]]()  # by kind of error the fetch that it is told of: others have it too
    failed_first = dict[str, Step]()  # the same of steps, by kind of failure
    names = frozenset(name for step in plan.steps for name in step.all_partitions.locations)

    @task(cache_policy=NO_CACHE, persist_result=False)
    def fetch(step_id: str, number: int) -> State[Any]:
        assert source is not None
        group, rows, failed, alike, not_asked = source.groups_of(step_id)[number], 0, dict[str, str](), "", ""
        with fetching:
            for item in group:
                try:
                    rows += source.fetch(item)
                except SourceNotAsked as error:
                    not_asked = explain(error)
                except Exception as error:  # whatever goes wrong is reported on this task  # noqa: BLE001
                    kind, why = shape(explain(error), "", names), explain(error)
                    first = told_first.setdefault(kind, (step_id, number))
                    if first != (step_id, number):
                        alike = f"{why} (the same cause as {_fetch_name(source.groups_of(first[0])[first[1]])})"
                    elif kind not in failed:
                        failed[kind] = why if len(group) == 1 else f"{item}: {why}"
                        listener.fetched(item, why)
                else:
                    listener.fetched(item, None)
        came = [f"{rows} hours"] if rows or not (failed or alike or not_asked) else []
        if failed:
            return Failed(message=sentence([*failed.values(), *came]))
        if alike or not_asked:  # nothing went wrong here, or it is told where it did first
            return Cancelled(message=sentence([alike or not_asked, *came]), name=SAME_CAUSE if alike else NOT_ASKED)
        return Completed(message=came[0])

    @task(cache_policy=NO_CACHE, persist_result=False)
    def materialize(step_id: str) -> State[Any]:
        step = next(step for step in plan.steps if step.id == step_id)
        with telling_no_secret(), working.taken(-(-len(step.all_partitions) // PARTITIONS_A_SLOT)):
            listener.step_started(step)
            outcome = runner.run(step)
            listener.step_done(outcome)
        others = tuple(runner.outcomes.values()) if outcome.not_made else ()
        state, message = state_of(outcome), step_in_words(outcome, others)
        if state is StepState.FAILED:
            firsts = {failed_first.setdefault(kind, step) for kind in kinds_of_failure(outcome)}
            if step in firsts:
                return Failed(message=message)
            as_of = ", ".join(sorted(map(step_name, firsts)))
            return Cancelled(message=f"{message} (the same cause as {as_of})", name=SAME_CAUSE)
        if state is StepState.COMPLETED:
            return Completed(message=message)
        return Cancelled(message=message, name=str(state))

    def submit_fetches(step: Step, written: list[Any]) -> list[Any]:
        """The fetches for a step, after the chunks before it are ``written``: fetching does not run away."""
        assert source is not None
        before: Any = [upstream(future) for future in written]
        named: Any = fetch.with_options
        return [
            named(task_run_name=_fetch_name(group)).submit(step.id, number, wait_for=before)
            for number, group in enumerate(source.groups_of(step.id))
        ]

    futures: dict[str, Any] = {}
    fetches: dict[str, list[Any]] = {}
    steps = sorted(plan.steps, key=lambda step: bool(step.inputs) or runner.needs_source(step))
    fetched = [step for step in steps if runner.needs_source(step)]
    chunks_ahead = ahead_of([len(step.fetched) for step in fetched])
    ended_first = first_on_interrupt(work.cancel, (signal.SIGTERM,))
    with work.spans.span(Phase.STEPS), ended_first, _cancelled_first(source):
        for item in steps:
            if runner.needs_source(item):
                number = fetched.index(item)
                for ahead in range(len(fetches), min(number + chunks_ahead, len(fetched) - 1) + 1):
                    written = [futures[fetched[ahead - chunks_ahead - 1].id]] if ahead > chunks_ahead else []
                    fetches[fetched[ahead].id] = submit_fetches(fetched[ahead], written)
            before = [futures[key] for key in item.upstream_steps] + fetches.get(item.id, [])
            futures[item.id] = _named(materialize, item).submit(
                item.id, wait_for=[upstream(future) for future in before]
            )
        for future in [*(one for some in fetches.values() for one in some), *futures.values()]:
            future.wait()
    outcomes = [runner.outcomes[step.id] for step in plan.steps if step.id in runner.outcomes]
    for key, table in (
        (STEPS_ARTIFACT, steps_table(outcomes, work.lag_hours(outcomes))),
        (CHUNKS_ARTIFACT, [chunk.to_json() for chunk in work.chunks()]),
    ):
        if table:
            try:
                create_table_artifact(table=table, key=key, description=name)
            except Exception as error:  # the work is done: a server that is away does not undo it  # noqa: BLE001
                get_run_logger().warning("the artifact %s could not be kept (%s)", key, explain(error))


@contextlib.contextmanager
def _cancelled_first(source: Fetching | None) -> Iterator[None]:
    """Cancels the fetches on a signal, before their threads are waited for: one of them may wait for a limit for
    hours.
    """
    try:
        yield
    except BaseException:
        if source is not None:
            source.cancel()
        raise


def ahead_of(sizes: Sequence[int]) -> int:
    """How many chunks of these sizes (in partitions) are fetched before they are written; at least one."""
    return max(1, min(CHUNKS_AHEAD, PARTITIONS_AHEAD // max(sizes, default=1)))


def wait_for_history(flow_run_id: str, tasks: int) -> bool:
    """Wait until Prefect's history has all ``tasks`` task runs of a flow run, ended. False if it never gets them."""
    from prefect.client.schemas.objects import TERMINAL_STATES
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    EventsWorker.drain_all(timeout=HISTORY_SECONDS, at_exit=False)
    APILogWorker.drain_all(timeout=HISTORY_SECONDS, at_exit=False)
    deadline = time.monotonic() + HISTORY_SECONDS
    ended = {
        "flow_runs": {"id": {"any_": [flow_run_id]}},
        "task_runs": {"state": {"type": {"any_": sorted(TERMINAL_STATES)}}},
    }
    with open_api() as api:
        while time.monotonic() < deadline:
            if api.ask("POST", "/task_runs/count", ended) >= tasks:
                return True
            time.sleep(0.05)
    return False


def _fetch_name(group: Sequence[FetchTask]) -> str:
    where = group[0].location if len(group) == 1 else f"{len(group)} locations"
    return fetch_name(where, group[0].days.in_short())


def _named(task: Any, step: Step) -> Any:
    return task.with_options(task_run_name=step_name(step))
