"""What tests of `aqi watch` share: an environment on a real server, with channels that end at sinks."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from orchestration.core.state.lags import Lag
from orchestration.project import load
from orchestration.service.deployments import environment_tags
from orchestration.service.watch import ReadLags, Sources, Watch, WatchResult, state_file
from resources.alert_channels import channels_of
from resources.settings.load import Settings
from tests.service.prefect.conftest import PrefectServer
from tests.support.alert_sinks import HookSink, MailSink

FLOW = "materialize"


class Door:
    """A way to a server, which can be shut: the server at the same address, gone and back."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.shut = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._open, daemon=True).start()

    def __enter__(self) -> Door:
        return self

    def __exit__(self, *_args: object) -> None:
        self.shut = True
        self._listener.close()

    def _open(self) -> None:
        while True:
            try:
                here = self._listener.accept()[0]
            except OSError:
                return
            if self.shut:
                here.close()
                continue
            there = socket.create_connection(("127.0.0.1", self._port))
            for one, other in ((here, there), (there, here)):
                threading.Thread(target=_pass_on, args=(one, other), daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    try:
        while part := source.recv(65536):
            target.sendall(part)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


class Place:
    """An environment of its own on the server, with a deployment, channels and a watch."""

    def __init__(self, server: PrefectServer, name: str, warehouse: Path, mail: MailSink, hook: HookSink) -> None:
        self.server, self.environment, self.mail, self.hook = server, name, mail, hook
        email = {"host": "127.0.0.1", "port": mail.port, "security": "none", "sender": "aqi@x.org"}
        alerts = {
            "email": {**email, "recipients": ["ops@x.org"]},
            "webhooks": {"team": {"url": hook.url, "form": "slack"}, "log": {"url": hook.url}},
            "every_seconds": 0.01,
        }
        self.flags: dict[str, Any] = {
            "deploy": {"environment": name},
            "warehouse": {"uri": str(warehouse)},
            "alerts": alerts,
            "deployments": {"hourly": {"flow": FLOW, "late_after_minutes": 3}},
        }
        self.settings: Settings = load(environment={}, flags=self.flags)
        self.warehouse = warehouse
        self.said: list[str] = []
        self.lags: list[Lag] = []
        self.deployment = f"{FLOW}/aqi-hourly-{name}"
        with self.client() as client:
            flow = client.create_flow_from_name(FLOW)
            tags = list(environment_tags(self.settings))
            self._id = client.create_deployment(flow, f"aqi-hourly-{name}", tags=tags, parameters={"selection": "*"})

    @contextmanager
    def client(self) -> Iterator[Any]:
        from prefect.client.orchestration import SyncPrefectClient

        with SyncPrefectClient(self.server.api_url) as client:
            yield client

    def run(self, state: Any = None, **parameters: Any) -> Any:
        """A run of the deployment, brought into ``state``."""
        with self.client() as client:
            run = client.create_flow_run_from_deployment(self._id, parameters=parameters)
        if state is not None:
            self.bring(run, state)
        return run

    def scheduled(self, at: datetime, name: str = "Scheduled") -> Any:
        """A run that should start, or have started, at an instant."""
        state = states().Scheduled(scheduled_time=at, name=name)
        with self.client() as client:
            return client.create_flow_run_from_deployment(self._id, state=state)

    def bring(self, run: Any, state: Any) -> None:
        with self.client() as client:
            client.set_flow_run_state(run.id, state, force=True)

    def watch(
        self, url: str = "", *, read_lags: ReadLags | None = None, sending_seconds: float = 30, page: int = 200
    ) -> Watch:
        """A watch as a new process has it, over lags that a test sets."""
        sources = self.sources(url, page)
        return Watch(
            self.settings,
            channels_of(self.settings.alerts),
            sources.server,
            read_lags or (lambda: self.lags),
            self.said.append,
            unmade=sources.still_unmade,
            free_slots=sources.free_slots,
            api_url=url or self.server.api_url,
            sending_seconds=sending_seconds,
        )

    def sources(self, url: str = "", page: int = 200) -> Sources:
        return Sources(self.settings, url or self.server.api_url, self.said.append, page)

    @property
    def state_file(self) -> Path:
        return state_file(self.settings, self.server.api_url)

    def observe(self) -> WatchResult:
        return self.watch().observe()

    def arrived(self) -> list[str]:
        """Subjects of what arrived since this was asked, which is the same at every channel."""
        mails = self.mail.subjects
        texts = [body["text"].splitlines()[0].strip("*") for body in self.hook.bodies if "id" not in body]
        posts = [f"[aqi {body['environment']}] {body['title']}" for body in self.hook.bodies if "id" in body]
        assert mails == texts == posts, self.said
        self.mail.mails.clear()
        self.hook.bodies.clear()
        return [mail.removeprefix(f"[aqi {self.environment}] ") for mail in mails]


def states() -> Any:
    from prefect import states

    return states


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)
