"""The scope of a fault of the simulated API: locations, days or hours, variables, a number of times.

The words after ``@`` in ``NAME[:RATE][@ONLY]…``. The form of a word says what it is:

======================================  ==============================================================
``hanoi``, ``21.0278/105.8342``         a location, by its key or by the coordinates that are asked for
``2025-09-10``                          a day (UTC)
``2025-09-08..2025-09-10``              days, both ends in
``2025-09-10T05``, ``…T05..…T07``       an hour, hours
``pm2_5``                               a variable, by its name in the API
``3x``                                  the first three times only
``minute``, ``hour``, …                 which limit
``522``                                 which status of a proxy
``+90m``, ``-2h``                       by how much a clock is off
``cams_europe``                         a domain
======================================  ==============================================================

Pure. Must not know: what the faults do.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from orchestration.core.errors import UsageError
from resources.open_meteo.variables import UNITS
from resources.simulator.canned import LIMITS, PROXY
from resources.simulator.requests import AskedLocation
from resources.simulator.series import Hours

Degrees = tuple[float, float]
"""Latitude and longitude, as in the request."""
_NEAR = 1e-6
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(T\d\d)?")
_OFFSET = re.compile(r"([+-]\d+)([mh])")
_TIMES = re.compile(r"(\d+)x")
_COORDINATES = re.compile(r"(-?\d+(?:\.\d+)?)/(-?\d+(?:\.\d+)?)")
_DOMAIN = re.compile(r"cams_[a-z_]+")


@dataclass(frozen=True)
class Scope:
    """What a fault is confined to. An empty scope is everything."""

    locations: tuple[Degrees, ...] = ()
    hours: tuple[int, int] | None = None
    """The first and the last hour, since 1970."""
    variables: tuple[str, ...] = ()
    times: int | None = None
    """How often the fault may happen."""
    limit: str | None = None
    """A key of ``LIMITS``."""
    status: int | None = None
    """The status of a proxy, a key of ``PROXY``."""
    offset: timedelta | None = None
    """The offset of a clock."""
    domain: str | None = None

    @property
    def kinds(self) -> set[str]:
        """The names of the fields that are given."""
        return {name for name, value in vars(self).items() if value not in ((), None)}

    def has_location(self, latitude: float, longitude: float) -> bool:
        there = [max(abs(latitude - at[0]), abs(longitude - at[1])) <= _NEAR for at in self.locations]
        return any(there) or not there

    def touches(self, location: AskedLocation) -> bool:
        """Whether a location of a request is in the scope, on any of its days."""
        hours = location.hours()
        is_then = self.hours is None or (hours[0] <= self.hours[1] and hours[-1] >= self.hours[0])
        return is_then and self.has_location(location.latitude, location.longitude)

    def of_hours(self, hours: Hours) -> NDArray[np.bool_]:
        """For each hour, whether it is in the scope."""
        if self.hours is None:
            return np.full(len(hours), True)
        return np.asarray((hours >= self.hours[0]) & (hours <= self.hours[1]))


def parse_scope(words: Collection[str], fault: str, takes: Collection[str], locations: Mapping[str, Degrees]) -> Scope:
    """The scope that ``words`` name. takes: the fields of ``Scope`` that the fault can have. locations: key →
    coordinates.

    Raises UsageError for an unknown word, and for a word that the fault cannot be confined to.
    """
    scope = Scope()
    for word in words:
        try:
            one = _read(word, locations)
        except ValueError as problem:
            raise UsageError(f"{word!r} of fault {fault} cannot be read ({problem})") from None
        if one is None:
            known = [*locations, *UNITS, *LIMITS]
            near = difflib.get_close_matches(word, known, n=1, cutoff=0.0)[0]
            raise UsageError(f"unknown word {word!r} of fault {fault}", f"Did you mean {near!r}? See `--fault help`.")
        (kind,) = one.kinds
        if kind not in takes:
            ones = ", ".join(sorted(takes)) or "none"
            raise UsageError(f"fault {fault} has no use for {word!r}", f"What it can be confined to: {ones}.")
        mine, more = getattr(scope, kind), getattr(one, kind)
        if mine and kind not in ("locations", "variables"):
            raise UsageError(f"fault {fault} is confined twice ({word!r})", "Name the fault once for each.")
        scope = replace(scope, **{kind: mine + more if mine else more})
    return scope


def _read(word: str, locations: Mapping[str, Degrees]) -> Scope | None:
    """A scope with one word; None for an unknown word. Raises ValueError for a word of a known form without sense."""
    if word in locations:
        return Scope(locations=(locations[word],))
    if word in UNITS:
        return Scope(variables=(word,))
    if word in LIMITS:
        return Scope(limit=word)
    if word.isdecimal() and int(word) in PROXY:
        return Scope(status=int(word))
    if found := _COORDINATES.fullmatch(word):
        return Scope(locations=((float(found[1]), float(found[2])),))
    if found := _TIMES.fullmatch(word):
        if not int(found[1]):
            raise ValueError("at least once")
        return Scope(times=int(found[1]))
    if found := _OFFSET.fullmatch(word):
        return Scope(offset=int(found[1]) * timedelta(**{"m": {"minutes": 1}, "h": {"hours": 1}}[found[2]]))
    if _DOMAIN.fullmatch(word):
        return Scope(domain=word)
    begin, _, end = word.partition("..")
    if _MOMENT.fullmatch(begin) and _MOMENT.fullmatch(end or begin):
        first, last = _hour(begin), _hour(end or begin) + (0 if "T" in (end or begin) else 23)
        if last < first:
            raise ValueError("it ends before it begins")
        return Scope(hours=(first, last))
    return None


def _hour(text: str) -> int:
    """A day's first hour, or the hour of a text with one, since 1970."""
    moment = datetime.fromisoformat(text if "T" not in text else f"{text}:00").replace(tzinfo=UTC)
    return int(moment.timestamp() // 3600)
