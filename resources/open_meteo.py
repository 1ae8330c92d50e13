"""Client of Open-Meteo's air quality API: what to ask, how to ask it politely, what an answer must look like.

Pure: ``Request``, ``plan_requests``, ``read_answers``. With network, clock and sleep: ``OpenMeteoClient``.
Knows HTTP and the provider's format; nothing of Spark, tables, runs or configuration files.

Sources: https://open-meteo.com/en/docs/air-quality-api and the server, github.com/open-meteo/open-meteo.
"""

from __future__ import annotations

import json
import random
import re
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from hashlib import sha256
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote_plus, urlsplit

import numpy as np
import pyarrow as pa
import requests
from numpy.typing import NDArray

from orchestration.days import Days
from orchestration.errors import ConfigurationError, SourceError, UsageError
from orchestration.parameters import Location

FREE_URL = "https://air-quality-api.open-meteo.com"
MAX_WAIT_SECONDS = 120.0  # a source that wants to be left alone for longer is an error, not a pause
WINDOWS = (("day", 86400.0), ("hour", 3600.0), ("minute", 60.0))
EPOCH = datetime(1970, 1, 1)
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?")
MICROGRAMS, INDEX = "µg/m³", "US AQI"
REPORT = "Ask again later; if it stays, the provider changed its format: compare with its documentation."


class Variable(NamedTuple):
    """A column of bronze and its unit."""

    column: str
    unit: str


VARIABLES: Mapping[str, Variable] = MappingProxyType(
    {
        "us_aqi": Variable("aqi", INDEX),
        "us_aqi_pm2_5": Variable("aqi_pm25", INDEX),
        "us_aqi_pm10": Variable("aqi_pm10", INDEX),
        "us_aqi_nitrogen_dioxide": Variable("aqi_no2", INDEX),
        "us_aqi_ozone": Variable("aqi_o3", INDEX),
        "us_aqi_sulphur_dioxide": Variable("aqi_so2", INDEX),
        "us_aqi_carbon_monoxide": Variable("aqi_co", INDEX),
        "pm2_5": Variable("pm25", MICROGRAMS),
        "pm10": Variable("pm10", MICROGRAMS),
        "ozone": Variable("o3", MICROGRAMS),
        "nitrogen_dioxide": Variable("no2", MICROGRAMS),
        "sulphur_dioxide": Variable("so2", MICROGRAMS),
        "carbon_monoxide": Variable("co", MICROGRAMS),
        "aerosol_optical_depth": Variable("aod", "1"),
        "dust": Variable("dust", MICROGRAMS),
        "uv_index": Variable("uv_index", "1"),
        "carbon_dioxide": Variable("co2", "ppm"),
    }
)
"""API variable -> column and unit, in the order of bronze's columns; an index (US AQI) is a whole number."""

SCHEMA = pa.schema(
    [("location_key", pa.string()), ("ts_utc", pa.timestamp("us", tz="UTC"))]
    + [(v.column, pa.int32() if v.unit == INDEX else pa.float64()) for v in VARIABLES.values()]
)


class SourceRefused(SourceError):
    """The source understood the request and refused it (HTTP 400 with a reason). Asking again is no use."""


class FetchCancelled(SourceError):
    """The caller's ``cancelled`` said so while a fetch waited."""


def never() -> bool:
    """The default of ``cancelled``."""
    return False


@dataclass(frozen=True)
class Request:
    """All variables of some places for the UTC days ``first`` to ``last``, both in."""

    locations: tuple[Location, ...]
    first: date
    last: date

    def __post_init__(self) -> None:
        if not self.locations or self.last < self.first:
            got = f"{len(self.locations)} locations, {self.first}..{self.last}"
            raise UsageError(f"a request needs a location, and a last day not before the first (got {got})")

    @property
    def days(self) -> Days:
        return Days.of(self.first, self.last)

    @property
    def weight(self) -> float:
        """Calls that the provider counts for it: a place weighs max(1, v/10, v/10 × days/14)."""
        return _weight(len(self.locations), len(self.days))

    @property
    def parameters(self) -> dict[str, str]:
        """The query, without the key."""
        return {
            "latitude": ",".join(_degrees(place.latitude) for place in self.locations),
            "longitude": ",".join(_degrees(place.longitude) for place in self.locations),
            "hourly": ",".join(VARIABLES),
            "start_date": self.first.isoformat(),
            "end_date": self.last.isoformat(),
            "timezone": "UTC",
        }

    def __str__(self) -> str:
        keys = [place.key for place in self.locations]
        more = [f"{len(keys) - 5} more"] if len(keys) > 6 else []
        return f"{', '.join((keys[:5] if more else keys) + more)} on {self.days}"


def _weight(places: int, days: int) -> float:
    """In one division, so that three places and 14 days weigh 5.1 and not 5.1000000000000005."""
    return places * max(140, 14 * len(VARIABLES), len(VARIABLES) * days) / 140


def _degrees(value: float) -> str:
    """Decimal degrees without an exponent, to 0.1 m."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def plan_requests(
    wanted: Mapping[str, Sequence[tuple[date, date]]],
    locations: Sequence[Location],
    max_weight: float,
    max_days: int,
    max_locations: int = 1000,
) -> list[Request]:
    """The requests that ask for every wanted location-day exactly once.

    wanted: per location key, pieces of UTC days, both ends in; they may touch or overlap.
    max_weight: of one request; only a single day of a single place may weigh more.
    Places that want the same piece share a request: one request for many beats many requests. A piece that is
    too long or heavy is cut by days; by places only where even one day of all of them is too heavy.
    Order: first day, last day, then the order of ``locations``.
    Raises UsageError for a key that is not in ``locations`` and for a limit below 1, ValueError for a piece
    that ends before it begins.
    """
    if unknown := sorted(set(wanted) - {place.key for place in locations}):
        raise UsageError(f"no location is configured with the key {', '.join(map(repr, unknown))}")
    if max_days < 1 or max_locations < 1:
        raise UsageError(
            f"a request needs at least 1 day and 1 location (got {max_days} and {max_locations})"
        )
    sharing: dict[tuple[date, date], list[Location]] = {}
    for place in locations:
        for piece in Days.union_of(Days.of(*piece) for piece in wanted.get(place.key, ())).pieces:
            sharing.setdefault(piece, []).append(place)
    limits = (max_weight, max_days, max_locations)
    planned = [request for piece, places in sharing.items() for request in _cut(piece, places, *limits)]
    rank = {place.key: position for position, place in enumerate(locations)}
    return sorted(planned, key=lambda r: (r.first, r.last, rank[r.locations[0].key]))


def _cut(
    piece: tuple[date, date], places: Sequence[Location], max_weight: float, max_days: int, max_locations: int
) -> Iterator[Request]:
    """Requests for all days of a piece and all places, each within the limits."""
    first, last = piece
    size = _most(min(max_locations, len(places)), lambda number: _weight(number, 1) <= max_weight)
    days = _most(min(max_days, (last - first).days + 1), lambda number: _weight(size, number) <= max_weight)
    while first <= last:
        end = min(first + timedelta(days=days - 1), last)
        for start in range(0, len(places), size):
            yield Request(tuple(places[start : start + size]), first, end)
        first = end + timedelta(days=1)


def _most(limit: int, fits: Callable[[int], bool]) -> int:
    """The greatest number from ``limit`` down to 1 that fits; 1 where none does."""
    return next((number for number in range(limit, 1, -1) if fits(number)), 1)


# Answers ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Answer:
    """What the source has for one place.

    table: columns of ``SCHEMA`` in bronze's order; one row an hour, by hour; no forecasts.
    digests: per requested UTC day, also one without rows, 32 hex digits that depend on the hours and values
    of its rows and on nothing else: not on how numbers were written, nor on the request. Nulls count.
    """

    location_key: str
    first: date
    last: date
    table: pa.Table
    digests: Mapping[date, str]


class _Nonsense(Exception):
    """What is wrong with one place's part of an answer; becomes a SourceError that also says where."""


def read_answers(body: bytes, request: Request, now: datetime, source: str = "the source") -> list[Answer]:
    """The answers to ``request`` in the order of its locations.

    body: the provider's JSON. source: its name in error messages. now: aware; later hours are forecasts and
    are left out.
    Raises SourceError, which names place, variable and hour, for anything that is not exactly an answer to
    this request: another shape or unit, lists of unequal length, hours outside the request or off the full
    hour, one hour with two different values, values that are no numbers. NaN and infinite concentrations are
    kept: they are judged later, row by row. ValueError for a naive ``now``.
    """
    if now.tzinfo is None:
        raise ValueError(f"now must be aware (got {now})")
    head = f"{source} answered {request} with"
    if body.lstrip()[:1] == b"<":
        remedy = "A proxy or a login page may answer in its place: open the address in a browser."
        raise SourceError(f"{head} an HTML page instead of JSON ({_excerpt(body)})", remedy)
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        raise SourceError(f"{head} something that is not JSON ({_excerpt(body)})", REPORT) from None
    documents = payload if isinstance(payload, list) else [payload]
    if len(documents) != len(request.locations):
        wanted, got = len(request.locations), len(documents)
        raise SourceError(f"{head} {got} places instead of {wanted}", REPORT)
    answers = []
    last_hour = int(now.astimezone(UTC).timestamp() // 3600)
    for place, document in zip(request.locations, documents, strict=True):
        try:
            answers.append(_read_place(document, place, request, last_hour))
        except _Nonsense as problem:
            about = f"{place.key} on {request.days}"
            raise SourceError(f"{source} answered {about} with {problem}", REPORT) from None
    return answers


def _read_place(document: Any, place: Location, request: Request, last_hour: int) -> Answer:
    """One element of the provider's array, checked, without doubled hours and forecasts."""
    hourly, units = (_member(document, name, dict) for name in ("hourly", "hourly_units"))
    if offset := document.get("utc_offset_seconds"):
        raise _Nonsense(f"local time ({offset} seconds from UTC) instead of UTC")
    hours = _hours(_member(hourly, "time", list), request)
    columns = [_column(name, hourly, units, len(hours)) for name in VARIABLES]
    values = np.array(columns, dtype=np.float64).T.reshape(len(hours), len(VARIABLES))
    present = np.array([[cell is not None for cell in hourly[name]] for name in VARIABLES], dtype=np.bool_).T
    order = np.argsort(hours, kind="stable")
    hours, values, present = hours[order], values[order], present.reshape(values.shape)[order]
    # The same number written in two ways (0.0 and -0.0, NaNs of any sign) must be the same bytes.
    same = np.where(np.isnan(values) | ~present, np.nan, values + 0.0)
    bits = np.concatenate([same.view(np.int64), present], axis=1)
    again = np.flatnonzero(hours[1:] == hours[:-1]) + 1
    for row in again:
        if (bits[row] != bits[row - 1]).any():
            hour = EPOCH + timedelta(hours=int(hours[row]))
            raise _Nonsense(f"two different values for the hour {hour:%Y-%m-%dT%H:%MZ}")
    keep = np.setdiff1d(np.flatnonzero(hours <= last_hour), again)
    hours, values, present, bits = hours[keep], values[keep], present[keep], bits[keep]
    digests = {}
    for day in request.days:
        midnight = (day - EPOCH.date()).days * 24
        rows = slice(*np.searchsorted(hours, [midnight, midnight + 24]))
        digests[day] = sha256(hours[rows].tobytes() + bits[rows].tobytes()).hexdigest()[:32]
    table = _table(place.key, hours, values, present)
    return Answer(place.key, request.first, request.last, table, MappingProxyType(digests))


def _member(document: Any, name: str, kind: type) -> Any:
    """A named part of a JSON object, of the kind that it has to be."""
    if not isinstance(document, dict):
        raise _Nonsense(f"JSON of another shape: {_short(document)} instead of an object with {name!r}")
    if not isinstance(document.get(name), kind):
        article = "a list" if kind is list else "an object"
        found = _short(document[name]) if name in document else f"the keys {_short(sorted(document))}"
        raise _Nonsense(f"JSON of another shape: {found} instead of {article} {name!r}")
    return document[name]


def _hours(times: list[Any], request: Request) -> NDArray[np.int64]:
    """Hours since 1970 of timestamps such as 2025-08-08T06:00, all within the request."""
    hours = np.empty(len(times), dtype=np.int64)
    for position, text in enumerate(times):
        try:
            if not isinstance(text, str) or not TIMESTAMP.fullmatch(text):
                raise ValueError
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise _Nonsense(f"the time {text!r}, which is not a timestamp like 2025-08-08T06:00") from None
        if moment.minute or moment.second:
            raise _Nonsense(f"the time {text}, which is not on the full hour")
        if not request.first <= moment.date() <= request.last:
            raise _Nonsense(f"the hour {text}, which was not asked for")
        hours[position] = (moment - EPOCH) // timedelta(hours=1)
    return hours


def _column(name: str, hourly: dict[str, Any], units: dict[str, Any], length: int) -> NDArray[np.float64]:
    """The checked values of one variable; null as NaN."""
    cells, unit = _member(hourly, name, list), VARIABLES[name].unit
    if not _same_unit(units.get(name), unit):
        raise _Nonsense(f"{name} in {units.get(name)!r} instead of {unit!r}")
    if len(cells) != length:
        raise _Nonsense(f"{len(cells)} values of {name} for {length} hours")
    for at, cell in enumerate(cells):
        if type(cell) not in (int, float, type(None)):
            raise _Nonsense(f"{_short(cell)} as {name} at {hourly['time'][at]}, which is no number")
    try:
        values = np.array(cells, dtype=np.float64)
    except OverflowError:
        raise _Nonsense(f"a {name} that is too large for a number") from None
    if unit == INDEX:
        whole = (values == np.floor(values)) & (np.abs(values) < 2**31)
        for wrong in np.flatnonzero(~whole):
            if cells[wrong] is not None:
                raise _Nonsense(
                    f"{cells[wrong]} as {name} at {hourly['time'][wrong]}, which is no whole number"
                )
    return values


def _same_unit(got: object, want: str) -> bool:
    """The API writes U+03BC for the µ of our tables, USAQI for US AQI, and nothing for a pure number."""
    text = unicodedata.normalize("NFKC", got).replace(" ", "") if isinstance(got, str) else None
    return text == unicodedata.normalize("NFKC", want).replace(" ", "") or (want == "1" and text == "")


def _table(
    key: str, hours: NDArray[np.int64], values: NDArray[np.float64], present: NDArray[np.bool_]
) -> pa.Table:
    """The rows as Arrow, with the schema of ``SCHEMA``."""
    columns = [
        pa.array([key] * len(hours), pa.string()),
        pa.array(hours * 3_600_000_000).cast(pa.timestamp("us", tz="UTC")),
    ]
    for position, variable in enumerate(VARIABLES.values()):
        cells, there = values[:, position], present[:, position]
        if variable.unit == INDEX:
            cells = np.where(there, cells, 0).astype(np.int32)
        columns.append(pa.array(cells, mask=~there, from_pandas=False))
    return pa.table(columns, schema=SCHEMA)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _excerpt(body: bytes) -> str:
    """How a body begins, on one line, for an error message."""
    text = " ".join(body[:400].decode("utf-8", "replace").split())
    return repr(text if len(text) <= 120 else text[:117] + "...")


# The client -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Trouble:
    """An attempt that failed and may be repeated. wait_seconds: as the source asked; None: back off."""

    what: str
    wait_seconds: float | None = None


class OpenMeteoClient:
    """Fetches from the API, one request at a time, within its limits; safe to share between threads.

    base_url: scheme and host; a paid plan has its own, and an ``api_key``.
    attempts: of one request. backoff_seconds: before the second attempt; doubled each time; ± half of it.
    calls_per_minute, _hour, _day: the plan's limits. It waits for the minute's, and refuses to exceed the
    others.
    sleep, monotonic: for tests.
    Raises ConfigurationError for a base URL that is none.
    """

    def __init__(
        self,
        base_url: str = FREE_URL,
        api_key: str | None = None,
        *,
        connect_timeout_seconds: float = 10.0,
        read_timeout_seconds: float = 60.0,
        attempts: int = 5,
        backoff_seconds: float = 1.0,
        calls_per_minute: int = 600,
        calls_per_hour: int = 5000,
        calls_per_day: int = 10000,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(f"the base URL of Open-Meteo must be like {FREE_URL} (got {base_url!r})")
        self._url = base_url.rstrip("/") + "/v1/air-quality"
        self._host = parts.hostname + (f":{parts.port}" if parts.port else "")
        self._api_key = api_key or None
        self._timeout = (connect_timeout_seconds, read_timeout_seconds)
        self._attempts, self._backoff_seconds = max(1, attempts), backoff_seconds
        self._calls = (calls_per_day, calls_per_hour, calls_per_minute)
        self._sleep, self._monotonic = sleep, monotonic
        self._sent: list[tuple[float, float]] = []  # (when, weight) of the last day
        self._lock = threading.Lock()
        self._session = requests.Session()
        self._session.headers["User-Agent"] = "air-quality-lakehouse"

    def fetch(self, request: Request, now: datetime, cancelled: Callable[[], bool] = never) -> list[Answer]:
        """The answers in the order of ``request.locations``; hours after ``now`` (aware) are left out.

        Raises SourceRefused (asking again is no use), FetchCancelled, and SourceError where no answer could
        be had or it is nonsense. The messages name host, places and days, never the key.
        """
        body = self.fetch_body(request, cancelled)
        try:
            return read_answers(body, request, now, self._host)
        except SourceError as error:
            raise self._error(error.message, error.remedy) from None

    def fetch_body(self, request: Request, cancelled: Callable[[], bool] = never) -> bytes:
        """The answer as it was sent, not looked into, for who keeps it; errors as in ``fetch``."""
        trouble = _Trouble("was never asked")
        with self._turn(request, cancelled):
            for attempt in range(self._attempts):
                if attempt:
                    backoff = self._backoff_seconds * 2 ** (attempt - 1)
                    jitter = random.uniform(0.5, 1.5)  # noqa: S311 (no secret)
                    asked = trouble.wait_seconds
                    wait = min(MAX_WAIT_SECONDS, backoff * jitter) if asked is None else asked
                    self._pause(wait, request, cancelled)
                self._keep_pace(request, cancelled)
                outcome = self._attempt(request)
                if isinstance(outcome, bytes):
                    return outcome
                trouble = outcome
        times = "once" if self._attempts == 1 else f"{self._attempts} times"
        remedy = "Ask again later, or check the network and open_meteo.base_url."
        raise self._error(f"{self._host} {trouble.what}; asked {times} for {request}", remedy)

    def _attempt(self, request: Request) -> bytes | _Trouble:
        """One HTTP exchange: a body, or trouble that may pass. Raises SourceError for what will not."""
        query = request.parameters | ({"apikey": self._api_key} if self._api_key else {})
        # The texts of requests' exceptions hold the whole URL with the key: none is passed on.
        try:
            reply = self._session.get(self._url, params=query, timeout=self._timeout, allow_redirects=False)
        except requests.ConnectTimeout:
            return _Trouble(f"could not be reached within {self._timeout[0]:g} s")
        except requests.Timeout:
            self._count(request)
            return _Trouble(f"did not answer within {self._timeout[1]:g} s")
        except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError):
            self._count(request)
            return _Trouble("cut its answer short")
        except requests.ConnectionError as error:
            return _Trouble(f"refused or broke the connection ({_root_cause(error)})")
        except requests.RequestException as error:
            what = f"{self._host} cannot be asked for {request} ({type(error).__name__})"
            raise self._error(what, "Check open_meteo.base_url.") from None
        if reply.status_code != 429:
            self._count(request)
        if reply.status_code == 200:
            return reply.content
        reason = _reason(reply)
        said = f"answered HTTP {reply.status_code}" + (f" ({reason})" if reason else "")
        head = f"{self._host} {said} to {request}"
        wait = _wanted_wait(reply)
        if reply.status_code == 429 and (until := _long_limit(reason, reply)):
            raise self._error(head, f"The limit of this address or key is used up. Go on {until}.")
        if reply.status_code in (429, 500, 502, 503, 504):
            if wait is not None and wait > MAX_WAIT_SECONDS:
                raise self._error(head, f"It asks to be left alone for {wait:.0f} s. Go on after that.")
            return _Trouble(said, wait)
        if reply.status_code == 400 and reason:
            refusal = self._hide(f"{self._host} refused {request}: {reason}")
            raise SourceRefused(refusal, "Change the days or the location that it names.")
        raise self._error(head, "Check open_meteo.base_url and the API key, or ask again later.")

    def _count(self, request: Request) -> None:
        """Note that the provider has counted the request."""
        self._sent.append((self._monotonic(), request.weight))

    def _keep_pace(self, request: Request, cancelled: Callable[[], bool]) -> None:
        """Wait until the request fits into the minute's limit; refuse to exceed the hour's or the day's."""
        at = self._monotonic()
        self._sent = [(when, weight) for when, weight in self._sent if when > at - 86400]
        for (name, seconds), calls in zip(WINDOWS, self._calls, strict=True):
            limit = f"the {calls} calls a {name} that {self._host} allows"
            if request.weight > calls:
                what = f"{request} weighs {request.weight:.1f} calls, more than {limit}"
                raise self._error(what, "Ask for fewer days or locations in one request.")
            wait = _until_free(self._sent, request.weight, at, seconds, calls)
            if name == "minute":
                self._pause(wait, request, cancelled)
            elif wait:
                remedy = f"Go on in {wait / 60:.0f} minutes, or raise the limit with a paid plan."
                raise self._error(f"{request} would exceed {limit}", remedy)

    def _pause(self, seconds: float, request: Request, cancelled: Callable[[], bool]) -> None:
        """Sleep, at most a second at a time, so that a cancelled run ends soon."""
        while True:
            if cancelled():
                raise FetchCancelled(f"the fetch of {request} from {self._host} was cancelled")
            if seconds <= 0:
                return
            self._sleep(min(seconds, 1.0))
            seconds -= 1.0

    @contextmanager
    def _turn(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[None]:
        """One request at a time: the provider serves them so, and refuses a sixth that waits."""
        while not self._lock.acquire(timeout=0.2):
            self._pause(0, request, cancelled)
        try:
            yield
        finally:
            self._lock.release()

    def _error(self, message: str, remedy: str = "") -> SourceError:
        return SourceError(self._hide(message), remedy)

    def _hide(self, text: str) -> str:
        """The text without the key, in case that the source repeated it."""
        for key in (self._api_key, quote_plus(self._api_key)) if self._api_key else ():
            text = text.replace(key, "***")
        return text


def _until_free(
    sent: Sequence[tuple[float, float]], weight: float, at: float, window_seconds: float, calls: float
) -> float:
    """Seconds from ``at`` until ``weight`` more fits under ``calls`` in any window; sent: (when, weight)."""
    recent = [entry for entry in sent if entry[0] > at - window_seconds]
    excess, wait = sum(entry[1] for entry in recent) + weight - calls, 0.0
    for when, freed in recent:
        if excess <= 1e-9:
            break
        excess, wait = excess - freed, when + window_seconds - at
    return wait


def _root_cause(error: BaseException) -> str:
    """The name or the system's text of what lies under a chain of exceptions; never a URL."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__


def _reason(reply: requests.Response) -> str:
    """The ``reason`` of the provider's ``{"error": true, "reason": …}``; empty where there is none."""
    try:
        payload = reply.json()
    except requests.JSONDecodeError:
        return ""
    refusal = isinstance(payload, dict) and payload.get("error") is True
    return str(payload.get("reason", "")) if refusal else ""


def _server_time(reply: requests.Response) -> datetime | None:
    """The source's own clock, by which its limits and dates go."""
    return _http_date(reply.headers.get("Date", ""))


def _http_date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except ValueError:
        return None


def _wanted_wait(reply: requests.Response) -> float | None:
    """Seconds that the source asks to wait: Retry-After (seconds or a date), or the rest of its minute."""
    asked, clock = reply.headers.get("Retry-After", "").strip(), _server_time(reply)
    if asked.isdecimal():
        return float(asked)
    if (date_ := _http_date(asked)) and clock:
        return max(0.0, (date_ - clock).total_seconds())
    if reply.status_code == 429 and _reason(reply).startswith("Minutely"):
        return 60.0 - (clock.second if clock else 0)
    return None


def _long_limit(reason: str, reply: requests.Response) -> str:
    """When to go on, where the limit of the hour or day is used up; empty otherwise."""
    clock = _server_time(reply)
    if reason.startswith("Hourly"):
        when = clock and clock.replace(minute=0, second=0) + timedelta(hours=1)
        return f"after {when:%Y-%m-%dT%H:%MZ}" if when else "in the next full hour"
    if reason.startswith("Daily"):
        when = clock and clock.replace(hour=0, minute=0, second=0) + timedelta(days=1)
        return f"after {when:%Y-%m-%dT%H:%MZ}" if when else "tomorrow (UTC)"
    return ""
