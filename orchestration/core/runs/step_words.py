"""What became of a step in the words of those who watch it: its state, a line, and why.

A step that was skipped has not failed, and a step that was not tried has not either: the cause is told where it was.
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
"""So many causes of one step are told."""


class StepState(StrEnum):
    """What a step is shown as. ``Failed`` is what went wrong here; only these are somebody's business.

    PARTLY_SKIPPED: it made some of its partitions. NOT_ASKED: its source was not asked for it any more.
    """

    COMPLETED = "Completed"
    FAILED = "Failed"
    SKIPPED = "Skipped"
    PARTLY_SKIPPED = "PartlySkipped"
    NOT_ASKED = "NotAsked"


def state_of(outcome: StepOutcome) -> StepState:
    """The state that a step ended in."""
    failed = [problem for problem in outcome.problems if problem.outcome is Outcome.FAILED and problem.partitions]
    if any(not problem.after for problem in failed):
        return StepState.FAILED
    if failed:
        return StepState.NOT_ASKED
    if outcome.skipped:
        return StepState.PARTLY_SKIPPED if outcome.good else StepState.SKIPPED
    return StepState.COMPLETED


def step_in_words(outcome: StepOutcome, others: Iterable[StepOutcome] = ()) -> str:
    """``4 skipped (2025-08 × hue): bronze.hourly failed; 8 written (2025-08 × vinh), 192 rows``: what went wrong first.

    others: what became of the steps before it.
    """
    told = []
    for what, partitions in ((Outcome.FAILED, outcome.failed), (Outcome.SKIPPED, outcome.skipped)):
        if partitions:
            told.append(f"{_counted(what, partitions)}: {sentence(_causes(outcome, what, tuple(others)))}")
    written, unchanged = outcome.written, outcome.unchanged
    if written:
        told.append(f"{_counted(Outcome.WRITTEN, written)}, {outcome.rows:,} {'row' if outcome.rows == 1 else 'rows'}")
    if unchanged:
        told.append(_counted(Outcome.UNCHANGED, unchanged))
    return sentence(told) or "nothing to do"


def why(outcome: StepOutcome, others: Iterable[StepOutcome] = ()) -> str:
    """Why a step failed or was skipped; of any other, why it was to be made. others: as above."""
    found, others = [], tuple(others)
    for what in (Outcome.FAILED, Outcome.SKIPPED):
        found += _causes(outcome, what, others)
    return sentence(found) or outcome.step.reason


def sentence(parts: Iterable[str]) -> str:
    """Parts in a row, with a semicolon after what is no sentence of its own."""
    told = ""
    for part in filter(None, parts):
        told += f"{'' if not told else ' ' if told.endswith('.') else '; '}{part}"
    return told


def kinds_of_failure(outcome: StepOutcome) -> frozenset[str]:
    """What failed in a step, without the names in it: chunks that failed alike have the same."""
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
    """A row per step, those that failed first and then those that were skipped.

    Columns: asset, its chunk where there are some, state, why it failed, was skipped or was made, seconds, rows
    (written), the partitions of each outcome as counts, how many of them are incomplete now, and its lag.

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
    """Each cause of what failed or was skipped in a step, once."""
    problems = [problem for problem in outcome.problems if problem.outcome is what and problem.partitions]
    own = [problem.message for problem in problems if not problem.upstream]
    told = alike_once(own, outcome.step.asset, outcome.step.all_partitions.locations)
    behind = dict.fromkeys(
        asset for problem in problems if problem.upstream for asset in _failed_first(problem, others)
    )
    if behind:
        told.append(f"{', '.join(behind)} failed")
    more = len(told) - CAUSES_TOLD
    return told if more <= 0 else [*told[:CAUSES_TOLD], f"and {more} more"]


def _failed_first(problem: Problem, others: Sequence[StepOutcome]) -> list[str]:
    """The assets that failed, because of which something was skipped: not those that were skipped themselves."""
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
