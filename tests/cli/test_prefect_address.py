"""What is secret in the address of Prefect's server is shown by no command, whether the server answers or not."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.alert_sinks import free_port
from tests.support.aqi_process import AQI

pytestmark = pytest.mark.engine  # processes of their own

SECRETS = ("hunter2", "abc123")
COMMANDS = (
    ("doctor",),
    pytest.param(("deploy", "hourly"), marks=pytest.mark.engine),  # seconds each
    pytest.param(("watch", "--once"), marks=pytest.mark.engine),
)

Call = Callable[[str, tuple[str, ...]], str]


@pytest.fixture
def said(tmp_path: Path) -> Call:
    """What a command says with ``PREFECT_API_URL``; it must not be what is secret."""

    def call(url: str, command: tuple[str, ...]) -> str:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("AQI_", "PREFECT_"))}
        own = {"PREFECT_API_URL": url, "PREFECT_HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}
        done = subprocess.run(
            [AQI, *command],
            env={**clean, **own, "AQI_WAREHOUSE__URI": str(tmp_path / "warehouse")},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        text = done.stdout + done.stderr
        assert "Traceback" not in text, text
        assert not [secret for secret in SECRETS if secret in text], text
        return text

    return call


SECRET_ADDRESSES = pytest.mark.parametrize(
    "secret",
    ["http://user:hunter2@{}/api", pytest.param("http://{}/api?token=abc123", marks=pytest.mark.slow)],
)


class Answers(BaseHTTPRequestHandler):
    """Answers well when it is asked how it is, else as a server that is broken, or is none of Prefect's."""

    status = 500

    def do_GET(self) -> None:
        self.send_response(200 if self.path.endswith("/health") else self.status)
        self.end_headers()
        self.wfile.write(json.dumps({"detail": "it broke"}).encode())

    do_POST = do_GET

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture(params=[pytest.param(200, marks=pytest.mark.slow), 500])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    handler = type("Handler", (Answers,), {"status": request.param})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("command", COMMANDS, ids="-".join)
@SECRET_ADDRESSES
def test_a_server_that_is_away(said: Call, command: tuple[str, ...], secret: str) -> None:
    where = f"127.0.0.1:{free_port()}"
    assert f"http://{where}/api" in said(secret.format(where), command)


@pytest.mark.parametrize("command", COMMANDS, ids="-".join)
def test_a_server_that_answers(said: Call, command: tuple[str, ...], port: int) -> None:
    shown = f"http://127.0.0.1:{port}/api"
    assert shown in said(f"http://user:hunter2@127.0.0.1:{port}/api", command)


@pytest.mark.engine
@SECRET_ADDRESSES
def test_a_run_whose_server_is_away(said: Call, secret: str) -> None:
    where = f"127.0.0.1:{free_port()}"
    text = said(secret.format(where), ("materialize", "gold.dim_location"))
    assert f"error: Prefect's server at http://{where}/api does not answer" in text


@pytest.mark.parametrize("command", COMMANDS, ids="-".join)
def test_an_address_that_is_none(said: Call, command: tuple[str, ...]) -> None:
    """The password is not written as one has to be in an address."""
    said("http://user:hunter2/abc123@127.0.0.1:9/api", command)
    said("http://user:abc123:hunter2/x@127.0.0.1:9/api", command)
