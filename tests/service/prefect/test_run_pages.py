"""What Prefect's pages show of a run, read back from a server: one cause is one failure, the rest says whose."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from orchestration.cli.progress import Quiet
from orchestration.core.runs.outcome import RunSummary
from orchestration.engine.executor import materialize
from orchestration.engine.flow import MATERIALIZE, SAME_CAUSE, STEPS_ARTIFACT
from resources.prefect.quiet import TASK_RUNS, quiet_prefect
from resources.simulator.faults import parse_faults
from resources.simulator.server import Simulator
from tests.service.prefect.conftest import PrefectServer
from tests.support import oracle
from tests.support.small_lake import Lake

pytestmark = [pytest.mark.prefect, pytest.mark.engine, pytest.mark.timeout(240)]

NOW, QUIET = datetime(2025, 8, 20, 10, 30, tzinfo=UTC), Quiet(Console(quiet=True))
DAYS = "2025-08-06..2025-08-07"
TITLE = f"all tables · {DAYS}"
CLEAN, HOURLY, DAILY, TIME = "silver.air_quality_hourly_clean", oracle.FACT_HOURLY, oracle.CITY_DAILY, "gold.dim_time"
SELECTION = f"+{DAILY} or {TIME}"
HANOI = {"hanoi": (21.0278, 105.8342)}
ERROR = 40


@dataclass(frozen=True)
class Shown:
    """What a server has of a run. tasks: (type, name of the state, message) by name; errors: lines of tasks at that
    level."""

    summary: RunSummary
    flow: dict[str, Any]
    tasks: dict[str, tuple[str, str, str]]
    steps: dict[str, dict[str, Any]]
    logs: list[str]
    errors: int

    def of(self, kind: str) -> set[str]:
        """The tasks of a type of state."""
        return {name for name, (found, _, _) in self.tasks.items() if found == kind}


@pytest.fixture
def at_the_server(prefect_server: PrefectServer) -> Iterator[PrefectServer]:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    quiet_prefect()
    with temporary_settings({PREFECT_API_URL: prefect_server.api_url}):
        yield prefect_server


def shown(server: PrefectServer, embedded: Any, folder: Path, faults: str) -> Shown:
    """A run whose source goes wrong like this, as the server has it."""
    with Simulator(now=lambda: NOW, faults=parse_faults(faults, HANOI)) as api:
        lake = Lake(folder / "lake", embedded, api.url, now=NOW)
        workspace = lake.workspace
        request = workspace.requested(workspace.select(SELECTION), DAYS)
        summary = materialize(workspace, request, QUIET, title=TITLE, flow_name=MATERIALIZE, make_engine=embedded.make)
    of = {"flow_runs": {"id": {"any_": [summary.flow_run_id]}}}
    tasks = server.call("POST", "/task_runs/filter", {**of, "limit": 200})
    (artifact,) = server.call("POST", "/artifacts/filter", {**of, "artifacts": {"key": {"any_": [STEPS_ARTIFACT]}}})
    logs = server.call("POST", "/logs/filter", {"logs": {"flow_run_id": {"any_": [summary.flow_run_id]}}, "limit": 200})
    rows = json.loads(artifact["data"]) if isinstance(artifact["data"], str) else artifact["data"]
    return Shown(
        summary,
        server.call("GET", f"/flow_runs/{summary.flow_run_id}"),
        {one["name"]: (one["state"]["type"], one["state"]["name"], one["state"]["message"]) for one in tasks},
        {row["asset"]: row for row in rows},
        [one["message"] for one in logs],
        sum(one["level"] >= ERROR for one in logs if one["name"] == TASK_RUNS),
    )


def test_a_location_that_fails_is_one_failed_fetch_and_its_table(
    at_the_server: PrefectServer, embedded: Any, tmp_path: Path
) -> None:
    found = shown(at_the_server, embedded, tmp_path, "error@hanoi")
    assert found.flow["name"] == TITLE
    assert found.flow["state"]["type"] == "FAILED"
    cause, consequence = found.flow["state"]["message"].splitlines()
    assert cause.startswith(f"{oracle.BRONZE} {DAYS} × hanoi failed: ") and "HTTP 500" in cause
    assert consequence.startswith("  3 steps skipped, wholly or in part, because of it")

    assert found.of("FAILED") == {f"fetch hanoi · {DAYS}", oracle.BRONZE}
    assert found.of("COMPLETED") == {f"fetch danang · {DAYS}", f"fetch hcmc · {DAYS}", TIME}
    for key in (CLEAN, HOURLY, DAILY):
        kind, name, told = found.tasks[key]
        assert (kind, name) == ("CANCELLED", "PartlySkipped")
        assert told.startswith(f"2 skipped ({DAYS} × hanoi): {oracle.BRONZE} failed; 4 written ({DAYS} × danang, hcmc)")
    assert found.tasks[TIME][2] == "written, 24 rows"
    assert found.summary.outcomes[0].succeeded, "and what could be made was made"

    assert found.steps[DAILY]["why"] == f"{oracle.BRONZE} failed"
    assert "HTTP 500" in found.steps[oracle.BRONZE]["why"]
    assert next(iter(found.steps)) == oracle.BRONZE, "causes first"
    assert found.steps[TIME]["why"] == "1 missing"
    said = "\n".join(found.logs)
    assert "Traceback" not in said and "NoneType" not in said
    assert found.errors == len(found.of("FAILED")), found.logs


def test_one_cause_of_all_locations_is_one_failed_fetch(
    at_the_server: PrefectServer, embedded: Any, tmp_path: Path
) -> None:
    """Of a request that nobody answers; what depends on it is skipped, and the rest is made."""
    found = shown(at_the_server, embedded, tmp_path, "drop")
    fetches = {name: state for name, state in found.tasks.items() if name.startswith("fetch ")}
    assert sorted((kind, name) for kind, name, _ in fetches.values()) == [
        ("CANCELLED", SAME_CAUSE),
        ("CANCELLED", SAME_CAUSE),
        ("FAILED", "Failed"),
    ]
    (first,) = (name for name, state in fetches.items() if state[0] == "FAILED")
    assert all(
        told.endswith(f"(the same cause as {first})") for kind, _, told in fetches.values() if kind == "CANCELLED"
    )
    assert found.of("FAILED") == {first, oracle.BRONZE}
    assert {found.tasks[key][:2] for key in (CLEAN, HOURLY, DAILY)} == {("CANCELLED", "Skipped")}
    assert found.tasks[DAILY][2] == f"6 skipped ({DAYS} × danang, hanoi, hcmc): {oracle.BRONZE} failed"
    assert found.tasks[TIME][0] == "COMPLETED"
    assert "more like it" not in found.tasks[oracle.BRONZE][2]
