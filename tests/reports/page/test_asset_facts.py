"""What the report says of an asset: from a warehouse with something of everything, and what is recorded of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet
from orchestration.core.runs.journal import Attempt, RunEntry, RunState
from orchestration.core.runs.outcome import Outcome, Problem
from orchestration.core.state.provenance import Provenance
from orchestration.engine.workspace import Workspace
from orchestration.project import load, open_workspace
from orchestration.reports.page import assets
from orchestration.reports.page.asset_facts import COMMITS, PARTITIONS, of_asset
from orchestration.reports.page.found import Found
from resources.storage.journal import Journal
from tests.support.cli_calls import DAILY, EPISODE
from tests.support.report_lake import BROKEN, LACKING, OLDER, make_report_lake, report_workspace

HOURS, CLEAN, BRONZE = "gold.fact_air_quality_hourly", "silver.air_quality_hourly_clean", "bronze.open_meteo_hourly"


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    uri = str(tmp_path_factory.mktemp("lake"))
    make_report_lake(uri)
    return uri


@pytest.fixture
def workspace(uri: str) -> Workspace:
    return report_workspace(uri)


def facts(workspace: Workspace, key: str) -> dict[str, Any]:
    return of_asset(Found(workspace, workspace.catalog.keys), key)


def test_states_and_why_the_most_urgent_first(workspace: Workspace) -> None:
    told = facts(workspace, BRONZE)
    assert told["states"] == {"fresh": 18, "failed": 2}
    assert told["reasons"][0] == ["failed", f"missing; {BROKEN}", 2]
    assert told["lacking"] == {"incomplete": 18, "given_up": 0, "hours_withdrawn": 0}
    assert facts(workspace, EPISODE)["states"] == {"fresh": 17, "missing": 2, "unrecorded": 1}
    assert [reason[0] for reason in facts(workspace, EPISODE)["reasons"]] == ["unrecorded"]


def test_one_cause_at_several_locations_is_one_reason(tmp_path: Path) -> None:
    workspace = report_workspace(str(tmp_path))
    day = [PartitionSet.of(Days.of(date(2025, 8, 19)), [key]) for key in ("hanoi", "odd")]
    problems = tuple(Problem(Outcome.FAILED, one, f"no answer for {one.locations[0]}") for one in day)
    times = ("2025-08-19T07:00:00Z", "2025-08-19T07:00:09Z")
    attempts = {BRONZE: Attempt(problems=problems, planned=day[0] | day[1])}
    Journal(str(tmp_path)).write(RunEntry("run-1", "it", *times, RunState.FAILED, attempts=attempts))
    assert facts(workspace, BRONZE)["reasons"] == [["failed", "missing; no answer for hanoi (and 1 more like it)", 2]]


def test_the_lag_where_it_is_largest(workspace: Workspace) -> None:
    lag = facts(workspace, EPISODE)["lag"]
    assert (lag["target"], lag["missed"], lag["locations"]) == (3, 2, 2)
    hours = [location[1] for location in lag["worst"]]
    assert hours == sorted(hours, reverse=True)
    assert facts(workspace, "gold.dim_date")["lag"] is None


def test_columns_with_where_they_come_from(workspace: Workspace) -> None:
    told = facts(workspace, EPISODE)
    assert told["known"] == "now"
    columns = {column[0]: column for column in told["columns"]}
    assert list(columns) == list(workspace.contracts[EPISODE].column_names)
    assert columns["peak_aqi"][1:3] == ["integer", False]
    assert columns["peak_aqi"][5:] == [[[HOURS, "aqi", "AGGREGATION"], [HOURS, "ts_utc", "WINDOW"]], []]
    assert told["rows_from"] == [[HOURS, "aqi", "FILTER"]]
    assert facts(workspace, OLDER)["known"] == "older"
    assert facts(workspace, LACKING)["known"] == "lacking"
    assert all(not column[5] for column in facts(workspace, LACKING)["columns"])


def test_checks_with_the_violations_of_the_rows_that_are_there(tmp_path: Any) -> None:
    workspace = make_report_lake(str(tmp_path))
    asset, state = workspace.catalog[CLEAN], workspace.states([CLEAN])[CLEAN]
    days = {PartitionKey.parse(f"2025-08-{day}/hanoi"): count for day, count in (("10", 3), ("11", 3), ("12", 4))}
    records = {key: replace(state.records[key], checks={"hours_missing": count}) for key, count in days.items()}
    workspace.warehouse.record(asset, Provenance("run-2", CLEAN, "2025-08-19T08:00:00Z", records))
    told = {check["name"]: check for check in facts(workspace, CLEAN)["checks"]}
    assert (told["hours_missing"]["violations"], told["hours_missing"]["partitions"]) == (10, 3)
    assert not told["hours_missing"]["blocking"]
    assert told["not_null"]["blocking"]
    assert {check["violations"] for name, check in told.items() if name != "hours_missing"} == {0}
    assert list(told) == ["not_null", "unique", *(check.name for check in asset.checks)]
    newest = facts(workspace, CLEAN)["commits"][0]
    assert newest[2:5] == ["run-2", 3, 6]


def test_the_last_commits_and_partitions_with_fingerprints(workspace: Workspace) -> None:
    told = facts(workspace, DAILY)
    assert [commit[3] for commit in told["commits"]] == [1, 18]
    assert len(told["partitions"]) == PARTITIONS
    assert [one["key"] for one in told["partitions"][:3]] == ["2025-08-19/odd", "2025-08-18/odd", "2025-08-18/hanoi"]
    newest = told["partitions"][1]
    assert newest["inputs"] == [[HOURS, [["2025-08-18/odd", "f"]], 0]]
    assert newest["code"].startswith(told["code"])
    assert len(told["commits"]) <= COMMITS


def test_commands_to_read_and_to_remake(workspace: Workspace) -> None:
    assert facts(workspace, "gold.dim_date")["commands"][:2] == [
        ["read", "aqi show gold.dim_date"],
        ["remake", "aqi materialize gold.dim_date --force"],
    ]
    commands = dict(facts(workspace, EPISODE)["commands"])
    assert commands["read"] == f"aqi show {EPISODE} --partitions 2025-08-18"
    assert commands["bring up to date"] == f"aqi materialize +{EPISODE} --partitions 2025-08-18..2025-08-19"
    assert (
        "aqi show bronze.open_meteo_hourly --raw" in dict(facts(workspace, BRONZE)["commands"])["what its source sent"]
    )


def test_of_an_empty_warehouse(tmp_path: Any) -> None:
    workspace = open_workspace(load(environment={}, flags={"warehouse": {"uri": str(tmp_path)}}))
    told = facts(workspace, EPISODE)
    assert (told["states"], told["rows"], told["version"], told["commits"], told["partitions"]) == ({}, 0, None, [], [])
    assert told["commands"][0] == ["make", f"aqi materialize +{EPISODE} --partitions last:7"]
    assert told["known"] == "lacking"


def test_the_graph_of_a_selection_has_its_edges_alone(workspace: Workspace) -> None:
    found = assets.facts(Found(workspace, (CLEAN, EPISODE)))
    assert [node[0] for node in found["graph"]["nodes"]] == [CLEAN, EPISODE]
    assert found["graph"]["edges"] == []
    whole = assets.facts(Found(workspace, workspace.catalog.keys))
    assert {(edge[0], edge[1], edge[2]) for edge in whole["graph"]["edges"]} >= {
        ("open_meteo", BRONZE, "fetched"),
        (HOURS, EPISODE, "RunWindow"),
    }
    assert "sent_aqi" in whole["sources"]["open_meteo"]
    assert [band[0] for band in whole["graph"]["bands"]] == ["source", "bronze", "silver", "gold"]
