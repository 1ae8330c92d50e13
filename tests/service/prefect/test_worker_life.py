"""A worker's beginning and end, however it was started: what a dead one left is freed, and nothing of it stays."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

import psutil
import pytest

from orchestration.core.alerts.incident_words import LateRun, about_late
from resources.prefect import leases
from resources.storage.lock import WarehouseLock
from tests.service.prefect.test_server_restarts import Deployed, held
from tests.support.aqi_process import AQI, ROOT
from tests.support.deploy_operator import MakeOperator
from tests.support.prefect_site import wait_until

pytestmark = [pytest.mark.prefect, pytest.mark.timeout(300)]

END_SECONDS = 30


@pytest.fixture
def deployed(operator: MakeOperator, request: pytest.FixtureRequest) -> Deployed:
    name = request.node.name.removeprefix("test_").replace("_", "-").replace("[", "-").rstrip("]")
    return Deployed(operator(name[:40].rstrip("-")))


@contextmanager
def worker(deployed: Deployed, how: str = "{aqi}") -> Iterator[psutil.Process]:
    """`aqi worker start`, called from a shell that runs a script. how: the line of the script, with {aqi}."""
    log = deployed.operator.folder / "worker.log"
    call = shlex.join([str(AQI), "worker", "start", "--profile", str(deployed.operator.profile)])
    env = {**deployed.server.env, "PREFECT_WORKER_QUERY_SECONDS": "1", "XDG_STATE_HOME": str(deployed.operator.folder)}
    script = f"{how.format(aqi=call)} >>{shlex.quote(str(log))} 2>&1 &\necho $!"
    done = subprocess.run(
        ["sh", "-c", script], env=env, cwd=deployed.operator.folder, stdout=subprocess.PIPE, text=True, check=True
    )
    process = psutil.Process(int(done.stdout))
    try:
        wait_until(lambda: "started!" in log.read_text() or not process.is_running(), 120, log.read_text)
        yield process
    finally:
        if process.is_running():
            for one in [*process.children(recursive=True), process]:
                one.kill()


@pytest.mark.parametrize(
    ("how", "number"),
    [
        pytest.param("{aqi}", signal.SIGTERM, id="background-term"),
        pytest.param("{aqi}", signal.SIGINT, id="background-int", marks=pytest.mark.slow),
        pytest.param("nohup {aqi}", signal.SIGTERM, id="nohup-term", marks=pytest.mark.slow),
        pytest.param("setsid {aqi}", signal.SIGINT, id="setsid-int", marks=pytest.mark.slow),
        pytest.param("(trap '' INT TERM; exec {aqi})", signal.SIGTERM, id="ignored-term", marks=pytest.mark.slow),
    ],
)
def test_a_worker_ends_with_its_run(deployed: Deployed, how: str, number: int) -> None:
    """And frees, before that, the slot of a run that a dead one took; across a restart of the server where it is slow.

    What is left is no process, no lock and no slot.
    """
    lost = deployed.run()  # a worker took it, and died
    with ExitStack() as ends:
        ends.enter_context(held(deployed.warehouse))
        process = ends.enter_context(worker(deployed, how))
        wait_until(lambda: deployed.state(lost)["type"] == "CRASHED", 90, deployed.worker_log)
        assert "it never began: the worker that took it is gone" in deployed.state(lost)["message"]
        assert f"{lost}): taken by a worker" in deployed.worker_log()
        run = deployed.scheduled()
        wait_until(lambda: any("in use by" in line for line in deployed.logged(run)), 90, deployed.worker_log)
        below = process.children(recursive=True)
        assert below
        os.kill(process.pid, number)
        _gone, left = psutil.wait_procs([process, *below], END_SECONDS)
        assert not left, deployed.worker_log()
    assert deployed.state(run)["type"] == "CRASHED"
    assert "termination signal" in deployed.state(run)["message"]
    assert deployed.taken == 0
    with WarehouseLock(deployed.warehouse, "the-next", "2025-08-20T06:00:00Z", 0):
        pass


UNIT = ROOT / "docs" / "OPERATIONS.md"


def unit() -> dict[str, str]:
    """The [Service] section of the unit in docs/OPERATIONS.md."""
    text = UNIT.read_text(encoding="utf-8").split("[Unit]", 1)[1].split("```", 1)[0]
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["worker", "watch"])
def test_the_units_of_the_runbook(deployed: Deployed, what: str) -> None:
    """Started as systemd does: its command, an environment of its own, no terminal, a session; and stopped so."""
    of = unit()
    folder = deployed.operator.folder
    command = shlex.split(of["ExecStart"].replace(f"{of['WorkingDirectory']}/.venv/bin/aqi", str(AQI)))
    command = [str(deployed.operator.profile) if word == "yarn" else word for word in command]
    if what == "watch":  # "the watch likewise with `aqi watch`"
        command = [str(AQI), "watch", *command[3:]]
    given = dict(one.split("=", 1) for one in shlex.split(of["Environment"]))
    given |= {"PREFECT_API_URL": deployed.server.api_url}
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    hooks = {"AQI_ALERTS__WEBHOOKS": '{"team": {"url": "http://127.0.0.1:9/", "form": "json"}}'}
    env = {**kept, **given, "HOME": str(folder), **(hooks if what == "watch" else {})}
    log = folder / "unit.log"
    with log.open("wb") as output:
        process = psutil.Popen(
            command, env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    begun = {"worker": "started!", "watch": "looks every 60 s"}[what]
    try:
        wait_until(lambda: begun in log.read_text() or process.poll() is not None, 60, log.read_text)
        assert process.poll() is None, log.read_text()
        below = process.children(recursive=True)
        process.send_signal(signal.SIGTERM)
        _gone, left = psutil.wait_procs([process, *below], END_SECONDS)
        assert not left, log.read_text()
        assert process.returncode in (0, -signal.SIGTERM)  # both are a clean end to systemd
    finally:
        if process.is_running():
            process.kill()
    assert float(of["TimeoutStopSec"]) > END_SECONDS


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_watch_ends_that_a_script_started(deployed: Deployed, number: int) -> None:
    log = deployed.operator.folder / "watch.log"
    hooks = {"AQI_ALERTS__WEBHOOKS": '{"team": {"url": "http://127.0.0.1:9/", "form": "json"}}'}
    call = shlex.join([str(AQI), "watch", "--profile", str(deployed.operator.profile)])
    done = subprocess.run(
        ["sh", "-c", f"{call} >{shlex.quote(str(log))} 2>&1 & echo $!"],
        env={**deployed.server.env, **hooks, "XDG_STATE_HOME": str(deployed.operator.folder)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    process = psutil.Process(int(done.stdout))
    wait_until(lambda: "looks every" in log.read_text(), 60, log.read_text)
    os.kill(process.pid, number)
    _gone, left = psutil.wait_procs([process], END_SECONDS)
    assert not left


@pytest.mark.slow
def test_what_the_alert_says_frees_the_slot(deployed: Deployed) -> None:
    """Of a run that is late and that a worker took: its command, literally; across a restart of the server."""
    lost = deployed.run()
    late = LateRun(lost, "lost", "materialize/aqi-hourly", datetime.now(UTC), taken=True)
    (command,) = (line.removeprefix("Go on: ") for line in about_late([late]).splitlines() if line.startswith("Go on"))
    deployed.server.stop()
    deployed.server.start()
    assert deployed.taken == 1
    words = shlex.split(command)
    done = subprocess.run(
        [str(AQI.with_name(words[0])), *words[1:]],
        env=deployed.server.env,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    wait_until(lambda: deployed.taken == 0, 30, lambda: deployed.state(lost))


@pytest.mark.slow
def test_a_cancellation_that_nobody_completes_frees_the_slot(deployed: Deployed) -> None:
    run = deployed.run()
    deployed.server.call("PATCH", f"/flow_runs/{run}", {"infrastructure_pid": "gone:1"})
    deployed.bring(run, "RUNNING")
    deployed.bring(run, "CANCELLING")
    assert (deployed.state(run)["type"], deployed.taken) == ("CANCELLING", 1)
    wait_until(lambda: f"({run}): cancelled at" in deployed.watched(), 120, lambda: "")
    assert (deployed.state(run)["type"], deployed.taken) == ("CANCELLED", 0)


@pytest.mark.slow
def test_a_lease_that_is_taken_away_from_a_run(deployed: Deployed) -> None:
    """As after a long absence, with leases on disk: the slot is another's, and the warehouse is not."""
    first = deployed.run()
    with ExitStack() as ends:
        holder = ends.enter_context(ExitStack())
        holder.enter_context(held(deployed.warehouse))
        process = ends.enter_context(deployed.process(first))
        wait_until(lambda: any("in use by" in line for line in deployed.logged(first)), 60, deployed.log.read_text)
        lease = deployed.state(first)["state_details"]["deployment_concurrency_lease_id"]
        deployed.server.call("POST", "/v2/concurrency_limits/decrement-with-lease", {"lease_id": lease})
        wait_until(lambda: leases.LOST in deployed.logged(first), 30, deployed.log.read_text)
        second = deployed.run()
        assert (deployed.state(second)["type"], deployed.taken) == ("PENDING", 1)
        holder.close()
        assert process.wait(60) == 0
    assert deployed.state(first)["type"] == "COMPLETED"


@pytest.mark.slow
def test_a_run_waits_for_a_slot_within_its_bound(operator: MakeOperator) -> None:
    overlap = {"limit": 1, "on_collision": "queue", "wait_minutes": 0.01}
    one = Deployed(operator("queue-bound"), deployments={"hourly": {"schedules": {"hourly": None}, "overlap": overlap}})
    first, second = one.run(), one.scheduled()
    one.bring(first, "RUNNING")
    one.bring(second, "PENDING")
    assert one.state(second)["name"] == "AwaitingConcurrencySlot"
    wait_until(lambda: "refused: aqi-hourly-queue-bound is in use by run" in one.watched(), 60, lambda: "")
    found = one.state(second)
    assert found["type"] == "CANCELLED"
    assert f"({first}, Running)" in found["message"]
    assert one.state(first)["type"] == "RUNNING"
