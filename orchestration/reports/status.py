"""The state of every partition: fresh, stale, missing, failed or unrecorded, and why; from the tables' logs.

The journal of runs adds why the last attempt at something that is not fresh failed; it decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.runs.journal import LastAttempt, RunEntry, last_attempts
from orchestration.core.state.completeness import Completeness, hours_withdrawn
from orchestration.core.state.freshness import NO_LONGER_CONFIGURED, Judge, Judgement, State
from orchestration.engine.workspace import Workspace
from resources.delta.pending import Pending
from resources.storage.journal import Journal

STYLES = {
    State.FRESH: "green",
    State.STALE: "yellow",
    State.MISSING: "yellow",
    State.FAILED: "red",
    State.UNRECORDED: "red",
}


@dataclass(frozen=True, slots=True)
class PartitionStatus:
    """The state of one partition. rows, version, run_id: as its last commit of ours recorded them.

    in_short: the reason in the form that many partitions share. marks: what else is to be known, beside the state.
    completeness: of a partition whose rows are hours, where it is known; given_up: nobody asks for what it lacks.
    withdrawn: hours of which a later answer lacked what the partition has.
    """

    asset: str
    partition: PartitionKey
    state: State
    reason: str
    in_short: str
    rows: int | None = None
    version: int | None = None
    run_id: str | None = None
    marks: tuple[str, ...] = ()
    completeness: Completeness | None = None
    given_up: bool = False
    withdrawn: int = 0

    @property
    def lacks_values(self) -> bool:
        """Whether it is known to have fewer values than hours."""
        return self.completeness is not None and not self.completeness.whole

    def to_json(self) -> dict[str, Any]:
        return {
            "asset": self.asset,
            "partition": str(self.partition),
            "state": str(self.state),
            "reason": self.reason,
            "marks": list(self.marks),
            "rows": self.rows,
            "version": self.version,
            "run_id": self.run_id,
        }


def read_status(
    workspace: Workspace,
    keys: Sequence[str],
    days: str | None = None,
    locations: Sequence[str] = (),
) -> list[PartitionStatus]:
    """The states of the assets ``keys`` in a RANGE; without one: of all that any of the assets has.

    What is there of locations that are no longer configured is among them.
    """
    tables = workspace.counted_states(keys)
    current = workspace.current()
    partitions = PartitionSet.union_of(tables[key].present for key in keys if key in tables).without_null()
    known = partitions.locations
    workspace.check_locations(locations, known)
    if days is not None:
        gone = [place for place in known if not current.is_configured(place)]
        asked = workspace.partitions(days)
        partitions = asked | partitions.restrict(locations=gone, days=workspace.days(days))
    if locations:
        partitions = partitions.restrict(locations=locations)
    attempts = _LastAttempts(workspace)
    found = []
    for key in keys:
        asset = workspace.catalog[key]
        asked = asset.asked_by(partitions)
        judge = Judge(asset, tables, current)
        judgements = {partition: judge(partition) for partition in asked}
        lagging = PartitionSet.from_keys(one for one, judgement in judgements.items() if not judgement.fresh)
        last_attempt = attempts.at(key, lagging)
        for partition, judgement in judgements.items():
            record = tables[key].records.get(partition) if key in tables else None
            told = f"made {record.at}" if judgement.fresh and record is not None else judgement.reason
            attempt = last_attempt(partition)
            if attempt is not None and record is not None and attempt.at < record.at:
                attempt = None  # made since
            state, reason, in_short = explained(judgement, told, attempt)
            if record is None and judgement.state is State.MISSING and not current.is_configured(partition.location):
                continue  # nobody wants it
            if NO_LONGER_CONFIGURED in judgement.marks:
                in_short = in_short or NO_LONGER_CONFIGURED
                reason = f"{reason}; its location is no longer configured: it is kept as it is"
            found.append(
                PartitionStatus(
                    key,
                    partition,
                    state,
                    reason,
                    in_short,
                    rows=None if record is None else record.rows,
                    version=None if record is None else record.version,
                    run_id=None if record is None else record.run_id,
                    marks=judgement.marks,
                    completeness=judge.completeness(partition),
                    given_up=current.is_given_up(partition),
                    withdrawn=0 if asset.hours is None or record is None else hours_withdrawn(record),
                )
            )
    return found


def told_of_pending(workspace: Workspace, keys: Sequence[str]) -> str:
    """What people are told of a change of tables that is under way; empty where none is."""
    found = Pending(workspace.warehouse.uri).read()
    concerned = [] if found is None else [key for key in keys if key in found.tables]
    if found is None or not concerned:
        return ""
    return f"`{found.command}` is under way, or was broken off: call it again; until then these tables are between two."


class _LastAttempts:
    """What the journal knows of the last attempts at partitions; read once, and only if something is not fresh."""

    def __init__(self, workspace: Workspace) -> None:
        self._journal = Journal(workspace.warehouse.uri)

    @cached_property
    def _entries(self) -> list[RunEntry]:
        return self._journal.entries()

    def at(self, asset: str, partitions: PartitionSet) -> Callable[[PartitionKey], LastAttempt | None]:
        """Finds the last attempt at each of ``partitions`` of an asset."""
        known = last_attempts(self._entries, asset, partitions) if partitions else []
        return lambda key: next((attempt for concerned, attempt in known if key in concerned), None)


def explained(judgement: Judgement, told: str, attempt: LastAttempt | None) -> tuple[State, str, str]:
    """State, reason and reason in short, with what is known of the last attempt.

    FAILED is what is not fresh, and of which the last attempt failed or was left out because of something upstream.
    """
    if attempt is None or judgement.state not in (State.STALE, State.MISSING):
        return judgement.state, told, judgement.in_short if judgement.reason else ""
    if attempt.failed:
        why = f"the last attempt (run {attempt.run_id}, {attempt.at}) failed: {attempt.message}"
        return State.FAILED, f"{told}; {why}", f"{judgement.in_short}; {attempt.message}"
    if attempt.broken_off:
        why = f"run {attempt.run_id}, {attempt.at}, did not finish it"
        return judgement.state, f"{told}; {why}", judgement.in_short
    return judgement.state, told, judgement.in_short


def print_status(console: Console, found: Sequence[PartitionStatus]) -> None:
    """A line per asset, state and reason, with the partitions that it holds for and their rows."""
    groups: dict[tuple[str, State, str], list[PartitionStatus]] = {}
    for item in found:
        why = "; ".join(dict.fromkeys([part for part in (item.in_short, *item.marks) if part]))
        groups.setdefault((item.asset, item.state, why), []).append(item)
    table = Table(box=None, pad_edge=False)
    for name in ("asset", "state", "partitions"):
        table.add_column(name, overflow="fold")
    table.add_column("count", justify="right")
    table.add_column("rows", justify="right")
    table.add_column("why", overflow="fold")
    for (asset, state, why), items in groups.items():
        partitions = PartitionSet.from_keys(item.partition for item in items)
        rows = sum(item.rows or 0 for item in items)
        style = STYLES[state]
        shown = "" if all(item.rows is None for item in items) else str(rows)
        words = "" if why == str(state) else escape(why)
        table.add_row(asset, f"[{style}]{state}[/{style}]", str(partitions), str(len(items)), shown, words)
    console.print(table if found else "There is nothing yet.")
