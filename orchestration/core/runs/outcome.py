"""The outcome of a plan: what happened to each partition of each step, and the summary of the run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.planning.commands import gap_in_words
from orchestration.core.planning.plan import Plan, Step
from orchestration.core.planning.request import Chunk, Selected
from orchestration.core.runs.causes import causes_of
from orchestration.core.runs.names import at_partitions
from orchestration.core.runs.profile import Profile
from orchestration.core.state.table_state import TableState


class Outcome(StrEnum):
    """What happened to a partition in a run. WRITTEN: its content changed. UNCHANGED: it is right and its content is
    the same. SKIPPED: it was not made because of something upstream."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Problem:
    """Partitions that were not made, and why. Besides ``outcome``, ``partitions`` and ``message``, the fields repeat
    what the message says; they are not stored."""

    outcome: Outcome
    """FAILED or SKIPPED."""
    partitions: PartitionSet
    message: str
    upstream: str = field(default="", compare=False)
    """The upstream asset whose failure is the reason; empty where there is none."""
    because: PartitionSet = field(default_factory=PartitionSet.empty, compare=False)
    """The failed partitions of ``upstream`` on which ``partitions`` depend."""
    check: str = field(default="", compare=False)
    """The blocking check that is broken; empty where none is."""
    violations: int = field(default=0, compare=False)
    """The number of rows that break the check."""
    after: str = field(default="", compare=False)
    """The message of the earlier failure because of which this was not tried; empty where it was tried."""

    def to_json(self) -> dict[str, Any]:
        return {
            "outcome": str(self.outcome),
            "partitions": self.partitions.keys(),
            "message": self.message,
        }


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """What happened to the partitions of one step."""

    step: Step
    written: PartitionSet = field(default_factory=PartitionSet.empty)
    """The partitions whose content changed."""
    unchanged: PartitionSet = field(default_factory=PartitionSet.empty)
    """The partitions that are right and whose content is the same."""
    problems: tuple[Problem, ...] = ()
    """The partitions that failed or were skipped, and why."""
    rows: int = 0
    """The number of rows of ``written``."""
    version: int | None = None
    """The version of the table after the step; None where there is no table."""
    seconds: float = 0.0
    warnings: dict[str, int] = field(default_factory=dict)
    """Warning check → the number of its violations in all partitions of the step."""
    notes: tuple[str, ...] = ()
    """Sentences for people."""
    incomplete: Mapping[str, str] = field(default_factory=dict)
    """Partition key → how many of its hours have values, for instance ``0 of 24 hours``."""

    @property
    def succeeded(self) -> PartitionSet:
        """The partitions from which others may be made."""
        return self.written | self.unchanged

    @property
    def failed(self) -> PartitionSet:
        return self._with(Outcome.FAILED)

    @property
    def skipped(self) -> PartitionSet:
        return self._with(Outcome.SKIPPED)

    @property
    def not_made(self) -> PartitionSet:
        """The partitions that failed or were skipped."""
        return self.failed | self.skipped

    @property
    def rewritten(self) -> PartitionSet:
        """Those of ``written`` that were not asked for."""
        return self.written - self.step.partitions

    def _with(self, outcome: Outcome) -> PartitionSet:
        return PartitionSet.union_of(problem.partitions for problem in self.problems if problem.outcome is outcome)

    @property
    def state(self) -> str:
        """``failed`` if a partition failed in this step, else ``skipped``, ``written`` or ``unchanged``: the first that
        fits."""
        if self.failed:
            return "failed"
        if self.skipped:
            return "skipped"
        return "written" if self.written else "unchanged"

    def to_json(self) -> dict[str, Any]:
        """The step as in the plan, with its outcome."""
        return self.step.to_json() | {
            "state": self.state,
            "written": self.written.keys(),
            "unchanged": self.unchanged.keys(),
            "rewritten": self.rewritten.keys(),
            "failed": self.failed.keys(),
            "skipped": self.skipped.keys(),
            "problems": [problem.to_json() for problem in self.problems],
            "rows": self.rows,
            "version": self.version,
            "seconds": round(self.seconds, 3),
            "warnings": self.warnings,
            "notes": list(self.notes),
            "incomplete": dict(self.incomplete),
        }


@dataclass(frozen=True, slots=True)
class ChunkOutcome:
    """What happened to one chunk of a backfill, over all selected tables."""

    name: str
    partitions: PartitionSet
    state: str
    """``failed`` if one of its partitions failed, was skipped, or lacks something; else ``written``, ``unchanged``, or
    ``fresh`` if there was nothing to do."""
    rows: int
    """The number of rows written, over all tables."""
    seconds: float | None
    """The time of the steps that belong to this chunk alone; None where there are none."""
    error: str
    """The first error; empty without one."""
    untried: bool = False
    """Whether it failed only because the source was not asked any more."""

    def to_json(self) -> dict[str, Any]:
        days = self.partitions.days
        return {
            "chunk": self.name,
            "first_day": days.first.isoformat(),
            "last_day": days.last.isoformat(),
            "state": self.state,
            "rows": self.rows,
            "seconds": None if self.seconds is None else round(self.seconds, 3),
            "error": self.error,
        }


def chunk_outcomes(
    request: Selected, plan: Plan, outcomes: Iterable[StepOutcome], tables: Mapping[str, TableState]
) -> tuple[ChunkOutcome, ...]:
    """The outcome of each chunk of ``request``. tables: their states after the steps."""
    outcomes = tuple(outcomes)
    return tuple(_chunk_outcome(chunk, plan, outcomes, tables) for chunk in request.chunks)


def _chunk_outcome(
    chunk: Chunk, plan: Plan, outcomes: Sequence[StepOutcome], tables: Mapping[str, TableState]
) -> ChunkOutcome:
    concerned = [outcome for outcome in outcomes if outcome.step.all_partitions & chunk.partitions]
    problems = [
        (outcome.step.asset, problem)
        for outcome in concerned
        for problem in outcome.problems
        if problem.partitions & chunk.partitions
    ]
    errors = [f"{asset} {problem.partitions & chunk.partitions}: {problem.message}" for asset, problem in problems]
    failed = [problem for _, problem in problems if problem.outcome is Outcome.FAILED]
    errors += [item.reason for item in plan.left_out if item.is_blocked and item.partitions & chunk.partitions]
    made: dict[str, PartitionSet] = {}
    for outcome in concerned:
        if written := outcome.written & chunk.partitions:
            made[outcome.step.asset] = made.get(outcome.step.asset, PartitionSet.empty()) | written
    rows = sum(tables[asset].records.rows_of(partitions) for asset, partitions in made.items())
    state = "failed" if errors else "written" if made else "unchanged" if concerned else "fresh"
    own = [outcome.seconds for outcome in concerned if outcome.step.chunk == chunk.name]
    untried = not made and bool(failed) and all(problem.after for problem in failed)
    return ChunkOutcome(
        chunk.name, chunk.partitions, state, rows, sum(own) if own else None, errors[0] if errors else "", untried
    )


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a run did."""

    run_id: str
    plan: Plan
    outcomes: tuple[StepOutcome, ...]
    seconds: float
    flow_run_id: str = ""
    application_id: str = ""
    chunks: tuple[ChunkOutcome, ...] = ()
    """The outcome of each chunk of a backfill."""
    beyond: PartitionSet = field(default_factory=PartitionSet.empty)
    """See ``Request``."""
    profile: Profile | None = None
    """Where the time of the run went."""
    fill: tuple[str, ...] = ()
    """See ``Request``."""
    unwritten: str = ""
    """Why the journal has no entry of the run, a sentence; empty where it has one."""

    @property
    def ok(self) -> bool:
        """Whether everything that was asked for, and can be made, is right now."""
        if any(item.is_blocked for item in self.plan.left_out):
            return False
        return not any(outcome.not_made for outcome in self.outcomes) and len(self.outcomes) == len(self.plan.steps)

    @property
    def exit_status(self) -> int:
        return 0 if self.ok else 1

    def in_words(self) -> str:
        """What went wrong; if nothing did, what was done."""
        changed = len(self.plan.tables)
        done = done_in_words(self.outcomes)
        if not self.outcomes and changed:
            done = f"{_count(changed, 'table')} brought to the contract"
        text = done if self.ok else in_words(self.plan, self.outcomes) or "steps did not run"
        gap = [gap_in_words(self.beyond, self.fill)] if self.beyond else []
        return "\n".join([text, *gap, *filter(None, [self.unwritten])])

    def to_json(self) -> dict[str, Any]:
        """The steps of the plan with their outcomes; the changed tables; and for a backfill its chunks."""
        chunks = {"chunks": [chunk.to_json() for chunk in self.chunks]} if self.chunks else {}
        return {
            "run_id": self.run_id,
            "state": "completed" if self.ok else "failed",
            "flow_run_id": self.flow_run_id,
            "application_id": self.application_id,
            "seconds": round(self.seconds, 3),
            "steps": [outcome.to_json() for outcome in self.outcomes],
            "left_out": [item.to_json() for item in self.plan.left_out],
            **({"tables": [change.to_json() for change in self.plan.tables]} if self.plan.tables else {}),
            **chunks,
            **({"unwritten": self.unwritten} if self.unwritten else {}),
            **({"beyond": self.beyond.keys(), "fill": list(self.fill)} if self.beyond else {}),
        }


def done_in_words(outcomes: Iterable[StepOutcome]) -> str:
    """What steps did: ``34 partitions of 5 tables written, 68 unchanged``, or ``102 partitions unchanged``."""
    outcomes = tuple(outcomes)
    written = sum(len(outcome.written) for outcome in outcomes)
    unchanged = sum(len(outcome.unchanged) for outcome in outcomes)
    tables = len({outcome.step.asset for outcome in outcomes if outcome.written})
    if not written:
        return f"{_count(unchanged, 'partition')} unchanged" if unchanged else "nothing new"
    text = f"{_count(written, 'partition')} of {_count(tables, 'table')} written"
    return f"{text}, {unchanged:,} unchanged" if unchanged else text


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number:,} {thing}s"


TOLD_AT_MOST = 20
"""At most this many causes are shown."""


def in_words(plan: Plan, outcomes: Iterable[StepOutcome]) -> str:
    """What failed, was skipped, or was left out because something is missing: each cause once, with its consequences
    below it. Empty where all is well.

    If there are many causes, the first cause of each asset comes before further ones.
    """
    found = causes_of(plan, outcomes)
    shown, more = found.foremost(TOLD_AT_MOST)
    lines = []
    for cause in shown:
        lines.append(f"{at_partitions(cause.asset, cause.partitions)} {cause.what}: {cause.message}")
        lines += [f"  {line}" for line in cause.consequences]
    return "\n".join([*lines, *([f"and {more} more"] if more else []), *found.at_last])
