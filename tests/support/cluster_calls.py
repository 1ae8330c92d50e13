"""The command on the cluster of these tests, and what it leaves there."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import requests

from orchestration.engine.workspace import Workspace
from orchestration.project import load, open_workspace
from resources.hadoop.configuration import HadoopConf
from resources.hadoop.resource_manager import Application, ResourceManager
from resources.spark.on_yarn import warehouse_tag
from scripts.cluster import Cluster
from tests.support.aqi_process import AQI, ROOT, Commands
from tests.support.stored_tables import tables_of


class YarnCommands(Commands):
    """Calls `aqi` with the profile for YARN; one executor, which is what a small machine has room for."""

    def __init__(self, home: Path, warehouse: str, base_url: str, prefect: str) -> None:
        environment = {
            "AQI_PROFILE": "yarn",
            "AQI_YARN__EXECUTORS": "1",
            "AQI_YARN__EXECUTOR_MEMORY": "1g",
            "PREFECT_API_URL": prefect,
        }
        super().__init__(home, warehouse, base_url, environment, reads_here=False)
        self._started: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A command that goes on while the test does something to it."""
        run = subprocess.Popen(
            [AQI, *arguments], env=self.env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._started.append(run)
        return run

    def end(self) -> None:
        """End what a test that was broken off has left running."""
        for run in self._started:
            if run.poll() is None:
                process = psutil.Process(run.pid)
                for one in [process, *process.children(recursive=True)]:
                    one.kill()
                run.wait()

    def submit(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """scripts/spark_submit.sh."""
        script = [str(ROOT / "scripts" / "spark_submit.sh"), *arguments]
        return subprocess.run(script, env=self.env, capture_output=True, text=True, timeout=600, check=False)

    @property
    def workspace(self) -> Workspace:
        flags = {"warehouse": {"uri": str(self.warehouse)}}
        return open_workspace(load("yarn", environment={}, flags=flags))

    def tables(self) -> dict[str, Any]:
        return tables_of(self.workspace)

    def applications(self, *, running: bool = False) -> list[Application]:
        """Those on this warehouse."""
        return manager().applications(warehouse_tag(str(self.warehouse)), running=running)

    def has_table(self, key: str) -> bool:
        workspace = self.workspace
        return workspace.warehouse.state(workspace.assets[key]).version is not None


def manager() -> ResourceManager:
    return ResourceManager(HadoopConf.load())


def others_can_read(cluster: Cluster) -> list[str]:
    """What everybody can read on the cluster: the ResourceManager's pages, and files beside the logs of containers.

    Of each container the script that starts it is among those, with its command line and its variables.
    """
    files = [path for path in cluster.folder.glob("nodemanager-*/containers/*/*/*") if path.is_file()]
    assert any(path.name == "launch_container.sh" for path in files)
    pages = ("cluster/apps", "ws/v1/cluster/apps", "ws/v1/cluster/nodes", "conf", "jmx")
    texts = [requests.get(f"{cluster.rm_url}/{page}", timeout=30).text for page in pages]
    return [*texts, *(path.read_text(encoding="utf-8", errors="replace") for path in files)]


def wait_until(what: Callable[[], object], seconds: float = 120) -> None:
    """Wait for something to come true. Raises AssertionError where it does not."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.2)
