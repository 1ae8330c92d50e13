"""What a receiver on 127.0.0.1 is told by real runs, of the rivers on the embedded engine; and one that is not well."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from orchestration.cli.progress import Quiet
from orchestration.core.errors import ConfigurationError
from orchestration.core.openlineage.naming import run_uuid
from orchestration.core.runs.outcome import RunSummary
from orchestration.engine import run_events
from orchestration.engine.backfill import backfill_request
from orchestration.engine.executor import materialize
from resources.openlineage.sender import Sender, Sent
from tests.support.lineage_receiver import Receiver, columns_agree, steps_in_order
from tests.support.openlineage_schemas import problems
from tests.support.river.filled import NOW, RANGE, fill
from tests.support.river.lake import RiverLake, Rivers

pytestmark = [pytest.mark.engine, pytest.mark.prefect]

SLACK_SECONDS = 10
"""What a busy machine may add."""
KEY = "s3cret-of-the-receiver"


class Warned(Quiet):
    """Keeps what a run warns of."""

    def __init__(self) -> None:
        super().__init__(Console(quiet=True))
        self.told: list[str] = []

    def warned(self, message: str) -> None:
        self.told.append(message)


@pytest.fixture
def rivers(tmp_path: Path) -> Iterator[Rivers]:
    found = fill(tmp_path)
    with found.service:
        yield found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def lake(tmp_path: Path, embedded: Any, rivers: Rivers, receiver: Receiver) -> RiverLake:
    made = RiverLake(tmp_path / "lake", embedded, rivers.service.url, now=NOW, rain=rivers.folder)
    made.flags = {"openlineage": {"url": receiver.url, "api_key": KEY, "namespace": "rivers", "timeout_seconds": 60}}
    return made


@pytest.fixture(autouse=True)
def _prefect(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from prefect.context import refresh_global_settings_context

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_API_URL", server)
        refresh_global_settings_context()
        yield
    refresh_global_settings_context()


def run(lake: RiverLake, listener: Quiet, selection: str = "*", days: str = RANGE) -> RunSummary:
    """As the command does it, with Prefect and the lock."""
    workspace = lake.workspace
    request = workspace.requested(workspace.select(selection), days)
    return materialize(workspace, request, listener, title=f"{selection} {days}", make_engine=lake.shared.make)


def by_step(receiver: Receiver, summary: RunSummary) -> dict[str, list[dict[str, Any]]]:
    """The events of each step, by its id."""
    ids = {run_uuid(summary.run_id, step.id): step.id for step in summary.plan.steps}
    found: dict[str, list[dict[str, Any]]] = {step.id: [] for step in summary.plan.steps}
    for event in receiver.events:
        if event["run"]["runId"] in ids:
            found[ids[event["run"]["runId"]]].append(event)
    return found


def test_a_run_tells_of_itself_and_of_each_of_its_steps_in_order(lake: RiverLake, receiver: Receiver) -> None:
    listener = Warned()
    summary = run(lake, listener)
    assert summary.ok, summary.in_words()
    assert [line for line in listener.told if "There is no warehouse" not in line] == []
    assert [wrong for event in receiver.events for wrong in problems(event)] == []
    assert set(receiver.keys) == {f"Bearer {KEY}"}

    assert steps_in_order(receiver.events, summary.to_json()) == []
    first = receiver.events[0]
    assert (first["job"]["name"], first["run"]["runId"]) == ("materialize", run_uuid(summary.run_id))

    steps = by_step(receiver, summary)
    outcomes = {outcome.step.id: outcome for outcome in summary.outcomes}
    for step in summary.plan.steps:
        start, done = steps[step.id]
        assert start["run"]["facets"]["parent"]["run"]["runId"] == run_uuid(summary.run_id)
        [output] = done["outputs"]
        outcome = outcomes[step.id]
        assert output["name"] == str(lake.folder / step.asset.replace(".", "/"))
        assert output["outputFacets"]["outputStatistics"]["rowCount"] == outcome.rows
        assert output["facets"]["version"]["datasetVersion"] == str(outcome.version)
        assert output["facets"]["dataQualityMetrics"]["rowCount"] == outcome.rows
        tests = done["run"]["facets"]["test"]["tests"]
        assert {one["name"] for one in tests if one["status"] == "fail"} == set(outcome.warnings)
        versions = {one["name"]: one["facets"].get("version", {}).get("datasetVersion") for one in done["inputs"]}
        for item in step.inputs:
            name = lake.uri(item.asset)
            wanted = item.version if item.step is None else outcomes[item.step].version
            assert versions[name] == str(wanted)


def test_what_is_said_of_partitions_sources_and_code(lake: RiverLake, receiver: Receiver) -> None:
    summary = run(lake, Warned())
    steps = by_step(receiver, summary)
    [fetched] = [step for step in summary.plan.steps if step.asset == "bronze.gauge_readings"]
    event = steps[fetched.id][1]
    [source] = event["inputs"]
    assert (source["namespace"], source["name"]) == (lake.base_url, "gauges")
    listed = event["outputs"][0]["outputFacets"]["subset"]["outputCondition"]["partitions"]
    assert {one["identifier"] for one in listed} == set(fetched.all_partitions.keys())
    nominal = event["run"]["facets"]["nominalTime"]
    assert nominal["nominalStartTime"] == "2025-03-01T00:00:00.000Z"
    assert nominal["nominalEndTime"] == "2025-03-05T00:00:00.000Z"
    code = event["job"]["facets"]["sourceCodeLocation"]
    assert code["path"] == "tests/support/river/tables.py"
    [levels] = [step for step in summary.plan.steps if step.asset == "silver.levels"]
    [read] = steps[levels.id][1]["inputs"]
    assert read["facets"]["dataQualityMetrics"]["rowCount"] > 0
    assert read["inputFacets"]["dataQualityAssertions"]["assertions"][0]["assertion"] == "not_null"


def test_where_columns_come_from_is_what_was_read(lake: RiverLake, receiver: Receiver) -> None:
    """From the run on that records it; of a fetched table also its own rows, once it has some to keep."""
    recorded_by = run(lake, Warned(), days="2025-03-01")
    later = run(lake, Warned(), days="2025-03-01..2025-03-02")
    assert recorded_by.ok
    assert later.ok
    done = [event for event in receiver.events if event["eventType"] == "COMPLETE" and event["outputs"]]
    assert len(done) == len(recorded_by.plan.steps) + len(later.plan.steps)
    assert [wrong for event in done for wrong in columns_agree(event)] == []
    [levels] = [event for event in done[: len(recorded_by.plan.steps)] if event["job"]["name"] == "silver.levels"]
    facet = levels["outputs"][0]["facets"]["columnLineage"]
    assert {one["name"] for one in facet["fields"]["gauge_id"]["inputFields"]} == {lake.uri("bronze.gauge_readings")}
    assert {way["type"] for one in facet["dataset"] for way in one["transformations"]} == {"INDIRECT"}


def test_a_backfill_reads_each_table_once_however_many_chunks_wrote_it(lake: RiverLake, receiver: Receiver) -> None:
    workspace = lake.workspace
    first, last = date(2025, 3, 1), date(2025, 3, 3)
    request = backfill_request(workspace, workspace.select("*"), first, last, "daily", restart=False)
    summary = materialize(workspace, request, Warned(), title="", flow_name="backfill", make_engine=lake.shared.make)
    assert summary.ok, summary.in_words()
    assert receiver.of("backfill") == ["START", "COMPLETE"]
    assert receiver.of("bronze.gauge_readings").count("COMPLETE") == 3
    assert [wrong for event in receiver.events for wrong in problems(event)] == []
    for event in receiver.events:
        names = [one["name"] for one in event["inputs"]]
        assert len(names) == len(set(names)), event["job"]["name"]
    [levels] = [
        one for one in receiver.events if (one["job"]["name"], one["eventType"]) == ("silver.levels", "COMPLETE")
    ]
    [read] = levels["inputs"]
    assert read["facets"]["version"]["datasetVersion"] == "3"
    assert len(read["inputFacets"]["subset"]["inputCondition"]["partitions"]) == 9


def test_a_second_run_that_has_nothing_to_do_tells_nothing(lake: RiverLake, receiver: Receiver) -> None:
    run(lake, Warned())
    before = len(receiver.events)
    assert run(lake, Warned()).plan.is_empty
    assert len(receiver.events) == before


def test_a_source_that_fails_is_told_as_the_summary_has_it(lake: RiverLake, rivers: Rivers, receiver: Receiver) -> None:
    lake.base_url = "http://127.0.0.1:9"
    summary = run(lake, Warned())
    assert not summary.ok
    assert [wrong for event in receiver.events for wrong in problems(event)] == []
    steps = by_step(receiver, summary)
    for outcome in summary.outcomes:
        start, end = steps[outcome.step.id]
        assert (start["eventType"], end["eventType"]) == ("START", "FAIL" if outcome.not_made else "COMPLETE")
        assert ("errorMessage" in end["run"]["facets"]) is bool(outcome.not_made)
    last = receiver.events[-1]
    assert (last["eventType"], last["job"]["name"]) == ("FAIL", "materialize")
    assert "bronze.gauge_readings" in last["run"]["facets"]["errorMessage"]["message"]


class TimedSender(Sender):
    """Measures how long a run waits for it."""

    seconds = 0.0

    def send(self, event: Mapping[str, Any]) -> None:
        with self._timed():
            super().send(event)

    def close(self) -> Sent:
        with self._timed():
            return super().close()

    @contextmanager
    def _timed(self) -> Iterator[None]:
        began = time.monotonic()
        yield
        TimedSender.seconds += time.monotonic() - began


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("down", "it cannot be reached"),
        ("slow", "no answer within 1 s"),
        ("500", "it answers 500"),
        ("endless", "no answer within 1 s"),
    ],
)
def test_a_receiver_that_is_not_well_fails_no_run_and_holds_none_up(
    lake: RiverLake, receiver: Receiver, how: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.status = 500 if how == "500" else 201
    receiver.delay_seconds = 60 if how == "slow" else 0
    receiver.endless = how == "endless"
    if how == "down":
        receiver.stop()
    told = Warned()
    lake.flags = {"openlineage": {"url": receiver.url, "timeout_seconds": 1}}
    monkeypatch.setattr(run_events, "Sender", TimedSender)
    monkeypatch.setattr(TimedSender, "seconds", 0.0)
    summary = run(lake, told, days="2025-03-02")
    assert summary.ok
    assert TimedSender.seconds < 1 + SLACK_SECONDS
    count = 2 * len(summary.plan.steps) + 2
    assert told.told[1:] == [f"{count} of {count} events of lineage did not arrive: {why}"]
    assert receiver.events == []


def test_into_a_file(lake: RiverLake, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    lake.flags = {"openlineage": {"file": str(file)}}
    summary = run(lake, Warned(), days="2025-03-01")
    events = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert len(events) == 2 * len(summary.plan.steps) + 2
    assert [wrong for event in events for wrong in problems(event)] == []


def test_what_is_wrong_on_this_side_is_told_before_work(lake: RiverLake, tmp_path: Path) -> None:
    lake.flags = {"openlineage": {"file": str(tmp_path / "no" / "events.jsonl")}}
    with pytest.raises(ConfigurationError, match=r"openlineage\.file: .* has no folder"):
        run(lake, Warned())
    assert not lake.folder.exists()
