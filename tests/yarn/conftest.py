"""One cluster for all of these tests: a real HDFS and YARN of processes of its own, gone at the end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from resources.machine.clock import system_clock
from resources.simulator.server import Simulator
from scripts.cluster import JARS, Cluster
from tests.support.cluster_calls import YarnCommands
from tests.support.small_lake import Lake
from tests.support.stored_tables import tables_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = "2025-08-08..2025-08-21"
FEW = "2025-08-12..2025-08-13"


def on_yarn(uri: str) -> dict[str, dict[str, Any]]:
    """The settings of deployments whose runs are on the cluster. uri: of their warehouse."""
    return {
        "warehouse": {"uri": uri},
        "spark": {"master": "yarn"},
        "yarn": {"check": True, "executors": 1, "executor_memory": "1g"},
    }


@pytest.fixture(scope="package")
def cluster(on_spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The cluster; its clients find it by the environment, which is as it was when the last of these tests is done.

    on_spark: the session that the tests of this process share starts before, and has no file of the cluster.
    """
    if not list(JARS.glob("hadoop-client-minicluster-*.jar")):
        pytest.fail(f"Hadoop is not in {JARS}: `make test` fetches it")
    cluster = Cluster(tmp_path_factory.mktemp("cluster"), with_parent=True)
    try:
        cluster.start()
        with pytest.MonkeyPatch.context() as patch:
            for name, value in cluster.environment().items():
                patch.setenv(name, value)
            yield cluster
    finally:
        cluster.stop()
    left = [process for process in psutil.process_iter(["cmdline"]) if str(cluster.folder) in str(process.info)]
    _, alive = psutil.wait_procs(left, timeout=30)  # a driver whose cluster has gone may need a moment
    assert not alive, [process.info["cmdline"] for process in alive]


@pytest.fixture(autouse=True)
def _whole(cluster: Cluster) -> Iterator[None]:
    """What a test has ended of the cluster runs again for the next one."""
    yield
    cluster.start()


@pytest.fixture(scope="session")
def replay(recorded: Path) -> Iterator[Simulator]:
    with Simulator(now=system_clock, injected=False, replay=recorded) as simulator:
        yield simulator


@pytest.fixture
def aqi(cluster: Cluster, server: str, replay: Simulator, tmp_path: Path) -> Iterator[YarnCommands]:
    """The command with a warehouse of the test's own on HDFS."""
    commands = YarnCommands(tmp_path, f"{cluster.default_fs}/warehouses/{tmp_path.name}", replay.url, server)
    yield commands
    commands.end()


@pytest.fixture(scope="session")
def undisturbed(embedded: Any, replay: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the tables are after a run with the local profile, on its embedded engine, by the range of days."""
    made: dict[str, Any] = {}

    def tables(days: str) -> Any:
        if days not in made:
            lake = Lake(tmp_path_factory.mktemp("local"), embedded, replay.url, now=NOW)
            assert lake.materialize(days).exit_status == 0
            made[days] = tables_of(lake.workspace)
        return made[days]

    return tables
