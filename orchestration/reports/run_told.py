"""`aqi runs RUN`: one run for people. When it ran, how it ended, its steps, why partitions failed, where its logs are.

The facts come from the journal, the history of steps, and the profile. If one of them is missing, the others are shown
nevertheless.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from orchestration.core.errors import LakehouseError, UsageError, in_a_line
from orchestration.core.json_value import JsonValue
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.runs.causes import shape
from orchestration.core.runs.journal import RunEntry, RunState
from orchestration.core.runs.names import at_partitions, partitions_in_words
from orchestration.core.runs.outcome import Outcome
from orchestration.core.runs.profile import Profile
from orchestration.engine.exclusive import log_folder
from orchestration.engine.unmade import still_unmade
from orchestration.engine.workspace import Workspace
from orchestration.reports.fitting import Column, Kind, print_table
from orchestration.reports.run_profile import LAST, known_profiles, print_profile, run_as_json
from resources.delta.step_history import StepHistory, StepRow
from resources.storage.journal import KEPT, Journal
from resources.storage.run_profiles import RunProfiles

STYLE_OF_RUN = {
    RunState.COMPLETED: "green",
    RunState.FAILED: "red",
    RunState.INTERRUPTED: "yellow",
    RunState.RUNNING: "cyan",
}
KILLED = "did not end: it was killed, or its machine went down"
REASONS = 20
"""At most this many reasons are shown; JSON has all."""


@dataclass
class _Reason:
    """A reason for which partitions of one or several assets were not made."""

    first: str = ""
    """The first message with this reason."""
    messages: set[str] = field(default_factory=set)
    """All messages that differ only in days and locations."""
    where: dict[str, PartitionSet] = field(default_factory=dict)
    """Asset → the partitions that were not made."""


@dataclass(frozen=True)
class RunReport:
    """One run."""

    entry: RunEntry
    """The run's entry in the journal."""
    steps: tuple[StepRow, ...]
    """The run's rows in the history of steps."""
    profile: Profile | None
    """None for a run without a profile."""
    logs: tuple[Path, ...]
    """Log files on this machine."""
    notes: tuple[str, ...] = ()
    """Sentences about facts that could not be read."""
    killed: bool = False
    """Whether the run's process is gone without having reported an end."""
    unmade: Mapping[str, PartitionSet] = field(default_factory=dict)
    """Asset → the partitions that the run set out to make and that nobody has made since."""
    go_on: tuple[str, ...] = ()
    """The commands that make ``unmade``."""

    @property
    def in_prefect(self) -> str:
        """The command that shows the log that the Prefect server keeps, of a run of a deployment; empty for others."""
        return f"prefect flow-run logs {self.entry.flow_run_id}" if self.entry.flow_run_id else ""

    def to_json(self) -> dict[str, JsonValue]:
        entry = self.entry
        return {
            **run_as_json(entry, self.profile is not None),
            "killed": self.killed,
            "host": entry.host,
            "pid": entry.pid,
            "made_with": dict(entry.made_with),
            "steps": [step.to_json() for step in self.steps],
            "planned": {asset: str(attempt.planned) for asset, attempt in entry.attempts.items()},
            "problems": [
                {
                    "asset": asset,
                    "outcome": str(problem.outcome),
                    "partitions": problem.partitions.to_json(),
                    "message": problem.message,
                }
                for asset, attempt in entry.attempts.items()
                for problem in attempt.problems
            ],
            "unmade": {asset: str(partitions) for asset, partitions in self.unmade.items()},
            "go_on": list(self.go_on),
            "logs": [str(path) for path in self.logs],
            "log_in_prefect": self.in_prefect or None,
            "profile": None if self.profile is None else self.profile.to_json(),
        }


def read_run(workspace: Workspace, name: str) -> RunReport:
    """The run with this id, this beginning of an id, or ``last``. Raises UsageError for an unknown run."""
    entries = {entry.run_id: entry for entry in Journal(workspace.warehouse.uri).entries(KEPT)}
    entry = entries[_named(name, sorted(entries))]
    steps, notes = _steps(workspace, entry)
    profile = None
    if entry.run_id in known_profiles(workspace):
        try:
            profile = RunProfiles(workspace.warehouse.uri).read(entry.run_id)
        except (OSError, ValueError) as error:
            notes = (*notes, f"the profile of {entry.run_id} cannot be read ({error})")
    killed, unmade, go_on = _was_killed(entry), dict[str, PartitionSet](), list[str]()
    if killed or entry.state in (RunState.FAILED, RunState.INTERRUPTED):
        try:
            unmade, go_on = _unmade(workspace, entry)
        except (OSError, LakehouseError) as error:
            notes = (*notes, f"what is not made of it cannot be told ({in_a_line(error)})")
    return RunReport(entry, steps, profile, logs_of(entry.run_id), notes, killed, unmade, tuple(go_on))


def _unmade(workspace: Workspace, entry: RunEntry) -> tuple[dict[str, PartitionSet], list[str]]:
    """Asset → the partitions that a run set out to make and that no run has made since; and the commands that make
    them."""
    left = {asset: attempt.planned - attempt.good for asset, attempt in entry.attempts.items()}
    since = datetime.fromisoformat(entry.ended_at or entry.started_at)
    unmade = still_unmade(workspace, {asset: rest for asset, rest in left.items() if rest}, since)
    days = PartitionSet.union_of(unmade.values()).without_null()
    return unmade, workspace.fill_commands(days, list(unmade)) if days else []


def _named(name: str, known: Sequence[str]) -> str:
    """The run of the sorted ``known`` that ``name`` means; the oldest is first. Raises UsageError."""
    found = known[-1:] if name == LAST else [name] if name in known else [one for one in known if one.startswith(name)]
    if len(found) > 1:
        raise UsageError(f"{len(found)} runs begin with {name!r}", f"Name one of them: {', '.join(found[-3:])}.")
    if not found:
        near = get_close_matches(name, known, n=1)
        remedy = f"Did you mean {near[0]!r}?" if near else "`aqi runs` lists those that are known."
        raise UsageError(f"no run {name!r} is known", remedy)
    return found[0]


def _steps(workspace: Workspace, entry: RunEntry) -> tuple[tuple[StepRow, ...], tuple[str, ...]]:
    """The steps of a run, and notes if they cannot be read."""
    history = StepHistory(workspace.warehouse.uri)
    try:
        rows = history.rows(since=datetime.fromisoformat(entry.started_at))
    except OSError as error:
        return (), (f"the history of steps cannot be read ({error})",)
    return tuple(row for row in rows if row.run_id == entry.run_id), ()


def _was_killed(entry: RunEntry) -> bool:
    """Whether the run is still open in the journal, although its process on this machine is gone."""
    if entry.state is not RunState.RUNNING or entry.host != socket.gethostname():
        return False
    try:
        os.kill(entry.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:  # the process is another user's
        return False
    return False


def logs_of(run_id: str) -> tuple[Path, ...]:
    """The log files of a run on this machine that are not empty."""
    try:
        return tuple(sorted(path for path in log_folder().glob(f"{run_id}-*.log") if path.stat().st_size))
    except OSError:
        return ()


def print_run(console: Console, run: RunReport) -> None:
    """Print a run: its facts, steps, reasons, logs, and profile."""
    entry = run.entry
    state = KILLED if run.killed else str(entry.state)
    console.print(f"Run {entry.run_id} [{STYLE_OF_RUN[entry.state]}]{state}[/]", highlight=False)
    ended = f", ended {entry.ended_at} after {entry.seconds:.1f} s" if entry.ended_at else ""
    facts = [("what", entry.title), ("when", f"began {entry.started_at}{ended}")]
    facts += [("where", f"process {entry.pid} on {entry.host}"), ("engine", entry.made_with.get("engine", ""))]
    facts += [("flow run", entry.flow_run_id)]
    for name, value in facts:
        if value:
            console.print(f"  {name:8}  {escape(value)}", highlight=False, soft_wrap=True)
    _print_steps(console, run)
    _print_reasons(console, run)
    _print_unmade(console, run)
    console.print()
    for path in run.logs:
        console.print(f"log: {escape(str(path))}", highlight=False, soft_wrap=True)
    if run.in_prefect:
        what = f"log of the deployment's run: {run.in_prefect} (on the server of PREFECT_API_URL)"
        console.print(escape(what), highlight=False, soft_wrap=True)
    elif not run.logs:
        here = entry.host == socket.gethostname()
        where = f"in {log_folder()}" if here else f"on this machine; the run was on {entry.host}"
        console.print(f"No log of it is {escape(where)}.", highlight=False, soft_wrap=True)
    if run.profile is not None:
        console.print()
        print_profile(console, run.profile)


def _print_steps(console: Console, run: RunReport) -> None:
    names = ("written", "unchanged", "failed", "skipped", "rows")
    columns = [Column("step", Kind.KEY), Column("state", Kind.KEY)]
    columns += [Column(name, Kind.NUMBER) for name in (*names, "seconds")]
    rows = [
        [
            step.step,
            step.state,
            *(str(getattr(step, name if name == "rows" else f"partitions_{name}") or "") for name in names),
            f"{step.seconds:.1f}",
        ]
        for step in run.steps
    ]
    if not rows:
        columns = [Column("asset", Kind.KEY), Column("set out to make")]
        planned = {asset: attempt.planned for asset, attempt in run.entry.attempts.items()}
        rows = [[asset, partitions_in_words(of)] for asset, of in planned.items()]
    if rows:
        console.print()
        print_table(console, columns, rows)


def _print_unmade(console: Console, run: RunReport) -> None:
    if run.unmade:
        console.print("\nNot made to this moment:")
    for asset, partitions in run.unmade.items():
        console.print(f"  {escape(at_partitions(asset, partitions))}", highlight=False, soft_wrap=True)
    for command in run.go_on:
        console.print(f"Go on: {escape(command)}", highlight=False, soft_wrap=True)


def _print_reasons(console: Console, run: RunReport) -> None:
    """Print the reasons for partitions that were not made: failures first, then in the order of the steps. Messages
    that differ only in days and locations are printed once, with their assets and partitions."""
    found: dict[tuple[str, str], _Reason] = {}
    order = {asset: number for number, asset in enumerate(dict.fromkeys(step.asset for step in run.steps))}
    attempts = sorted(run.entry.attempts.items(), key=lambda of: order.get(of[0], len(order)))
    problems = [(asset, problem) for asset, attempt in attempts for problem in attempt.problems]
    names = {name for _, problem in problems for name in problem.partitions.locations}
    for asset, problem in sorted(problems, key=lambda of: of[1].outcome is not Outcome.FAILED):
        key = str(problem.outcome), shape(problem.message, "", names)
        reason = found.setdefault(key, _Reason())
        reason.messages.add(problem.message)
        reason.where[asset] = reason.where.get(asset, PartitionSet.empty()) | problem.partitions
        reason.first = reason.first or problem.message
    if found:
        console.print()
    for (outcome, _), reason in list(found.items())[:REASONS]:
        where = "; ".join(at_partitions(asset, partitions) for asset, partitions in reason.where.items())
        more = f" (and {len(reason.messages) - 1} more like it)" if len(reason.messages) > 1 else ""
        text = f"[red]{outcome}[/red] {where}: {escape(reason.first)}{more}"
        console.print(text, highlight=False, soft_wrap=True)
    if len(found) > REASONS:
        console.print(f"and {len(found) - REASONS} more reasons (--json has all)")
