"""What a person sees while a run goes on: live lines on a terminal, nothing where there is none."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from orchestration.cli.pace import Pace
from orchestration.core.planning.plan import Plan, Step
from orchestration.core.runs.names import step_name
from orchestration.core.runs.outcome import StepOutcome

if TYPE_CHECKING:
    from orchestration.engine.fetching import FetchTask

STYLE_OF_STATE = {"written": "green", "unchanged": "blue", "fresh": "blue", "skipped": "yellow", "failed": "red"}


BAR_WIDTH = 20


class Quiet:
    """Says what a person must know at once (the run waits for another one), and of a backfill a line for every chunk
    that is done, and for every table that is made after them.

    first: a line that is said when something begins to be made.
    """

    def __init__(self, console: Console, first: str = "") -> None:
        self.console, self._first = console, first
        self._pace: Pace | None = None
        self._untried: set[str] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Quiet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def waiting(self, holder: str) -> None:
        self.console.print(f"The warehouse is in use by {holder}; waiting.", highlight=False)

    def planned(self, plan: Plan) -> None:
        self._pace = Pace(plan)
        if plan.steps and self._first:
            self.console.print(self._first, highlight=False, markup=False, soft_wrap=True)

    def starting(self, what: str) -> None: ...

    def warned(self, message: str) -> None:
        self.console.print(f"[yellow]warning[/yellow] {message}", highlight=False)

    def orphan_ended(self, message: str) -> None:
        self.console.print(message, highlight=False)

    def fetched(self, task: FetchTask, error: str | None) -> None: ...

    def step_started(self, step: Step) -> None:
        if self._pace is not None:
            self._pace.began(step)

    def step_done(self, outcome: StepOutcome) -> None:
        if (pace := self._pace) is None:
            return
        step = outcome.step
        with self._lock:
            chunk_done = pace.done(outcome)
            if any(problem.after for problem in outcome.problems) and not outcome.succeeded:
                self._untried.add(step.chunk)  # the summary says how many there were, and why
            after = 0 < pace.chunks == pace.chunks_done and not step.chunk
            is_due = step.chunk not in self._untried if chunk_done else after
        if is_due:
            self.say_step(outcome, f"chunk {step.chunk}" if chunk_done else step.asset, pace.in_words())

    def say_step(self, outcome: StepOutcome, what: str, how_far: str) -> None:
        style = STYLE_OF_STATE[outcome.state]
        self.console.print(
            f"[{style}]{outcome.state:9}[/{style}] {what} [dim]({how_far})[/dim]", highlight=False, soft_wrap=True
        )


class Live(Quiet):
    """A line for the whole run, with a bar as long as partitions are counted, and one for every step while it runs and
    after it is done."""

    def __init__(self, console: Console, first: str = "") -> None:
        super().__init__(console, first)
        self._progress = _Lines(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            _Bar(BAR_WIDTH),
            TextColumn("{task.fields[told]}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._whole: TaskID | None = None
        self._running: dict[str, TaskID] = {}

    def __enter__(self) -> Live:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def planned(self, plan: Plan) -> None:
        super().planned(plan)
        if plan.steps:
            self._whole = self._progress.add_task("starting", total=None, told="")

    def starting(self, what: str) -> None:
        if self._whole is not None:
            self._progress.update(self._whole, description=f"starting {what}")

    def fetched(self, task: FetchTask, error: str | None) -> None:
        self._progress.console.print(
            f"  [red]fetch {task}: {error}[/red]" if error else f"  [dim]fetched {task}[/dim]", highlight=False
        )

    def step_started(self, step: Step) -> None:
        super().step_started(step)
        with self._lock:
            self._running[step.id] = self._progress.add_task(f"  {step_name(step)}", total=None, told=_counted(step))
        self._tell()

    def step_done(self, outcome: StepOutcome) -> None:
        with self._lock:
            self._progress.remove_task(self._running.pop(outcome.step.id))
        super().step_done(outcome)
        if not outcome.step.chunk:
            style = STYLE_OF_STATE[outcome.state]
            self._progress.console.print(
                f"  [{style}]{outcome.state:9}[/{style}] {outcome.step.asset}"
                f" [dim]{outcome.rows:,} rows, {outcome.seconds:.1f} s[/dim]",
                highlight=False,
            )
        self._tell()

    def say_step(self, outcome: StepOutcome, what: str, how_far: str) -> None:
        """Of chunks alone how far it has come: the bar says it."""
        if outcome.step.chunk:
            super().say_step(outcome, what, how_far)

    def _tell(self) -> None:
        pace = self._pace
        if pace is not None and self._whole is not None:
            counted = f"{pace.partitions_done:,} of {pace.partitions:,} partitions"
            self._progress.update(
                self._whole,
                description="made",
                total=pace.partitions,
                completed=pace.partitions_done,
                told=", ".join(filter(None, [counted, pace.left_in_words])),
            )


class _Lines(Progress):
    """Each line as wide as it needs to be: the longest name does not push the others out of a narrow terminal."""

    def get_renderables(self) -> Iterable[RenderableType]:
        for task in self.tasks:
            yield self.make_tasks_table([task])


class _Bar(ProgressColumn):
    """A bar; none for what nobody knows the end of."""

    def __init__(self, bar_width: int) -> None:
        super().__init__()
        self._bar = BarColumn(bar_width)

    def render(self, task: Task) -> RenderableType:
        return self._bar.render(task) if task.total is not None else ""


def _counted(step: Step) -> str:
    partitions = step.all_partitions
    count = len(partitions)
    return "" if partitions.has_null and count == 1 else f"{count:,} partition{'' if count == 1 else 's'}"
