"""A receiver of OpenLineage events on 127.0.0.1, which can be down, slow, or answer otherwise than it should."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.support.alert_sinks import _Http, _Sink


class Receiver(_Sink):
    """Keeps the events that it answers well, in the order in which they came.

    statuses: of the next answers, in turn; then status. location: of a redirect. endless: it never ends its answer.
    """

    def __init__(self) -> None:
        super().__init__()
        self.events: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str]] = []
        self.keys: list[str | None] = []
        self.status, self.location, self.endless = 201, "", False
        self.statuses: Iterator[int] = iter(())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _make(self) -> _Http:
        server = _Http(("127.0.0.1", self.port), _Handler)
        server.daemon_threads = True
        server.block_on_close = False  # whoever is slow on purpose is not waited for
        return server

    def of(self, job: str) -> list[str]:
        """What became of a job, as it was told."""
        return [event["eventType"] for event in self.events if event["job"]["name"] == job]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        receiver: Receiver = self.server.sink  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        receiver.asked.append((self.command, self.path))
        receiver.keys.append(self.headers["Authorization"])
        status = next(receiver.statuses, receiver.status)
        time.sleep(receiver.delay_seconds)
        if status < 300 and not receiver.endless:
            receiver.events.append(json.loads(body))  # before the answer: who has that looks for it
        with suppress(OSError):  # the other side went away
            self._answer(receiver, status)

    def _answer(self, receiver: Receiver, status: int) -> None:
        self.send_response(status)
        if receiver.location:
            self.send_header("Location", receiver.location)
        self.send_header("Content-Length", "1000000" if receiver.endless else "0")
        self.end_headers()
        while receiver.endless:
            self.wfile.write(b" ")
            self.wfile.flush()
            time.sleep(0.05)

    def do_GET(self) -> None:
        self.server.sink.asked.append((self.command, self.path))  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        pass
