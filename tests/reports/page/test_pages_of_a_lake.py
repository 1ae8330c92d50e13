"""The pages Partitions, Runs and The air of a small warehouse, against what the commands say of it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from orchestration.engine.workspace import Workspace
from orchestration.reports.page import air, partitions, runs
from orchestration.reports.page.found import Found
from orchestration.reports.status import read_status
from tests.reports.page.day_numbers import read
from tests.support.measured_runs import STEPS, keep_measured_runs, run_id
from tests.support.report_lake import make_report_lake, report_workspace


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("lake")
    make_report_lake(str(folder))
    keep_measured_runs(str(folder))
    return report_workspace(str(folder))


def found(workspace: Workspace, keys: Sequence[str] = ()) -> Found:
    return Found(workspace, tuple(keys or workspace.catalog.keys))


def test_the_calendars_say_what_status_says(lake: Workspace) -> None:
    facts = partitions.facts(found(lake))
    base, told = date.fromisoformat(facts["base"]).toordinal(), dict[tuple[str, str], Any]()
    for asset in facts["assets"]:
        if not asset["dated"]:
            told[asset["key"], "null"] = facts["kinds"][asset["counts"][0][0]]
        for (location, _, _), row in zip(facts["locations"], asset["at"], strict=asset["dated"]):
            for day, kind in ({} if row is None else read(facts["rows"][row], base)).items():
                told[asset["key"], f"{date.fromordinal(day)}/{location}"] = facts["kinds"][kind]
    said = {(one.asset, str(one.partition)): one for one in read_status(lake, lake.catalog.keys)}
    assert told.keys() == said.keys()
    for key, (state, _, marks) in told.items():
        assert (state, marks) == (str(said[key].state), said[key].marks)


def test_runs_have_their_steps_and_pictures(lake: Workspace) -> None:
    facts = runs.facts(found(lake))
    assert [run["id"] for run in facts["runs"]] == ["20250819T070000-abcdef", *(run_id(at) for at in (2, 1, 0))]
    assert [run["rows"] for run in facts["runs"]] == [None, 78, 75, 72]
    assert sorted(facts["pictures"]) == [run_id(at) for at in range(3)]
    assert [asset for asset, _ in facts["lags"]] == list(STEPS)
    assert facts["unread"] == ""


def test_the_air_has_days_and_episodes(lake: Workspace) -> None:
    facts = air.facts(found(lake))
    assert facts is not None and facts["trouble"] == []
    assert (facts["daily"]["base"], facts["daily"]["days"]) == ("2025-08-10", 9)
    assert facts["spells"]["count"] == 19


def test_a_history_of_steps_that_is_broken_is_told_and_done_without(lake: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    shutil.copytree(lake.warehouse.uri, folder)
    for commit in (folder / "_aqi" / "step_history" / "_delta_log").glob("*.json"):
        commit.write_text("no commit", encoding="utf-8")
    facts = runs.facts(found(report_workspace(str(folder))))
    assert "step_history cannot be read" in facts["unread"]
    assert [run["rows"] for run in facts["runs"]] == [None] * 4
