"""Recorded answers without the moment of their request, as one series of hours per pair of coordinates.

An answer has the coordinates of the grid cell of its values, not those of the request (see ``reach``). If several
answers have values of the same hour and variable, none is known to be newer. So they have to agree, unless the caller
says that their order is that of their age.

Must not know: files and folders, sockets, faults.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from orchestration.core.partitions.days import Days
from resources.simulator.air import is_in_europe
from resources.simulator.documents import EPOCH, HOUR, Document, same_values
from resources.simulator.requests import NEAR_DEGREES, NO_DATA, AskedLocation, Refused
from resources.simulator.series import AirSeries, Hours
from resources.simulator.us_aqi import Floats

STEP_DEGREES, OFF_DEGREES = 0.05, 0.001
"""Coordinates of grid cells are multiples of STEP_DEGREES, within OFF_DEGREES: they are 32-bit numbers, or rounded."""
GLOBAL_DEGREES = 0.4
"""Width of a cell of CAMS's global grid (github.com/open-meteo/open-meteo, ``CamsDomain.grid``)."""
EUROPE_DEGREES = 0.1
"""Width of a cell of CAMS's European grid."""


@dataclass(frozen=True)
class Named:
    """A document, and the name of its file for people."""

    name: str
    document: Document


class Disagreement(Exception):
    """Two answers have different values of the same hour. first, second: their names, in the order given."""

    def __init__(self, message: str, first: str, second: str) -> None:
        super().__init__(message)
        self.first, self.second = first, second


@dataclass(frozen=True)
class Recording:
    """The recorded values of one pair of coordinates. days: the days that its answers are about."""

    latitude: float
    longitude: float
    series: AirSeries
    days: Days

    @property
    def reach(self) -> float:
        """How far off a location may be to be served by this recording, in degrees along either axis."""
        return reach(self.latitude, self.longitude)

    def of(self, hours: Hours, variables: Sequence[str]) -> AirSeries:
        """The recorded ones of these hours. A variable that was not recorded is null."""
        there = self.series.where(np.isin(self.series.hours, hours))
        nulls = np.full(len(there.hours), np.nan)
        return AirSeries(there.hours, {name: there.values.get(name, nulls) for name in variables}, there.made_up)


@dataclass(frozen=True)
class Joined:
    """All recordings, one per pair of coordinates."""

    recordings: Sequence[Recording]

    @property
    def made_up(self) -> bool | None:
        """Whether the values are made up; None where this holds of some locations only."""
        return all_or_none(recording.series.made_up for recording in self.recordings)

    @property
    def days(self) -> Days:
        """The UTC days that answers are about, at any location."""
        return Days.union_of(recording.days for recording in self.recordings)

    def answer(
        self, location: AskedLocation, variables: Sequence[str], clock: datetime
    ) -> tuple[AirSeries, tuple[float, float]]:
        """The hours of a location up to the clock, and the coordinates of the nearest recording.

        Each hour is from the nearest recording that has it. A variable that was not recorded is null. Raises Refused
        for a location or days of which nothing was recorded.
        """
        near = sorted(
            (it for it in self.recordings if location.distance(it.latitude, it.longitude) <= it.reach),
            key=lambda it: location.distance(it.latitude, it.longitude),
        )
        if not near:
            raise Refused(NO_DATA)
        days = Days.union_of(it.days for it in near)
        location.check(days.first, days.last)
        if lacking := Days.of(location.first, location.last) - days:
            raise Refused(f"No answer about {lacking.first} was recorded")
        asked = location.hours()
        wanted = asked[asked <= clock.astimezone(UTC).timestamp() // 3600]
        parts = []
        for recording in near:
            part = recording.of(wanted, variables)
            wanted = np.setdiff1d(wanted, part.hours)
            parts.append(part)
        return _in_order(parts), (near[0].latitude, near[0].longitude)


def all_or_none(made_up: Iterable[bool]) -> bool | None:
    """The value that all have in common; None where they differ."""
    found = set(made_up)
    return found.pop() if len(found) == 1 else None


def _in_order(parts: Sequence[AirSeries]) -> AirSeries:
    """Several series of the same variables as one, sorted by hour."""
    hours = np.concatenate([part.hours for part in parts])
    order = np.argsort(hours)
    values = {name: np.concatenate([part.values[name] for part in parts])[order] for name in parts[0].values}
    return AirSeries(hours[order], values, any(part.made_up for part in parts if len(part.hours)))


def reach(latitude: float, longitude: float) -> float:
    """How far from an answer's coordinates a location may be to be served by the answer, in degrees along either axis.

    | coordinates of the answer                        | reach                                       |
    |--------------------------------------------------|---------------------------------------------|
    | a cell of the global grid, as 21.2, 106.0        | 0.2: half a cell's width                    |
    | another cell in Europe, as 52.55, 13.45          | 0.05: half a cell's width                   |
    | another cell elsewhere, as 21.0, 105.8           | 0.2: its grid is not known                  |
    | no cell, as 21.0278, 105.8342                    | 0.01: somebody wrote the location's own     |
    """
    here = (latitude, longitude)
    if not all(_is_multiple(degrees, STEP_DEGREES) for degrees in here):
        return NEAR_DEGREES
    is_global = all(_is_multiple(degrees, GLOBAL_DEGREES) for degrees in here)
    width = EUROPE_DEGREES if is_in_europe(*here) and not is_global else GLOBAL_DEGREES
    return width / 2 + OFF_DEGREES


def _is_multiple(degrees: float, step: float) -> bool:
    return abs(degrees - round(degrees / step) * step) <= OFF_DEGREES


def join(
    documents: Iterable[Named], *, newest_wins: bool, wanted: Collection[str], say: Callable[[str], None]
) -> Joined:
    """Join documents to one series per pair of coordinates.

    newest_wins: the documents are in the order of their age; for each hour and variable the last document that has it
    counts. wanted: variables to report where they were not recorded. say: called with each line for people.
    Raises Disagreement where two documents differ, unless the newest wins.
    """
    at: dict[tuple[float, float], list[Named]] = {}
    for named in documents:
        here = (round(named.document.latitude, 3), round(named.document.longitude, 3))
        at.setdefault(here, []).append(named)
    recordings: list[Recording] = []
    lacking: dict[str, list[str]] = {}
    newer: list[tuple[str, str, int]] = []
    for of_one in at.values():
        both = _Columns(of_one)
        for number in range(len(of_one)):
            newer += both.put(number, newest_wins)
        recordings.append(both.recording())
        if text := both.not_asked_for(wanted):
            lacking.setdefault(text, []).append(_here(of_one[0]))
    if newer:
        first, older, _ = newer[0]
        total = sum(count for _, _, count in newer)
        say(f"where answers disagree the last by name counts: {total} values, as of {first} instead of {older}")
    for text, locations in lacking.items():
        more = f" and {len(locations) - 1} other locations" if len(locations) > 1 else ""
        say(f"{text} at {locations[0]}{more}: served as null")
    return Joined(recordings)


class _Columns:
    """The hours and values of the documents about one location. The documents are put in one by one.

    said: variable → for each hour the number of the document that has it; -1 where none has.
    """

    def __init__(self, documents: Sequence[Named]) -> None:
        self.documents = documents
        self.hours: Hours = np.unique(np.concatenate([it.document.series.hours for it in documents]))
        self.values: dict[str, Floats] = {}
        self.said: dict[str, NDArray[np.int64]] = {}

    def put(self, number: int, newest_wins: bool) -> list[tuple[str, str, int]]:
        """Put a document in. Returns (its name, name of an older document, number of values that it replaced there).

        Raises Disagreement where its values differ from those of an earlier document, unless the newest wins.
        """
        named = self.documents[number]
        series = named.document.series
        rows = np.searchsorted(self.hours, series.hours)
        instead_of: dict[int, int] = {}
        for name, cells in series.values.items():
            values = self.values.setdefault(name, np.full(len(self.hours), np.nan))
            said = self.said.setdefault(name, np.full(len(self.hours), -1))
            differs = (said[rows] >= 0) & ~same_values(values[rows], cells)
            if differs.any() and not newest_wins:
                raise self._disagreement(number, name, int(np.argmax(differs)), int(differs.sum()))
            for other in said[rows][differs].tolist():
                instead_of[other] = instead_of.get(other, 0) + 1
            values[rows], said[rows] = cells, number
        return [(named.name, self.documents[other].name, count) for other, count in instead_of.items()]

    def _disagreement(self, number: int, name: str, at: int, count: int) -> Disagreement:
        named = self.documents[number]
        hour = int(named.document.series.hours[at])
        row = np.searchsorted(self.hours, hour)
        first = self.documents[int(self.said[name][row])]
        moment = f"{EPOCH + hour * HOUR:%Y-%m-%dT%H:%MZ}"
        here, there = (_value(float(it)) for it in (self.values[name][row], named.document.series.values[name][at]))
        more = f", and in {count - 1} more hours" if count > 1 else ""
        what = f"{name} at {moment} of {_here(named)} is {here} in the first, {there} in the second{more}"
        return Disagreement(f"{first.name} and {named.name} disagree: {what}", first.name, named.name)

    def recording(self) -> Recording:
        first = self.documents[0].document
        spans = (it.document.series.hours[[0, -1]] // 24 for it in self.documents)
        days = Days.union_of(Days.of(*((EPOCH + 24 * int(day) * HOUR).date() for day in span)) for span in spans)
        made_up = any(it.document.series.made_up for it in self.documents)
        return Recording(first.latitude, first.longitude, AirSeries(self.hours, self.values, made_up), days)

    def not_asked_for(self, wanted: Collection[str]) -> str:
        """A phrase that names the wanted variables that were not recorded for some hours, or for any; empty where all
        were."""
        never = [name for name in wanted if name not in self.said]
        parts = [f"{', '.join(never)} never asked for"] if never else []
        for name in wanted:
            gaps = int((self.said[name] < 0).sum()) if name in self.said else 0
            if gaps:
                parts.append(f"{name} not asked for in {gaps} of {len(self.hours)} hours")
        return "; ".join(parts)


def _here(named: Named) -> str:
    return f"{named.document.latitude:.10g}, {named.document.longitude:.10g}"


def _value(value: float) -> str:
    return "null" if np.isnan(value) else f"{value:.10g}"
