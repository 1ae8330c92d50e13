"""What the events of a run and its steps say, and where."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestration.core.openlineage.events import (
    EventType,
    ended_as,
    run_event,
    step_event,
)
from orchestration.core.openlineage.naming import run_uuid
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.runs.outcome import Outcome, Problem
from tests.support.told_runs import AT, DAYS, FACTS, FAILED, PERIOD, READ, RUN, SOURCE, of_step, outcome, wrote

NOTHING = PartitionSet.empty()


def test_a_step_is_a_run_of_its_assets_job_and_a_child_of_the_run() -> None:
    whole, step = run_event(EventType.START, AT, RUN, PERIOD), of_step(EventType.START)
    assert (whole["run"]["runId"], step["run"]["runId"]) == (run_uuid("run-1"), run_uuid("run-1", "gold.days"))
    assert (whole["job"]["name"], step["job"]["name"]) == ("materialize", "gold.days")
    parent = step["run"]["facets"]["parent"]
    assert parent["run"] == {"runId": whole["run"]["runId"]}
    assert parent["job"] == {"namespace": "rivers", "name": "materialize"}
    assert parent["root"] == {"run": parent["run"], "job": parent["job"]}
    assert "parent" not in whole["run"]["facets"]
    tags = {tag["key"]: tag["value"] for tag in step["run"]["facets"]["tags"]["tags"]}
    assert tags == {"run_id": "run-1", "title": RUN.title, "step": "gold.days"}


def test_two_steps_of_an_asset_are_two_runs_of_one_job() -> None:
    chunks = [replace(FACTS, step=replace(FACTS.step, id=f"gold.days#{name}")) for name in ("a", "b")]
    events = [step_event(EventType.START, AT, RUN, facts, [], wrote()) for facts in chunks]
    assert len({event["run"]["runId"] for event in events}) == 2
    assert {event["job"]["name"] for event in events} == {"gold.days"}


def test_times() -> None:
    event = of_step(EventType.START)
    assert event["eventTime"] == "2025-08-20T06:00:01.123Z"
    assert event["run"]["facets"]["nominalTime"] == {
        "nominalStartTime": "2025-08-08T00:00:00.000Z",
        "nominalEndTime": "2025-08-10T00:00:00.000Z",
    }
    assert "nominalTime" not in run_event(EventType.START, AT, RUN, None)["run"]["facets"]


def test_what_is_read() -> None:
    hours, source = of_step(EventType.COMPLETE, outcome())["inputs"]
    assert (hours["namespace"], hours["name"]) == ("file", "/lake/silver/hours")
    assert hours["facets"]["version"] == {"datasetVersion": "4"}
    assert hours["facets"]["dataQualityMetrics"]["columnMetrics"] == {"level": {"count": 90, "nullCount": 6}}
    assert hours["facets"]["schema"]["fields"][1] == {
        "name": "level",
        "type": "double",
        "ordinal_position": 2,
        "description": "mean [cm]",
    }
    assertions = hours["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert [(one["assertion"], one["success"]) for one in assertions] == [("unique", True), ("short", False)]
    assert len(hours["inputFacets"]["subset"]["inputCondition"]["partitions"]) == len(DAYS)
    assert (source["namespace"], source["name"]) == ("https://gauges.example.org", "gauges")
    assert set(source["facets"]) == {"schema", "documentation"}
    assert source["inputFacets"] == {}


def test_what_is_written() -> None:
    [begun] = of_step(EventType.START, writes=wrote(None))["outputs"]
    assert set(begun["outputFacets"]) == {"subset"}
    assert "version" not in begun["facets"]
    [done] = of_step(EventType.COMPLETE, outcome())["outputs"]
    assert (done["namespace"], done["name"]) == ("hdfs://namenode:8020", "/lake/gold/days")
    assert done["outputFacets"]["outputStatistics"] == {"rowCount": 4}
    assert done["facets"]["version"] == {"datasetVersion": "7"}
    assert done["facets"]["columnLineage"]["fields"]["level"] == {
        "inputFields": [
            {
                "namespace": "file",
                "name": "/lake/silver/hours",
                "field": "level",
                "transformations": [{"type": "DIRECT", "subtype": "AGGREGATION"}],
            }
        ]
    }


def results(event: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {one["name"]: (one["status"], one["actual"]) for one in event["run"]["facets"]["test"]["tests"]}


def test_a_step_that_completes_says_which_checks_it_made() -> None:
    event = of_step(EventType.COMPLETE, outcome())
    assert results(event) == {"unique": ("pass", "0"), "short": ("fail", "1")}
    assert "errorMessage" not in event["run"]["facets"]


def test_a_step_that_a_check_fails() -> None:
    failed = outcome(FAILED, written=NOTHING)
    assert ended_as(failed) is EventType.FAIL
    event = of_step(EventType.FAIL, failed, writes=wrote(7, NOTHING, 0))
    assert results(event)["unique"] == ("fail", "2")
    assert event["run"]["facets"]["errorMessage"] == {"message": FAILED.message, "programmingLanguage": "PYTHON"}
    assert event["outputs"][0]["outputFacets"]["subset"]["outputCondition"]["partitions"] == []
    assert "dataQualityMetrics" not in event["outputs"][0]["facets"]


@pytest.mark.parametrize(
    ("problems", "kind"),
    [
        ([], EventType.COMPLETE),
        ([Problem(Outcome.FAILED, DAYS, "no")], EventType.FAIL),
        ([Problem(Outcome.SKIPPED, DAYS, "upstream failed", upstream="silver.hours")], EventType.FAIL),
    ],
)
def test_how_a_step_ends(problems: list[Problem], kind: EventType) -> None:
    assert ended_as(outcome(*problems)) is kind


def test_problems_that_are_alike_are_told_once_and_long_ones_cut() -> None:
    alike = [Problem(Outcome.FAILED, DAYS, f"file 2025-08-0{number} is lost") for number in range(1, 9)]
    event = of_step(EventType.FAIL, outcome(*alike))
    message = event["run"]["facets"]["errorMessage"]["message"]
    assert message == "file 2025-08-01 is lost (and 7 more like it)"
    event = of_step(EventType.ABORT, error="x" * 100_000)
    assert len(event["run"]["facets"]["errorMessage"]["message"]) == 4_000


def test_a_table_without_partitions() -> None:
    null = PartitionSet.null()
    read, written = replace(READ, partitions=null, columns=None), replace(wrote(), partitions=null, columns=None)
    event = of_step(EventType.START, reads=[read, SOURCE], writes=written)
    assert "subset" not in event["inputs"][0]["inputFacets"]
    assert "subset" not in event["outputs"][0]["outputFacets"]
