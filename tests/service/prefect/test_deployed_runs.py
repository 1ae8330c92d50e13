"""What a real Prefect server and worker do with what `aqi deploy` made: schedule, refuse, run, mark as crashed."""

from __future__ import annotations

import subprocess
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import requests

from tests.support.aqi_process import AQI
from tests.support.deploy_operator import MakeOperator

pytestmark = [pytest.mark.prefect, pytest.mark.timeout(240)]


def test_the_server_schedules_what_is_deployed(operator: MakeOperator) -> None:
    one = operator("runs")
    one.settings["deployments"] = {"hourly": {"schedules": {"hourly": {"timezone": "UTC"}}}}
    one.deploy("hourly")
    deadline = time.monotonic() + 60
    while not (runs := one.runs(one.one("hourly")["id"])):
        assert time.monotonic() < deadline, "no run was scheduled"
        time.sleep(0.5)
    assert {run["state_name"] for run in runs} == {"Scheduled"}
    assert all(run["expected_start_time"][14:19] == "00:00" for run in runs)
    assert all({"aqi", "aqi-environment:runs"} <= set(run["tags"]) for run in runs)


def test_a_run_with_unknown_or_wrong_parameters_is_refused_by_the_server(operator: MakeOperator) -> None:
    one = operator("strict")
    one.deploy("backfill")

    def run(*parameters: str) -> tuple[int, str]:
        call = [AQI.with_name("prefect"), "deployment", "run", "backfill/aqi-backfill-strict"]
        given = [word for text in parameters for word in ("--param", text)]
        done = subprocess.run(
            [*call, *given], env=one.server.env, capture_output=True, text=True, timeout=60, check=False
        )
        return done.returncode, " ".join((done.stdout + done.stderr).split())

    status, said = run("start_date=2024-01-01", "end_date=2024-12-31", 'locations=["hanoi"]', "chunk_mode=weekly")
    assert status == 0, said
    [made] = one.runs(one.one("backfill")["id"])
    assert made["parameters"] == {
        "start_date": "2024-01-01",
        "end_date": "2024-12-31",
        "locations": ["hanoi"],
        "chunk_mode": "weekly",
        "profile": str(one.folder / "profile.yml"),
    }
    assert run("start_date=2024-01-01", "end_date=2024-12-31", "locations=hanoi,hcmc")[0] == 0
    status, said = run("start_date=2024-01-01", "end_date=2024-12-31", "chunk_mode=yearly")
    assert status != 0
    assert "chunk_mode" in said
    place = f"{one.server.api_url}/deployments/{one.one('backfill')['id']}/create_flow_run"
    for wrong, why in (
        ({"start_date": "2024-01-01"}, "end_date"),
        ({"start_date": "20240101", "end_date": "2024-12-31"}, "start_date"),
        ({"start_date": "2024-01-01", "end_date": "2024-12-31", "chunks": "3"}, "chunks"),
        ({"start_date": "2024-01-01", "end_date": "2024-12-31", "chunk_mode": "yearly"}, "chunk_mode"),
    ):  # of the API itself, which needs no process
        answer = requests.post(place, json={"parameters": wrong}, timeout=60)
        assert 400 <= answer.status_code < 500, answer.text
        assert why in answer.text
    assert len(one.runs(one.one("backfill")["id"])) == 2


@pytest.mark.timeout(400)
def test_a_run_whose_heartbeat_ends_is_crashed(operator: MakeOperator) -> None:
    """And one of another environment, or that ended, is not. The heartbeats are made up: 290 seconds old, and younger
    ones where the server, under load, saw the one before only when the 300 seconds were over.

    A switched-off automation stays off, and is brought back to what is declared otherwise.
    """
    one = operator("pulse")
    one.deploy("--all")
    name = "aqi-pulse: runs without a heartbeat are crashed"
    [automation] = one.server.call("POST", "/automations/filter", {"automations": {"name": {"any_": [name]}}})
    flow = one.server.call("POST", "/flows/", {"name": "materialize"})["id"]
    tags = {"dead": "pulse", "foreign": "else", "ended": "pulse"}
    runs = {}
    for kind, environment in tags.items():
        body = {"flow_id": flow, "name": kind, "tags": ["aqi", f"aqi-environment:{environment}"]}
        runs[kind] = one.server.call("POST", "/flow_runs/", {**body, "state": {"type": "RUNNING"}})["id"]

    def beat(seconds_ago: int) -> None:
        occurred = (datetime.now(UTC) - timedelta(seconds=seconds_ago)).isoformat()
        beats = [
            {
                "id": str(uuid4()),
                "occurred": occurred,
                "event": "prefect.flow-run.heartbeat",
                "resource": {"prefect.resource.id": f"prefect.flow-run.{run}"},
                "related": [
                    {"prefect.resource.id": f"prefect.tag.{tag}", "prefect.resource.role": "tag"}
                    for tag in ("aqi", f"aqi-environment:{tags[kind]}")
                ],
            }
            for kind, run in runs.items()
        ]
        one.server.call("POST", "/events", beats)

    beat(290)
    one.server.call("POST", f"/flow_runs/{runs['ended']}/set_state", {"state": {"type": "COMPLETED"}, "force": True})

    def state(kind: str) -> tuple[str, str | None]:
        found = one.server.call("GET", f"/flow_runs/{runs[kind]}")["state"]
        return found["type"], found["message"]

    begin, later = time.monotonic(), [(40, 260), (120, 220)]
    while state("dead")[0] == "RUNNING":
        waited = time.monotonic() - begin
        assert waited < 240, "the run was not marked"
        if later and waited > later[0][0]:
            beat(later.pop(0)[1])
        time.sleep(0.5)
    assert state("dead") == ("CRASHED", "no heartbeat for 300 seconds: the process of the run is gone")
    assert state("foreign")[0] == "RUNNING"
    assert state("ended")[0] == "COMPLETED"
    alive_after_all = {"state": {"type": "COMPLETED"}}
    assert one.server.call("POST", f"/flow_runs/{runs['dead']}/set_state", alive_after_all)["status"] == "ACCEPT"

    changed = {key: automation[key] for key in ("name", "description", "tags", "trigger", "actions")}
    changed["trigger"]["within"] = 600
    one.server.call("PUT", f"/automations/{automation['id']}", {**changed, "enabled": False})
    assert [line.split("  ") for line in one.lines("--all")][1:] == [
        ["update automation", name, "trigger.within 600.0 → 300.0"]
    ]
    assert one.deploy("--all") == []
    assert not one.server.call("GET", f"/automations/{automation['id']}")["enabled"]


@pytest.mark.slow
def test_a_process_worker_runs_what_is_deployed(operator: MakeOperator) -> None:
    """The pool is one that Prefect's worker can use, and the entry point is found; the run is refused."""
    one = operator("worker")
    one.deploy("backfill")
    days = {"start_date": "2024-02-01", "end_date": "2024-01-01"}
    place = f"/deployments/{one.one('backfill')['id']}/create_flow_run"
    run = one.server.call("POST", place, {"parameters": days, "state": {"type": "SCHEDULED"}})
    call = [AQI.with_name("prefect"), "worker", "start", "--pool", "aqi-worker", "--run-once"]
    done = subprocess.run(call, env=one.server.env, capture_output=True, text=True, timeout=200, check=False)
    state = one.server.call("GET", f"/flow_runs/{run['id']}")["state"]
    assert state["type"] == "FAILED", done.stdout + done.stderr
    assert "end_date (2024-01-01) lies before start_date (2024-02-01)" in state["message"]
    assert one.server.call("GET", f"/flow_runs/{run['id']}")["name"] == "all tables · 2024-02-01..2024-01-01 · monthly"
    assert "Traceback" not in done.stdout + done.stderr, (
        "what went wrong is said, and not how Prefect's code came there"
    )
