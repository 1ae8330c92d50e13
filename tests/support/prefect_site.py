"""Where deployments run: an operator's deployments, a real worker, a warehouse, and the API that it is filled from."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from orchestration.engine.workspace import Workspace
from orchestration.project import load, open_workspace
from resources.machine.failpoints import ENGINES_MODULE
from resources.simulator.server import Simulator
from tests.support.alert_sinks import free_port
from tests.support.aqi_process import AQI
from tests.support.deploy_operator import Operator
from tests.support.stored_tables import tables_of

BRONZE = "bronze.open_meteo_hourly"
GONE_SECONDS = 60


def wait_until(
    what: Callable[[], object], seconds: float, told: Callable[[], object] = str, pause: float = 0.3
) -> None:
    """Wait for something to come true. Raises AssertionError, with what is told, where it does not."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, told()
        time.sleep(pause)


class Site:
    """Deploys, starts a worker, and looks at what they do. settings: of the profile, besides those of this location."""

    def __init__(self, operator: Operator, recorded: Path, now: datetime, **settings: Any) -> None:
        self.operator, self.server = operator, operator.server
        self.now = now
        self._recorded = recorded
        self.api = Simulator(now=lambda: self.now, replay=recorded, port=free_port())
        self.api.start()
        operator.settings = {
            "warehouse": {"uri": str(operator.folder / "warehouse")},
            "open_meteo": {"base_url": self.api.url, "attempts": 2, "backoff_seconds": 0.05},
            "clock": {"now": now.isoformat()},
            **settings,
        }
        self.log = operator.folder / "worker.log"
        self._worker: psutil.Popen | None = None

    def start_worker(self) -> None:
        """`aqi worker start`, which finds its pool by the profile."""
        env = {**self.server.env, "PREFECT_WORKER_QUERY_SECONDS": "1", "XDG_STATE_HOME": str(self.operator.folder)}
        with self.log.open("ab") as log:
            self._worker = psutil.Popen(
                [AQI, "worker", "start", "--profile", str(self.operator.profile)],
                env=env,
                cwd=self.operator.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(lambda: "started!" in self.log.read_text() or self._worker is None, 60, self.log.read_text)

    def provider_is_back(self) -> None:
        """Where it was, after ``api.stop()``."""
        port = int(self.api.url.rpartition(":")[2])
        self.api = Simulator(now=lambda: self.now, replay=self._recorded, port=port)
        self.api.start()

    def watch(self) -> subprocess.CompletedProcess[str]:
        """One look of `aqi watch`."""
        return subprocess.run(
            [AQI, "watch", "--once", "--profile", str(self.operator.profile)],
            env={**self.server.env, "XDG_STATE_HOME": str(self.operator.folder)},
            cwd=self.operator.folder,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def __enter__(self) -> Site:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.api.stop()
        if self._worker is None:
            return
        processes = self.processes()
        self._worker.send_signal(signal.SIGTERM)
        try:
            self._worker.wait(40)
        except psutil.TimeoutExpired:
            self._worker.kill()
        for process in processes:
            if process.is_running():
                process.kill()
        if error is not None:
            print(self.log.read_text()[-4000:])

    def processes(self) -> list[psutil.Process]:
        """What runs below the worker: the processes of runs, their engines."""
        assert self._worker is not None
        below: list[psutil.Process] = self._worker.children(recursive=True)
        return below

    def run_process(self) -> psutil.Process:
        """The process of the run that goes on."""
        found = [one for one in self.processes() if one.name().startswith("python") and one.children()]
        assert len(found) == 1, found
        return found[0]

    def start_run(self, name: str, **parameters: Any) -> str:
        """A run of a deployment, by hand; gives its id."""
        location = f"/deployments/{self.operator.one(name)['id']}/create_flow_run"
        body = {"parameters": parameters, "state": {"type": "SCHEDULED"}}
        run: dict[str, Any] = self.server.call("POST", location, body)
        return str(run["id"])

    def cancel(self, run: str) -> None:
        """As the button of Prefect's page does."""
        state = {"type": "CANCELLING", "name": "Cancelling"}
        self.server.call("POST", f"/flow_runs/{run}/set_state", {"state": state})

    def state(self, run: str) -> tuple[str, str]:
        """Type and message of a run's state."""
        found = self.server.call("GET", f"/flow_runs/{run}")["state"]
        return found["type"], found["message"] or ""

    def state_name(self, run: str) -> str:
        return str(self.server.call("GET", f"/flow_runs/{run}")["state"]["name"])

    def ended(self, run: str, seconds: float = 200) -> tuple[str, str]:
        """The state of a run when it has ended."""
        over = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
        wait_until(lambda: self.state(run)[0] in over, seconds, lambda: (self.state(run), self.log.read_text()[-3000:]))
        return self.state(run)

    def committed_something(self, run: str) -> None:
        """Wait until bronze is written, by this run or one before it, and the run has an engine."""
        workspace = self.workspace
        wait_until(
            lambda: workspace.warehouse.state(workspace.assets[BRONZE]).version is not None,
            120,
            lambda: (self.state(run), self.log.read_text()[-3000:]),
            0.02,
        )
        wait_until(self.engines, 120, lambda: (self.state(run), self.log.read_text()[-3000:]), 0.02)
        assert self.state(run)[0] == "RUNNING"

    def engines(self) -> list[psutil.Process]:
        """Those of runs that go on."""
        found = []
        for one in self.processes():
            with suppress(psutil.Error):  # gone by now
                if one.name() == "java" or any(ENGINES_MODULE in word for word in one.cmdline()):
                    found.append(one)
        return found

    @contextmanager
    def held(self, run: str) -> Iterator[None]:
        """After ``committed_something``, to the end of the block a run on the embedded engine waits for its engine."""
        self.committed_something(run)
        (engine,) = self.engines()
        engine.suspend()
        try:
            yield
        finally:
            with suppress(psutil.Error):  # it was ended
                engine.resume()

    def task_runs(self, run: str) -> list[dict[str, Any]]:
        body = {"flow_runs": {"id": {"any_": [run]}}, "limit": 200}
        found: list[dict[str, Any]] = self.server.call("POST", "/task_runs/filter", body)
        return found

    @property
    def workspace(self) -> Workspace:
        return open_workspace(load(str(self.operator.profile), environment={}))

    def tables(self) -> dict[str, Any]:
        """The dated tables in the form in which they are compared."""
        return tables_of(self.workspace)
