"""What a person sees while a run goes on: live lines on a terminal, nothing where there is none."""

from __future__ import annotations

import threading
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from orchestration.outcome import StepOutcome
from orchestration.planner import Plan, Step
from orchestration.source import FetchTask

STYLE_OF_STATE = {"written": "green", "unchanged": "blue", "skipped": "yellow", "failed": "red"}


class Quiet:
    """Says only what a person must know at once: that the run waits for another one."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def __enter__(self) -> Quiet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def waiting(self, holder: str) -> None:
        self.console.print(f"The warehouse is in use by {holder}; waiting.", highlight=False)

    def planned(self, plan: Plan) -> None: ...

    def starting(self, what: str) -> None: ...

    def fetched(self, task: FetchTask, error: str | None) -> None: ...

    def step_started(self, step: Step) -> None: ...

    def step_done(self, outcome: StepOutcome) -> None: ...


class Live(Quiet):
    """A bar for the whole run, and a line for every step while it runs and after it is done."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
        )
        self._whole: TaskID | None = None
        self._running: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Live:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def planned(self, plan: Plan) -> None:
        self._whole = self._progress.add_task("steps", total=len(plan.steps))

    def starting(self, what: str) -> None:
        self._say(f"starting {what}")

    def fetched(self, task: FetchTask, error: str | None) -> None:
        self._progress.console.print(
            f"  [red]fetch {task}: {error}[/red]" if error else f"  [dim]fetched {task}[/dim]", highlight=False
        )

    def step_started(self, step: Step) -> None:
        self._say("steps")
        with self._lock:
            count = len(step.all_partitions)
            self._running[step.id] = self._progress.add_task(f"{step.asset} ({count})", total=None)

    def step_done(self, outcome: StepOutcome) -> None:
        with self._lock:
            self._progress.remove_task(self._running.pop(outcome.step.id))
        style = STYLE_OF_STATE[outcome.state]
        self._progress.console.print(
            f"  [{style}]{outcome.state:9}[/{style}] {outcome.step.asset}"
            f" [dim]{outcome.rows} rows, {outcome.seconds:.1f} s[/dim]",
            highlight=False,
        )
        if self._whole is not None:
            self._progress.advance(self._whole)

    def _say(self, what: str) -> None:
        if self._whole is not None:
            self._progress.update(self._whole, description=what)
