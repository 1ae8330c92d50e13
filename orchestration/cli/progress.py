"""What a person sees while a run goes on: live lines on a terminal, nothing where there is none."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from orchestration.core.planning.plan import Plan, Step
from orchestration.core.runs.outcome import StepOutcome

if TYPE_CHECKING:
    from orchestration.engine.fetching import FetchTask

STYLE_OF_STATE = {"written": "green", "unchanged": "blue", "fresh": "blue", "skipped": "yellow", "failed": "red"}


STEP_WEIGHT = 1.0
PARTITION_WEIGHT = 0.001
"""A step's own cost, and that of a partition in it: measured, a commit costs as much as a thousand of them."""


class Pace:
    """How far a plan has come, in steps and chunks, and how long the rest will take if it goes on like this."""

    def __init__(self, plan: Plan, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._left = {step.id: STEP_WEIGHT + PARTITION_WEIGHT * len(step.all_partitions) for step in plan.steps}
        self._total = sum(self._left.values())
        self._began: float | None = None
        self.chunks = len({step.chunk for step in plan.steps if step.chunk})
        self._chunk_steps = Counter(step.chunk for step in plan.steps if step.chunk)
        self.chunks_done = 0

    def began(self) -> None:
        """A step begins; the first one starts the clock."""
        if self._began is None:
            self._began = self._now()

    def done(self, step: Step) -> bool:
        """A step is done; says whether its chunk is done with it."""
        self._left.pop(step.id, None)
        self._chunk_steps[step.chunk] -= 1
        if step.chunk and self._chunk_steps[step.chunk] == 0:
            self.chunks_done += 1
            return True
        return False

    @property
    def seconds_left(self) -> float | None:
        """None before anything is done."""
        left = sum(self._left.values())
        done = self._total - left
        if self._began is None or done <= 0:
            return None
        return (self._now() - self._began) * left / done

    def in_words(self) -> str:
        """``3 of 12 chunks, about 2 min left``."""
        left = self.seconds_left
        rest = (
            "" if left is None else f", about {left / 60:.0f} min left" if left >= 90 else f", about {left:.0f} s left"
        )
        return f"{self.chunks_done} of {self.chunks} chunks{rest}"


class Quiet:
    """Says what a person must know at once (the run waits for another one), and a line for every chunk that is done."""

    def __init__(self, console: Console) -> None:
        self.console = console
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

    def starting(self, what: str) -> None: ...

    def warned(self, message: str) -> None:
        self.console.print(f"[yellow]warning[/yellow] {message}", highlight=False)

    def orphan_ended(self, message: str) -> None:
        self.console.print(message, highlight=False)

    def fetched(self, task: FetchTask, error: str | None) -> None: ...

    def step_started(self, step: Step) -> None:
        if self._pace is not None:
            self._pace.began()

    def step_done(self, outcome: StepOutcome) -> None:
        with self._lock:
            chunk_done = self._pace is not None and self._pace.done(outcome.step)
            if any(problem.after for problem in outcome.problems) and not outcome.good:
                self._untried.add(outcome.step.chunk)  # the summary says how many there were, and why
        if chunk_done and outcome.step.chunk not in self._untried:
            self.say_chunk(outcome)

    def say_chunk(self, outcome: StepOutcome) -> None:
        assert self._pace is not None
        style = STYLE_OF_STATE[outcome.state]
        self.console.print(
            f"[{style}]{outcome.state:9}[/{style}] chunk {outcome.step.chunk} [dim]({self._pace.in_words()})[/dim]",
            highlight=False,
        )


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

    def __enter__(self) -> Live:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def planned(self, plan: Plan) -> None:
        super().planned(plan)
        self._whole = self._progress.add_task("steps", total=len(plan.steps))

    def starting(self, what: str) -> None:
        self._say(f"starting {what}")

    def fetched(self, task: FetchTask, error: str | None) -> None:
        self._progress.console.print(
            f"  [red]fetch {task}: {error}[/red]" if error else f"  [dim]fetched {task}[/dim]", highlight=False
        )

    def step_started(self, step: Step) -> None:
        super().step_started(step)
        self._say("steps")
        with self._lock:
            count = len(step.all_partitions)
            self._running[step.id] = self._progress.add_task(f"{step.asset} ({count})", total=None)

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
        if self._whole is not None:
            self._progress.advance(self._whole)

    def _say(self, what: str) -> None:
        if self._whole is not None:
            self._progress.update(self._whole, description=what)
