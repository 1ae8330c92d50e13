"""One HTTP exchange, limited in time and memory.

Has network. Must not know: Open-Meteo, what a reply means, attempts, pauses. A read timeout limits a single read: a
body that sends a byte now and then would never end. So a timer closes the connection.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from socket import SHUT_RDWR, socket
from ssl import SSLCertVerificationError
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import DecodeError, HTTPError, NameResolutionError, ProxyError, ReadTimeoutError

from resources.machine.proxies import for_requests

AT_ONCE = 1 << 16
"""The number of bytes of one read."""


@dataclass(frozen=True)
class Bounds:
    """The limits of an exchange."""

    connect_seconds: float
    """How long connecting may take."""
    silent_seconds: float
    """How long the host may send no byte."""
    seconds: float
    """How long the exchange may take in all."""
    most_bytes: int
    """The greatest length of the decoded body."""


class NoReply(Exception):
    """There was no complete reply.

    what: what the host did. remedy: what to do; empty for the usual remedy. passes: whether another attempt may
    succeed.
    heard: whether the host sent anything. taken: whether the host may have received the request.
    """

    def __init__(
        self, what: str, remedy: str = "", *, passes: bool = True, heard: bool = False, taken: bool = False
    ) -> None:
        super().__init__(what)
        self.what, self.remedy, self.passes, self.heard, self.taken = what, remedy, passes, heard, taken


class _Session(requests.Session):
    """A session that does not read the targets of redirects: a target may be no address at all."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None for every reply. ``requests`` reads the target even where it follows no redirects, and then reads the
        whole body, without a limit."""
        return


class Exchanges:
    """Sends requests, one after the other or at once; keeps connections open between them."""

    def __init__(self, agent: str) -> None:
        self._session = _Session()
        self._session.headers["User-Agent"] = agent
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _Adapter())

    def get(
        self, url: str, query: Mapping[str, str], bounds: Bounds, cancelled: Callable[[], bool]
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Send a GET; its status, headers (names in any case) and decoded body. Redirects are not followed.

        cancelled: called while the body arrives; if it is true, the rest of the body is not read. Raises NoReply, whose
        text never has the URL, which may contain a key.
        """
        watch = _Watch()
        timer = threading.Timer(bounds.seconds, watch.hang_up)
        timer.daemon = True
        _of_thread.watch = watch
        timer.start()
        try:
            return self._get(url, query, bounds, watch, cancelled)
        except (requests.RequestException, HTTPError, OSError) as error:
            failed = _failed(error, bounds, watch)
        except (AttributeError, ValueError) as error:  # raised if the connection is closed while it is made
            if not watch.has_hung_up:
                raise
            failed = _failed(error, bounds, watch)
        finally:
            timer.cancel()
            _of_thread.watch = None
        raise failed

    def _get(
        self, url: str, query: Mapping[str, str], bounds: Bounds, watch: _Watch, cancelled: Callable[[], bool]
    ) -> tuple[int, Mapping[str, str], bytes]:
        timeout = (bounds.connect_seconds, bounds.silent_seconds)
        options: dict[str, Any] = {"timeout": timeout, "allow_redirects": False, "stream": True}
        with self._session.get(url, params=query, proxies=for_requests(url), **options) as reply:
            watch.heard = True
            parts, size = [], 0
            while part := reply.raw.read1(AT_ONCE, decode_content=True):
                parts.append(part)
                size += len(part)
                if size > bounds.most_bytes:
                    what = f"sent more than {bounds.most_bytes / 1e6:.0f} MB, and that is no answer"
                    raise NoReply(what, heard=True, taken=True)
                if watch.has_hung_up or cancelled():
                    break
            if watch.has_hung_up:
                raise requests.Timeout
            return reply.status_code, reply.headers, b"".join(parts)


class _Watch:
    """Closes the connection of an exchange from another thread."""

    def __init__(self) -> None:
        self.connection: HTTPConnection | None = None
        self.line: object = None  # the socket of the reply; some connections let go of it while the reply arrives
        self.has_hung_up = self.heard = self.was_sent = False

    def hang_up(self) -> None:
        self.has_hung_up = True
        line = self.line or getattr(self.connection, "sock", None)
        if isinstance(line, socket):
            with suppress(OSError):  # the connection has ended by itself
                socket.shutdown(line, SHUT_RDWR)  # with or without TLS: the reading thread sees the end

    def begin_to_read(self) -> None:
        """Note that the request has been sent, and the socket of its reply."""
        self.line, self.was_sent = getattr(self.connection, "sock", None), True

    def check(self) -> None:
        """Raises TimeoutError if time was up before there was a connection to close."""
        if self.has_hung_up:
            raise TimeoutError


_of_thread = threading.local()


def _noted(connection: HTTPConnection) -> _Watch:
    """The watch of this thread's exchange. It notes the connection as the one of the exchange."""
    watch: _Watch = getattr(_of_thread, "watch", None) or _Watch()
    watch.connection = connection
    return watch


class _Plain(HTTPConnection):
    """A connection that the watch of its exchange can close."""

    def connect(self) -> None:
        watch = _noted(self)
        super().connect()
        watch.check()

    def getresponse(self) -> Any:
        _noted(self).begin_to_read()
        return super().getresponse()


class _Secure(_Plain, HTTPSConnection):
    """Such a connection over TLS: the methods of _Plain call those of HTTPSConnection, the next class."""


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


_POOLS = {"http": _PlainPool, "https": _SecurePool}


class _Adapter(HTTPAdapter):
    """An adapter whose connections can be closed by a watch, also through a proxy."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager


def _failed(error: Exception, bounds: Bounds, watch: _Watch) -> NoReply:
    """The NoReply for an exception of an exchange."""
    chain = _chain(error)
    heard, taken = watch.heard, watch.was_sent
    if watch.has_hung_up:
        did = "did not send the whole of its answer" if heard else "did not answer"
        return NoReply(f"{did} within {bounds.seconds:g} s", heard=heard, taken=taken)
    for cause in chain:
        if isinstance(cause, SSLCertVerificationError):
            return NoReply(
                f"showed a certificate that is not trusted ({cause.verify_message or 'no reason is given'})",
                "Look at this machine's clock (`date -u`) and at the host in open_meteo.base_url; where a proxy has "
                "certificates of its own, REQUESTS_CA_BUNDLE names the file with its authority.",
                passes=False,
            )
        if isinstance(cause, NameResolutionError):
            return NoReply(
                f"has no address: its name was not found ({_root_cause(cause)})",
                "Look at the spelling of open_meteo.base_url, and at this machine's network and name server "
                "(`getent hosts NAME`).",
            )
        if isinstance(cause, requests.exceptions.ProxyError | ProxyError):
            return NoReply(
                f"is asked through a proxy, which failed ({_root_cause(error)})",
                "Look at HTTPS_PROXY, HTTP_PROXY and NO_PROXY in the environment.",
            )
    if isinstance(error, requests.ConnectTimeout):
        return NoReply(f"could not be reached within {bounds.connect_seconds:g} s")
    if isinstance(error, requests.Timeout | ReadTimeoutError) or isinstance(chain[-1], TimeoutError):
        did = "stopped in the middle of its answer for" if heard else "did not answer within"
        return NoReply(f"{did} {bounds.silent_seconds:g} s", heard=heard, taken=taken)
    if isinstance(error, requests.exceptions.SSLError):
        return NoReply(f"does not agree on TLS ({_root_cause(error)})", "Look at https:// in open_meteo.base_url.")
    if heard or isinstance(error, requests.exceptions.ContentDecodingError | DecodeError):
        return NoReply("cut its answer short", heard=True, taken=True)
    if isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError | HTTPError):
        return NoReply(f"refused or broke the connection ({_root_cause(error)})", taken=taken)
    if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
        return NoReply(
            "cannot be asked: the file of certificates that REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names is not there",
            "Correct it, or unset it.",
            passes=False,
        )
    return NoReply(f"cannot be asked ({type(error).__name__})", "Check open_meteo.base_url.", passes=False)


def _chain(error: BaseException) -> list[BaseException]:
    """An exception and the exceptions under it: its cause, or context, or urllib3's reason, and so on."""
    found: list[BaseException] = [error]
    while True:
        last = found[-1]
        inner = last.__cause__ or last.__context__ or getattr(last, "reason", None)
        if not isinstance(inner, BaseException) or inner in found:
            return found
        found.append(inner)


def _root_cause(error: BaseException) -> str:
    """The last exception of a chain: the system's text, else the exception's name. Never a URL."""
    last = _chain(error)[-1]
    return (isinstance(last, OSError) and last.strerror) or type(last).__name__
