"""Every event that is sent is one by OpenLineage's schemas, formats included; what is broken on purpose is none.

Where the variable OPENLINEAGE_SPEC names a folder with the specification's schema files, by these as well.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from resources.openlineage import facets
from resources.openlineage.facets import complete
from tests.support.openlineage_schemas import CHECKER, FACETS, problems
from tests.support.told_runs import all_events

EVENTS = [complete(event) for event in all_events()]
FULL = EVENTS[2]
"""A COMPLETE of a step."""
FAILED = EVENTS[3]
SCHEMAS = [None, *(Path(folder) for folder in (os.environ.get("OPENLINEAGE_SPEC"),) if folder)]


@pytest.fixture(params=SCHEMAS, ids=lambda folder: "of the classes" if folder is None else "as published")
def published(request: pytest.FixtureRequest) -> Path | None:
    """The folder with the schemas that events are looked at by; None: those made of the client's classes."""
    folder: Path | None = request.param
    return folder


def test_formats_are_checked() -> None:
    assert {"date-time", "uri", "uuid"} <= CHECKER.checkers.keys()


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: f"{event['job']['name']} {event['eventType']}")
def test_events_are_valid(event: dict[str, Any], published: Path | None) -> None:
    assert problems(event, published) == []
    assert problems(json.loads(json.dumps(event)), published) == []


def test_the_events_of_this_test_have_every_facet_that_there_is() -> None:
    said = {"run": set[str](), "job": set[str](), "dataset": set[str](), "input": set[str](), "output": set[str]()}
    for event in EVENTS:
        said["run"] |= event["run"]["facets"].keys()
        said["job"] |= event["job"]["facets"].keys()
        for kind in ("input", "output"):
            for dataset in event[f"{kind}s"]:
                said["dataset"] |= dataset["facets"].keys()
                said[kind] |= dataset[f"{kind}Facets"].keys()
    ours = (facets.RUN, facets.JOB, facets.DATASET, facets.INPUT, facets.OUTPUT)
    assert said == {kind: names.keys() for kind, names in zip(said, ours, strict=True)}
    assert said == {kind: names.keys() for kind, names in FACETS.items()}


Change = Callable[[dict[str, Any]], object]


def _of_run(event: dict[str, Any]) -> dict[str, Any]:
    return dict[str, Any].__getitem__(event["run"], "facets")


def _of_job(event: dict[str, Any]) -> dict[str, Any]:
    return dict[str, Any].__getitem__(event["job"], "facets")


def _read(event: dict[str, Any]) -> dict[str, Any]:
    return dict[str, Any].__getitem__(event, "inputs")[0]


def _wrote(event: dict[str, Any]) -> dict[str, Any]:
    return dict[str, Any].__getitem__(event, "outputs")[0]


BROKEN: dict[str, Change] = {
    "no run": lambda event: event.pop("run"),
    "no job": lambda event: event.pop("job"),
    "no producer": lambda event: event.pop("producer"),
    "a producer that is no address": lambda event: event.update(producer="us and them"),
    "a time without a day": lambda event: event.update(eventTime="06:00"),
    "a time that does not exist": lambda event: event.update(eventTime="2025-02-30T06:00:00Z"),
    "a state that there is not": lambda event: event.update(eventType="DONE"),
    "an id that is no UUID": lambda event: event["run"].update(runId="run-1"),
    "a job without a namespace": lambda event: event["job"].pop("namespace"),
    "a dataset without a name": lambda event: _read(event).pop("name"),
    "a facet without its schema": lambda event: _wrote(event)["facets"]["schema"].pop("_schemaURL"),
    "a facet without its producer": lambda event: _wrote(event)["facets"]["schema"].pop("_producer"),
    "a facet that there is not": lambda event: _of_run(event).update(weather=_of_run(event)["tags"]),
    "an input's facet at an output": lambda event: _wrote(event)["outputFacets"].update(
        dataQualityAssertions=_read(event)["inputFacets"]["dataQualityAssertions"]
    ),
    "run errorMessage": lambda event: _of_run(event)["errorMessage"].pop("programmingLanguage"),
    "run nominalTime": lambda event: _of_run(event)["nominalTime"].update(nominalEndTime="tomorrow"),
    "run parent": lambda event: _of_run(event)["parent"]["run"].update(runId="run-1"),
    "run processing_engine": lambda event: _of_run(event)["processing_engine"].update(version=4),
    "run tags": lambda event: _of_run(event)["tags"]["tags"][0].pop("value"),
    "run test": lambda event: _of_run(event)["test"]["tests"][0].pop("status"),
    "job documentation": lambda event: _of_job(event)["documentation"].pop("description"),
    "job jobType": lambda event: _of_job(event)["jobType"].pop("integration"),
    "job sourceCodeLocation": lambda event: _of_job(event)["sourceCodeLocation"].update(url="a/days.py on main"),
    "dataset columnLineage": lambda event: _wrote(event)["facets"]["columnLineage"]["fields"]["day"].pop("inputFields"),
    "dataset columnLineage, of a whole": lambda event: _wrote(event)["facets"]["columnLineage"]["dataset"][0].pop(
        "field"
    ),
    "dataset dataQualityMetrics": lambda event: _wrote(event)["facets"]["dataQualityMetrics"].update(rowCount="many"),
    "dataset datasetType": lambda event: _wrote(event)["facets"]["datasetType"].pop("datasetType"),
    "dataset documentation": lambda event: _wrote(event)["facets"]["documentation"].update(description=1),
    "dataset schema": lambda event: _wrote(event)["facets"]["schema"]["fields"][0].pop("name"),
    "dataset storage": lambda event: _wrote(event)["facets"]["storage"].pop("storageLayer"),
    "dataset version": lambda event: _wrote(event)["facets"]["version"].update(datasetVersion=7),
    "input dataQualityAssertions": lambda event: _read(event)["inputFacets"]["dataQualityAssertions"]["assertions"][
        0
    ].update(success="yes"),
    "input subset": lambda event: _read(event)["inputFacets"]["subset"]["inputCondition"].update(type="some"),
    "output outputStatistics": lambda event: _wrote(event)["outputFacets"]["outputStatistics"].update(rowCount=4.5),
    "output subset": lambda event: _wrote(event)["outputFacets"]["subset"].pop("outputCondition"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_found(name: str, published: Path | None) -> None:
    event = copy.deepcopy(FAILED if "errorMessage" in name else FULL)
    BROKEN[name](event)
    assert problems(event, published) != []


def test_every_facet_is_broken_once() -> None:
    there = {f"{kind} {name}" for kind, names in FACETS.items() for name in names}
    assert there <= BROKEN.keys()
