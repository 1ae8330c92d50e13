"""What the page *Runs* shows of a journal, a history of steps and profiles."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from orchestration.core.partitions.keys import Days, PartitionSet
from orchestration.core.runs.journal import Attempt, RunEntry, RunState
from orchestration.core.runs.outcome import Outcome, Problem
from orchestration.core.runs.profile import Phase, Profile, ProfiledStep, Span
from orchestration.reports.page import run_facts as module
from orchestration.reports.page.run_facts import run_facts
from orchestration.reports.run_picture import lanes
from resources.delta.step_history import StepRow

AT = datetime(2026, 1, 1, tzinfo=UTC)
SOME = PartitionSet.of(Days.of(date(2025, 8, 8), date(2025, 8, 9)), ["north", "south"])


def entry(number: int, **more: Any) -> RunEntry:
    started = (AT + timedelta(hours=number)).isoformat()
    attempts = {"gold.levels": Attempt(SOME, (), SOME)}
    told: dict[str, Any] = {"ended_at": started, "seconds": 2.5, "state": RunState.COMPLETED, "attempts": attempts}
    return RunEntry(f"run-{number:03}", f"run {number}", started, **{**told, **more})


def step(number: int, asset: str, rows: int, lag: float | None = None) -> StepRow:
    at = AT + timedelta(hours=number)
    return StepRow(f"run-{number:03}", "", "", asset, asset, "completed", at, 1.0, rows, 3, 1, 0, 0, lag)


def profile(bars: int = 3) -> Profile:
    """A run of one step, which computes now and then: the later the longer."""
    spans = [Span(Phase.STEPS, 0.0, 100.0), Span(Phase.STEP, 0.0, 100.0, 1, "gold.levels")]
    width = 100 / bars
    spans += [
        Span(Phase.COMPUTE, at * width, at * width + width * (at + 1) / bars, 1, "gold.levels") for at in range(bars)
    ]
    return Profile("run-001", "one", AT.isoformat(), 100.0, (ProfiledStep("gold.levels", "gold.levels"),), tuple(spans))


def facts(*entries: RunEntry, steps: Any = (), profiles: dict[str, Profile] | None = None) -> dict[str, Any]:
    found = profiles or {}
    told = run_facts(entries, steps, sorted(found), found.get)
    json.dumps(told, allow_nan=False)
    return told


def test_a_run_has_what_its_steps_wrote_and_lags_go_by_asset() -> None:
    steps = [step(1, "gold.levels", 20, 3.004), step(1, "gold.floods", 5), step(2, "gold.levels", 1, 1.5)]
    told = facts(entry(2), entry(1), entry(0), steps=[*steps, step(9, "gold.levels", 77)])
    assert [(run["id"], run["rows"], run["written"], run["unchanged"]) for run in told["runs"]] == [
        ("run-002", 1, 3, 1),
        ("run-001", 25, 6, 2),
        ("run-000", None, None, None),
    ]
    assert told["lags"] == [["gold.levels", [(0, 1.5), (1, 3.0)]]]


def test_problems_are_named_failures_first_and_counted_where_they_are_many() -> None:
    """Messages become one line of bounded length, and markup in them stays what it is: text."""
    failed = Problem(Outcome.FAILED, SOME, "<script>alert(1)</script>\n" + "x" * 900)
    skipped = [Problem(Outcome.SKIPPED, SOME, f"because {'x' * number}") for number in range(9)]
    attempts = {"gold.floods": Attempt(problems=tuple(skipped)), "gold.levels": Attempt(problems=(failed,))}
    run = facts(entry(1, state=RunState.FAILED, attempts=attempts))["runs"][0]
    assert run["problems"][0][:4] == ["gold.levels", "failed", str(SOME), 4]
    assert run["problems"][0][4].startswith("<script>alert(1)</script> xxx") and len(run["problems"][0][4]) == 400
    assert (len(run["problems"]), run["more"], run["failed"], run["skipped"]) == (5, 5, 4, 36)


def test_one_cause_at_several_locations_is_one_line() -> None:
    keys = ("north", "south", "west")
    problems = tuple(
        Problem(Outcome.FAILED, PartitionSet.of(Days.of(date(2025, 8, 8)), [key]), f"no answer for {key} on 2025-08-08")
        for key in keys
    )
    attempts = {"gold.levels": Attempt(problems=(*problems, Problem(Outcome.FAILED, SOME, "the disk is full")))}
    run = facts(entry(1, state=RunState.FAILED, attempts=attempts))["runs"][0]
    everywhere = str(PartitionSet.of(Days.of(date(2025, 8, 8)), keys))
    assert run["problems"] == [
        ["gold.levels", "failed", everywhere, 3, "no answer for north on 2025-08-08 (and 2 more like it)"],
        ["gold.levels", "failed", str(SOME), 4, "the disk is full"],
    ]
    assert (run["more"], run["failed"]) == (0, 7)


def test_what_never_ended_has_no_length() -> None:
    run = facts(entry(1, ended_at="", seconds=0.0, state=RunState.RUNNING))["runs"][0]
    assert (run["seconds"], run["state"], run["planned"]) == (None, "running", 4)


def test_the_picture_has_the_lanes_of_the_profile() -> None:
    of = profile()
    picture = facts(entry(1), profiles={"run-001": of})["pictures"]["run-001"]
    assert [lane[:2] for lane in picture["lanes"]] == [[lane.title, lane.seconds] for lane in lanes(of)]
    for (_, _, bars), lane in zip(picture["lanes"], lanes(of), strict=True):
        expected = [
            (module.PHASES.index(span.phase), round(span.begin * 1000), round(span.seconds * 1000))
            for span in lane.spans
        ]
        assert list(zip(bars[::4], bars[1::4], bars[2::4], strict=True)) == expected
        assert {picture["steps"][of] if of >= 0 else "" for of in bars[3::4]} == {span.step for span in lane.spans}
    assert picture["left_out"] == 0 and [row[:2] for row in picture["times"]] == [["gold.levels", 1]]


def test_what_is_too_much_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest runs and pictures stay, and the longest bars."""
    monkeypatch.setattr(module, "MOST_RUNS", 3)
    monkeypatch.setattr(module, "MOST_PICTURES", 2)
    monkeypatch.setattr(module, "MOST_SPANS", 4)
    entries = [entry(number) for number in range(5, 0, -1)]
    measured = {of.run_id: replace(profile(10), run_id=of.run_id) for of in entries}
    told = facts(*entries, profiles=measured)
    assert [run["id"] for run in told["runs"]] == ["run-005", "run-004", "run-003"]
    assert (told["more"], told["measured"], sorted(told["pictures"])) == (2, 3, ["run-004", "run-005"])
    picture = told["pictures"]["run-005"]
    lengths = sorted(length for _, _, bars in picture["lanes"] for length in bars[2::4])
    assert lengths == [9000, 10000, 100000, 100000] and picture["left_out"] == 8


def test_a_profile_that_cannot_be_read_is_none() -> None:
    told = run_facts([entry(1)], [], ["run-001"], lambda _: None, "it is damaged")
    assert (told["pictures"], told["measured"], told["unread"]) == ({}, 1, "it is damaged")
