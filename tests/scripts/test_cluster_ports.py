"""Real daemons of the tests' cluster, a port of which somebody takes after it was written into their configuration."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from resources.machine.ports import HOST, given_to_connections
from scripts.cluster import JARS, TRIES, Cluster, ClusterError

pytestmark = [pytest.mark.yarn, pytest.mark.timeout(240)]


class Beset(Cluster):
    """``taken``: ports, by name, that somebody else takes before the next daemons are launched; as often as told."""

    def __init__(self, folder: Path, others: ExitStack) -> None:
        super().__init__(folder, nodes=0, with_parent=True)
        self.taken: list[str] = []
        self.launches = 0
        self._others = others

    def _launch(self, name: str) -> None:
        self.launches += 1
        if self.taken:
            server = socket.create_server((HOST, self.ports[self.taken.pop()]))
            self._others.enter_context(server)
        super()._launch(name)

    @property
    def ports(self) -> dict[str, int]:
        return json.loads((self.folder / "ports.json").read_text(encoding="utf-8"))


@pytest.fixture
def beset(tmp_path: Path) -> Iterator[Beset]:
    if not list(JARS.glob("hadoop-client-minicluster-*.jar")):
        pytest.fail(f"Hadoop is not in {JARS}: `make test` fetches it")
    with ExitStack() as others:
        cluster = Beset(tmp_path / "cluster", others)
        yield cluster
        cluster.stop()


def test_a_namenode_whose_port_was_taken_is_started_at_another(beset: Beset) -> None:
    beset.taken = ["namenode"]
    beset.start(["namenode"])
    assert beset.launches == 2
    assert "namenode" not in beset.lacking()
    first, last = given_to_connections()
    assert not [port for port in beset.ports.values() if first <= port <= last]

    # others know its port now
    ports = beset.ports
    beset.start(["namenode"])
    assert (beset.launches, beset.ports) == (2, ports)


@pytest.mark.slow
@pytest.mark.parametrize("port", ["namenode-http", "rm", "rm-scheduler", "rm-tracker", "rm-admin", "rm-http"])
def test_any_port_that_was_taken(beset: Beset, port: str) -> None:
    name = "namenode" if port.startswith("namenode") else "resourcemanager"
    beset.taken = [port]
    beset.start([name])
    assert beset.launches == 2
    assert name not in beset.lacking()


@pytest.mark.slow
def test_a_port_that_is_taken_again_and_again_is_said(beset: Beset) -> None:
    beset.taken = ["namenode"] * TRIES
    with pytest.raises(ClusterError, match="namenode ended") as caught:
        beset.start(["namenode"])
    assert "BindException" in str(caught.value)
    assert beset.launches == TRIES
    assert beset.pid("namenode") is None


@pytest.mark.slow
def test_what_runs_keeps_its_ports(beset: Beset) -> None:
    """The NameNode runs and is known; a port that the ResourceManager had is gone."""
    beset.start(["namenode"])
    ports = beset.ports
    beset.taken = ["rm"]
    with pytest.raises(ClusterError, match="resourcemanager ended"):
        beset.start(["resourcemanager"])
    assert (beset.launches, beset.ports) == (2, ports)
