"""Servers on the loopback that answer as a test says, and keep what they were asked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Reply = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""


class _Api:
    """A server for the length of a with block. agents: the User-Agent of every request."""

    def __init__(self) -> None:
        self.agents: list[str] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                api.agents.append(self.headers["User-Agent"])
                status, headers, body = api.reply(self.path)
                self.send_response_only(status)
                for name, value in ({"Content-Length": str(len(body))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def reply(self, path: str) -> Reply:
        raise NotImplementedError

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class CannedApi(_Api):
    """Gives replies in turn. asked: the path of every request."""

    def __init__(self, *replies: Reply) -> None:
        super().__init__()
        self.asked: list[str] = []
        self._left = iter(replies)

    def reply(self, path: str) -> Reply:
        self.asked.append(path)
        return next(self._left)


class ScriptedApi(_Api):
    """``answer`` gives status and body for the latitudes of a request and its number. asked: latitudes, by request."""

    def __init__(self, answer: Callable[[list[str], int], tuple[int, bytes]]) -> None:
        super().__init__()
        self.asked: list[str] = []
        self._answer = answer

    def reply(self, path: str) -> Reply:
        latitudes = path.partition("latitude=")[2].partition("&")[0].split("%2C")
        self.asked.append("+".join(latitudes))
        status, body = self._answer(latitudes, len(self.asked))
        return status, {}, body
