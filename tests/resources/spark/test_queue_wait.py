"""How long a run waits in YARN's queue, on a ResourceManager that a test moves on."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from orchestration.core.errors import MachineError
from resources.hadoop.resource_manager import Application
from resources.spark.queue_wait import QueueWait

pytestmark = pytest.mark.costly  # servers, or waits


class Cluster:
    """A ResourceManager with one application, or none. away: it does not answer."""

    def __init__(self) -> None:
        self.state, self.containers, self.away, self.killed = "", 0, False, list[str]()

    def applications(self, tag: str) -> list[Application]:
        if self.away:
            raise MachineError("away", "")
        there = self.state and not self.killed
        return [Application("app_1", "aqi", self.state, "", frozenset({tag}), "", self.containers)] if there else []

    def kill(self, application_id: str) -> None:
        self.killed.append(application_id)


def until(done: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def waiting(cluster: Cluster, seconds: float, told: list[str] | None = None) -> QueueWait:
    wait = QueueWait(cluster, "aqi-run-1", "default", seconds, (told or []).append, poll_seconds=0.005)
    wait.start()
    return wait


@pytest.mark.parametrize(
    ("state", "containers", "what"), [("ACCEPTED", 0, "the application master"), ("RUNNING", 1, "an executor")]
)
def test_a_wait_has_an_end(cluster: Cluster, state: str, containers: int, what: str) -> None:
    told = ["begun"]
    wait = waiting(cluster, 0.1, told)
    time.sleep(0.15)  # as long as there is no application, nothing waits in a queue
    assert wait.refused is None
    cluster.state, cluster.containers = state, containers
    until(lambda: cluster.killed)
    wait.end()
    assert cluster.killed == ["app_1"]
    assert f"no room for {what} of app_1 within 0.1 s" in str(wait.refused)
    assert told[1:] == [f"app_1 waits in YARN's queue default for {what}, 0.1 s at most (yarn.queue_wait_seconds)"]


def test_with_an_executor_it_is_over(cluster: Cluster) -> None:
    cluster.state, cluster.containers = "RUNNING", 2
    wait = waiting(cluster, 0.05)
    time.sleep(0.1)
    cluster.containers = 1  # what becomes of executors later is Spark's
    time.sleep(0.1)
    wait.end()
    assert (wait.refused, cluster.killed) == (None, [])


def test_a_master_that_has_room_and_comes_up_does_not_wait(cluster: Cluster) -> None:
    cluster.state, cluster.containers = "ACCEPTED", 1
    wait = waiting(cluster, 0.05)
    time.sleep(0.15)
    wait.end()
    assert (wait.refused, cluster.killed) == (None, [])


def test_broken_off_while_it_waits_and_before_there_is_an_application(cluster: Cluster) -> None:
    wait = waiting(cluster, 60)
    wait.cancel()
    cluster.away = True
    time.sleep(0.02)
    cluster.away, cluster.state = False, "ACCEPTED"
    until(lambda: cluster.killed)
    wait.end()
    assert wait.refused is None


@pytest.mark.parametrize(("state", "containers"), [("ACCEPTED", 0), ("ACCEPTED", 1), ("RUNNING", 1)])
def test_what_was_cancelled_is_not_left_behind_by_who_ends_at_once(
    cluster: Cluster, state: str, containers: int
) -> None:
    wait = QueueWait(cluster, "aqi-run-1", "default", 60, lambda _: None, poll_seconds=60)
    wait.start()
    cluster.state, cluster.containers = state, containers
    wait.cancel()
    wait.end()
    assert cluster.killed == ["app_1"]


@pytest.mark.parametrize("cancelled", [True, False])
def test_what_has_executors_or_was_not_cancelled_is_sparks_to_end(cluster: Cluster, cancelled: bool) -> None:
    wait = QueueWait(cluster, "aqi-run-1", "default", 60, lambda _: None, poll_seconds=60)
    wait.start()
    cluster.state, cluster.containers = "RUNNING", 2 if cancelled else 1
    if cancelled:
        wait.cancel()
    wait.end()
    assert cluster.killed == []


def test_a_resource_manager_that_is_away_is_told_of_at_the_end(cluster: Cluster) -> None:
    told: list[str] = []
    wait = QueueWait(cluster, "aqi-run-1", "default", 60, told.append, poll_seconds=60)
    wait.start()
    cluster.away = True
    wait.cancel()
    wait.end()
    assert told == ["away"]
