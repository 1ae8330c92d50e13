"""Prefect's server is started again while a deployed run goes on, which has a slot and its lease: real processes."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from resources.machine.processes import end_with_parent
from resources.prefect import leases
from resources.simulator.server import Simulator
from resources.storage.lock import WarehouseLock
from tests.service.prefect.conftest import PrefectServer
from tests.support.aqi_process import AQI, Commands
from tests.support.deploy_operator import MakeOperator, Operator
from tests.support.prefect_site import wait_until
from tests.support.scripted_api import Reply, _Api

pytestmark = [pytest.mark.prefect, pytest.mark.timeout(300)]

RENEWED_AFTER = 0.005
"""Of a lease's 300 s; Prefect's own share is three quarters."""
RUN = f"""
import runpy
from prefect.concurrency import _leases
_leases._RENEWAL_FRACTION = {RENEWED_AFTER}
runpy.run_module("prefect.engine", run_name="__main__")
"""


class Deployed:
    """A deployment whose runs hold a slot, on a warehouse of its own; each is a process as a worker starts it."""

    def __init__(self, operator: Operator, **settings: Any) -> None:
        self.operator, self.server = operator, operator.server
        self.warehouse = operator.folder / "warehouse"
        operator.settings = {"warehouse": {"uri": str(self.warehouse)}, "engine": "embedded", **settings}
        done = operator.process("hourly")
        assert done.returncode == 0, done.stderr
        self.deployment = operator.one("hourly")["id"]
        self.log = operator.folder / "run.log"

    def run(self) -> str:
        """A run, which a worker has taken; gives its id."""
        run = self.scheduled()
        self.bring(run, "PENDING")
        return run

    def scheduled(self) -> str:
        """A run, for a worker to take."""
        body = {"parameters": {"selection": "gold.dim_time", "hourly": False}, "state": {"type": "SCHEDULED"}}
        return str(self.server.call("POST", f"/deployments/{self.deployment}/create_flow_run", body)["id"])

    def bring(self, run: str, state: str) -> None:
        self.server.call("POST", f"/flow_runs/{run}/set_state", {"state": {"type": state}})

    def state(self, run: str) -> dict[str, Any]:
        found: dict[str, Any] = self.server.call("GET", f"/flow_runs/{run}")["state"]
        return found

    @property
    def taken(self) -> int:
        limit = self.server.call("GET", f"/deployments/{self.deployment}")["global_concurrency_limit"]
        return int(limit["active_slots"])

    @contextmanager
    def process(self, run: str, **more: str) -> Iterator[subprocess.Popen[bytes]]:
        env = {**self.server.env, "PREFECT__FLOW_RUN_ID": run, "XDG_STATE_HOME": str(self.operator.folder)}
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", RUN],
                env={**env, "AQI_PROFILE": str(self.operator.profile), **more},
                stdout=log,
                stderr=log,
                preexec_fn=end_with_parent,
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def named(self, run: str) -> str:
        return str(self.server.call("GET", f"/flow_runs/{run}")["name"])

    def watched(self) -> str:
        """What a look of `aqi watch` says on standard error."""
        return subprocess.run(
            [AQI, "watch", "--once", "--profile", str(self.operator.profile)],
            env={**self.server.env, "XDG_STATE_HOME": str(self.operator.folder)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        ).stderr

    def worker_log(self) -> str:
        return (self.operator.folder / "worker.log").read_text()

    def logged(self, run: str) -> list[str]:
        body = {"logs": {"flow_run_id": {"any_": [run]}}, "limit": 200}
        return [line["message"] for line in self.server.call("POST", "/logs/filter", body)]


@pytest.fixture
def deployed(operator: MakeOperator, request: pytest.FixtureRequest) -> Deployed:
    return Deployed(operator(request.node.name.removeprefix("test_").replace("_", "-")[:40]))


@pytest.fixture
def other(operator: MakeOperator) -> Deployed:
    """In another environment: a run that a worker took keeps its slot, and the worker is gone with its machine."""
    return Deployed(operator("of-a-dead-machine"))


@contextmanager
def held(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with WarehouseLock(folder, "the-backfill", "2025-08-20T06:00:00Z", 0):
        yield


def test_a_run_goes_on_through_a_restart_and_one_that_never_began_loses_its_slot(
    deployed: Deployed, other: Deployed, prefect_server: PrefectServer
) -> None:
    """The first waits for the warehouse meanwhile, for longer than Prefect tries to renew its lease."""
    run, lost = deployed.run(), other.run()
    with ExitStack() as ends:
        holder = ends.enter_context(ExitStack())
        holder.enter_context(held(deployed.warehouse))
        process = ends.enter_context(deployed.process(run))
        wait_until(lambda: any("in use by" in line for line in deployed.logged(run)), 60, deployed.log.read_text)
        prefect_server.stop()
        prefect_server.start()
        wait_until(lambda: leases.LOST in deployed.logged(run), 30, deployed.log.read_text)
        assert process.poll() is None
        assert deployed.taken == 1  # what the server's database knows of the slot outlives it
        holder.close()
        assert process.wait(60) == 0
    assert deployed.state(run)["type"] == "COMPLETED", deployed.state(run)
    assert deployed.taken == 0
    assert other.taken == 1
    wait_until(lambda: f"run {other.named(lost)} ({lost}): taken by a worker" in other.watched(), 60, lambda: "")
    assert other.state(lost)["type"] == "CRASHED"
    assert "aqi watch freed its slot" in other.state(lost)["message"]
    assert other.taken == 0


IMPATIENT = {"PREFECT_CLIENT_MAX_RETRIES": "0"}
"""Prefect's own attempts to reach its server last a minute; so they end at once, as after a longer absence."""


@pytest.mark.slow
def test_a_deployed_run_whose_server_is_away_at_its_end_tells_it_when_it_is_back(
    deployed: Deployed, prefect_server: PrefectServer
) -> None:
    run = deployed.run()
    with ExitStack() as ends:
        holder = ends.enter_context(ExitStack())
        holder.enter_context(held(deployed.warehouse))
        process = ends.enter_context(deployed.process(run, **IMPATIENT))
        wait_until(lambda: any("in use by" in line for line in deployed.logged(run)), 90, deployed.log.read_text)
        prefect_server.stop()
        holder.close()
        try:
            wait_until(lambda: "is away; the work is done" in deployed.log.read_text(), 90, deployed.log.read_text)
            assert process.poll() is None
        finally:
            prefect_server.start()
        assert process.wait(90) == 0, deployed.log.read_text()
    assert deployed.state(run)["type"] == "COMPLETED", deployed.state(run)
    assert deployed.taken == 0


class Gated(_Api):
    """The simulator's answers, once the gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.gate = threading.Event(), threading.Event()

    def reply(self, path: str) -> Reply:
        self.asked.set()
        self.gate.wait(120)
        with Simulator(now=lambda: datetime(2025, 8, 20, 6, tzinfo=UTC)) as simulator:
            status, document = simulator.answer(urlsplit(path).query)
        document.pop("simulated")  # it does not say so when it is asked for its kind
        return status, {}, json.dumps(document).encode()


@pytest.mark.slow
def test_a_command_whose_server_is_away_at_its_end_has_done_its_work(
    prefect_server: PrefectServer, tmp_path: Path
) -> None:
    """It says so, and its exit status is that of the work; the server shows a run that goes on."""
    with Gated() as api:
        clock = {"AQI_CLOCK__NOW": "2025-08-20T06:00:00Z", "AQI_OPEN_METEO__READ_TIMEOUT_SECONDS": "120"}
        aqi = Commands(tmp_path, tmp_path / "lake", api.url, {**clock, **IMPATIENT})
        aqi.environment["PREFECT_API_URL"] = prefect_server.api_url
        call = ("materialize", "bronze.open_meteo_hourly", "--partitions", "2025-08-18", "--locations", "hanoi")
        run = subprocess.Popen(
            [AQI, *call, "--json"], env=aqi.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            assert api.asked.wait(120)
            prefect_server.stop()
            api.gate.set()
            out, err = run.communicate(timeout=120)
        finally:
            run.kill()
            prefect_server.start()
    assert run.returncode == 0, err
    assert [step["state"] for step in json.loads(out)["steps"]] == ["written"]
    assert "Prefect's server does not answer: it does not know how this run ended. What was made is made." in err
    assert "prefect" not in err  # nothing of Prefect's own


@pytest.mark.slow
def test_a_run_that_went_with_its_machine_loses_its_slot_after_a_restart(
    operator: MakeOperator, prefect_server: PrefectServer
) -> None:
    """It has begun, and the server is started again before its heartbeats have been missing for long enough.

    The heartbeat is made up: 280 seconds old.
    """
    lost = Deployed(operator("went"))
    assert lost.operator.process("--all").returncode == 0
    run = lost.run()
    lost.bring(run, "RUNNING")
    tags = ("aqi", "aqi-environment:went")
    beat = {
        "id": str(uuid4()),
        "occurred": (datetime.now(UTC) - timedelta(seconds=280)).isoformat(),
        "event": "prefect.flow-run.heartbeat",
        "resource": {"prefect.resource.id": f"prefect.flow-run.{run}"},
        "related": [{"prefect.resource.id": f"prefect.tag.{tag}", "prefect.resource.role": "tag"} for tag in tags],
    }
    lost.server.call("POST", "/events", [beat])
    time.sleep(5)  # it is written down meanwhile
    assert (lost.state(run)["type"], lost.taken) == ("RUNNING", 1)
    prefect_server.stop()
    prefect_server.start()
    wait_until(lambda: lost.state(run)["type"] == "CRASHED", 120, lambda: lost.state(run))
    assert lost.state(run)["message"] == "no heartbeat for 300 seconds: the process of the run is gone"
    assert lost.taken == 0
