"""The events of a run and of its steps, as OpenLineage wants them: plain values, ready to be sent.

A run of ours is a run of the job that is called as its flow is (``materialize``); each step is a run of the job that is
called as its asset is, a child of it. Each has a START and one of COMPLETE, FAIL and ABORT, and the last says all that
the first did.

What is told of data stands where the specification puts it: metrics of a table with the table, results of the checks
that a step made with its run (``test``), and what is recorded of the checks of a table with whoever reads it
(``dataQualityAssertions``, a facet of inputs alone). Which partitions is a facet of both (``subset``).

``_producer`` and ``_schemaURL``, which every facet has, are put in where events are sent: they are those of the client.
Must not know: how they are sent, and the clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from orchestration.core.declarations.contract import Contract
from orchestration.core.openlineage.columns import ToldColumns
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
"""Of an error message."""


class EventType(StrEnum):
    """What became of a run."""

    START = "START"
    COMPLETE = "COMPLETE"
    FAIL = "FAIL"
    ABORT = "ABORT"


Period = tuple[datetime, datetime]
"""From its first instant to the first one after it."""


@dataclass(frozen=True, slots=True)
class SourceCode:
    """Where a function stands. url: of its file. version: of the repository, as git has it."""

    url: str
    path: str
    version: str


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What all events of a run have in common.

    job: its name; namespace: of it and of the jobs of its steps. title: of the run, for people.
    engine, engine_version: what makes rows; version: of this package.
    """

    run_id: str
    job: str
    namespace: str
    title: str
    engine: str
    engine_version: str
    version: str


@dataclass(frozen=True, slots=True)
class StepFacts:
    """What is known of a step before it runs. period: that its partitions cover, None without any."""

    step: Step
    description: str
    period: Period | None = None
    code: SourceCode | None = None


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A table or a source, as a step reads or writes it.

    contract: what its columns are; None where that is not known. stored: whether it is a table of ours, not a source.
    version: of the table. columns: those that say of which partition a row is, None without partitions. partitions:
    those that are read or written, None where that is not known. quality: of these partitions; checks: of the table.
    lineage: of what is written.
    """

    dataset: Dataset
    contract: Contract | None = None
    stored: bool = True
    version: int | None = None
    columns: PartitionColumns | None = None
    partitions: PartitionSet | None = None
    quality: Quality | None = None
    checks: tuple[DeclaredCheck, ...] = ()
    lineage: ToldColumns | None = None


def run_event(kind: EventType, at: datetime, run: RunFacts, period: Period | None, error: str = "") -> dict[str, Any]:
    """An event of a run as a whole. period: that all its steps cover. error: why it failed, or was broken off."""
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
    """An event of a step. outcome: of one that ended by itself; what it wrote is told of ``writes``.

    error: why it was broken off; the problems of the outcome are told anyway.
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
    """COMPLETE where all that was asked for is right now; one that was skipped failed as well, as in the summary."""
    return EventType.FAIL if outcome.bad else EventType.COMPLETE


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
    """A job with its facets. kind: ``DAG``, or a ``TASK`` of one."""
    facets: dict[str, Any] = {"jobType": {"processingType": "BATCH", "integration": INTEGRATION, "jobType": kind}}
    if description:
        facets["documentation"] = {"description": description}
    if code is not None:
        facets["sourceCodeLocation"] = {"type": "git", **_of_code(code)}
    return {"namespace": namespace, "name": name, "facets": facets}


def _of_code(code: SourceCode) -> dict[str, str]:
    return {"url": code.url, "path": code.path, **({"version": code.version} if code.version else {})}


def table_facets(table: TableFacts) -> dict[str, Any]:
    """The facets that say what a dataset is, read or written."""
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
    told = (problem.message for problem in outcome.problems)
    return alike_once(told, outcome.step.asset, outcome.step.all_partitions.locations)


def instant(at: datetime) -> str:
    """With milliseconds: events of a step follow each other in less than a second."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
