"""The facts of the page *Runs*, as JSON values: the runs and how they ended, the profiles of the newest, and lags over
time.

Pure, given the journal, the history of steps, and profiles.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.runs.causes import shape
from orchestration.core.runs.journal import Attempt, RunEntry
from orchestration.core.runs.outcome import Outcome, Problem
from orchestration.core.runs.profile import Phase, Profile, StepTimes, by_asset
from orchestration.reports.run_picture import COLORS, lanes
from orchestration.reports.run_profile import STEPS_SHOWN
from orchestration.reports.status import first_of
from resources.delta.step_history import StepRow

MOST_RUNS = 200
MOST_PICTURES = 30
"""At most this many runs have a picture, the newest with a profile."""
MOST_SPANS = 1000
"""A picture has at most this many bars, the longest ones."""
MOST_PROBLEMS = 5
"""At most this many problems of a run are listed; of more, their number."""
LONGEST = 400
"""At most this many characters of a message or title are kept."""
PHASES = tuple(COLORS)


def run_facts(
    entries: Sequence[RunEntry],
    steps: Iterable[StepRow],
    measured: Sequence[str],
    profile: Callable[[str], Profile | None],
    unread: str = "",
) -> dict[str, Any]:
    """JSON values. The arguments:

    entries: newest first. steps: those of the entries. measured: ids of runs with a profile, oldest first. profile:
    reads a profile. unread: why the history of steps could not be read.

    The values:

    runs: newest first, see ``_run``. more: the number of further runs in the journal.
    lags: [asset, [[number of the run in ``runs``, hours]]].
    phases: [name, colour]. pictures: id of a run → see ``_picture``, in which a phase is its number in ``phases``.
    measured: the number of runs with a profile. unread: as the argument.
    """
    shown = entries[:MOST_RUNS]
    of_run: dict[str, list[StepRow]] = {entry.run_id: [] for entry in shown}
    for step in steps:
        if step.run_id in of_run:
            of_run[step.run_id].append(step)
    lags: dict[str, dict[int, float]] = {}
    for number, entry in enumerate(shown):
        for step in of_run[entry.run_id]:
            if step.lag_hours is not None:
                lags.setdefault(step.asset, {})[number] = round(step.lag_hours, 2)
    pictured = [run_id for run_id in reversed(measured) if run_id in of_run][:MOST_PICTURES]
    pictures = {run_id: _picture(found) for run_id in pictured if (found := profile(run_id)) is not None}
    return {
        "runs": [_run(entry, of_run[entry.run_id]) for entry in shown],
        "more": len(entries) - len(shown),
        "unread": unread,
        "lags": [[asset, sorted(of.items())] for asset, of in lags.items()],
        "phases": [[str(phase), COLORS[phase]] for phase in PHASES],
        "pictures": pictures,
        "measured": len(set(measured) & of_run.keys()),
    }


def _run(entry: RunEntry, steps: Sequence[StepRow]) -> dict[str, Any]:
    """JSON values of a run.

    seconds: null while the run goes on, or if it was killed.
    rows, written, unchanged: null where the history of steps has no steps of the run.
    good, planned, failed, skipped: numbers of partitions. assets: those that the run was to make.
    problems: [asset, outcome, partitions, number of partitions, message], one for each cause. more: the number of
    further problems.
    """
    found = [(asset, problem) for asset, attempt in entry.attempts.items() for problem in attempt.problems]
    found.sort(key=lambda item: item[1].outcome is not Outcome.FAILED)
    causes = _by_cause(found)
    counts = dict.fromkeys(("failed", "skipped"), 0)
    for _, problem in found:
        counts[str(problem.outcome)] = counts.get(str(problem.outcome), 0) + len(problem.partitions)
    return {
        "id": entry.run_id,
        "title": _short(entry.title),
        "started": entry.started_at,
        "seconds": round(entry.seconds, 2) if entry.ended_at else None,
        "state": str(entry.state),
        "rows": sum(step.rows for step in steps) if steps else None,
        "written": sum(step.partitions_written for step in steps) if steps else None,
        "unchanged": sum(step.partitions_unchanged for step in steps) if steps else None,
        "good": sum(len(attempt.good) for attempt in entry.attempts.values()),
        "planned": sum(len(_planned(attempt)) for attempt in entry.attempts.values()),
        "assets": list(entry.attempts),
        **counts,
        "problems": causes[:MOST_PROBLEMS],
        "more": max(0, len(causes) - MOST_PROBLEMS),
    }


def _by_cause(found: Sequence[tuple[str, Problem]]) -> list[list[Any]]:
    """A line for each asset, outcome and cause; the message is that of the first problem."""
    names = {name for _, problem in found for name in problem.partitions.locations}
    together: dict[tuple[str, str, str], list[Problem]] = {}
    for asset, problem in found:
        kind = asset, str(problem.outcome), shape(problem.message, asset, names)
        together.setdefault(kind, []).append(problem)
    lines: list[list[Any]] = []
    for (asset, outcome, _), problems in together.items():
        partitions = PartitionSet.union_of(problem.partitions for problem in problems)
        message = first_of(_short(problem.message) for problem in problems)
        lines.append([asset, outcome, str(partitions), len(partitions), message])
    return lines


def _planned(attempt: Attempt) -> PartitionSet:
    return attempt.planned | attempt.good


def _picture(profile: Profile) -> dict[str, Any]:
    """JSON values: how the time of a run was spent.

    lanes: [title, seconds, bars]. bars: a flat list of four numbers each: phase, begin (ms), length (ms), and the
    number of the step in ``steps``, -1 for the run. Later bars are drawn over earlier ones. left_out: the number of
    omitted bars.
    run: [phase, seconds].
    times: one per step or, if there are many steps, per asset: [name, number of steps, ready, seconds, fetching,
    [[phase, seconds]]].
    """
    found = lanes(profile)
    lengths = sorted((span.seconds for lane in found for span in lane.spans), reverse=True)
    shortest = lengths[MOST_SPANS - 1] if len(lengths) > MOST_SPANS else 0.0
    names: dict[str, int] = {}
    drawn, left = [], MOST_SPANS
    for lane in found:
        bars: list[int] = []
        for span in lane.spans:
            if span.seconds >= shortest and left:
                left -= 1
                step = names.setdefault(span.step, len(names)) if span.step else -1
                bars += (PHASES.index(span.phase), round(span.begin * 1000), round(span.seconds * 1000), step)
        drawn.append([lane.title, round(lane.seconds, 2), bars])
    times = profile.step_times
    rows = [(1, of) for of in times] if len(times) <= STEPS_SHOWN else by_asset(times)
    return {
        "seconds": round(profile.seconds, 3),
        "lanes": drawn,
        "steps": list(names),
        "left_out": max(0, len(lengths) - (MOST_SPANS - left)),
        "run": _phases(profile.phases),
        "times": [_times(count, of) for count, of in rows],
    }


def _times(count: int, of: StepTimes) -> list[Any]:
    ready, seconds, fetching = (round(value, 2) for value in (of.ready, of.seconds, of.fetching))
    return [of.step.id, count, ready, seconds, fetching, _phases(of.phases)]


def _phases(phases: Mapping[Phase, float]) -> list[list[Any]]:
    return [[PHASES.index(phase), round(seconds, 2)] for phase, seconds in phases.items() if seconds >= 0.005]


def _short(text: str) -> str:
    """The text in one line, shortened for a page."""
    line = re.sub(r"\s+", " ", text).strip()
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
