"""One saved answer of the API: checked as the client checks answers, with its times converted to full hours of UTC.

The provider gives an answer one UTC offset, the one of the moment of the request, even if summer time begins or ends
in its days: so there are neither gaps nor repeated hours. Unix times are UTC at any offset. If the offset is not a
whole hour, the provider shows the values of adjacent full hours (github.com/open-meteo/open-meteo,
``ForecastapiQuery.getTimerange2``). The answer does not say of which hours: such an answer is refused.

Pure. Must not know: files, folders, requests, faults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resources.open_meteo.answers import TIMESTAMP
from resources.open_meteo.made_up import is_made_up
from resources.open_meteo.units import conversion, converted
from resources.open_meteo.variables import INDEX, UNITS
from resources.simulator.series import AirSeries, Hours
from resources.simulator.us_aqi import Floats

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
FIRST, LAST = datetime(1980, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""Times outside of these bounds are refused: a unix time outside of them is not in seconds."""
UTC_NAMES = (None, "UTC", "GMT", "Etc/UTC", "Etc/GMT")
MEND = "Ask the API for it again, or take it out of the folder."
ASK_IN_UTC = "Ask the API for it again with timezone=UTC."


class NotAnAnswer(ValueError):
    """JSON that has none of the variables that are served here: the answer to another question."""


class WrongDocument(ValueError):
    """An answer that cannot be served. message: what is wrong, with variable and hour. remedy: what to do about it."""

    def __init__(self, message: str, remedy: str = MEND) -> None:
        super().__init__(message)
        self.remedy = remedy


@dataclass(frozen=True)
class Document:
    """An answer about one location."""

    latitude: float
    longitude: float
    series: AirSeries
    """Its hours, each once, sorted by time."""
    notes: tuple[str, ...] = ()
    """What was changed in reading, as a conversion of units. Each note is to be read after the file's name."""


def read_document(document: Mapping[str, Any], *, may_be_empty: bool = False) -> Document:
    """Read the JSON object of one location, with all of its variables that are served here.

    may_be_empty: whether an answer without hours is accepted.
    Raises WrongDocument for a saved error; where there is not a list of full hours, and a number or null for each
    variable and hour; for a unit that cannot be converted to ours; for an hour with two different values.
    Raises NotAnAnswer where it has hours, but only of other variables.
    """
    if (reason := saved_error(document)) is not None:
        raise WrongDocument(f"it is an error of the API: {reason}")
    hourly, units = document.get("hourly"), document.get("hourly_units") or {}
    if hourly is None:
        raise WrongDocument("it has no hours (hourly)", "Ask the API for hourly values, or take it out of the folder.")
    if not isinstance(hourly, dict) or not isinstance(units, dict):
        raise WrongDocument("its hourly or hourly_units is not an object of lists, as the API's are")
    latitude, longitude = (_degrees(document, name, bound) for name, bound in (("latitude", 90), ("longitude", 180)))
    names = [name for name in hourly if name in UNITS]
    if not names:
        others = [name for name in hourly if name != "time"]
        if others:
            raise NotAnAnswer(f"none of its variables is served here ({', '.join(others[:3])})")
        raise WrongDocument("it has no variable")
    times = hourly.get("time")
    if not isinstance(times, list):
        raise WrongDocument("it has no list hourly.time")
    if not times and not may_be_empty:
        raise WrongDocument("it has no hours (hourly.time is empty)")
    hours, notes = _hours(times, document, units)
    values = {}
    for name in names:
        values[name], factor = _column(name, hourly[name], times, units.get(name))
        notes += [f"{name} in {units[name]}, converted to {UNITS[name]}"] if factor != 1 else []
    if unsaid := [name for name in names if units.get(name) is None]:
        notes.append(f"no unit of {_few(unsaid)} is said, taken as the API's")
    series = replace(_each_once(hours, values), made_up=is_made_up(document))
    return Document(latitude, longitude, series, tuple(notes))


def saved_error(document: Mapping[str, Any]) -> str | None:
    """The API's reason, where the object is an error of the API; else None."""
    reason = document.get("reason")
    return reason if document.get("error") is True and isinstance(reason, str) else None


def _degrees(document: Mapping[str, Any], name: str, bound: int) -> float:
    value = document.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not -bound <= value <= bound:
        raise WrongDocument(f"its {name} is {_short(value)}" if name in document else f"it has no {name}")
    return float(value)


# Hours --------------------------------------------------------------------------------------------


def _hours(times: list[Any], document: Mapping[str, Any], units: Mapping[str, Any]) -> tuple[Hours, list[str]]:
    """Hours since 1970 in UTC, and notes about a conversion to UTC."""
    is_number = bool(times) and type(times[0]) in (int, float)
    is_unix = units.get("time") == "unixtime" or (units.get("time") is None and is_number)
    shown = timedelta(0) if is_unix and "utc_offset_seconds" not in document else _offset(document)
    offset = timedelta(0) if is_unix else shown
    hours = np.empty(len(times), dtype=np.int64)
    for position, time in enumerate(times):
        moment = _unix_time(time) if is_unix else _iso_time(time, offset)
        hours[position], rest = divmod(moment - EPOCH, HOUR)
        if rest:
            zone = f": its hours are those of {_zone(document, shown)}" if shown % HOUR else ""
            raise WrongDocument(f"the time {time} ({moment:%Y-%m-%dT%H:%MZ}) is not on the full hour{zone}", ASK_IN_UTC)
    return hours, [f"in {_zone(document, offset)}, moved to UTC"] if offset else []


def _offset(document: Mapping[str, Any]) -> timedelta:
    """The offset of the answer's times from UTC."""
    seconds, zone = document.get("utc_offset_seconds"), document.get("timezone")
    if seconds is None:
        if zone not in UTC_NAMES:
            raise WrongDocument(f"its times are those of {_short(zone)}, and it has no utc_offset_seconds", ASK_IN_UTC)
        return timedelta(0)
    if type(seconds) is not int or abs(seconds) > 86400:
        raise WrongDocument(f"its utc_offset_seconds is {_short(seconds)}", ASK_IN_UTC)
    return timedelta(seconds=seconds)


def _zone(document: Mapping[str, Any], offset: timedelta) -> str:
    """The zone for people, as ``Asia/Ho_Chi_Minh (UTC+07:00)``."""
    minutes = abs(offset) // timedelta(minutes=1)
    sign = "-" if offset < timedelta(0) else "+"
    name = document.get("timezone")
    head = name if isinstance(name, str) and name not in UTC_NAMES else "local time"
    return f"{head} (UTC{sign}{minutes // 60:02}:{minutes % 60:02})"


def _iso_time(time: Any, offset: timedelta) -> datetime:
    """The UTC moment of a time as the API writes it, or with a zone. Such a zone must be that of the answer."""
    try:
        if not isinstance(time, str):
            raise ValueError
        moment = datetime.fromisoformat(time)
        if (moment.tzinfo is None and not TIMESTAMP.fullmatch(time)) or not FIRST.year <= moment.year < LAST.year:
            raise ValueError
    except ValueError:
        what = f"the time {_short(time)} is not a timestamp like 2025-08-08T06:00"
        raise WrongDocument(what) from None
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC) - offset
    if offset and moment.utcoffset() != offset:
        raise WrongDocument(f"the time {time} says another zone than utc_offset_seconds", ASK_IN_UTC)
    return moment.astimezone(UTC)


def _unix_time(time: Any) -> datetime:
    if type(time) not in (int, float) or time != time or time % 1 or not FIRST.timestamp() <= time <= LAST.timestamp():
        raise WrongDocument(f"the time {_short(time)} is not a unix time in seconds")
    return EPOCH + timedelta(seconds=int(time))


# Values -------------------------------------------------------------------------------------------


def _column(name: str, cells: Any, times: list[Any], unit: Any) -> tuple[Floats, Fraction]:
    """The values of a variable in our unit, NaN for null; and the factor that converted them."""
    if not isinstance(cells, list):
        raise WrongDocument(f"{name} is {_short(cells)} instead of a list")
    if len(cells) != len(times):
        short = len(cells) < len(times)
        where = f"none for {times[len(cells)]}" if short else f"more after {times[-1]}"
        raise WrongDocument(f"{name} has not a value for each hour: {len(cells)} for {len(times)}, {where}")
    for cell, time in zip(cells, times, strict=True):
        if type(cell) not in (int, float, type(None)):
            raise WrongDocument(f"{_short(cell)} as {name} at {time} is no number")
    try:
        values: Floats = np.array(cells, dtype=np.float64)
        factor = _factor(name, values, unit)
        values = converted(values, factor)
    except OverflowError:
        raise WrongDocument(f"a {name} is too large for a number") from None
    if UNITS[name] == INDEX:
        wrong = np.flatnonzero(~np.isnan(values) & ~((values == np.floor(values)) & (np.abs(values) < 2**31)))
        if len(wrong):
            raise WrongDocument(f"{cells[wrong[0]]} as {name} at {times[wrong[0]]} is no whole number")
    return values, factor


def _factor(name: str, values: Floats, unit: Any) -> Fraction:
    """The factor from the answer's unit to ours; 1 for a variable without values, in any unit."""
    if unit is None or np.isnan(values).all():
        return Fraction(1)
    factor = conversion(unit, name) if isinstance(unit, str) else None
    if factor is None:
        raise WrongDocument(f"{name} is in {_short(unit)}, which cannot be converted to {UNITS[name]}")
    return factor


def _each_once(hours: Hours, values: Mapping[str, Floats]) -> AirSeries:
    """The series sorted by time. An hour that comes twice with the same values is kept once."""
    order = np.argsort(hours, kind="stable")
    series = AirSeries(hours[order], {name: cells[order] for name, cells in values.items()})
    again = np.diff(series.hours, prepend=-1) == 0
    if again.any():
        for name, cells in series.values.items():
            differs = again & ~same_values(cells, np.roll(cells, 1))
            if differs.any():
                hour = EPOCH + int(series.hours[np.argmax(differs)]) * HOUR
                raise WrongDocument(f"{name} has two different values at {hour:%Y-%m-%dT%H:%MZ}")
    return series.where(~again)


def same_values(some: Floats, others: Floats) -> NDArray[np.bool_]:
    """Where two arrays have the same values, or both NaN. Differences by the rounding of a conversion do not count."""
    return np.isclose(some, others, rtol=1e-9, atol=0.0, equal_nan=True)


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
