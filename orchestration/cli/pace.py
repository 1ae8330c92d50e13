"""The pace of a run: how far it has come, and how long the rest will take. Must not know: how that is shown."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

from orchestration.core.planning.plan import Plan, Step
from orchestration.core.runs.outcome import StepOutcome

STEP_WEIGHT = 1.0
PARTITION_WEIGHT = 0.001
"""The weight of a step, and of each of its partitions. By measurement, a commit costs as much as a thousand
partitions.
"""
MINUTES_FROM = 90
"""From this many seconds on, minutes are shown."""


class Pace:
    """How far a plan has come, in partitions, tables and chunks, and how long the rest takes at this pace.

    Chunks of a backfill are fetched and written side by side: each remaining chunk counts as long as the finished ones
    took. Steps after the chunks, and all steps of a plan without chunks, wait for each other: the longest chain of them
    counts, at the pace of earlier steps.
    """

    def __init__(self, plan: Plan, now: Callable[[], float] = time.monotonic) -> None:
        self._now, self._lock = now, threading.Lock()
        self._left = {step.id: step for step in plan.steps}
        self._weight = {step.id: STEP_WEIGHT + PARTITION_WEIGHT * len(step.all_partitions) for step in plan.steps}
        self._chunk_steps = Counter(step.chunk for step in plan.steps if step.chunk)
        self._chunk_weight = sum(self._weight[step.id] for step in plan.steps if step.chunk)
        self._chunk_done = 0.0
        self._began: float | None = None
        self._started: dict[str, float] = {}
        self._took: dict[bool, tuple[float, float]] = {}  # (seconds, weight) of steps that are done, of chunks and not
        self.partitions = sum(len(step.all_partitions) for step in plan.steps)
        self.partitions_done = 0
        self.chunks, self.chunks_done = len(self._chunk_steps), 0

    def began(self, step: Step) -> None:
        """A step begins. The first one starts the clock."""
        with self._lock:
            self._started[step.id] = now = self._now()
            self._began = now if self._began is None else self._began

    def done(self, outcome: StepOutcome) -> bool:
        """A step is done. Gives whether its chunk is done with it."""
        step, weight = outcome.step, self._weight[outcome.step.id]
        with self._lock:
            self._left.pop(step.id, None)
            began = self._started.pop(step.id, None)
            self.partitions_done += len(step.all_partitions)
            if outcome.written and began is not None:  # what failed at once says nothing of those that do not
                seconds, of = self._took.get(bool(step.chunk), (0.0, 0.0))
                self._took[bool(step.chunk)] = seconds + self._now() - began, of + weight
            if not step.chunk:
                return False
            self._chunk_done += weight
            self._chunk_steps[step.chunk] -= 1
            if self._chunk_steps[step.chunk] == 0:
                self.chunks_done += 1
                return True
            return False

    @property
    def tables_left(self) -> int:
        """The number of unfinished tables that are made from others; in a backfill, those after the chunks."""
        with self._lock:
            return len({step.asset for step in self._left.values() if not step.chunk and step.upstream_steps})

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the end; None before anything is done from which it could follow."""
        with self._lock:
            if self._began is None or not (self._took or self._chunk_done):
                return None
            now, left = self._now(), 0.0
            if self._chunk_done:
                left = (now - self._began) * max(0.0, self._chunk_weight - self._chunk_done) / self._chunk_done
                if self.chunks_done == self.chunks:
                    left = 0.0
            return left + self._longest(now)

    def _longest(self, now: float) -> float:
        """Seconds of the longest chain of remaining steps that belong to no chunk."""
        seconds, weight = self._took.get(False) or self._took.get(True) or (0.0, 0.0)
        unit = seconds / weight if weight else 0.0
        ends: dict[str, float] = {}
        for step in self._left.values():  # in the plan's order: what is waited for comes before
            if step.chunk:
                continue
            begins = max((ends.get(key, 0.0) for key in step.upstream_steps), default=0.0)
            started = self._started.get(step.id)
            spent = 0.0 if started is None else now - started
            ends[step.id] = begins + max(0.0, unit * self._weight[step.id] - spent)
        return max(ends.values(), default=0.0)

    @property
    def left_in_words(self) -> str:
        """``about 2 min left``; empty where it is not known, and at the end."""
        left = self.seconds_left
        if left is None or not self._left:
            return ""
        return f"about {left / 60:.0f} min left" if left >= MINUTES_FROM else f"about {max(left, 1):.0f} s left"

    def in_words(self) -> str:
        """``3 of 12 chunks, then 5 tables, about 2 min left``; ``5 tables to go, about 20 s left`` after the chunks."""
        tables = self.tables_left
        named = f"{tables} table" if tables == 1 else f"{tables} tables"
        if self.chunks_done < self.chunks:
            parts = [f"{self.chunks_done} of {self.chunks} chunks", *([f"then {named}"] if tables else [])]
        elif tables:
            parts = [f"{named} to go"]
        else:
            return f"{self.chunks} of {self.chunks} chunks" if self.chunks else "done"
        return ", ".join(filter(None, [*parts, self.left_in_words]))
