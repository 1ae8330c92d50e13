"""An HTTP server with the protocol of Open-Meteo's air quality API: for tests, demonstrations and work offline.

Its values are made up (``air``), recorded (``recordings``), or another server's (``recorder``); ``faults`` make it
misbehave. It knows the protocol as an outsider. With the client it shares only the names of the variables, the header
of an injected clock, and the mark of made-up values.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from orchestration.core.errors import MachineError
from resources.open_meteo.made_up import MARK, TOLD
from resources.open_meteo.variables import INDEX, PURE, UNITS
from resources.simulator.air import seed_of, simulate
from resources.simulator.canned import Reply
from resources.simulator.faults import Fault, exchange_faults
from resources.simulator.handler import Handler, Server
from resources.simulator.quota import Limits, Quota
from resources.simulator.recordings import Recorded, load_recordings
from resources.simulator.requests import NO_DATA, Asked, AskedLocation, Refused, parse_query
from resources.simulator.series import AirSeries
from resources.simulator.tally import Tally
from resources.simulator.value_faults import undefined, with_faults

HourValues = dict[str, Any]  # "time" and the API's variables of one hour; null as None

FIRST_DAY = date(2013, 1, 1)
FORECAST = timedelta(days=7)
GRID_DEGREES = 0.4  # of CAMS global: answers have the coordinates of the grid cell
SLOW_SECONDS, DRIP_SECONDS = 2.0, 1.0
API_UNITS = {name: {INDEX: "USAQI", PURE: ""}.get(unit, unit.replace("µ", "μ")) for name, unit in UNITS.items()}


class Simulator:
    """The server. Use ``start`` and ``stop``, or ``with Simulator(…) as server``, or ``serve_forever``.

    It listens as soon as it is made. Answers with made-up values say so in a member ``simulated``; ``OPTIONS
    /simulated`` says so, too. ``GET /faults`` gives the counts of requests and faults in JSON.

    now: the clock (aware UTC). Hours more than seven days ahead of it do not exist.
    injected: whether the clock is not the time of day; then a header of every answer says so.
    date_offset: offset of the answers' Date from the clock.
    replay: recorded answers to give instead of made-up values, or their folder. warn: called with lines about them.
    pass_on: called with query and User-Agent of every request; its result is the answer.
    faults: how to misbehave; may be changed while the server runs. seed: of the draws for faults.
    limits: limits of calls, by the server's clock; None: no limits.
    refuse_locations: (latitude, longitude) for which there is no data.
    override: called with latitude, longitude and each hour's values (``time`` and the API's variables); its result is
    answered instead. None: the hour does not exist.
    log: called with a line for every request.
    slow_seconds: how late ``slow`` answers. drip_seconds: the pause of ``drip`` before each few bytes.
    retry_after: the seconds that ``limit`` asks the client to wait.

    Raises MachineError where the port is taken, UsageError for a folder without recordings.
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
        drip_seconds: float = DRIP_SECONDS,
        retry_after: int = 1,
        seed: int = 0,
        limits: Limits | None = None,
        injected: bool = True,
        date_offset: timedelta = timedelta(0),
    ) -> None:
        self.now = now
        self.injected, self.date_offset = injected, date_offset
        self.slow_seconds, self.drip_seconds, self.retry_after = slow_seconds, drip_seconds, retry_after
        self.tally = Tally()
        self.quota = None if limits is None else Quota(limits, now)
        self.faults, self._seed = tuple(faults), seed
        self._recordings = load_recordings(replay, warn) if isinstance(replay, Path) else replay
        self._pass_on = pass_on
        self._last_request = min((fault.rate for fault in faults if fault.name == "die"), default=float("inf"))
        self._refuse_locations = frozenset(refuse_locations)
        self._override, self._log = override, log
        self._numbers_given = 0
        self._lock = threading.Lock()
        self._stopping = threading.Lock()
        self.is_stopped = threading.Event()
        self._is_serving = self._is_closed = False
        try:
            self._server = Server((host, port), partial(Handler, self))
        except OSError as error:
            what = f"cannot listen on {host}:{port} ({error.strerror})"
            raise MachineError(what, "Choose another --port, or 0 for any that is free.") from None

    @property
    def url(self) -> str:
        """The base URL for clients."""
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
        """Stop listening. Open connections get no more answers. A second call does nothing."""
        with self._stopping:
            if self._is_closed:
                return
            self._is_closed = True
            self.is_stopped.set()
            if self._is_serving:
                self._server.shutdown()
            self._server.server_close()

    def __enter__(self) -> Simulator:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def requests_served(self) -> Counter[str]:
        return self.tally.outcomes

    def counted(self) -> dict[str, Any]:
        """The content of ``GET /faults``; with limits also the calls in each window."""
        return self.tally.to_json() | ({"used": self.quota.used} if self.quota else {})

    @property
    def made_up(self) -> bool | None:
        """Whether the values of its answers are made up; None where this is unknown, or holds of some only."""
        if self._pass_on is not None:
            return None
        return True if self._recordings is None else self._recordings.made_up

    def next_number(self) -> int | None:
        """The number of a request that begins, from 1; None where the fault ``die`` has ended the server."""
        with self._lock:
            if self._is_closed or self._numbers_given >= self._last_request:
                return None
            self._numbers_given += 1
            self.tally.begin(self._numbers_given)
            return self._numbers_given

    def hit_by(self, number: int, asked: Asked) -> list[Fault]:
        """The exchange faults that hit the request, which is counted for each."""
        drawn = exchange_faults(self.faults, number, asked, self._seed)
        hit = [fault for fault in drawn if self.tally.is_left(fault, fault.only.times)]
        for fault in hit:
            self.tally.hit(fault.name)
        return hit

    def note(self, outcome: str, line: str) -> None:
        """Count and log the outcome of a request, before its answer is sent."""
        self.tally.end(outcome)
        if self._log:
            self._log(f"{line} {outcome}")

    def after(self, number: int) -> None:
        """Stop the server if this request is the last that ``die`` allows."""
        if number >= self._last_request:
            self.tally.hit("die")
            threading.Thread(target=self.stop).start()

    def reply(self, query: str, agent: str) -> Reply:
        """The reply of an API without faults of an exchange."""
        if self._pass_on:
            return self._pass_on(query, agent)
        status, payload = self.answer(query)
        return Reply(status, json.dumps(payload, ensure_ascii=False).encode())

    def answer(self, query: str) -> tuple[int, Any]:
        """Status and JSON for a query, with faults of values."""
        try:
            locations, variables = parse_query(query)
            answers = [self._answer_location(location, variables) for location in locations]
        except Refused as refusal:
            return 400, {"error": True, "reason": str(refusal)}
        for number, document in enumerate(answers[1:], 1):
            document["location_id"] = number
        return 200, answers[0] if len(answers) == 1 else answers

    def _answer_location(self, location: AskedLocation, variables: Sequence[str]) -> dict[str, Any]:
        """The JSON object for one location."""
        here = (location.latitude, location.longitude)
        clock = self.now().astimezone(UTC)
        if here in self._refuse_locations:
            raise Refused(NO_DATA)
        series, cell = self._series(location, variables, clock)
        mark = {MARK: TOLD} if series.made_up else {}
        faults = [fault for fault in self.faults if fault.only.has_location(*here)]
        more = partial(self._more, location, variables, clock)
        seed, today = seed_of(*here) + self._seed, (clock.date() - date(1970, 1, 1)).days
        series, hit_by = with_faults(series, seed, faults, today, more)
        for name in hit_by:
            self.tally.hit(name)
        units = {name: API_UNITS[name] for name in variables} | dict.fromkeys(
            undefined(faults, location, variables), "undefined"
        )
        return {
            "latitude": cell[0],
            "longitude": cell[1],
            "generationtime_ms": 1.0,
            "utc_offset_seconds": 0,
            "timezone": "GMT",
            "timezone_abbreviation": "GMT",
            "elevation": 0.0,
            **mark,
            "hourly_units": {"time": "iso8601"} | units,
            "hourly": self._hourly(here, series, variables),
        }

    def _series(
        self, location: AskedLocation, variables: Sequence[str], clock: datetime
    ) -> tuple[AirSeries, tuple[float, float]]:
        """The hours of a location, and the coordinates of its answer. Raises Refused."""
        if self._recordings is not None:
            return self._recordings.answer(location, variables, clock)
        location.check(FIRST_DAY, (clock + FORECAST).date())
        latitude, longitude = (
            round(round(degrees / GRID_DEGREES) * GRID_DEGREES, 2)
            for degrees in (location.latitude, location.longitude)
        )
        horizon = int((clock + FORECAST).timestamp() // 3600)
        return simulate(location.latitude, location.longitude, location.hours(), horizon), (latitude, longitude)

    def _more(
        self, location: AskedLocation, variables: Sequence[str], clock: datetime, first: int, last: int
    ) -> AirSeries:
        """The hours from ``first`` to ``last`` of a location, as far as they exist, whatever days the request is
        for."""
        days = [date(1970, 1, 1) + timedelta(days=hour // 24) for hour in (first, last)]
        try:
            series, _ = self._series(replace(location, first=days[0], last=days[1]), variables, clock)
        except Refused:
            series, _ = self._series(location, variables, clock)
        return series.where((series.hours >= first) & (series.hours <= last))

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
