"""OpenLineage events of a run and of its steps, as plain values that are ready to be sent.

A run is a run of the job with the name of its flow (``materialize``). Each step is a run of the job with the name of
its asset, and a child of the whole run. Each of them has a START event, and then one COMPLETE, FAIL or ABORT event,
which repeats everything that the first one said.

What is said about data stands where the specification wants it: metrics of a table at the table; results of the checks
of a step at its run (``test``); recorded results of earlier checks at the table as an input
(``dataQualityAssertions``). The partitions are named at inputs and outputs (``subset``).

The sender adds ``_producer`` and ``_schemaURL``, which every facet has. Must not know: how events are sent, and the
clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from orchestration.core.declarations.contract import Contract
from orchestration.core.openlineage.columns import ReportedColumns
from orchestration.core.openlineage.naming import Dataset, run_uuid
from orchestration.core.openlineage.quality import DeclaredCheck, Quality, check_results
from orchestration.core.openlineage.subsets import condition
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.partitions.scheme import PartitionColumns
from orchestration.core.planning.plan import Step
from orchestration.core.runs.causes import alike_once
from orchestration.core.runs.outcome import StepOutcome

INTEGRATION = "LAKEHOUSE"
MOST_CHARACTERS = 4_000
"""The longest error message."""


class EventType(StrEnum):
    """What happened to a run."""

    START = "START"
    COMPLETE = "COMPLETE"
    FAIL = "FAIL"
    ABORT = "ABORT"


Period = tuple[datetime, datetime]
"""The first instant, and the first instant after the end."""


@dataclass(frozen=True, slots=True)
class SourceCode:
    """Where the source code of a function is."""

    url: str
    """The address of its file."""
    path: str
    version: str
    """The version of the repository, as git names it."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What all events of a run have in common."""

    run_id: str
    job: str
    """The name of the job."""
    namespace: str
    """The namespace of this job and of the jobs of its steps."""
    title: str
    """The name of the run, for people."""
    engine: str
    """The engine that makes the rows."""
    engine_version: str
    version: str
    """The version of this package."""


@dataclass(frozen=True, slots=True)
class StepFacts:
    """What is known about a step before it runs."""

    step: Step
    description: str
    period: Period | None = None
    """The period that its partitions cover; None for an unpartitioned table."""
    code: SourceCode | None = None


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A table or a source that a step reads or writes."""

    dataset: Dataset
    contract: Contract | None = None
    """None where it is not known."""
    stored: bool = True
    """Whether it is a table; False for a source."""
    version: int | None = None
    """The version of the table."""
    columns: PartitionColumns | None = None
    """The columns that say to which partition a row belongs; None for an unpartitioned table."""
    partitions: PartitionSet | None = None
    """The partitions that are read or written; None where that is not known."""
    quality: Quality | None = None
    """The quality of these partitions."""
    checks: tuple[DeclaredCheck, ...] = ()
    """The checks of the table."""
    lineage: ReportedColumns | None = None
    """The column lineage, for a table that is written."""


def run_event(kind: EventType, at: datetime, run: RunFacts, period: Period | None, error: str = "") -> dict[str, Any]:
    """An event of the whole run. period: what all its steps cover. error: why it failed or was broken off."""
    facets = _run_facets(run, period, error)
    return _event(kind, at, run_uuid(run.run_id), facets, job_of(run.namespace, run.job, "DAG"), [], [])


def step_event(
    kind: EventType,
    at: datetime,
    run: RunFacts,
    facts: StepFacts,
    reads: Sequence[TableFacts],
    writes: TableFacts,
    outcome: StepOutcome | None = None,
    error: str = "",
) -> dict[str, Any]:
    """An event of a step. outcome: for a step that ended by itself; ``writes`` says what it wrote.

    error: why it was broken off. The problems of ``outcome`` are reported besides.
    """
    moment = instant(at)
    parent = {
        "run": {"runId": run_uuid(run.run_id)},
        "job": {"namespace": run.namespace, "name": run.job},
    }
    if outcome is not None and not error:
        error = "\n".join(_problems(outcome))
    facets = _run_facets(run, facts.period, error) | {"parent": parent | {"root": parent}}
    facets["tags"]["tags"].append(_tag("step", facts.step.id))
    if outcome is not None and (results := _results(outcome, writes)):
        facets["test"] = results
    return _event(
        kind,
        at,
        run_uuid(run.run_id, facts.step.id),
        facets,
        job_of(run.namespace, facts.step.asset, "TASK", facts.description, facts.code),
        [_input(table, moment) for table in reads],
        [_output(writes, outcome, moment)],
    )


def ended_as(outcome: StepOutcome) -> EventType:
    """COMPLETE if everything that was asked for is right now. As in the run's summary, a skipped step counts as
    failed.
    """
    return EventType.FAIL if outcome.not_made else EventType.COMPLETE


def _event(
    kind: EventType,
    at: datetime,
    run_uuid: str,
    run_facets: dict[str, Any],
    job: dict[str, Any],
    inputs: list[dict[str, Any]],
    outputs: list[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "eventType": str(kind),
        "eventTime": instant(at),
        "run": {"runId": run_uuid, "facets": run_facets},
        "job": job,
        "inputs": inputs,
        "outputs": outputs,
    }


def _run_facets(run: RunFacts, period: Period | None, error: str) -> dict[str, Any]:
    facets: dict[str, Any] = {
        "processing_engine": {
            "name": run.engine,
            "version": run.engine_version,
            "openlineageAdapterVersion": run.version,
        },
        "tags": {"tags": [_tag("run_id", run.run_id), _tag("title", run.title)]},
    }
    if period is not None:
        first, after = period
        facets["nominalTime"] = {"nominalStartTime": instant(first), "nominalEndTime": instant(after)}
    if error:
        facets["errorMessage"] = {"message": error[:MOST_CHARACTERS], "programmingLanguage": "PYTHON"}
    return facets


def _tag(key: str, value: str) -> dict[str, str]:
    return {"key": key, "value": value, "source": INTEGRATION}


def job_of(
    namespace: str, name: str, kind: str, description: str = "", code: SourceCode | None = None
) -> dict[str, Any]:
    """A job with its facets. kind: ``DAG`` for a run, ``TASK`` for a step."""
    facets: dict[str, Any] = {"jobType": {"processingType": "BATCH", "integration": INTEGRATION, "jobType": kind}}
    if description:
        facets["documentation"] = {"description": description}
    if code is not None:
        facets["sourceCodeLocation"] = {"type": "git", **_of_code(code)}
    return {"namespace": namespace, "name": name, "facets": facets}


def _of_code(code: SourceCode) -> dict[str, str]:
    return {"url": code.url, "path": code.path, **({"version": code.version} if code.version else {})}


def table_facets(table: TableFacts) -> dict[str, Any]:
    """The facets that describe a dataset, read or written."""
    facets: dict[str, Any] = {}
    if (contract := table.contract) is not None:
        facets["schema"] = {
            "fields": [
                {
                    "name": column.name,
                    "type": column.type,
                    "ordinal_position": number,
                    **({"description": column.comment} if column.comment else {}),
                }
                for number, column in enumerate(contract.columns, 1)
            ]
        }
        if contract.description:
            facets["documentation"] = {"description": contract.description}
    if table.stored:
        facets["storage"] = {"storageLayer": "delta", "fileFormat": "parquet"}
        facets["datasetType"] = {"datasetType": "TABLE"}
    if table.version is not None:
        facets["version"] = {"datasetVersion": str(table.version)}
    return facets


def _input(table: TableFacts, moment: str) -> dict[str, Any]:
    facets, of_input = table_facets(table), dict[str, Any]()
    if table.partitions is not None and (which := condition(table.partitions, table.columns)):
        of_input["subset"] = {"inputCondition": which}
    if table.quality is not None and table.quality.partitions:
        facets["dataQualityMetrics"] = table.quality.metrics(moment)
        if assertions := table.quality.assertions(table.checks):
            of_input["dataQualityAssertions"] = assertions
    return {**table.dataset.to_json(), "facets": facets, "inputFacets": of_input}


def _output(table: TableFacts, outcome: StepOutcome | None, moment: str) -> dict[str, Any]:
    facets, of_output = table_facets(table), dict[str, Any]()
    if table.partitions is not None and (which := condition(table.partitions, table.columns)):
        of_output["subset"] = {"outputCondition": which}
    if table.lineage is not None:
        facets["columnLineage"] = table.lineage.facet()
    if outcome is not None:
        of_output["outputStatistics"] = {"rowCount": outcome.rows}
        if table.quality is not None and table.quality.partitions:
            facets["dataQualityMetrics"] = table.quality.metrics(moment)
    return {**table.dataset.to_json(), "facets": facets, "outputFacets": of_output}


def _results(outcome: StepOutcome, table: TableFacts) -> dict[str, Any] | None:
    violations = dict(outcome.warnings)
    for problem in outcome.problems:
        if problem.check:
            violations[problem.check] = violations.get(problem.check, 0) + problem.violations
    return check_results(table.checks, violations, made=bool(outcome.written))


def _problems(outcome: StepOutcome) -> list[str]:
    messages = (problem.message for problem in outcome.problems)
    return alike_once(messages, outcome.step.asset, outcome.step.all_partitions.locations)


def instant(at: datetime) -> str:
    """The instant with milliseconds, since the events of a step can follow each other within a second."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
