"""A queue without room: a run waits in it within its bound, and leaves it when it is ended, with no application."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests

from resources.hadoop.resource_manager import FINAL, Application
from resources.spark.on_yarn import warehouse_tag
from scripts.cluster import Cluster
from tests.service.prefect.conftest import operator, prefect_server  # noqa: F401  # fixtures
from tests.support.cluster_calls import YarnCommands, manager, wait_until
from tests.support.deploy_operator import MakeOperator
from tests.support.prefect_site import Site
from tests.yarn.conftest import FEW, NOW, on_yarn

pytestmark = [
    pytest.mark.spark,
    pytest.mark.prefect,
    pytest.mark.yarn,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

CALL = ("materialize", "gold.dim_time")
SLEEPERS, MEBIBYTES = 4, 2400
"""With one more application master there would be more than masters may have: 80 % of two nodes of 6 GiB."""


class Others:
    """Applications of somebody else, which sleep."""

    def __init__(self, cluster: Cluster) -> None:
        self._url = f"{cluster.rm_url}/ws/v1/cluster/apps"
        self.ids: list[str] = []

    def come(self, mebibytes: int) -> None:
        user = {"user.name": "somebody"}
        new = requests.post(f"{self._url}/new-application", params=user, timeout=10).json()["application-id"]
        body = {
            "application-id": new,
            "application-name": "sleeps",
            "am-container-spec": {"commands": {"command": "sleep 900"}},
            "resource": {"memory": mebibytes, "vCores": 1},
            "unmanaged-AM": False,
            "max-app-attempts": 1,
            "application-type": "TEST",
        }
        requests.post(self._url, json=body, params=user, timeout=10).raise_for_status()
        self.ids.append(new)
        wait_until(lambda: manager().application(new).containers == 1)

    def go(self) -> None:
        for one in self.ids:
            if manager().application(one).state not in FINAL:
                requests.put(
                    f"{self._url}/{one}/state", json={"state": "KILLED"}, params={"user.name": "somebody"}, timeout=10
                )
        wait_until(lambda: all(manager().application(one).state in FINAL for one in self.ids))


@pytest.fixture
def others(cluster: Cluster) -> Iterator[Others]:
    found = Others(cluster)
    yield found
    found.go()


def test_a_run_that_finds_no_room_is_refused(aqi: YarnCommands, others: Others) -> None:
    aqi.environment["AQI_YARN__QUEUE_WAIT_SECONDS"] = "8"
    for _ in range(SLEEPERS):
        others.come(MEBIBYTES)
    done = aqi(*CALL)
    assert done.returncode == 1, done.stderr
    assert "waits in YARN's queue default for the application master, 8 s at most" in done.stderr + done.stdout
    assert "error: refused: YARN's queue default had no room for the application master of application_" in done.stderr
    assert aqi.applications(running=True) == []
    others.go()
    del aqi.environment["AQI_YARN__QUEUE_WAIT_SECONDS"]
    assert aqi(*CALL).returncode == 0


def test_a_run_that_gets_no_executor_is_refused(aqi: YarnCommands, others: Others) -> None:
    aqi.environment |= {"AQI_YARN__QUEUE_WAIT_SECONDS": "12", "AQI_YARN__EXECUTOR_MEMORY": "4g"}
    for _ in range(SLEEPERS):  # at most three on a node: no node has room for the executor then
        others.come(1792)
    done = aqi(*CALL)
    assert done.returncode == 1, done.stderr
    assert "error: refused: YARN's queue default had no room for an executor of application_" in done.stderr
    assert aqi.applications(running=True) == []


CALLS = {
    "materialize": CALL,
    "repair": ("repair", "gold.dim_time", "--verify"),
    "verify": ("verify", "gold.dim_time", "--engine", "spark"),
}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("command", CALLS)
def test_a_command_that_waits_is_ended_by_a_signal(
    aqi: YarnCommands, others: Others, command: str, number: signal.Signals
) -> None:
    if command != "materialize":
        assert aqi(*CALL).returncode == 0
    for _ in range(SLEEPERS):
        others.come(MEBIBYTES)
    run = aqi.start(*CALLS[command])
    wait_until(lambda: run.poll() is not None or aqi.applications(running=True))
    assert [one.state for one in aqi.applications(running=True)] == ["ACCEPTED"], run.stderr and run.stderr.read()
    processes = psutil.Process(run.pid).children(recursive=True)
    began = time.monotonic()
    run.send_signal(number)
    out, err = run.communicate(timeout=60)
    assert time.monotonic() - began < 30
    assert run.returncode == 128 + number, out + err
    assert "Traceback" not in err
    assert aqi.applications(running=True) == []
    _gone, left = psutil.wait_procs(processes, 30 - (time.monotonic() - began))
    assert not left


@pytest.mark.parametrize("how", ["cancelled", "terminated"])
def test_a_deployed_run_that_waits_is_ended(
    cluster: Cluster,
    operator: MakeOperator,  # noqa: F811
    others: Others,
    recorded: Path,
    how: str,
) -> None:
    """With its application, and its slot is free for the next run."""
    uri = f"{cluster.default_fs}/warehouses/waits-{how}"

    def applications() -> list[Application]:
        return manager().applications(warehouse_tag(uri))

    with Site(operator(f"queue-{how}"), recorded, NOW, **on_yarn(uri)) as one:
        done = one.operator.process("everything")
        assert done.returncode == 0, done.stderr
        one.start_worker()
        for _ in range(SLEEPERS):
            others.come(MEBIBYTES)
        run = one.start_run("everything", selection="bronze.open_meteo_hourly", partitions=FEW)
        wait_until(lambda: [found.state for found in applications()] == ["ACCEPTED"])
        assert one.state(run)[0] == "RUNNING"
        processes = one.processes()
        if how == "cancelled":
            one.cancel(run)
        else:
            one.run_process().terminate()
        began = time.monotonic()
        _gone, left = psutil.wait_procs(processes, 30)
        assert not left
        assert applications() == []
        print(f"ended after {time.monotonic() - began:.1f} s")
        assert one.ended(run, 30)[0] in ("CANCELLED", "CRASHED")
        others.go()
        again = one.start_run("everything", selection="bronze.open_meteo_hourly", partitions=FEW)
        assert one.ended(again, 280)[0] == "COMPLETED"
        assert applications() == []
