"""The journal of runs: what each attempted, and what became of it. It explains, it never decides.

What a partition is, follows from its table alone; why the last attempt at it failed, or that it never ended, is here.

Pure: where entries lie is the business of ``resources.storage.journal``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.runs.outcome import Outcome, Problem

FORMAT = 1


class RunState(StrEnum):
    """How far a run came. RUNNING is also what a run says that was killed."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class AttemptResult(StrEnum):
    """What became of an attempt at a partition."""

    GOOD = "good"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNFINISHED = "did not finish"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a run did to one asset.

    good: partitions that were right when it was done with them. problems: those that it could not make, and why.
    planned: all that it set out to make.
    """

    good: PartitionSet = field(default_factory=PartitionSet.empty)
    problems: tuple[Problem, ...] = ()
    planned: PartitionSet = field(default_factory=PartitionSet.empty)

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
    """One run.

    started_at, ended_at: ISO 8601, UTC; ended_at is empty while it runs. pid, host: of its process.
    attempts: by asset key. flow_run_id: of the run of a deployment that it belongs to. rebuilt: assets that
    have another table since: what was attempted before was about one that is gone. made_with: the engine, and what
    decides its values, for people.
    """

    run_id: str
    title: str
    started_at: str
    ended_at: str = ""
    state: RunState = RunState.RUNNING
    pid: int = 0
    host: str = ""
    seconds: float = 0.0
    attempts: Mapping[str, Attempt] = field(default_factory=dict)
    flow_run_id: str = ""
    rebuilt: tuple[str, ...] = ()
    made_with: Mapping[str, str] = field(default_factory=dict)

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
            **({"made_with": dict(self.made_with)} if self.made_with else {}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RunEntry:
        """The inverse of ``to_json``. Raises ValueError for what is no entry of this format."""
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
                made_with=dict(data.get("made_with", {})),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"this is no entry of a run ({error!r})") from error


@dataclass(frozen=True, slots=True)
class LastAttempt:
    """The last attempt at some partitions.

    at: when its run ended, or began where no end is known. message: why it failed or was skipped, empty for the rest.
    """

    run_id: str
    at: str
    result: AttemptResult
    message: str = ""

    @property
    def failed(self) -> bool:
        """Whether it failed, there or upstream."""
        return self.result in (AttemptResult.FAILED, AttemptResult.SKIPPED)

    @property
    def broken_off(self) -> bool:
        """Whether the run was killed or interrupted before it was done with them, or is still at it."""
        return self.result is AttemptResult.UNFINISHED


def last_attempts(
    entries: Iterable[RunEntry], asset: str, partitions: PartitionSet
) -> list[tuple[PartitionSet, LastAttempt]]:
    """For each of ``partitions`` the last attempt at it; those that no entry knows of are in no set.

    entries: newest first. An attempt names a partition as good, or in a problem, or it set out to make it and was
    broken off before it said more; what an ended run planned and says nothing of was no attempt, nor what was
    before the table was rebuilt. The sets are disjoint.
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
    return found


def last_failed(entries: Sequence[RunEntry], asset: str) -> PartitionSet:
    """The partitions of an asset at which the last attempt failed, be they there or not. entries: newest first."""
    tried = PartitionSet.union_of(
        problem.partitions for entry in entries for problem in entry.attempts.get(asset, Attempt()).problems
    )
    return PartitionSet.union_of(some for some, last in last_attempts(entries, asset, tried) if last.failed)


def _attempts(entry: RunEntry, asset: str) -> list[tuple[PartitionSet, LastAttempt]]:
    """The attempts of one run; the first that has a partition counts, problems before all."""
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
