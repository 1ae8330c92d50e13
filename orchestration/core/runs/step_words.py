"""What happened to a step, in words for those who watch a run: its state, a line, and why.

A skipped step is not a failed one, nor is a step that was not tried. The cause is shown where it happened.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.runs.causes import alike_once, shape
from orchestration.core.runs.outcome import Outcome, Problem, StepOutcome

CAUSES_TOLD = 5
"""At most this many causes of one step are shown."""


class StepState(StrEnum):
    """What a step is shown as. FAILED means that something went wrong in this very step."""

    COMPLETED = "Completed"
    FAILED = "Failed"
    SKIPPED = "Skipped"
    PARTLY_SKIPPED = "PartlySkipped"
    """The step made some of its partitions and skipped others."""
    NOT_ASKED = "NotAsked"
    """The source was not asked any more for this step."""


def state_of(outcome: StepOutcome) -> StepState:
    """The state that a step ended in."""
    failed = [problem for problem in outcome.problems if problem.outcome is Outcome.FAILED and problem.partitions]
    if any(not problem.after for problem in failed):
        return StepState.FAILED
    if failed:
        return StepState.NOT_ASKED
    if outcome.skipped:
        return StepState.PARTLY_SKIPPED if outcome.succeeded else StepState.SKIPPED
    return StepState.COMPLETED


def step_in_words(outcome: StepOutcome, others: Iterable[StepOutcome] = ()) -> str:
    """``4 skipped (2025-08 × hue): bronze.hourly failed; 8 written (2025-08 × vinh), 192 rows``. What went wrong comes
    first.

    others: the outcomes of the steps before it.
    """
    parts = []
    for what, partitions in ((Outcome.FAILED, outcome.failed), (Outcome.SKIPPED, outcome.skipped)):
        if partitions:
            parts.append(f"{_counted(what, partitions)}: {sentence(_causes(outcome, what, tuple(others)))}")
    written, unchanged = outcome.written, outcome.unchanged
    if written:
        parts.append(f"{_counted(Outcome.WRITTEN, written)}, {outcome.rows:,} {'row' if outcome.rows == 1 else 'rows'}")
    if unchanged:
        parts.append(_counted(Outcome.UNCHANGED, unchanged))
    return sentence(parts) or "nothing to do"


def why(outcome: StepOutcome, others: Iterable[StepOutcome] = ()) -> str:
    """Why a step failed or was skipped; else why it was planned. others: the outcomes of the steps before it."""
    found, others = [], tuple(others)
    for what in (Outcome.FAILED, Outcome.SKIPPED):
        found += _causes(outcome, what, others)
    return sentence(found) or outcome.step.reason


def sentence(parts: Iterable[str]) -> str:
    """The parts in a row. A semicolon follows a part that is not a sentence of its own."""
    text = ""
    for part in filter(None, parts):
        text += f"{'' if not text else ' ' if text.endswith('.') else '; '}{part}"
    return text


def kinds_of_failure(outcome: StepOutcome) -> frozenset[str]:
    """The messages of a step's failures without the names in them. Steps that failed in the same way have equal
    ones.
    """
    names = frozenset(outcome.step.all_partitions.locations)
    return frozenset(
        f"{outcome.step.asset} {shape(problem.message, outcome.step.asset, names)}"
        for problem in outcome.problems
        if problem.outcome is Outcome.FAILED and problem.partitions and not problem.after
    )


def steps_table(
    outcomes: Iterable[StepOutcome],
    lag_hours: Mapping[str, float | None] = MappingProxyType({}),
) -> list[dict[str, Any]]:
    """A row for each step: failed steps first, then skipped ones.

    Columns: asset; chunk, where there are chunks; state; why it failed, was skipped or was made; seconds; rows
    (written); the number of partitions of each outcome; how many of them are incomplete; and the lag of the asset.

    lag_hours: by asset key.
    """
    outcomes = tuple(outcomes)
    chunked, worst = any(outcome.step.chunk for outcome in outcomes), ("failed", "skipped")
    return [
        {
            "asset": outcome.step.asset,
            **({"chunk": outcome.step.chunk} if chunked else {}),
            "state": outcome.state,
            "why": why(outcome, outcomes),
            "seconds": round(outcome.seconds, 3),
            "rows": outcome.rows,
            "written": len(outcome.written),
            "unchanged": len(outcome.unchanged),
            "failed": len(outcome.failed),
            "skipped": len(outcome.skipped),
            "incomplete": len(outcome.incomplete),
            "lag_hours": None if (lag := lag_hours.get(outcome.step.asset)) is None else round(lag, 3),
        }
        for outcome in sorted(outcomes, key=lambda one: worst.index(one.state) if one.state in worst else len(worst))
    ]


def _counted(what: Outcome, partitions: PartitionSet) -> str:
    """``12 written (2025-08-06..2025-08-09 × hue)``; ``written`` of a table without partitions."""
    if partitions.has_null and len(partitions) == 1:
        return str(what)
    return f"{len(partitions)} {what} ({partitions})"


def _causes(outcome: StepOutcome, what: Outcome, others: Sequence[StepOutcome]) -> list[str]:
    """Each cause because of which partitions of the step failed or were skipped, once. what: FAILED or SKIPPED."""
    problems = [problem for problem in outcome.problems if problem.outcome is what and problem.partitions]
    own = [problem.message for problem in problems if not problem.upstream]
    causes = alike_once(own, outcome.step.asset, outcome.step.all_partitions.locations)
    behind = dict.fromkeys(
        asset for problem in problems if problem.upstream for asset in _failed_first(problem, others)
    )
    if behind:
        causes.append(f"{', '.join(behind)} failed")
    more = len(causes) - CAUSES_TOLD
    return causes if more <= 0 else [*causes[:CAUSES_TOLD], f"and {more} more"]


def _failed_first(problem: Problem, others: Sequence[StepOutcome]) -> list[str]:
    """The assets whose failure led to ``problem``; assets that were merely skipped are left out."""
    found, waiting, seen = dict[str, None](), [(problem.upstream, problem.because)], set[tuple[str, PartitionSet]]()
    while waiting:
        asset, because = waiting.pop(0)
        if (asset, because) in seen:
            continue
        seen.add((asset, because))
        for outcome in others:
            if outcome.step.asset != asset:
                continue
            if outcome.failed & because:
                found[asset] = None
            waiting += [
                (one.upstream, one.because) for one in outcome.problems if one.upstream and one.partitions & because
            ]
    return list(found) or [problem.upstream]
