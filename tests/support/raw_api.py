"""A server on the loopback that does with a connection what a test says: byte by byte, never ending, or not at all."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

Serve = Callable[[socket.socket, threading.Event], None]
"""Called with a connection, once the request has been read, and with what is set when the test is over."""


class RawApi:
    """For the length of a with block. asked: the first line of every request."""

    def __init__(self, *serve: Serve) -> None:
        """The first connection is served by the first of ``serve``, …; the last serves all that follow."""
        self._serve = serve
        self.asked: list[str] = []
        self._over = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            request = b""
            while b"\r\n\r\n" not in request:
                part = connection.recv(65536)
                if not part:
                    return
                request += part
            self.asked.append(request.split(b"\r\n", 1)[0].decode())
            serve = self._serve[min(len(self.asked), len(self._serve)) - 1]
            serve(connection, self._over)


def whole(body: bytes, status: str = "200 OK") -> Serve:
    """Sends an answer as it should be."""

    def serve(connection: socket.socket, over: threading.Event) -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode() + body)

    return serve


def dripping(
    body: bytes, seconds: float = 0.02, head: bytes = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
) -> Serve:
    """Sends the head at once, and then a byte now and then. An empty head: that of ``body`` drips, too."""

    def serve(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(head)
        for byte in body:
            if over.wait(seconds):
                return
            connection.sendall(bytes([byte]))

    return serve


def endless(part: bytes, status: str = "200 OK") -> Serve:
    """Sends a body that never ends, as fast as it is taken."""

    def serve(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(f"HTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        while not over.is_set():
            connection.sendall(b"%x\r\n%s\r\n" % (len(part), part))

    return serve


def silent(connection: socket.socket, over: threading.Event) -> None:
    """Takes the request and says nothing."""
    over.wait(30)


def hang_up(connection: socket.socket, over: threading.Event) -> None:
    """Takes the request and ends the connection."""
