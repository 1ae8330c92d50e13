"""The journal of runs: what each run tried to make, and how that ended.

The journal explains, it never decides. The table alone says what a partition is. The journal adds why the last attempt
to make it failed, or that the attempt never ended.

Pure: ``resources.storage.journal`` stores the entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.runs.outcome import Outcome, Problem

FORMAT = 1


class RunState(StrEnum):
    """How a run ended. A run that was killed stays RUNNING in the journal."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class AttemptResult(StrEnum):
    """How an attempt to make a partition ended. GOOD: the partition was made, or was right already. OVER is never what
    the journal itself says: only who looks at the tables knows that."""

    GOOD = "good"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNFINISHED = "did not finish"
    OVER = "skipped because of what is no longer in the way"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a run did to one asset."""

    good: PartitionSet = field(default_factory=PartitionSet.empty)
    """The partitions that were right at the end."""
    problems: tuple[Problem, ...] = ()
    """The partitions that could not be made, and why."""
    planned: PartitionSet = field(default_factory=PartitionSet.empty)
    """All partitions that the run set out to make."""

    def to_json(self) -> dict[str, Any]:
        return {
            "good": self.good.to_json(),
            "problems": [[problem.outcome, problem.partitions.to_json(), problem.message] for problem in self.problems],
            "planned": self.planned.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Attempt:
        """The inverse of ``to_json``."""
        problems = (
            Problem(Outcome(outcome), PartitionSet.from_json(partitions), message)
            for outcome, partitions, message in data["problems"]
        )
        return cls(PartitionSet.from_json(data["good"]), tuple(problems), PartitionSet.from_json(data["planned"]))


@dataclass(frozen=True, slots=True)
class RunEntry:
    """The journal's entry of one run."""

    run_id: str
    title: str
    """What the run makes, for people; see ``names.run_name``."""
    started_at: str
    """ISO 8601, UTC."""
    ended_at: str = ""
    """ISO 8601, UTC; empty while the run goes on."""
    state: RunState = RunState.RUNNING
    pid: int = 0
    """The run's process."""
    host: str = ""
    """The machine of the process."""
    seconds: float = 0.0
    attempts: Mapping[str, Attempt] = field(default_factory=dict)
    """Asset key → what the run did to the asset."""
    flow_run_id: str = ""
    """Id of the flow run on the Prefect server, for a run of a deployment."""
    rebuilt: tuple[str, ...] = ()
    """Assets whose table was rebuilt since. What the run did to such an asset was done to a table that is gone."""
    wiped: Mapping[str, PartitionSet] = field(default_factory=dict)
    """Asset key → partitions that were wiped. Attempts at them by earlier runs do not count any more."""
    made_with: Mapping[str, str] = field(default_factory=dict)
    """The engine, and everything that decides which values it computes, for people."""

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "run_id": self.run_id,
            "title": self.title,
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "state": str(self.state),
            "pid": self.pid,
            "host": self.host,
            "seconds": round(self.seconds, 3),
            "flow_run_id": self.flow_run_id,
            "attempts": {asset: attempt.to_json() for asset, attempt in self.attempts.items()},
            **({"rebuilt": list(self.rebuilt)} if self.rebuilt else {}),
            **(
                {"wiped": {asset: partitions.to_json() for asset, partitions in self.wiped.items()}}
                if self.wiped
                else {}
            ),
            **({"made_with": dict(self.made_with)} if self.made_with else {}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RunEntry:
        """The inverse of ``to_json``. Raises ValueError for data that are no entry of this format."""
        try:
            if data["format"] != FORMAT:
                raise ValueError(f"an entry must have the format {FORMAT} (got {data['format']!r})")
            return cls(
                run_id=data["run_id"],
                title=data["title"],
                started_at=data["started_at"],
                ended_at=data["ended_at"],
                state=RunState(data["state"]),
                pid=data["pid"],
                host=data["host"],
                seconds=data["seconds"],
                flow_run_id=data.get("flow_run_id", ""),
                attempts={asset: Attempt.from_json(attempt) for asset, attempt in data["attempts"].items()},
                rebuilt=tuple(data.get("rebuilt", ())),
                wiped={asset: PartitionSet.from_json(one) for asset, one in data.get("wiped", {}).items()},
                made_with=dict(data.get("made_with", {})),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"this is no entry of a run ({error!r})") from error


@dataclass(frozen=True, slots=True)
class LastAttempt:
    """The last attempt to make some partitions."""

    run_id: str
    at: str
    """When its run ended, or began where no end is known (ISO 8601, UTC)."""
    result: AttemptResult
    message: str = ""
    """Why the attempt failed or was skipped; else empty."""

    @property
    def failed(self) -> bool:
        """Whether it failed, here or because of an upstream failure."""
        return self.result in (AttemptResult.FAILED, AttemptResult.SKIPPED)

    @property
    def over(self) -> LastAttempt:
        """The same attempt, where the reason for which it was skipped is gone."""
        return replace(self, result=AttemptResult.OVER)

    @property
    def broken_off(self) -> bool:
        """Whether the run was killed or interrupted before it was done with the partitions, or is still running."""
        return self.result is AttemptResult.UNFINISHED


def last_attempts(
    entries: Iterable[RunEntry], asset: str, partitions: PartitionSet
) -> list[tuple[PartitionSet, LastAttempt]]:
    """The last attempt at each of ``partitions``, as disjoint sets. Partitions without any attempt are in no set.

    entries: newest first. A run attempted a partition if its entry has it among ``good`` or in a problem, or if the run
    set out to make it and was broken off. Attempts from before the table was rebuilt, or the partition was wiped, do
    not count.
    """
    found: list[tuple[PartitionSet, LastAttempt]] = []
    left = partitions
    for entry in entries:
        if not left:
            break
        for tried, last in _attempts(entry, asset):
            if here := left & tried:
                found.append((here, last))
                left = left - here
        if asset in entry.rebuilt:
            break
        left = left - entry.wiped.get(asset, PartitionSet.empty())
    return found


def last_failed(entries: Sequence[RunEntry], asset: str) -> PartitionSet:
    """The partitions of an asset whose last attempt failed, existing or not. entries: newest first."""
    tried = PartitionSet.union_of(
        problem.partitions for entry in entries for problem in entry.attempts.get(asset, Attempt()).problems
    )
    return PartitionSet.union_of(some for some, last in last_attempts(entries, asset, tried) if last.failed)


def _attempts(entry: RunEntry, asset: str) -> list[tuple[PartitionSet, LastAttempt]]:
    """The attempts of one run. If a partition is in several, the first counts; problems come first."""
    attempt = entry.attempts.get(asset, Attempt())
    run_id, at = entry.run_id, entry.ended_at or entry.started_at
    tried = []
    for problem in attempt.problems:
        result = AttemptResult.FAILED if problem.outcome is Outcome.FAILED else AttemptResult.SKIPPED
        tried.append((problem.partitions, LastAttempt(run_id, at, result, problem.message)))
    tried.append((attempt.good, LastAttempt(run_id, at, AttemptResult.GOOD)))
    if entry.state in (RunState.RUNNING, RunState.INTERRUPTED):
        tried.append((attempt.planned, LastAttempt(run_id, at, AttemptResult.UNFINISHED)))
    return tried
