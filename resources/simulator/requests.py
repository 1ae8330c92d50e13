"""Requests to the simulated API: a query string is read, or refused as the real API does, with the same texts.

Must not know: values, faults, sockets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from urllib.parse import parse_qs

import numpy as np

from resources.open_meteo.variables import UNITS
from resources.simulator.series import Hours

NEAR_DEGREES = 0.01
"""A recording of a location answers for locations no farther away than this."""
NO_DATA = "No data is available for this location"
AUTO = "auto"
"""The domain of a query that names none: the provider's choice."""


class Refused(Exception):
    """A request that the API answers with 400 and this reason."""


@dataclass(frozen=True)
class AskedLocation:
    """One location of a request, and its days."""

    latitude: float
    longitude: float
    first: date
    last: date

    def hours(self) -> Hours:
        """All hours of its days, since 1970."""
        epoch = date(1970, 1, 1)
        return np.arange((self.first - epoch).days * 24, (self.last - epoch).days * 24 + 24)

    def distance(self, latitude: float, longitude: float) -> float:
        """The distance to coordinates in degrees, along the axis that differs more."""
        east = abs(self.longitude - longitude)
        return max(abs(self.latitude - latitude), min(east, 360 - east))

    def check(self, first: date, last: date) -> None:
        """Raises Refused for days outside of the allowed range."""
        for name, day in (("start_date", self.first), ("end_date", self.last)):
            if not first <= day <= last:
                raise Refused(f"Parameter '{name}' is out of allowed range from {first} to {last}")


@dataclass(frozen=True)
class Asked:
    """The parts of a request on which faults and limits depend; empty for a query that cannot be read."""

    locations: Sequence[AskedLocation] = ()
    variables: Sequence[str] = ()
    domain: str = AUTO

    @property
    def weight(self) -> float:
        """The calls that the provider counts for the request: per location max(1, v/10, v/10 × days/14), v
        variables."""
        share = len(self.variables) / 10
        return sum(max(1.0, share, share * len(location.hours()) / 24 / 14) for location in self.locations)


def read_query(query: str) -> Asked:
    """The parts of a query; empty for one that cannot be read."""
    try:
        return Asked(*parse_query(query), parse_qs(query).get("domains", [AUTO])[-1])
    except Refused:
        return Asked()


def parse_query(query: str) -> tuple[list[AskedLocation], list[str]]:
    """The locations and variables of a query. Raises Refused where the API refuses, with the API's reason."""
    given = {name: ",".join(values).split(",") for name, values in parse_qs(query).items()}
    if missing := [name for name in ("latitude", "longitude", "hourly", "start_date", "end_date") if name not in given]:
        raise Refused(f"Value of type 'String' required for key '{missing[0]}'.")
    for name in given["hourly"]:
        if name not in UNITS:
            raise Refused(unknown_variable(name))
    if any(zone not in ("UTC", "GMT") for zone in given.get("timezone", ())):
        raise Refused("Invalid timezone. This simulator knows UTC only.")
    latitudes = _numbers("Latitude", given["latitude"], 90)
    longitudes = _numbers("Longitude", given["longitude"], 180)
    try:
        first, last = ([date.fromisoformat(day) for day in given[name]] for name in ("start_date", "end_date"))
    except ValueError:
        raise Refused("Invalid date format. Make sure to use 'YYYY-MM-DD'") from None
    count = len(latitudes)
    first, last = (days * count if len(days) == 1 else days for days in (first, last))
    if not len(longitudes) == len(first) == len(last) == count <= 1000:
        raise Refused("Parameter 'latitude' and 'longitude' must have the same number of elements")
    if any(end < begin for begin, end in zip(first, last, strict=True)):
        raise Refused("End-date must be larger or equals than start-date.")
    locations = zip(latitudes, longitudes, first, last, strict=True)
    return [AskedLocation(*location) for location in locations], given["hourly"]


def unknown_variable(name: str) -> str:
    """The API's text about a variable that it cannot serve."""
    what = "VariableOrDerived<CamsVariable, CamsVariableDerived>"
    return f"Data corrupted at path ''. Cannot initialize {what} from invalid String value {name}."


def _numbers(name: str, texts: Sequence[str], bound: int) -> list[float]:
    """Degrees within ± bound. Raises Refused."""
    try:
        numbers = [float(text) for text in texts]
    except ValueError:
        raise Refused(f"Invalid number in '{name.lower()}'.") from None
    for number in numbers:
        if not -bound <= number <= bound:
            raise Refused(f"{name} must be in range of -{bound} to {bound}°. Given: {number}.")
    return numbers
