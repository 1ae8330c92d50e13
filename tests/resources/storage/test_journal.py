"""The journal of runs: what became of the last attempt at a partition, and the files that it is read from."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.partitions.keys import NULL_KEY, PartitionKey, PartitionSet
from orchestration.core.runs.journal import (
    Attempt,
    AttemptResult,
    LastAttempt,
    RunEntry,
    RunState,
    last_attempts,
    last_failed,
)
from orchestration.core.runs.outcome import Outcome, Problem
from resources.storage.journal import Journal
from tests.support.records import key, keys

quick = settings(max_examples=50, deadline=None)

ASSET = "gold.hours"
BEGAN, ENDED = "2025-08-20T06:00:00Z", "2025-08-20T06:00:21Z"


def entry(number: int, state: RunState = RunState.COMPLETED, **attempts: Attempt) -> RunEntry:
    """A run; of the one asset that there is unless another is named."""
    told = {ASSET if name == "hours" else name: attempt for name, attempt in attempts.items()}
    ended = "" if state is RunState.RUNNING else ENDED
    return RunEntry(f"run-{number}", "materialize *", BEGAN, ended, state, 4711, "here", 21.5, told)


def failed(partitions: PartitionSet, message: str = "no answer") -> Problem:
    return Problem(Outcome.FAILED, partitions, message)


def skipped(partitions: PartitionSet, message: str = "upstream failed") -> Problem:
    return Problem(Outcome.SKIPPED, partitions, message)


# --- as JSON --------------------------------------------------------------------------------------

some_keys = st.builds(key, st.integers(1, 6), st.sampled_from(["hanoi", "hue"])) | st.just(NULL_KEY)
some_sets = st.frozensets(some_keys, max_size=6).map(PartitionSet.from_keys)
problems = st.builds(Problem, st.sampled_from([Outcome.FAILED, Outcome.SKIPPED]), some_sets, st.sampled_from("abc"))
attempts = st.builds(Attempt, some_sets, st.lists(problems, max_size=2).map(tuple), some_sets)
entries = st.builds(
    RunEntry,
    run_id=st.text("0123456789abcdef-", min_size=1, max_size=6),
    title=st.text(max_size=5),
    started_at=st.just(BEGAN),
    ended_at=st.sampled_from(["", ENDED]),
    state=st.sampled_from(RunState),
    pid=st.integers(0, 2**22),
    host=st.text(max_size=5),
    seconds=st.integers(0, 10**6).map(lambda milliseconds: milliseconds / 1000),
    attempts=st.dictionaries(st.sampled_from([ASSET, "silver.clean"]), attempts, max_size=2),
    wiped=st.dictionaries(st.sampled_from([ASSET, "silver.clean"]), some_sets, max_size=2),
)


@quick
@given(entries)
def test_an_entry_survives_as_json(one: RunEntry) -> None:
    assert RunEntry.from_json(json.loads(json.dumps(one.to_json()))) == one


@quick
@given(st.lists(entries, max_size=4))
def test_what_was_wiped_was_not_attempted_before(found: list[RunEntry]) -> None:
    """Key by key, newest run first: the first run that attempted it counts, unless a newer one wiped it."""
    last = {one: attempt for some, attempt in last_attempts(found, ASSET, every_key) for one in some}
    for one in every_key:
        before = next((at for at, run in enumerate(found) if one in run.wiped.get(ASSET, PartitionSet.empty())), None)
        since = found if before is None else found[: before + 1]
        alone = [attempt for _, attempt in last_attempts(unwiped(since), ASSET, PartitionSet.one(one))]
        assert [last[one]] == alone if one in last else not alone


every_key = keys(*range(1, 7), location="hanoi") | keys(*range(1, 7)) | PartitionSet.null()


def unwiped(found: list[RunEntry]) -> list[RunEntry]:
    return [replace(run, wiped={}) for run in found]


def test_an_entry_does_not_list_keys() -> None:
    """A month of a location is one interval."""
    month = keys(*range(1, 32))
    told = entry(1, hours=Attempt(month, (failed(month),), month)).to_json()["attempts"][ASSET]
    interval = ["hue", "2025-08-01", "2025-08-31"]
    assert told == {"good": [interval], "problems": [["failed", [interval], "no answer"]], "planned": [interval]}


@pytest.mark.parametrize(
    "damage",
    [
        {"format": 2},
        {"state": "gone"},
        {"attempts": 7},
        {"attempts": {ASSET: {}}},
        {"attempts": {ASSET: {"good": [], "problems": [["lost", [], ""]], "planned": []}}},
        {"attempts": {ASSET: {"good": [], "problems": [["failed"]], "planned": []}}},
    ],
)
def test_what_is_no_entry(damage: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        RunEntry.from_json(entry(1).to_json() | damage)


@pytest.mark.parametrize("data", [None, [], {}, "x"])
def test_what_is_nothing_like_an_entry(data: Any) -> None:
    with pytest.raises(ValueError):
        RunEntry.from_json(data)


# --- the last attempts ----------------------------------------------------------------------------


def test_the_newest_attempt_at_each_partition_is_told() -> None:
    runs = [
        entry(3, RunState.FAILED, hours=Attempt(keys(1), (failed(keys(2)), skipped(keys(3))), keys(1, 2, 3))),
        entry(2, RunState.FAILED, hours=Attempt(keys(2, 3), (failed(keys(1, 4), "older"),), keys(1, 2, 3, 4))),
        entry(1, hours=Attempt(keys(1, 2, 3, 4, 5), (), keys(1, 2, 3, 4, 5))),
    ]
    assert last_attempts(runs, ASSET, keys(1, 2, 3, 4, 5, 6)) == [
        (keys(2), LastAttempt("run-3", ENDED, AttemptResult.FAILED, "no answer")),
        (keys(3), LastAttempt("run-3", ENDED, AttemptResult.SKIPPED, "upstream failed")),
        (keys(1), LastAttempt("run-3", ENDED, AttemptResult.GOOD)),
        (keys(4), LastAttempt("run-2", ENDED, AttemptResult.FAILED, "older")),
        (keys(5), LastAttempt("run-1", ENDED, AttemptResult.GOOD)),
    ]
    assert last_attempts(runs, "silver.clean", keys(1)) == []
    assert last_attempts(runs, ASSET, PartitionSet.empty()) == []


def test_what_failed_at_last() -> None:
    runs = [
        entry(2, hours=Attempt(keys(1), (), keys(1))),
        entry(1, RunState.FAILED, hours=Attempt(keys(4), (failed(keys(1, 2)), skipped(keys(3))), keys(1, 2, 3, 4))),
    ]
    assert last_failed(runs, ASSET) == keys(2, 3)
    assert last_failed(runs, "silver.clean") == PartitionSet.empty()


@pytest.mark.parametrize(("state", "at"), [(RunState.RUNNING, BEGAN), (RunState.INTERRUPTED, ENDED)])
def test_a_run_that_was_broken_off(state: RunState, at: str) -> None:
    runs = [
        entry(2, state, hours=Attempt(keys(1), (failed(keys(2)),), keys(1, 2, 3))),
        entry(1, hours=Attempt(keys(1, 2, 3, 4), (), keys(1, 2, 3, 4))),
    ]
    assert last_attempts(runs, ASSET, keys(1, 2, 3, 4)) == [
        (keys(2), LastAttempt("run-2", at, AttemptResult.FAILED, "no answer")),
        (keys(1), LastAttempt("run-2", at, AttemptResult.GOOD)),
        (keys(3), LastAttempt("run-2", at, AttemptResult.UNFINISHED)),
        (keys(4), LastAttempt("run-1", ENDED, AttemptResult.GOOD)),
    ]


@pytest.mark.parametrize("state", [RunState.COMPLETED, RunState.FAILED])
def test_what_an_ended_run_says_nothing_of_was_no_attempt(state: RunState) -> None:
    runs = [
        entry(2, state, hours=Attempt(planned=keys(1))),
        entry(1, hours=Attempt(keys(1), planned=keys(1))),
    ]
    assert last_attempts(runs, ASSET, keys(1)) == [(keys(1), LastAttempt("run-1", ENDED, AttemptResult.GOOD))]


def test_a_problem_counts_more_than_success_in_the_same_run() -> None:
    runs = [entry(1, hours=Attempt(keys(1, 2), (failed(keys(2)),), keys(1, 2)))]
    told = {str(of): attempt.result for of, attempt in last_attempts(runs, ASSET, keys(1, 2))}
    assert told == {"2025-08-02 × hue": "failed", "2025-08-01 × hue": "good"}


@pytest.mark.parametrize(
    ("result", "is_failed", "is_broken_off"),
    [
        (AttemptResult.GOOD, False, False),
        (AttemptResult.FAILED, True, False),
        (AttemptResult.SKIPPED, True, False),
        (AttemptResult.UNFINISHED, False, True),
    ],
)
def test_what_an_attempt_comes_to(result: AttemptResult, is_failed: bool, is_broken_off: bool) -> None:
    attempt = LastAttempt("run-1", ENDED, result)
    assert (attempt.failed, attempt.broken_off) == (is_failed, is_broken_off)


def one_by_one(runs: list[RunEntry], at: PartitionKey) -> LastAttempt | None:
    """The rule, said of one partition."""
    for run in runs:
        attempt = run.attempts.get(ASSET, Attempt())
        when = run.ended_at or run.started_at
        for problem in attempt.problems:
            if at in problem.partitions:
                return LastAttempt(run.run_id, when, AttemptResult(problem.outcome.value), problem.message)
        if at in attempt.good:
            return LastAttempt(run.run_id, when, AttemptResult.GOOD)
        if at in attempt.planned and run.state in ("running", "interrupted"):
            return LastAttempt(run.run_id, when, AttemptResult.UNFINISHED)
        if at in run.wiped.get(ASSET, PartitionSet.empty()):
            return None
    return None


@quick
@given(st.lists(entries, max_size=4), some_sets)
def test_attempts_of_sets_are_those_of_each_partition(runs: list[RunEntry], asked: PartitionSet) -> None:
    told = last_attempts(runs, ASSET, asked)
    assert all(of for of, _ in told)
    assert sum(len(of) for of, _ in told) == len({at for of, _ in told for at in of})
    assert {at: attempt for of, attempt in told for at in of} == {
        at: attempt for at in asked if (attempt := one_by_one(runs, at)) is not None
    }


# --- files ----------------------------------------------------------------------------------------


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in (folder / "_aqi" / "runs").iterdir())


def test_no_journal(tmp_path: Path) -> None:
    assert Journal(str(tmp_path / "nowhere")).entries() == []


def test_a_run_is_written_twice(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path))
    begun = entry(1, RunState.RUNNING, hours=Attempt(planned=keys(1, 2)))
    journal.write(begun)
    assert (journal.entries(), names(tmp_path)) == ([begun], ["run-1.json"])
    done = replace(begun, state=RunState.COMPLETED, ended_at=ENDED, attempts={ASSET: Attempt(keys(1, 2))})
    journal.write(done)
    assert (journal.entries(), names(tmp_path)) == ([done], ["run-1.json"])
    assert Journal(f"file://{tmp_path}").entries() == [done]


def test_the_newest_come_first(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path))
    for number in (2, 1, 3):
        journal.write(entry(number))
    assert [run.run_id for run in journal.entries()] == ["run-3", "run-2", "run-1"]
    assert [run.run_id for run in journal.entries(limit=2)] == ["run-3", "run-2"]


def test_what_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path))
    for number in range(1, 4):
        journal.write(entry(number))
    folder = tmp_path / "_aqi" / "runs"
    for number, damage in enumerate((b"", b"{", b"\xff", b"[]", b'{"format": 2}', b"[" * 100_000), 4):
        (folder / f"run-{number}.json").write_bytes(damage)
    (folder / "run-99.json").mkdir()
    (folder / ".run-9.json.0f.tmp").write_bytes(b"{")
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    assert [run.run_id for run in journal.entries(limit=2)] == ["run-3", "run-2"]


def test_a_journal_that_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(str(tmp_path))
    journal.write(entry(1))

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError("no")

    monkeypatch.setattr(LocalFileSystem, "ls", refuse)
    assert journal.entries() == []


def test_an_unfinished_file_where_the_entries_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is listed twice. What is seen by then was left by another process, and stays."""
    journal, listed = Journal(str(tmp_path)), LocalFileSystem.ls
    journal.write(entry(1, RunState.RUNNING))
    unfinished = tmp_path / "_aqi" / "runs" / ".run-0.json.0f.tmp"
    unfinished.write_bytes(b"{")
    failures = [PermissionError("no")]

    def refuse_once(*args: Any, **more: Any) -> Any:
        if failures:
            raise failures.pop()
        return listed(*args, **more)

    monkeypatch.setattr(LocalFileSystem, "ls", refuse_once)
    journal.write(entry(2))
    assert not failures
    assert names(tmp_path) == [unfinished.name, "run-1.json", "run-2.json"]


def test_runs_of_long_ago_are_removed_at_the_end_of_a_run(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path), kept=3)
    for number in range(1, 5):
        journal.write(entry(number, RunState.RUNNING))
    folder = tmp_path / "_aqi" / "runs"
    for number in (1, 2, 4):
        (folder / f".run-{number}.json.0f.tmp").write_bytes(b"{")
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    assert len(journal.entries()) == 4
    journal.write(entry(5))
    assert names(tmp_path) == [".run-4.json.0f.tmp", "notes.txt", "run-3.json", "run-4.json", "run-5.json"]


def test_a_journal_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "_aqi").write_text("a file", encoding="utf-8")
    with pytest.raises(OSError):
        Journal(str(tmp_path)).write(entry(1))


def test_a_kill_while_an_entry_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(str(tmp_path))
    journal.write(entry(1, RunState.RUNNING))

    class Killed(BaseException):
        pass

    def kill(*_: Any) -> None:
        raise Killed

    monkeypatch.setattr(LocalFileSystem, "mv", kill)
    with pytest.raises(Killed):
        journal.write(entry(1))
    assert [run.state for run in journal.entries()] == [RunState.RUNNING]
    assert len(names(tmp_path)) == 2


def test_what_a_run_s_rows_were_made_with() -> None:
    """Said since 0.2; an entry of before has none, and says none."""
    told = replace(entry(1), made_with={"engine": "spark", "spark.sql.ansi.enabled": "true"})
    assert RunEntry.from_json(json.loads(json.dumps(told.to_json()))) == told
    assert "made_with" not in entry(1).to_json()
    assert RunEntry.from_json(entry(1).to_json()).made_with == {}
