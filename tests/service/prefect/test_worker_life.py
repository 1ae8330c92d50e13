"""A worker's beginning and end, however it was started: what a dead one left is freed, and nothing of it stays."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psutil
import pytest

from resources.storage.lock import WarehouseLock
from tests.service.prefect.test_server_restarts import Deployed, held
from tests.support.aqi_process import AQI
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
        wait_until(lambda: "started!" in log.read_text() or not process.is_running(), 60, log.read_text)
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
        wait_until(lambda: deployed.state(lost)["type"] == "CRASHED", 60, deployed.worker_log)
        assert "it never began: the worker that took it is gone" in deployed.state(lost)["message"]
        assert f"{lost}): taken by a worker" in deployed.worker_log()
        run = deployed.scheduled()
        wait_until(lambda: any("in use by" in line for line in deployed.logged(run)), 60, deployed.worker_log)
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
