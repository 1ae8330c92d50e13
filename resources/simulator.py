"""An HTTP server that speaks Open-Meteo's air quality protocol: for tests, demonstrations and work offline.

Its values are made up, but firmly: a pure function of place and hour, whatever range was asked for. With
``replay`` it serves recorded answers instead. ``Fault``s make it misbehave in the ways that networks and
providers do. Knows the protocol from the outside only: of the client it shares the names of the variables.
"""

from __future__ import annotations

import difflib
import json
import socketserver
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import formatdate
from functools import partial
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from numpy.typing import NDArray

from orchestration.errors import EnvironmentError_, UsageError
from resources.open_meteo import INDEX, VARIABLES
from resources.us_aqi import Floats, hourly_indices

Hours = NDArray[np.int64]  # hours since 1970-01-01T00:00Z
HourValues = dict[str, Any]  # "time" and the API's variables of one hour; null as None

FIRST_DAY = date(2013, 1, 1)
FORECAST = timedelta(days=7)
GLOBAL_BEGINS = (date(2022, 8, 1) - date(1970, 1, 1)).days * 24  # earlier values exist in Europe only
GRID_DEGREES = 0.4  # of CAMS global: answers carry the coordinates of the grid cell
REPLAY_DEGREES = 0.01  # a recording answers for places no farther away than this
WARM_UP_HOURS = 23  # that the averages of the first hour reach back
SLOW_SECONDS = 2.0
UNITS = {
    name: {INDEX: "USAQI", "1": ""}.get(v.unit, v.unit.replace("µ", "μ")) for name, v in VARIABLES.items()
}


# Faults -----------------------------------------------------------------------------------------------------

EXCHANGE_FAULTS = ("error", "overload", "limit", "refuse", "html", "truncate", "nonsense", "slow", "drop")
VALUE_FAULTS = ("nulls", "negative", "duplicate", "conflict", "revise")
FAULTS = (*EXCHANGE_FAULTS, *VALUE_FAULTS, "die")


@dataclass(frozen=True)
class _Reply:
    """An HTTP response."""

    status: int
    body: bytes
    kind: str = "application/json; charset=utf-8"


def _error(status: int, reason: str) -> _Reply:
    return _Reply(status, json.dumps({"error": True, "reason": reason}).encode())


CANNED: Mapping[str, _Reply] = {
    "error": _error(500, "Internal server error"),
    "overload": _error(503, "The service is overloaded"),
    "limit": _error(429, "Minutely API request limit exceeded. Please try again in one minute."),
    "refuse": _error(400, "No data is available for this location"),
    "html": _Reply(200, b"<!DOCTYPE html><html><head><title>Log in</title></head></html>", "text/html"),
    "nonsense": _Reply(200, b'{"data":[1,2,3]}'),
}


@dataclass(frozen=True)
class Fault:
    """One way to misbehave.

    rate: for ``error`` … ``drop`` the share of requests hit, drawn from the request's number; for ``nulls`` …
    ``revise`` the share of values or hours hit, drawn from place and hour, so that asking again gives the
    same; for ``die`` the number of requests after which the server is gone. ``revise`` changes hours of the
    last three days with every day of the clock.
    Raises UsageError for an unknown name or an impossible rate.
    """

    name: str
    rate: float = 1.0

    def __post_init__(self) -> None:
        if self.name not in FAULTS:
            near = difflib.get_close_matches(self.name, FAULTS, n=1, cutoff=0.0)[0]
            raise UsageError(
                f"unknown fault {self.name!r}", f"Did you mean {near!r}? One of: {', '.join(FAULTS)}."
            )
        if self.name == "die" and not (self.rate >= 1 and float(self.rate).is_integer()):
            raise UsageError(f"die needs a number of requests of at least 1 (got {self.rate:g})")
        if self.name != "die" and not 0 <= self.rate <= 1:
            raise UsageError(f"the rate of fault {self.name} must be from 0 to 1 (got {self.rate:g})")


def parse_faults(text: str) -> tuple[Fault, ...]:
    """The faults of ``NAME[:RATE],…``; none for an empty text. Raises UsageError."""
    faults = []
    for part in filter(None, map(str.strip, text.split(","))):
        name, colon, rate = part.partition(":")
        try:
            faults.append(Fault(name, float(rate) if colon else 1.0))
        except ValueError:
            raise UsageError(f"the rate of fault {name} must be a number (got {rate!r})") from None
    return tuple(faults)


# The made-up world ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Series:
    """The API's variables of one place at some hours; NaN for null."""

    hours: Hours
    values: Mapping[str, Floats]


def _seed(latitude: float, longitude: float) -> int:
    return int.from_bytes(sha256(f"air {latitude:.4f} {longitude:.4f}".encode()).digest()[:8], "little")


def _noise(seed: int, channel: int, steps: Hours) -> Floats:
    """Uniform in [0, 1), independent for every seed, channel and step (the finalizer of SplitMix64)."""
    start = (seed + channel * 0xD1B54A32D192ED03) % 2**64
    x = steps.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(start)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (x ^ (x >> np.uint64(31))).astype(np.float64) / 2.0**64


def _weather(seed: int, channel: int, hours: Hours, period_hours: int) -> Floats:
    """Noise in [0, 1) that changes over ``period_hours``: from knot to knot along a cosine."""
    knot, rest = np.divmod(hours, period_hours)
    ease = (1 - np.cos(np.pi * rest / period_hours)) / 2
    return _noise(seed, channel, knot) * (1 - ease) + _noise(seed, channel, knot + 1) * ease


def _concentrations(latitude: float, longitude: float, hours: Hours) -> dict[str, Floats]:
    """Every measured variable, by its name in the API; µg/m³ (carbon dioxide ppm)."""
    seed = _seed(latitude, longitude)
    climate = _noise(seed, 0, np.arange(6))
    solar = (hours + longitude / 15.0) % 24
    year = 2 * np.pi * (hours / 8766.0 + (0.0 if latitude >= 0 else 0.5))
    winter = np.cos(year - 0.25)
    rush = np.exp(-(((solar - 7.5) / 2.0) ** 2)) + np.exp(-(((solar - 19.0) / 2.5) ** 2))
    tilt = np.radians(-23.44) * np.cos(2 * np.pi * (hours / 8766.0 + 10 / 365.25))
    height = np.sin(np.radians(latitude)) * np.sin(tilt)
    height = height - np.cos(np.radians(latitude)) * np.cos(tilt) * np.cos(2 * np.pi * solar / 24)
    sun = np.maximum(height, 0.0)
    # Stagnant air builds pollution up over days: episodes.
    stagnant = np.exp(2.2 * (_weather(seed, 1, hours, 53) - 0.5) + 0.9 * (_weather(seed, 2, hours, 17) - 0.5))
    grain = 0.9 + 0.2 * _noise(seed, 3, hours)
    pm25 = (9 + 46 * climate[0]) * (1 + 0.3 * winter) * stagnant * (0.8 + 0.4 * rush) * grain
    dust = 60 * climate[1] ** 4 * _weather(seed, 4, hours, 71) ** 4
    no2 = (6 + 34 * climate[2]) * stagnant**0.5 * (0.5 + rush) * grain
    so2 = (2 + 18 * climate[3]) * stagnant**0.7 * (0.7 + 0.5 * rush)
    co = (150 + 350 * climate[4]) * stagnant * (0.6 + 0.9 * rush)
    o3 = 25 + (70 + 70 * climate[5]) * sun * (0.5 + _weather(seed, 5, hours, 41))
    return {
        "pm2_5": np.round(pm25, 1),
        "pm10": np.round(pm25 * (1.15 + 0.5 * _weather(seed, 6, hours, 31)) + dust, 1),
        "ozone": np.round(np.maximum(o3 - 0.4 * no2, 0.0)),
        "nitrogen_dioxide": np.round(no2, 1),
        "sulphur_dioxide": np.round(so2, 1),
        "carbon_monoxide": np.round(co),
        "aerosol_optical_depth": np.round(0.05 + pm25 / 150 + dust / 200, 2),
        "dust": np.round(dust),
        "uv_index": np.round(
            np.round(12 * sun**1.2 * (0.4 + 0.6 * _weather(seed, 7, hours, 13)) * 20) / 20, 2
        ),
        "carbon_dioxide": np.round(420 + 2.4 * (hours / 8766.0 - 52) + 25 * rush * stagnant**0.3),
    }


def _is_in_europe(latitude: float, longitude: float) -> bool:
    """Whether CAMS's European domain covers the place."""
    return 30 <= latitude <= 72 and -25 <= longitude <= 45


def simulate(latitude: float, longitude: float, hours: Hours, horizon: int) -> _Series:
    """What the made-up world has for adjacent hours at a place; nothing after the hour ``horizon``."""
    if not len(hours):
        return _Series(hours, {name: np.empty(0) for name in VARIABLES})
    longer = np.arange(hours[0] - WARM_UP_HOURS, hours[-1] + 1)
    measured = _concentrations(latitude, longitude, longer)
    missing = longer > horizon
    if not _is_in_europe(latitude, longitude):
        missing |= longer < GLOBAL_BEGINS
    measured = {name: np.where(missing, np.nan, values) for name, values in measured.items()}
    indices = hourly_indices({VARIABLES[name].column: values for name, values in measured.items()})
    every = {name: measured[name] if name in measured else indices[v.column] for name, v in VARIABLES.items()}
    every = {name: np.where(missing, np.nan, values)[WARM_UP_HOURS:] for name, values in every.items()}
    return _Series(hours, every)


def _with_faults(series: _Series, seed: int, faults: Sequence[Fault], today: int) -> _Series:
    """The series after its value faults. today: days since 1970 of the clock."""
    hours, values = series.hours, dict(series.values)
    for fault in faults:
        channel = 100 * (1 + VALUE_FAULTS.index(fault.name)) if fault.name in VALUE_FAULTS else 0
        hit = _noise(seed, channel, hours) < fault.rate
        if fault.name in ("nulls", "negative"):
            for offset, (name, cells) in enumerate(values.items()):
                instead = np.nan if fault.name == "nulls" else -np.abs(cells) - 1
                values[name] = np.where(_noise(seed, channel + offset, hours) < fault.rate, instead, cells)
        elif fault.name in ("duplicate", "conflict"):
            source = np.repeat(np.arange(len(hours)), 1 + hit)
            extra = np.concatenate([[False], source[1:] == source[:-1]]) if fault.name == "conflict" else 0
            hours, values = hours[source], {name: cells[source] + extra for name, cells in values.items()}
        elif fault.name == "revise":
            recent = hit & (hours // 24 > today - 3) & (hours // 24 <= today)
            factor = np.where(recent, 1 + 0.2 * _noise(seed, channel + 1 + today, hours), 1.0)
            for name, cells in values.items():
                values[name] = np.round(cells * factor, 0 if VARIABLES[name].unit == INDEX else 2)
    return _Series(hours, values)


# Recordings -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Recording:
    """What was recorded of one place."""

    latitude: float
    longitude: float
    series: _Series

    def distance(self, latitude: float, longitude: float) -> float:
        return max(abs(self.latitude - latitude), abs(self.longitude - longitude))


def _load_recordings(folder: Path) -> list[_Recording]:
    """The answers in ``folder/*.json``, one a place: files of the same coordinates are joined."""
    found: dict[tuple[float, float], dict[str, list[Any]]] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            payload = json.loads(path.read_bytes())
            for document in payload if isinstance(payload, list) else [payload]:
                place = found.setdefault((document["latitude"], document["longitude"]), {})
                for name in ("time", *VARIABLES):
                    place.setdefault(name, []).extend(document["hourly"][name])
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{path} is not a recorded answer of the API ({error!r})") from None
    if not found:
        raise UsageError(
            f"there is no *.json to replay in {folder}", "Name a folder with answers of the API."
        )
    recordings = []
    for (latitude, longitude), columns in found.items():
        times = np.array(columns["time"], dtype="datetime64[m]")
        hours, first = np.unique(times.astype("datetime64[h]").astype(np.int64), return_index=True)
        values = {name: np.array(columns[name], dtype=np.float64)[first] for name in VARIABLES}
        recordings.append(_Recording(latitude, longitude, _Series(hours, values)))
    return recordings


# The protocol -----------------------------------------------------------------------------------------------


class _Refused(Exception):
    """A request that the API answers with 400 and this reason."""


@dataclass(frozen=True)
class _Place:
    """One place of a request, and its days."""

    latitude: float
    longitude: float
    first: date
    last: date

    def hours(self) -> Hours:
        """All hours of its days, since 1970."""
        epoch = date(1970, 1, 1)
        return np.arange((self.first - epoch).days * 24, (self.last - epoch).days * 24 + 24)

    def check(self, first: date, last: date) -> None:
        """Refuse days outside of the allowed ones."""
        for name, day in (("start_date", self.first), ("end_date", self.last)):
            if not first <= day <= last:
                raise _Refused(f"Parameter '{name}' is out of allowed range from {first} to {last}")


def _parse_query(query: str) -> tuple[list[_Place], list[str]]:
    """The places and variables of a query; refuses what the API refuses, in its words."""
    given = {name: ",".join(values).split(",") for name, values in parse_qs(query).items()}
    if missing := [
        name for name in ("latitude", "longitude", "hourly", "start_date", "end_date") if name not in given
    ]:
        raise _Refused(f"Value of type 'String' required for key '{missing[0]}'.")
    for name in given["hourly"]:
        if name not in VARIABLES:
            what = "VariableOrDerived<CamsVariable, CamsVariableDerived>"
            raise _Refused(
                f"Data corrupted at path ''. Cannot initialize {what} from invalid String value {name}."
            )
    if any(zone not in ("UTC", "GMT") for zone in given.get("timezone", ())):
        raise _Refused("Invalid timezone. This simulator knows UTC only.")
    latitudes = _numbers("Latitude", given["latitude"], 90)
    longitudes = _numbers("Longitude", given["longitude"], 180)
    try:
        first, last = (
            [date.fromisoformat(day) for day in given[name]] for name in ("start_date", "end_date")
        )
    except ValueError:
        raise _Refused("Invalid date format. Make sure to use 'YYYY-MM-DD'") from None
    count = len(latitudes)
    first, last = (days * count if len(days) == 1 else days for days in (first, last))
    if not len(longitudes) == len(first) == len(last) == count <= 1000:
        raise _Refused("Parameter 'latitude' and 'longitude' must have the same number of elements")
    if any(end < begin for begin, end in zip(first, last, strict=True)):
        raise _Refused("End-date must be larger or equals than start-date.")
    places = zip(latitudes, longitudes, first, last, strict=True)
    return [_Place(*place) for place in places], given["hourly"]


def _numbers(name: str, texts: Sequence[str], bound: int) -> list[float]:
    """Degrees within ± bound."""
    try:
        numbers = [float(text) for text in texts]
    except ValueError:
        raise _Refused(f"Invalid number in '{name.lower()}'.") from None
    for number in numbers:
        if not -bound <= number <= bound:
            raise _Refused(f"{name} must be in range of -{bound} to {bound}°. Given: {number}.")
    return numbers


class Simulator:
    """The server. Use ``start`` and ``stop``, or ``with Simulator(…) as server``, or ``serve_forever``.

    now: the clock (aware UTC); what lies more than seven days ahead of it does not exist.
    replay: a folder with recorded answers to give instead of made-up values.
    faults: how to misbehave. refuse_locations: (latitude, longitude) for which there is no data.
    override: called with latitude, longitude and each hour's values (``time`` and the API's variables); what
    it returns is answered instead, None for an hour that does not exist.
    log: called with a line for every request.
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
        replay: Path | None = None,
        faults: Sequence[Fault] = (),
        refuse_locations: Collection[tuple[float, float]] = (),
        override: Callable[[float, float, HourValues], HourValues | None] | None = None,
        log: Callable[[str], None] | None = None,
    ) -> None:
        self.now = now
        self.requests_served: Counter[str] = Counter()
        self._recordings = _load_recordings(replay) if replay else None
        self._faults = tuple(faults)
        self._last_request = min(
            (fault.rate for fault in faults if fault.name == "die"), default=float("inf")
        )
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
        draw = np.array([number])
        exchange = [(EXCHANGE_FAULTS.index(f.name), f) for f in self._faults if f.name in EXCHANGE_FAULTS]
        return [fault.name for channel, fault in exchange if _noise(0, channel, draw)[0] < fault.rate]

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

    def answer(self, query: str) -> tuple[int, Any]:
        """Status and JSON for a query, faults of values included."""
        try:
            places, variables = _parse_query(query)
            answers = [self._answer_place(place, variables) for place in places]
        except _Refused as refusal:
            return 400, {"error": True, "reason": str(refusal)}
        for number, document in enumerate(answers[1:], 1):
            document["location_id"] = number
        return 200, answers[0] if len(answers) == 1 else answers

    def _answer_place(self, place: _Place, variables: Sequence[str]) -> dict[str, Any]:
        """The JSON object for one place."""
        here = (place.latitude, place.longitude)
        clock = self.now().astimezone(UTC)
        if here in self._refuse_locations:
            raise _Refused("No data is available for this location")
        if self._recordings is None:
            place.check(FIRST_DAY, (clock + FORECAST).date())
            series = simulate(*here, place.hours(), int((clock + FORECAST).timestamp() // 3600))
            cell = tuple(round(round(degrees / GRID_DEGREES) * GRID_DEGREES, 2) for degrees in here)
        else:
            recording = min(self._recordings, key=lambda r: r.distance(*here))
            if recording.distance(*here) > REPLAY_DEGREES:
                raise _Refused("No data is available for this location")
            series, cell = recording.series, (recording.latitude, recording.longitude)
            begin, end = (
                date(1970, 1, 1) + timedelta(days=int(hour // 24)) for hour in series.hours[[0, -1]]
            )
            place.check(begin, end)
            asked = place.hours()
            is_there = (series.hours >= asked[0]) & (
                series.hours <= min(asked[-1], clock.timestamp() // 3600)
            )
            series = _Series(
                series.hours[is_there], {n: cells[is_there] for n, cells in series.values.items()}
            )
        series = _with_faults(series, _seed(*here), self._faults, (clock.date() - date(1970, 1, 1)).days)
        return {
            "latitude": cell[0],
            "longitude": cell[1],
            "generationtime_ms": 1.0,
            "utc_offset_seconds": 0,
            "timezone": "GMT",
            "timezone_abbreviation": "GMT",
            "elevation": 0.0,
            "hourly_units": {"time": "iso8601"} | {name: UNITS[name] for name in variables},
            "hourly": self._hourly(here, series, variables),
        }

    def _hourly(
        self, here: tuple[float, float], series: _Series, variables: Sequence[str]
    ) -> dict[str, list[Any]]:
        """The lists of ``hourly``: times and values."""
        times = series.hours.astype("datetime64[h]")
        lists: dict[str, list[Any]] = {"time": np.datetime_as_string(times, unit="m").tolist()}
        for name in variables:
            whole = VARIABLES[name].unit == INDEX
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
            time.sleep(SLOW_SECONDS)
        worst = next((name for name in faults if name != "slow"), "")
        reply = CANNED[worst] if worst in CANNED else self._reply()
        fine = "ok" if reply.status == 200 else "refused"
        agent = self.headers.get("User-Agent", "")
        outcome = worst or next(iter(faults), fine)
        self._simulator.note(outcome, f"GET {urlsplit(self.path).path} ({agent})")
        self.close_connection = self.close_connection or worst in ("drop", "truncate")
        if worst != "drop":
            self._send(reply, len(reply.body) // (2 if worst == "truncate" else 1))
        self._simulator.after(number)

    def _reply(self) -> _Reply:
        """What an API in good health says."""
        parts = urlsplit(self.path)
        if parts.path == "/v1/air-quality":
            status, payload = self._simulator.answer(parts.query)
        else:
            status, payload = 404, {"error": True, "reason": "Not Found"}
        return _Reply(status, json.dumps(payload, ensure_ascii=False).encode())

    def _send(self, reply: _Reply, length: int) -> None:
        """Send the first ``length`` bytes of the body under the header of the whole."""
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(reply.body)))
        if reply.status == 429:
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(reply.body[:length])

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The Date header goes by the injected clock, too."""
        return formatdate(self._simulator.now().timestamp() if timestamp is None else timestamp, usegmt=True)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing to standard error."""
