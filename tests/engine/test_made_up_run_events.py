"""What is told of a run that is only made up: broken off, or of what cannot be told; and of columns and of code."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestration.core.lineage.columns import ColumnLineage, Edge, Sources
from orchestration.core.lineage.kinds import Kind
from orchestration.core.openlineage.naming import run_uuid
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.planning.plan import Plan
from orchestration.core.runs.outcome import Outcome, Problem, StepOutcome
from orchestration.core.state.table_state import TableState
from orchestration.engine.run_events import RunEvents
from orchestration.engine.workspace import Workspace
from resources.openlineage.facets import complete
from resources.openlineage.sender import Sent
from tests.support.openlineage_schemas import problems
from tests.support.river.filled import NOW, fill
from tests.support.river.lake import RiverLake

pytestmark = pytest.mark.engine


class Kept:
    """Keeps what is sent."""

    def __init__(self, lost: int = 0) -> None:
        self.events: list[dict[str, Any]] = []
        self.lost = lost

    def send(self, event: Any) -> None:
        self.events.append(complete(event))

    def close(self) -> Sent:
        return Sent(len(self.events) - self.lost, self.lost, "it answers 500")

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(event["job"]["name"], event["eventType"]) for event in self.events]


@pytest.fixture
def lake(tmp_path: Path, embedded: Any) -> Iterator[RiverLake]:
    rivers = fill(tmp_path)
    with rivers.service:
        yield RiverLake(tmp_path / "lake", embedded, rivers.service.url, now=NOW, rain=rivers.folder)


@pytest.fixture
def workspace(lake: RiverLake) -> Workspace:
    return lake.workspace


def planned(workspace: Workspace, selection: str = "bronze.gauge_readings or silver.levels") -> Plan:
    plan, _ = workspace.plan(workspace.requested(workspace.select(selection), "2025-03-01"))
    return plan


def events_of(workspace: Workspace, kept: Kept, **more: Any) -> tuple[RunEvents, list[str]]:
    told: list[str] = []
    return RunEvents(workspace, "run-1", "a title", "materialize", kept, told.append, **more), told


def with_tables(tables: Mapping[str, TableState]) -> Any:
    """What events ask of who runs steps."""
    return SimpleNamespace(tables=tables)


def ended(events: RunEvents, error: BaseException | None) -> None:
    events.end(None if error is None else type(error), error, None)


@pytest.mark.parametrize(
    ("error", "kind", "why"),
    [
        (KeyboardInterrupt(), "ABORT", "the run was interrupted"),
        (SystemExit(1), "ABORT", "the run was interrupted"),
        (RuntimeError("no engine"), "FAIL", "RuntimeError: no engine"),
    ],
)
def test_a_run_that_is_broken_off(workspace: Workspace, error: BaseException, kind: str, why: str) -> None:
    """A step that was under way and one that never ran are told as aborted, and what comes late is not told at all."""
    kept, plan = Kept(), planned(workspace)
    events, warned = events_of(workspace, kept)
    readings, levels = plan.steps
    events.begin(plan)
    events.step_started(readings)
    ended(events, error)
    events.step_done(StepOutcome(readings))
    assert kept.told == [
        ("materialize", "START"),
        ("bronze.gauge_readings", "START"),
        ("bronze.gauge_readings", "ABORT"),
        ("silver.levels", "START"),
        ("silver.levels", "ABORT"),
        ("materialize", kind),
    ]
    assert [event["run"]["facets"]["errorMessage"]["message"] for event in (kept.events[2], *kept.events[4:])] == [
        why
    ] * 3
    assert kept.events[4]["run"]["runId"] == run_uuid("run-1", levels.id)
    assert [wrong for event in kept.events for wrong in problems(event)] == []
    assert warned == []


def test_what_fails_as_the_run_ends_its_steps_was_aborted(workspace: Workspace) -> None:
    """What was done all the same is told; the others have ABORT alone, however they came to their end."""
    kept, plan = Kept(), planned(workspace)
    events, _ = events_of(workspace, kept)
    readings, levels = plan.steps
    events.begin(plan)
    for step in plan.steps:
        events.step_started(step)
    events.broken_off()
    events.step_done(StepOutcome(readings))
    events.step_done(StepOutcome(levels, problems=(Problem(Outcome.FAILED, levels.all_partitions, "it was ended"),)))
    ended(events, KeyboardInterrupt())
    assert kept.told[3:] == [
        ("bronze.gauge_readings", "COMPLETE"),
        ("silver.levels", "ABORT"),
        ("materialize", "ABORT"),
    ]


def test_a_run_whose_steps_did_not_all_run_has_failed(workspace: Workspace) -> None:
    kept, plan = Kept(), planned(workspace)
    events, _ = events_of(workspace, kept)
    events.begin(plan)
    ended(events, None)
    assert kept.told[-1] == ("materialize", "FAIL")
    assert kept.events[2]["run"]["facets"]["errorMessage"]["message"] == "the run ended before this step"


def test_a_step_that_was_skipped_has_failed(workspace: Workspace) -> None:
    kept, plan = Kept(), planned(workspace)
    events, _ = events_of(workspace, kept)
    events.begin(plan)
    for step in plan.steps:
        events.step_started(step)
        why = Problem(Outcome.SKIPPED, step.all_partitions, "its source failed", upstream="bronze.gauge_readings")
        events.step_done(StepOutcome(step, problems=(why,)))
    ended(events, None)
    assert [kind for _, kind in kept.told] == ["START", "START", "FAIL", "START", "FAIL", "FAIL"]


def test_what_is_lost_is_said_once(workspace: Workspace) -> None:
    events, warned = events_of(workspace, Kept(lost=1))
    events.begin(Plan((), ()))
    ended(events, None)
    assert warned == ["1 of 2 events of lineage did not arrive: it answers 500"]


def test_what_cannot_be_told_fails_nothing_and_is_said_once(workspace: Workspace) -> None:
    def no(_asset: str, _state: TableState) -> ColumnLineage | None:
        raise KeyError("columns")

    kept, plan = Kept(), planned(workspace)
    events, warned = events_of(workspace, kept, columns=no)
    events.runner = with_tables({key: TableState() for key in workspace.assets})
    events.begin(plan)
    for step in plan.steps:
        events.step_started(step)
        events.step_done(StepOutcome(step, written=PartitionSet.empty()))
    ended(events, None)
    assert warned == ["events of lineage could not be made (KeyError: 'columns')"]
    assert kept.told == [("materialize", "START"), ("materialize", "COMPLETE")]


def recorded(*columns: tuple[str, str, str], part: str) -> TableState:
    """The state of a table of whose columns it is recorded what each is, as it is, of another one."""
    lineage = ColumnLineage(
        {name: Sources(frozenset((Edge(of, column, Kind.IDENTITY),))) for name, of, column in columns}
    )
    return TableState(columns_of={part: json.dumps(lineage.to_json())})


def columns_told(event: dict[str, Any]) -> dict[str, set[tuple[str, str]]] | None:
    """Of each column that was written, the dataset and the column that it comes from."""
    [output] = event["outputs"]
    if "columnLineage" not in output["facets"]:
        return None
    fields = output["facets"]["columnLineage"]["fields"]
    return {name: {(one["name"], one["field"]) for one in of["inputFields"]} for name, of in fields.items()}


def test_where_columns_come_from_is_told_as_it_is_recorded(workspace: Workspace, lake: RiverLake) -> None:
    """Of the code of now alone; and of a fetched table, from what this step reads: it has no rows yet to keep."""
    plan, parts = planned(workspace), workspace.code_parts(workspace.assets)
    bronze, silver = "bronze.gauge_readings", "silver.levels"
    own, level = ("gauge_id", bronze, "gauge_id"), ("level_m", bronze, "level_m")
    tables = {
        bronze: recorded(("gauge_id", "gauges", "gauge"), part=parts[bronze]),
        silver: recorded(level, part=parts[silver]),
    }
    kept, at = Kept(), datetime(2025, 8, 20, 6, tzinfo=UTC)
    events, warned = events_of(workspace, kept, now=lambda: at)
    events.begin(plan)
    readings, levels = plan.steps
    events.step_started(readings)
    events.runner = with_tables(tables)
    events.step_done(StepOutcome(readings))
    events.step_done(StepOutcome(levels))
    events.runner = with_tables({bronze: recorded(own, part=parts[bronze]), silver: recorded(level, part="2:old")})
    events.step_done(StepOutcome(readings))
    events.step_done(StepOutcome(levels))
    assert warned == []
    assert [columns_told(event) for event in kept.events[1:]] == [
        None,
        {"gauge_id": {("gauges", "gauge")}},
        {"level_m": {(lake.uri(bronze), "level_m")}},
        {"gauge_id": set()},
        None,
    ]
    assert {event["eventTime"] for event in kept.events} == {"2025-08-20T06:00:00.000Z"}
    assert [wrong for event in kept.events for wrong in problems(event)] == []


def test_a_source_has_its_own_names_of_columns(workspace: Workspace) -> None:
    """As lineage ends with them."""
    kept, plan = Kept(), planned(workspace)
    events, _ = events_of(workspace, kept)
    events.begin(plan)
    events.step_started(plan.steps[0])
    [source] = kept.events[1]["inputs"]
    names = [one["name"] for one in source["facets"]["schema"]["fields"]]
    assert "gauge" in names
    assert "gauge_id" not in names


def test_where_code_is_said_to_be(workspace: Workspace, lake: RiverLake) -> None:
    lake.flags = {"openlineage": {"file": "x", "source_url": "https://git.example.org/lake/blob/{version}/{path}"}}
    kept = Kept()
    events, _ = events_of(lake.workspace, kept)
    plan = planned(workspace)
    events.begin(plan)
    events.step_started(plan.steps[0])
    code = kept.events[1]["job"]["facets"]["sourceCodeLocation"]
    assert code["url"] == f"https://git.example.org/lake/blob/{code['version']}/tests/support/river/tables.py"
