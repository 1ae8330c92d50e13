"""Lineage as OpenLineage's static metadata: valid by its schemas, and the columns are those that are recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openlineage.client.event_v2 import DatasetEvent, JobEvent

from orchestration.project import load, open_workspace
from orchestration.reports.lineage.openlineage import render
from tests.support.cli_calls import EPISODE
from tests.support.openlineage_schemas import problems
from tests.support.recorded_columns import BRONZE, HOURLY, LINEAGES, record_columns


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    uri = str(tmp_path_factory.mktemp("columns"))
    workspace = open_workspace(load(environment={}, flags={"warehouse": {"uri": uri}}))
    record_columns(workspace, {key: LINEAGES[key] for key in (BRONZE, EPISODE)})
    return [json.loads(line) for line in render(workspace, [BRONZE, EPISODE]).splitlines()]


def test_every_event_is_valid(events: list[dict[str, Any]]) -> None:
    assert [event["schemaURL"] for event in events] == [
        *[DatasetEvent._get_schema()] * 3,  # a source, two tables
        *[JobEvent._get_schema()] * 2,
    ]
    assert [problems(event) for event in events] == [[]] * 5


BROKEN: dict[str, Callable[[dict[str, Any]], Any]] = {
    "columns": lambda event: event["dataset"]["facets"]["columnLineage"]["fields"]["peak_aqi"].pop("inputFields"),
    "schema": lambda event: event["dataset"]["facets"]["schema"]["fields"][0].pop("name"),
    "name": lambda event: event["dataset"].pop("name"),
    "time": lambda event: event.update(eventTime="today"),
    "producer": lambda event: event.pop("producer"),
    "a run": lambda event: event.update(run={"runId": "x"}),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_one_is_not(events: list[dict[str, Any]], what: str) -> None:
    broken = json.loads(json.dumps(events[2]))
    BROKEN[what](broken)
    assert problems(broken) != []


def test_a_broken_job_is_not(events: list[dict[str, Any]]) -> None:
    broken = json.loads(json.dumps(events[-1]))
    broken["job"]["facets"]["jobType"].pop("integration")
    assert problems(broken) != []
    broken = json.loads(json.dumps(events[-1]))
    broken["outputs"][0].pop("namespace")
    assert problems(broken) != []


def test_sources_tables_and_jobs(events: list[dict[str, Any]]) -> None:
    source, bronze, episodes, fetched, made = events
    assert source["dataset"]["name"] == "open_meteo"
    variables = [field["name"] for field in source["dataset"]["facets"]["schema"]["fields"]]
    assert "us_aqi" in variables
    assert Path(bronze["dataset"]["name"]).name == "open_meteo_hourly"
    assert fetched["job"]["name"] == BRONZE
    assert [one["name"] for one in fetched["inputs"]] == ["open_meteo", bronze["dataset"]["name"]], "rows that it keeps"
    assert fetched["outputs"][0]["name"] == bronze["dataset"]["name"]
    (read,) = made["inputs"]
    assert read["name"].endswith("/gold/fact_air_quality_hourly")
    assert made["outputs"][0]["facets"]["columnLineage"] == episodes["dataset"]["facets"]["columnLineage"]


def test_columns_as_they_are_recorded(events: list[dict[str, Any]]) -> None:
    lineage = events[2]["dataset"]["facets"]["columnLineage"]
    assert set(lineage["fields"]) == {"peak_aqi", "rule_code"}, "of the other one not all is known"
    (peak,) = lineage["fields"]["peak_aqi"]["inputFields"]
    assert peak["name"].endswith(f"/{HOURLY.replace('.', '/')}")
    assert peak["field"] == "aqi"
    assert peak["transformations"] == [{"type": "DIRECT", "subtype": "AGGREGATION"}]
    assert [(one["field"], one["transformations"][0]["subtype"]) for one in lineage["dataset"]] == [("aqi", "FILTER")]
    from_source = events[1]["dataset"]["facets"]["columnLineage"]["fields"]["aqi"]["inputFields"]
    assert {one["field"] for one in from_source} == {"us_aqi", "aqi"}
