"""Where alerts arrive in tests: a mail server and a web server on 127.0.0.1, which can be down, slow, or refuse."""

from __future__ import annotations

import base64
import json
import socketserver
import ssl
import threading
import time
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from resources.machine.ports import free_ports


def free_port() -> int:
    """A port at which nobody listens, and which no outgoing connection is given."""
    return free_ports(1)[0]


class _Tcp(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    sink: Any


class _Http(ThreadingHTTPServer):
    sink: Any


class _Sink:
    """A server that is started and stopped at the same port. delay_seconds: before every answer."""

    def __init__(self) -> None:
        self.port = free_port()
        self.delay_seconds = 0.0
        self._server: _Tcp | _Http | None = None

    def _make(self) -> _Tcp | _Http:
        raise NotImplementedError

    def start(self) -> None:
        self._server = self._make()
        self._server.sink = self
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Any:
        self.start()
        return self

    def __exit__(self, *_args: object) -> None:
        self.stop()


class MailSink(_Sink):
    """A mail server. login: (user, password) that it wants. tls: a context, for ``security``. refused: addresses."""

    def __init__(self, *, security: str = "none", tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self.mails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.login: tuple[str, str] | None = None
        self.refused: set[str] = set()
        self.after_data = "250 taken"
        self.security, self.tls = security, tls

    def _make(self) -> _Tcp:
        return _Tcp(("127.0.0.1", self.port), _Mail)

    @property
    def subjects(self) -> list[str]:
        return [mail["Subject"].strip() for mail in self.mails]

    @property
    def texts(self) -> list[str]:
        return [mail.get_content().replace("\r\n", "\n") for mail in self.mails]


class _Mail(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        sink: MailSink = self.server.sink  # type: ignore[attr-defined]
        self.encrypted = sink.security == "tls"
        try:
            if self.encrypted and sink.tls is not None:
                self.request = sink.tls.wrap_socket(self.request, server_side=True)
            self.lines = self.request.makefile("rb")
            self._say("220 sink")
            while line := self.lines.readline():
                if not self._answer(sink, line.decode().strip()):
                    return
        except OSError:  # the client went away
            return

    def _say(self, line: str) -> None:
        time.sleep(self.server.sink.delay_seconds)  # type: ignore[attr-defined]
        self.request.sendall(f"{line}\r\n".encode())

    def _answer(self, sink: MailSink, line: str) -> bool:
        verb = line.upper().split(" ")[0]
        if verb in ("EHLO", "HELO"):
            self.to: list[str] = []
            self._say("250-sink")
            if sink.security == "starttls" and not self.encrypted:
                self._say("250-STARTTLS")
            self._say("250 AUTH PLAIN" if sink.login else "250 8BITMIME")
        elif verb == "STARTTLS" and sink.tls is not None:
            self._say("220 go on")
            self.request = sink.tls.wrap_socket(self.request, server_side=True)
            self.lines, self.encrypted = self.request.makefile("rb"), True
        elif verb == "AUTH":
            _, user, password = base64.b64decode(line.split(" ")[2]).decode().split("\0")
            self._say("235 welcome" if (user, password) == sink.login else f"535 not {user} with {password}")
        elif verb == "RCPT":
            address = line.partition("<")[2].rstrip(">")
            self.to += [] if address in sink.refused else [address]
            self._say("550 nobody" if address in sink.refused else "250 ok")
        elif verb == "DATA":
            self._say("354 go on")
            body = b""
            while (part := self.lines.readline()) not in (b".\r\n", b""):
                body += part[1:] if part.startswith(b".") else part
            if sink.after_data.startswith("250"):
                sink.mails.append(message_from_bytes(body, policy=default))  # type: ignore[arg-type]
                sink.recipients.append(self.to)
            self._say(sink.after_data)
        else:
            self._say("221 bye" if verb == "QUIT" else "250 ok")
        return verb != "QUIT"


class HookSink(_Sink):
    """A web server that keeps the JSON of every POST it answers well. status: its answer, also to a GET."""

    def __init__(self) -> None:
        super().__init__()
        self.bodies: list[dict[str, str]] = []
        self.asked: list[str] = []
        self.status = 200
        self.location = ""
        self.refused = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/services/secret-token"

    def _make(self) -> _Http:
        return _Http(("127.0.0.1", self.port), _Hook)


class _Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        sink: HookSink = self.server.sink  # type: ignore[attr-defined]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(sink.delay_seconds)
        status = 400 if sink.refused and sink.refused in json.dumps(body) else sink.status
        sink.asked.append(self.command)
        if status == 200:
            sink.bodies.append(body)
        self._reply(status, sink.location)

    def do_GET(self) -> None:
        self.server.sink.asked.append(self.command)  # type: ignore[attr-defined]
        self._reply(200, "")

    def _reply(self, status: int, location: str) -> None:
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        pass
