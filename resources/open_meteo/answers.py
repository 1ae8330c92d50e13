"""What an answer of Open-Meteo's air quality API must look like, and the table that it becomes.

Pure. Must not know: HTTP, how the answer was fetched, Spark, runs, configuration files.

Source: https://open-meteo.com/en/docs/air-quality-api and the server, github.com/open-meteo/open-meteo.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from orchestration.core.errors import SourceNonsense
from orchestration.core.partitions.location import Location
from resources.open_meteo.made_up import is_made_up
from resources.open_meteo.requests import Request
from resources.open_meteo.units import conversion, converted, is_undefined
from resources.open_meteo.variables import INDEX, UNITS

EPOCH = datetime(1970, 1, 1)
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?")
REPORT = "Ask again later; if it stays, the provider changed its format: compare with its documentation."


def schema_of(variables: Iterable[str]) -> pa.Schema:
    """The columns of an answer's table: location_key, ts_utc, and the variables by their names in the API."""
    head = [("location_key", pa.string()), ("ts_utc", pa.timestamp("us", tz="UTC"))]
    return pa.schema(head + [(name, pa.int32() if UNITS[name] == INDEX else pa.float64()) for name in variables])


@dataclass(frozen=True, eq=False)
class LocationAnswer:
    """The source's answer for one location."""

    location_key: str
    first: date
    last: date
    table: pa.Table
    """The rows, in the columns of ``schema_of``: one row for each hour, ordered by hour; no forecasts."""
    digests: Mapping[date, str]
    """Requested UTC day, also one without rows → 32 hexadecimal digits. They depend on hours and values of the day's
    rows only, not on how numbers were written nor on the request. Nulls count."""
    lacking: Mapping[str, str] = field(default_factory=dict)
    """Variables that the source does not have at all → why. They are null in ``table``."""
    made_up: bool = False
    """Whether the answer says that its values are made up."""
    unasked: Mapping[str, str] = field(default_factory=dict)
    """Variables that were not asked for, since the source had refused them by name, and that it sent all the same → a
    sentence about it."""


@dataclass(frozen=True, eq=False)
class _Column:
    """One variable of an answer."""

    cells: Sequence[Any]
    """The values as they were sent."""
    values: NDArray[np.float64]
    """The values in the column's unit, null as NaN."""
    lacking: str = ""
    """Why it has no values; empty where it has."""


class _Nonsense(Exception):
    """What is wrong with the answer of one location. It becomes a SourceNonsense that names the location."""


def read_answers(body: bytes, request: Request, now: datetime, source: str = "the source") -> list[LocationAnswer]:
    """The answers to ``request`` in the order of its locations.

    body: the provider's JSON. source: its name in error messages. now: aware; later hours are forecasts and
    are left out.
    Raises SourceNonsense, which names location, variable and hour, for anything that is not exactly an answer to
    this request: another shape, a unit that cannot be converted (``units``), lists of unequal length, hours outside the
    request or off the full hour, one hour with two different values, values that are no numbers; and a variable that is
    left out, or has neither unit nor values, unless it is ``optional``. NaN and infinite concentrations are kept: they
    are judged later, row by row. ValueError for a naive ``now``.
    """
    if now.tzinfo is None:
        raise ValueError(f"now must be aware (got {now})")
    head = f"{source} answered {request} with"
    if body.lstrip()[:1] == b"<":
        remedy = "A proxy or a login page may answer in its place: open the address in a browser."
        raise SourceNonsense(f"{head} an HTML page instead of JSON ({_excerpt(body)})", remedy)
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        raise SourceNonsense(f"{head} something that is not JSON ({_excerpt(body)})", REPORT) from None
    documents = payload if isinstance(payload, list) else [payload]
    if len(documents) != len(request.locations):
        wanted, got = len(request.locations), len(documents)
        raise SourceNonsense(f"{head} {got} locations instead of {wanted}", REPORT)
    answers = []
    last_hour = int(now.astimezone(UTC).timestamp() // 3600)
    for location, document in zip(request.locations, documents, strict=True):
        try:
            answers.append(_read_location(document, location, request, last_hour))
        except _Nonsense as problem:
            about = f"{location.key} on {request.days}"
            raise SourceNonsense(f"{source} answered {about} with {problem}", REPORT) from None
    return answers


def _read_location(document: Any, location: Location, request: Request, last_hour: int) -> LocationAnswer:
    """One element of the provider's array, checked, without repeated hours and forecasts."""
    hourly, units = (_member(document, name, dict) for name in ("hourly", "hourly_units"))
    if offset := document.get("utc_offset_seconds"):
        raise _Nonsense(f"local time ({offset} seconds from UTC) instead of UTC")
    hours = _hours(_member(hourly, "time", list), request)
    columns = {name: _column(name, hourly, units, len(hours), request) for name in request.variables}
    values = np.array([one.values for one in columns.values()]).T.reshape(len(hours), len(columns))
    present = np.array([[cell is not None for cell in one.cells] for one in columns.values()], dtype=np.bool_).T
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
    table = _table(location.key, request.variables, hours, values, present)
    lacking = {name: one.lacking for name, one in columns.items() if one.lacking}
    mappings, made_up = (MappingProxyType(digests), MappingProxyType(lacking)), is_made_up(document)
    unasked = {
        name: f"{name} was refused before, and came all the same"
        for name, one in columns.items()
        if name in request.refused and not one.lacking
    }
    return LocationAnswer(location.key, request.first, request.last, table, *mappings, made_up, unasked)


def _member(document: Any, name: str, kind: type) -> Any:
    """A member of a JSON object, of type ``kind``. Raises _Nonsense for another type, and where the member is
    missing."""
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


def _column(name: str, hourly: dict[str, Any], units: dict[str, Any], length: int, request: Request) -> _Column:
    """The checked values of one variable, in our unit."""
    if name not in hourly and name in request.optional:
        why = "was refused" if name in request.refused else "was left out of the answer"
        return _Column([None] * length, np.full(length, np.nan), f"{name} {why}")
    cells, unit = _member(hourly, name, list), units.get(name)
    if len(cells) != length:
        raise _Nonsense(f"{len(cells)} values of {name} for {length} hours")
    for at, cell in enumerate(cells):
        if type(cell) not in (int, float, type(None)):
            raise _Nonsense(f"{_short(cell)} as {name} at {hourly['time'][at]}, which is no number")
    factor = conversion(unit, name) if isinstance(unit, str) else None
    if factor is None:
        if is_undefined(unit) and name in request.optional and all(cell is None for cell in cells):
            return _Column(cells, np.full(length, np.nan), f"{name} has the unit {unit!r}")
        raise _Nonsense(f"{name} in {_short(unit)} instead of {UNITS[name]!r}")
    try:
        values = converted(np.array(cells, dtype=np.float64), factor)
    except OverflowError:
        raise _Nonsense(f"a {name} that is too large for a number") from None
    if UNITS[name] == INDEX:
        whole = (values == np.floor(values)) & (np.abs(values) < 2**31)
        for wrong in np.flatnonzero(~whole):
            if cells[wrong] is not None:
                raise _Nonsense(f"{cells[wrong]} as {name} at {hourly['time'][wrong]}, which is no whole number")
    return _Column(cells, values)


def _table(
    key: str,
    variables: Sequence[str],
    hours: NDArray[np.int64],
    values: NDArray[np.float64],
    present: NDArray[np.bool_],
) -> pa.Table:
    """The rows as Arrow, with the schema of ``schema_of``."""
    columns = [
        pa.array([key] * len(hours), pa.string()),
        pa.array(hours * 3_600_000_000).cast(pa.timestamp("us", tz="UTC")),
    ]
    for position, name in enumerate(variables):
        cells, there = values[:, position], present[:, position]
        if UNITS[name] == INDEX:
            cells = np.where(there, cells, 0).astype(np.int32)
        columns.append(pa.array(cells, mask=~there, from_pandas=False))
    return pa.table(columns, schema=schema_of(variables))


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _excerpt(body: bytes) -> str:
    """How a body begins, on one line, for an error message."""
    text = " ".join(body[:400].decode("utf-8", "replace").split())
    return repr(text if len(text) <= 120 else text[:117] + "...")
