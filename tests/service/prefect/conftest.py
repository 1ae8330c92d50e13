"""A Prefect server as an operator runs one: with its scheduler and all other services, and a database that stays."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from resources.machine.processes import end_with_parent
from tests.support.alert_sinks import HookSink, MailSink, free_port

if TYPE_CHECKING:
    from tests.support.deploy_operator import Operator
    from tests.support.watching import Place

READY_SECONDS = 150
QUICK = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "2",
    "PREFECT_SERVER_SERVICES_SCHEDULER_RECENT_DEPLOYMENTS_LOOP_SECONDS": "1",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_LOOP_SECONDS": "1",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS": "3",
    "PREFECT_SERVER_SERVICES_FOREMAN_LOOP_SECONDS": "2",
    "PREFECT_SERVER_SERVICES_TRIGGERS_PG_NOTIFY_RECONNECT_INTERVAL_SECONDS": "1",
}
"""Services look every second or two, where they would every minute."""


class PrefectServer:
    """`prefect server start` on a port and with a database of its own; can be ended and started again in between."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self._port}/api"

    @property
    def env(self) -> dict[str, str]:
        """For a process that uses this server, without any settings of this machine."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("AQI_", "PREFECT_"))}
        return {**clean, "PREFECT_HOME": str(self.home), "PREFECT_API_URL": self.api_url}

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(self._port)],
                env={**self.env, **QUICK, "PREFECT_API_URL": ""},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=end_with_parent,
                start_new_session=True,
            )
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if requests.get(f"{self.api_url}/health", timeout=2).ok:
                    return
            except requests.RequestException:
                time.sleep(0.1)
        pytest.fail(f"the server did not start:\n{(self.home / 'server.log').read_text()[-2000:]}")

    def stop(self) -> None:
        """End it and wait until it is gone."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """A request of its API, which must be answered well; repeated where the server is too busy (503).

        On a busy machine an answer has taken a minute.
        """
        for _ in range(10):
            answer = requests.request(method, f"{self.api_url}{path}", json=body, timeout=100)
            if answer.status_code != 503:
                break
            time.sleep(1)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """A running server that the tests of this session share; who stops it starts it again."""
    server = PrefectServer(tmp_path_factory.mktemp("prefect-server"))
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def operator(prefect_server: PrefectServer, tmp_path: Path) -> Callable[[str], Operator]:
    """Makes an operator of an environment."""
    from tests.support.deploy_operator import Operator

    def make(environment: str) -> Operator:
        folder = tmp_path / environment
        folder.mkdir()
        return Operator(prefect_server, folder, environment)

    return make


@pytest.fixture
def place(
    prefect_server: PrefectServer, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    """An environment of the test's own, whose channels end at sinks, and a watch that remembers in a folder of it."""
    from tests.support.watching import Place

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    name = request.node.name.removeprefix("test_").replace("_", "-").partition("[")[0]
    with MailSink() as mail, HookSink() as hook:
        yield Place(prefect_server, name, tmp_path / "warehouse", mail, hook)
