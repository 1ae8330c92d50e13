"""What a restart has made is kept step by step, by what it is about and not by how it is cut."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from orchestration.core.partitions.keys import Days, PartitionSet
from orchestration.core.planning.plan import Step
from orchestration.core.planning.request import Refresh, Request
from orchestration.core.runs.outcome import StepOutcome
from orchestration.engine.backfill import backfill_request
from orchestration.engine.restart import RestartRecord
from orchestration.engine.workspace import Workspace
from orchestration.project import load, open_workspace
from tests.support import oracle
from tests.support.days_there import with_days

BRONZE, CLEAN = oracle.BRONZE, "silver.air_quality_hourly_clean"
DAY = {"hanoi": ["2025-08-10..2025-08-14"]}


def days(first: int, last: int) -> PartitionSet:
    return PartitionSet.of(Days.of(date(2025, 8, first), date(2025, 8, last)), ["hanoi"])


def opened(folder: Path) -> Workspace:
    flags: dict[str, Any] = {"warehouse": {"uri": str(folder)}, "clock": {"now": "2025-08-20T06:00:00Z"}}
    return open_workspace(load(environment={}, flags=flags))


def request(workspace: Workspace, *, last: str = "2025-08-14", mode: Any = "daily", restart: bool = True) -> Request:
    first, end = date(2025, 8, 10), date.fromisoformat(last)
    return backfill_request(workspace, [BRONZE, CLEAN], first, end, mode, ["hanoi"], restart=restart)


def done(asset: str, partitions: PartitionSet) -> StepOutcome:
    step = Step(asset, asset, partitions, PartitionSet.empty(), (), None, "forced")
    return StepOutcome(step, unchanged=partitions)


def planned(workspace: Workspace, asked: Request) -> dict[str, PartitionSet]:
    found: dict[str, PartitionSet] = {}
    for step in workspace.plan(asked)[0].steps:
        found[step.asset] = found.get(step.asset, PartitionSet.empty()) | step.partitions
    return found


def test_it_goes_on_where_it_was(tmp_path: Path) -> None:
    with_days(tmp_path, DAY)
    workspace, warnings = opened(tmp_path), list[str]()
    asked = request(workspace)
    assert planned(workspace, asked) == {BRONZE: days(10, 14), CLEAN: days(10, 14)}
    first = RestartRecord(workspace, asked, "run-1", warnings.append)
    assert first.notice == ""
    first.begin()
    first.step_done(done(BRONZE, days(10, 11)))
    first.step_done(done(BRONZE, days(12, 12)))
    first.end(ok=False)
    again = request(workspace, mode="monthly")
    assert planned(workspace, again) == {BRONZE: days(13, 14), CLEAN: days(10, 14)}
    second = RestartRecord(workspace, again, "run-2", warnings.append)
    assert "run run-1 began" in second.notice
    assert "3 partitions" in second.notice
    second.step_done(done(BRONZE, days(13, 14)))
    second.step_done(done(CLEAN, days(10, 14)))
    assert planned(workspace, request(workspace)) == {}, "killed before it was said to be done: there is nothing left"
    second.end(ok=True)
    assert planned(workspace, request(workspace)) == {BRONZE: days(10, 14), CLEAN: days(10, 14)}
    assert not warnings


def test_other_days_are_another_restart(tmp_path: Path) -> None:
    with_days(tmp_path, DAY)
    workspace = opened(tmp_path)
    record = RestartRecord(workspace, request(workspace), "run-1", print)
    record.step_done(done(BRONZE, days(10, 14)))
    assert request(workspace, last="2025-08-13").done == {}
    assert request(workspace).done == {BRONZE: days(10, 14), CLEAN: PartitionSet.empty()}
    assert isinstance(request(workspace, restart=False), Refresh), "nothing is made anew, and nothing is kept"


def test_what_was_made_and_is_not_fresh_any_more_is_made_again(tmp_path: Path) -> None:
    with_days(tmp_path, DAY)
    workspace = opened(tmp_path)
    asked = replace(request(workspace), done={BRONZE: days(9, 14), CLEAN: days(10, 14)})
    asked = replace(asked, partitions=days(9, 14), chunks=())
    assert planned(workspace, asked) == {BRONZE: days(9, 9), CLEAN: days(9, 9)}, "the 9th is not there"


def test_a_broken_file_begins_anew_and_one_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with_days(tmp_path, DAY)
    workspace, warnings = opened(tmp_path), list[str]()
    record = RestartRecord(workspace, request(workspace), "run-1", warnings.append)
    record.begin()
    [file] = (tmp_path / "_aqi" / "restarts").iterdir()
    file.write_text("{", encoding="utf-8")
    assert request(workspace).done == {}
    file.unlink()
    file.parent.rmdir()
    file.parent.write_text("in the way", encoding="utf-8")
    record.step_done(done(BRONZE, days(10, 14)))
    assert len(warnings) == 1
    assert "could not be kept" in warnings[0]
