"""A proxy between a run and the source that records: it passes requests on, and keeps the replies with their moments.

Each reply is kept in a file of its own, ``2025-09-11T06-00-00Z_0001.json`` (see ``replies``). A reply that is not an
answer is passed on and not kept. The source's key is added to requests; it is removed from all that is kept or passed
back.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import requests

from orchestration.core.errors import UsageError
from resources.machine.clock import Clock
from resources.machine.proxies import check_way, for_requests
from resources.open_meteo.clocks import CLOCK_HEADER
from resources.open_meteo.limits import server_time
from resources.open_meteo.replies import reason
from resources.open_meteo.secrets import Secrets
from resources.open_meteo.settings import OpenMeteoSettings
from resources.simulator.canned import Reply, error
from resources.simulator.replies import kept_reply
from resources.storage.atomic_files import write_atomically
from resources.storage.files import open_files

KEY = "apikey"
PASSED_BACK = ("Date", CLOCK_HEADER, "Retry-After")
"""Headers that the client uses."""
_NAME = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ_(\d{4,})\.json")


class Recorder:
    """Passes queries on to the source, and keeps its replies in a folder. ``open`` must be called first.

    settings: those of the source. now: the clock for replies without a Date. log: called with a line for each reply.
    """

    def __init__(self, folder: Path, settings: OpenMeteoSettings, now: Clock, log: Callable[[str], None]) -> None:
        self.address = str(settings.base_url)
        self._url = settings.base_url.get_secret_value().rstrip("/") + "/v1/air-quality"
        self._key = settings.api_key.get_secret_value() if settings.api_key else ""
        self._timeout = (settings.connect_timeout_seconds, settings.read_timeout_seconds)
        self._folder, self._now, self._log = folder, now, log
        self._session = requests.Session()
        self._one_at_a_time = threading.Lock()
        self._kept = 0

    def open(self) -> None:
        """Make the folder. Raises UsageError where it cannot be made, where it has JSON files that were not recorded
        here, and where there is no way to the source."""
        check_way(self._url)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            names = [path.name for path in self._folder.glob("*.json")]
        except OSError as problem:
            what = f"{self._folder} cannot be recorded into ({problem.strerror})"
            raise UsageError(what, "Name a folder that can be made.") from None
        numbered = [int(found[1]) for name in names if (found := _NAME.fullmatch(name))]
        if len(numbered) < len(names):
            what = f"{self._folder} has other files (*.json) than those that are recorded"
            raise UsageError(what, "Name a folder of its own.")
        self._kept = max(numbered, default=0)

    def leads_to(self, url: str) -> bool:
        """Whether the source is the server at ``url``, whose host is an address of this machine: a loop."""
        there, here = urlsplit(self._url), urlsplit(url)
        if (there.port or {"http": 80}.get(there.scheme, 443)) != here.port:
            return False
        try:
            return here.hostname in {found[4][0] for found in socket.getaddrinfo(there.hostname, there.port)}
        except OSError:
            return False

    def __call__(self, query: str, agent: str) -> Reply:
        """The source's reply to a query."""
        asked = {name: ",".join(values) for name, values in parse_qs(query, keep_blank_values=True).items()}
        given = asked.pop(KEY, "")
        there = urlsplit(self._url)
        secrets = Secrets(self._key, given, there.password, user=there.username)
        with self._one_at_a_time:
            before = self._now()
            try:
                reply = self._session.get(
                    self._url,
                    params=asked | ({KEY: key} if (key := self._key or given) else {}),
                    headers={"User-Agent": agent},
                    proxies=for_requests(self._url),
                    timeout=self._timeout,
                    allow_redirects=False,
                )
            except requests.RequestException as problem:  # its text may contain the key
                self._log(f"{self.address} did not answer ({type(problem).__name__}); nothing is kept")
                return error(502, f"{self.address} did not answer")
            body = secrets.hidden_in_body(reply.content)
            headers = {name: reply.headers[name] for name in PASSED_BACK if name in reply.headers}
            passed_back = Reply(reply.status_code, body, reply.headers.get("Content-Type", ""), headers)
            if reply.status_code != 200:
                said = secrets.hidden_in(reason(reply.content))
                self._log(f"HTTP {reply.status_code} ({said}) was passed on, and is not kept")
                return passed_back
            return self._kept_whole(asked, server_time(reply.headers) or before, passed_back)

    def _kept_whole(self, query: dict[str, str], moment: datetime, reply: Reply) -> Reply:
        """Keep a reply, and return it. Where it cannot be kept: an error that clients do not repeat."""
        try:
            text = kept_reply(moment, query, reply.status, reply.body)
        except ValueError as problem:
            self._log(f"what is no answer was passed on, and is not kept ({problem})")
            return reply
        name = f"{moment:%Y-%m-%dT%H-%M-%SZ}_{self._kept + 1:04}.json"
        files, folder = open_files(str(self._folder))
        try:
            write_atomically(files, f"{folder}/{name}", text)
        except OSError as problem:
            self._log(f"{name} cannot be kept ({problem.strerror})")
            return error(507, f"the answer cannot be kept ({problem.strerror})")
        self._kept += 1
        self._log(f"kept {name}")
        return reply
