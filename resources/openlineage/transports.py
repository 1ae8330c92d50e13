"""The transports of events: over HTTP by the HTTP transport of OpenLineage's client, or to a file, one event per line.

The client as a whole is not used: it looks for settings of its own in the environment and in files, and may send an
event six times. Imports the client: to be imported only by modules that send events.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import requests
from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport, TokenProvider
from urllib3.exceptions import NewConnectionError

from resources.machine.proxies import for_requests
from resources.openlineage.settings import OpenLineageSettings

_LATER = frozenset({429, 500, 502, 503, 504})


class NotTaken(Exception):
    """An event did not arrive, or nobody confirmed its arrival. The text has no secrets.

    again: another attempt may succeed. nobody: there is no receiver at all, so the next event would fail in the same
    way.
    """

    def __init__(self, message: str, *, again: bool = False, nobody: bool = False) -> None:
        super().__init__(message)
        self.again, self.nobody = again, nobody


class Transport(Protocol):
    """A way to send events."""

    def emit(self, event: Mapping[str, Any]) -> None:
        """Send an event. Raises NotTaken."""

    def close(self) -> None: ...


class OverHttp:
    """Sends each event once, to a receiver. Follows no redirect. Of the environment it uses only proxies and
    certificates."""

    def __init__(self, settings: OpenLineageSettings) -> None:
        assert settings.url is not None
        session = requests.Session()
        session.trust_env = False
        session.proxies = for_requests(settings.url)
        # A proxy may have its own certificates.
        session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
        session.max_redirects = 0  # requests follows a redirect with a GET, without the event
        key = settings.api_key
        self._seconds = settings.timeout_seconds
        self._transport = HttpTransport(
            HttpConfig(
                url=f"{settings.url}/",
                endpoint=settings.endpoint,
                timeout=settings.timeout_seconds,
                session=session,
                auth=TokenProvider({}) if key is None else ApiKeyTokenProvider({"apiKey": key.get_secret_value()}),
                retry={"total": 0},
            )
        )

    def emit(self, event: Mapping[str, Any]) -> None:
        try:
            self._transport.emit(event)  # type: ignore[arg-type]  # the transport makes JSON of any mapping
        except requests.HTTPError as error:
            status = error.response.status_code
            raise NotTaken(f"it answers {status}", again=status in _LATER) from None
        except requests.ConnectTimeout:
            raise NotTaken(f"no connection within {self._seconds:g} s", again=True, nobody=True) from None
        except requests.Timeout:
            raise NotTaken(f"no answer within {self._seconds:g} s") from None
        except requests.TooManyRedirects:
            raise NotTaken("it answers with a redirect") from None
        except requests.exceptions.SSLError:
            raise NotTaken("its certificate is not accepted, or it speaks no TLS", nobody=True) from None
        except requests.ConnectionError as error:
            nobody = isinstance(getattr(error.args[0], "reason", None) if error.args else None, NewConnectionError)
            what = "it cannot be reached" if nobody else "it broke the connection off"
            raise NotTaken(what, again=True, nobody=nobody) from None
        except (requests.RequestException, ValueError) as error:  # their texts repeat headers
            raise NotTaken(type(error).__name__) from None

    def close(self) -> None:
        self._transport.close()


class IntoFile:
    """Appends events to a file. A line is written by one system call, so that lines of concurrent runs do not mix."""

    def __init__(self, settings: OpenLineageSettings) -> None:
        assert settings.file is not None
        self._path = Path(settings.file).expanduser().resolve()

    def emit(self, event: Mapping[str, Any]) -> None:
        line = (json.dumps(event, ensure_ascii=False, separators=(",", ":")) + "\n").encode()
        try:
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                written = os.write(file, line)
            finally:
                os.close(file)
        except OSError as error:
            raise NotTaken(f"{error.strerror}") from None
        if written < len(line):
            raise NotTaken("no space left")

    def close(self) -> None:
        pass


def transport_of(settings: OpenLineageSettings) -> Transport:
    """The transport that the settings name. settings: their ``way`` must not be ``off``."""
    return OverHttp(settings) if settings.way == "http" else IntoFile(settings)
