"""One connection to the simulated API: which part of a reply is sent, how fast, and how the connection ends.

Must not know: values, recordings, the meaning of a query.
"""

from __future__ import annotations

import json
import socketserver
import sys
from dataclasses import replace
from datetime import timedelta
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from resources.open_meteo.clocks import CLOCK_HEADER, INJECTED
from resources.open_meteo.made_up import MARK
from resources.open_meteo.made_up import PATH as MADE_UP_PATH
from resources.simulator.canned import STREAM_ERROR, Reply, canned, error
from resources.simulator.faults import MODIFIERS, Fault
from resources.simulator.requests import Asked, read_query

if TYPE_CHECKING:
    from resources.simulator.server import Simulator

PATH = "/v1/air-quality"
FAULTS_PATH = "/faults"
DRIP_BYTES = 64
ENDLESS_BYTES = 16 * 1024  # of one write
ENDLESS_SECONDS = 0.05  # between two writes: slow enough that the reader ends it before this machine suffers
CLOCK_AHEAD = timedelta(hours=1)
"""The offset of the fault ``clock``, unless it names one."""
_BREAK_OFF = ("drop", "truncate", "endless")


class Server(ThreadingHTTPServer):
    """Does not log connections that clients close, and does not look up the host's name."""

    daemon_threads = True

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    timeout = 60
    disable_nagle_algorithm = True  # else the body waits 40 ms for the acknowledgement of the header

    def __init__(self, simulator: Simulator, *arguments: Any) -> None:
        self._simulator = simulator
        self._off = timedelta(0)
        super().__init__(*arguments)

    def do_OPTIONS(self) -> None:
        """Answer whether the values are made up. Such a question does not count as a request."""
        self._off = timedelta(0)
        if urlsplit(self.path).path == MADE_UP_PATH:
            self._send(Reply(200, json.dumps({MARK: self._simulator.made_up}).encode()))
        else:
            self._send(Reply(404, b"{}"))

    def do_GET(self) -> None:
        simulator, parts = self._simulator, urlsplit(self.path)
        self._off = timedelta(0)
        if parts.path == FAULTS_PATH:
            self._send(Reply(200, json.dumps(simulator.counted()).encode()))
            return
        number = simulator.next_number()
        if number is None:
            self.close_connection = True
            return
        asked = read_query(parts.query) if parts.path == PATH else Asked()
        refused = simulator.quota.enter(asked) if simulator.quota else None
        if refused is not None:
            self._note("exceeded")
            self._send(refused)
            simulator.after(number)
            return
        try:
            self._exchange(number, parts.query, asked)
        finally:
            if simulator.quota:
                simulator.quota.leave()
        simulator.after(number)

    def _exchange(self, number: int, query: str, asked: Asked) -> None:
        """Answer a request that no limit refused."""
        simulator = self._simulator
        faults = simulator.hit_by(number, asked)
        for fault in faults:
            if fault.name == "clock":
                self._off = fault.only.offset or CLOCK_AHEAD
        if any(fault.name == "slow" for fault in faults):
            simulator.is_stopped.wait(simulator.slow_seconds)
        worst = next((fault for fault in faults if fault.name not in MODIFIERS), None)
        name = "" if worst is None else worst.name
        reply = self._reply(number, query, worst)
        if name == "stream_error" and reply.status == 200:
            reply = Reply(200, reply.body[: len(reply.body) // 2] + STREAM_ERROR.encode())
        elif name == "limit":
            reply = replace(reply, more={"Retry-After": str(simulator.retry_after)})
        if simulator.quota:  # counted before it is sent, as the provider does: a failure later has full weight
            simulator.quota.count(asked.weight if reply.status == 200 and name != "error_in_200" else 1.0)
        fine = "ok" if reply.status == 200 else "refused"
        self._note(name or next((fault.name for fault in faults), fine))
        self.close_connection = self.close_connection or name in _BREAK_OFF
        if name == "endless" and reply.status == 200:
            self._send_endless(reply)
        elif name == "drip":
            self._send(reply, pause_seconds=simulator.drip_seconds)
        elif name != "drop":
            self._send(reply, len(reply.body) // (2 if name == "truncate" else 1))

    def _reply(self, number: int, query: str, worst: Fault | None) -> Reply:
        """The reply of a fault, or of an API without faults."""
        if worst is not None:
            word = worst.variables[0] if worst.name == "variable_refused" else worst.only.limit or "day"
            if worst.name == "proxy":
                word = str(worst.only.status or "")
            if (said := canned(worst.name, number, word, query)) is not None:
                return said
        if urlsplit(self.path).path != PATH:
            return error(404, "Not Found")
        return self._simulator.reply(query, self._agent)

    @property
    def _agent(self) -> str:
        return str(self.headers.get("User-Agent", ""))

    def _note(self, outcome: str) -> None:
        self._simulator.note(outcome, f"GET {urlsplit(self.path).path} ({self._agent})")

    def _send(self, reply: Reply, length: int | None = None, pause_seconds: float = 0.0) -> None:
        """Send the first ``length`` bytes of the body (None: all), with the Content-Length of the whole body.

        pause_seconds: a pause before each few bytes.
        """
        self._send_head(reply, {"Content-Length": str(len(reply.body))})
        body = reply.body[:length]
        if not pause_seconds:
            self.wfile.write(body)
            return
        for begin in range(0, len(body), DRIP_BYTES):
            if self._simulator.is_stopped.wait(pause_seconds):
                self.close_connection = True
                return
            self.wfile.write(body[begin : begin + DRIP_BYTES])

    def _send_endless(self, reply: Reply) -> None:
        """Send half of the body, then blanks until the reader goes away or the simulator stops."""
        self._send_head(reply, {"Connection": "close"})
        self.wfile.write(reply.body[: len(reply.body) // 2])
        while not self._simulator.is_stopped.wait(ENDLESS_SECONDS):
            self.wfile.write(b" " * ENDLESS_BYTES)

    def _send_head(self, reply: Reply, length: dict[str, str]) -> None:
        self.send_response_only(reply.status)
        others = {**self._headers(), **reply.more} if reply.headers is None else reply.headers
        for name, value in {"Content-Type": reply.kind, **length, **others}.items():
            self.send_header(name, value)
        self.end_headers()

    def _headers(self) -> dict[str, str]:
        """The headers that follow the simulator's clock."""
        headers = {"Date": self.date_time_string()}
        if self._simulator.injected:
            headers[CLOCK_HEADER] = INJECTED
        return headers

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The Date header, by the simulator's clock."""
        shown = self._simulator.now() + self._simulator.date_offset + self._off
        return formatdate(shown.timestamp() if timestamp is None else timestamp, usegmt=True)

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing to standard error."""
