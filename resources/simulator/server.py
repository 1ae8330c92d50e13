"""An HTTP server that speaks Open-Meteo's air quality protocol: for tests, demonstrations and work offline.

Its values are made up (``air``), recorded (``recordings``), or another server's (``recorder``); ``faults`` make it
misbehave. Knows the protocol from the outside only: of the client it shares the names of the variables, and of the
header by which both know an injected clock.
"""

from __future__ import annotations

import json
import socketserver
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, date, datetime, timedelta
from email.utils import formatdate
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from orchestration.core.errors import EnvironmentError_
from resources.open_meteo.clocks import CLOCK_HEADER, INJECTED
from resources.open_meteo.variables import INDEX, PURE, UNITS
from resources.simulator.air import seed_of, simulate
from resources.simulator.faults import CANNED, Fault, Reply, error, exchange_faults, with_faults
from resources.simulator.recordings import Recorded, load_recordings
from resources.simulator.requests import NO_DATA, Place, Refused, parse_query
from resources.simulator.series import AirSeries

HourValues = dict[str, Any]  # "time" and the API's variables of one hour; null as None

PATH = "/v1/air-quality"
FIRST_DAY = date(2013, 1, 1)
FORECAST = timedelta(days=7)
GRID_DEGREES = 0.4  # of CAMS global: answers carry the coordinates of the grid cell
SLOW_SECONDS = 2.0
API_UNITS = {name: {INDEX: "USAQI", PURE: ""}.get(unit, unit.replace("µ", "μ")) for name, unit in UNITS.items()}


class Simulator:
    """The server. Use ``start`` and ``stop``, or ``with Simulator(…) as server``, or ``serve_forever``.

    now: the clock (aware UTC); what lies more than seven days ahead of it does not exist. injected: it is not the time
    of day, and the header of every answer says so. date_offset: by how much the Date of answers is off that clock.
    replay: recorded answers to give instead of made-up values, or the folder that they are in; warn: called with what
    there is to say of them. pass_on: called with the query and the User-Agent of every request; what it returns is
    answered instead.
    faults: how to misbehave. refuse_locations: (latitude, longitude) for which there is no data.
    override: called with latitude, longitude and each hour's values (``time`` and the API's variables); what
    it returns is answered instead, None for an hour that does not exist.
    log: called with a line for every request. slow_seconds: how late the fault ``slow`` answers.
    requests_served: how many requests ended how: ``ok``, ``refused``, or the name of the fault.

    It listens as soon as it is made. Raises EnvironmentError_ where the port is taken, UsageError for a
    folder without recordings.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        host: str = "127.0.0.1",
        port: int = 0,
        replay: Path | Recorded | None = None,
        warn: Callable[[str], None] = lambda _line: None,
        pass_on: Callable[[str, str], Reply] | None = None,
        faults: Sequence[Fault] = (),
        refuse_locations: Collection[tuple[float, float]] = (),
        override: Callable[[float, float, HourValues], HourValues | None] | None = None,
        log: Callable[[str], None] | None = None,
        slow_seconds: float = SLOW_SECONDS,
        injected: bool = True,
        date_offset: timedelta = timedelta(0),
    ) -> None:
        self.now = now
        self.injected, self.date_offset = injected, date_offset
        self.slow_seconds = slow_seconds
        self.requests_served: Counter[str] = Counter()
        self._recordings = load_recordings(replay, warn) if isinstance(replay, Path) else replay
        self._pass_on = pass_on
        self._faults = tuple(faults)
        self._last_request = min((fault.rate for fault in faults if fault.name == "die"), default=float("inf"))
        self._refuse_locations = frozenset(refuse_locations)
        self._override, self._log = override, log
        self._numbers_given = 0
        self._lock = threading.Lock()
        self._stopping = threading.Lock()
        self._is_serving = self._is_closed = False
        try:
            self._server = _Server((host, port), partial(_Handler, self))
        except OSError as error:
            what = f"cannot listen on {host}:{port} ({error.strerror})"
            raise EnvironmentError_(what, "Choose another --port, or 0 for any that is free.") from None

    @property
    def url(self) -> str:
        """What to give the client as its base URL."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def start(self) -> Simulator:
        """Serve in a thread of its own."""
        self._is_serving = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def serve_forever(self) -> None:
        """Serve in this thread until ``stop``, an interrupt, or the fault ``die``."""
        self._is_serving = True
        try:
            self._server.serve_forever(0.2)
        finally:
            self._server.server_close()

    def stop(self) -> None:
        """Stop listening; connections that are still open get no more answers. Repeating it does nothing."""
        with self._stopping:
            if self._is_closed:
                return
            self._is_closed = True
            if self._is_serving:
                self._server.shutdown()
            self._server.server_close()

    def __enter__(self) -> Simulator:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def next_number(self) -> int | None:
        """The number of the request that begins, from 1; None where the server is to be gone."""
        with self._lock:
            if self._is_closed or self._numbers_given >= self._last_request:
                return None
            self._numbers_given += 1
            return self._numbers_given

    def hit_by(self, number: int) -> list[str]:
        """The exchange faults that hit the request."""
        return exchange_faults(self._faults, number)

    def note(self, outcome: str, line: str) -> None:
        """Count and log how a request ends, before its answer is sent."""
        with self._lock:
            self.requests_served[outcome] += 1
        if self._log:
            self._log(f"{line} {outcome}")

    def after(self, number: int) -> None:
        """Be gone, where this request was the last."""
        if number >= self._last_request:
            threading.Thread(target=self.stop).start()

    def reply(self, query: str, agent: str) -> Reply:
        """What an API in good health says to a query."""
        if self._pass_on:
            return self._pass_on(query, agent)
        status, payload = self.answer(query)
        return Reply(status, json.dumps(payload, ensure_ascii=False).encode())

    def answer(self, query: str) -> tuple[int, Any]:
        """Status and JSON for a query, faults of values included."""
        try:
            places, variables = parse_query(query)
            answers = [self._answer_place(place, variables) for place in places]
        except Refused as refusal:
            return 400, {"error": True, "reason": str(refusal)}
        for number, document in enumerate(answers[1:], 1):
            document["location_id"] = number
        return 200, answers[0] if len(answers) == 1 else answers

    def _answer_place(self, place: Place, variables: Sequence[str]) -> dict[str, Any]:
        """The JSON object for one place."""
        here = (place.latitude, place.longitude)
        clock = self.now().astimezone(UTC)
        if here in self._refuse_locations:
            raise Refused(NO_DATA)
        if self._recordings is None:
            place.check(FIRST_DAY, (clock + FORECAST).date())
            series = simulate(*here, place.hours(), int((clock + FORECAST).timestamp() // 3600))
            latitude, longitude = (round(round(degrees / GRID_DEGREES) * GRID_DEGREES, 2) for degrees in here)
            cell = (latitude, longitude)
        else:
            series, cell = self._recordings.answer(place, variables, clock)
        series = with_faults(series, seed_of(*here), self._faults, (clock.date() - date(1970, 1, 1)).days)
        return {
            "latitude": cell[0],
            "longitude": cell[1],
            "generationtime_ms": 1.0,
            "utc_offset_seconds": 0,
            "timezone": "GMT",
            "timezone_abbreviation": "GMT",
            "elevation": 0.0,
            "hourly_units": {"time": "iso8601"} | {name: API_UNITS[name] for name in variables},
            "hourly": self._hourly(here, series, variables),
        }

    def _hourly(self, here: tuple[float, float], series: AirSeries, variables: Sequence[str]) -> dict[str, list[Any]]:
        """The lists of ``hourly``: times and values."""
        times = series.hours.astype("datetime64[h]")
        lists: dict[str, list[Any]] = {"time": np.datetime_as_string(times, unit="m").tolist()}
        for name in variables:
            whole = UNITS[name] == INDEX
            cells = series.values[name].tolist()
            lists[name] = [None if cell != cell else int(cell) if whole else cell for cell in cells]
        if self._override is None:
            return lists
        rows = (dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True))
        kept = [row for row in (self._override(*here, row) for row in rows) if row is not None]
        return {name: [row[name] for row in kept] for name in lists}


class _Server(ThreadingHTTPServer):
    """Quiet where a client goes away, and without a look-up of the host's name."""

    daemon_threads = True

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    timeout = 60
    disable_nagle_algorithm = True  # or the body waits 40 ms for the acknowledgement of the header

    def __init__(self, simulator: Simulator, *arguments: Any) -> None:
        self._simulator = simulator
        super().__init__(*arguments)

    def do_GET(self) -> None:
        number = self._simulator.next_number()
        if number is None:
            self.close_connection = True
            return
        faults = self._simulator.hit_by(number)
        if "slow" in faults:
            time.sleep(self._simulator.slow_seconds)
        worst = next((name for name in faults if name != "slow"), "")
        agent = self.headers.get("User-Agent", "")
        reply = CANNED[worst] if worst in CANNED else self._reply(agent)
        fine = "ok" if reply.status == 200 else "refused"
        outcome = worst or next(iter(faults), fine)
        self._simulator.note(outcome, f"GET {urlsplit(self.path).path} ({agent})")
        self.close_connection = self.close_connection or worst in ("drop", "truncate")
        if worst != "drop":
            self._send(reply, len(reply.body) // (2 if worst == "truncate" else 1))
        self._simulator.after(number)

    def _reply(self, agent: str) -> Reply:
        parts = urlsplit(self.path)
        return self._simulator.reply(parts.query, agent) if parts.path == PATH else error(404, "Not Found")

    def _send(self, reply: Reply, length: int) -> None:
        """Send the first ``length`` bytes of the body under the header of the whole."""
        self.send_response_only(reply.status)
        own = {"Content-Type": reply.kind, "Content-Length": str(len(reply.body))}
        others = self._headers(reply.status) if reply.headers is None else reply.headers
        for name, value in {**own, **others}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body[:length])

    def _headers(self, status: int) -> dict[str, str]:
        """What goes by the simulator's clock."""
        headers = {"Date": self.date_time_string()}
        if self._simulator.injected:
            headers[CLOCK_HEADER] = INJECTED
        return headers | ({"Retry-After": "1"} if status == 429 else {})

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The Date header goes by the injected clock, too."""
        shown = self._simulator.now() + self._simulator.date_offset
        return formatdate(shown.timestamp() if timestamp is None else timestamp, usegmt=True)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing to standard error."""
