"""Replies of the API with the moment of their request: the simulator repeats what the API answered then.

At an instant of the simulator's clock, a day of a location is as in the newest reply about this day that was requested
by that instant: with the reply's nulls, and without the hours that the reply lacks. Later replies do not exist yet.
Hours after the moment of a reply were forecasts, and are left out.

Must not know: sockets, folders, faults.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlencode

import numpy as np

from orchestration.core.calendar import instant_of, iso
from orchestration.core.partitions.days import Days
from orchestration.core.source import RawAnswer
from resources.simulator.documents import read_document, saved_error
from resources.simulator.joined import all_or_none
from resources.simulator.requests import NEAR_DEGREES, NO_DATA, AskedLocation, Refused, parse_query
from resources.simulator.series import AirSeries


@dataclass(frozen=True)
class LocationReply:
    """The part of a reply about one location."""

    asked: datetime
    """The moment of the request."""
    location: AskedLocation
    """The location and days of the request."""
    cell: tuple[float, float]
    """The answer's own coordinates."""
    series: AirSeries

    def hours_of(self, day: date) -> AirSeries:
        """The hours of a day in this reply."""
        begin = (day - date(1970, 1, 1)).days * 24
        hours = self.series.hours
        return self.series.where((hours >= begin) & (hours < begin + 24))


class Replies:
    """All replies, by location and day. made_up: as of ``joined.Joined``."""

    def __init__(self, replies: Sequence[LocationReply]) -> None:
        self.made_up = all_or_none(one.series.made_up for one in replies)
        self._by_location: dict[tuple[float, float], dict[date, list[LocationReply]]] = {}
        for said in sorted(replies, key=lambda it: it.asked):  # stable: in one second the last given stays last
            of_location = self._by_location.setdefault((said.location.latitude, said.location.longitude), {})
            for day in Days.of(said.location.first, said.location.last):
                of_location.setdefault(day, []).append(said)

    @property
    def days(self) -> Days:
        """The UTC days that answers are about, at any location."""
        return Days.from_dates(day for of_location in self._by_location.values() for day in of_location)

    def answer(
        self, location: AskedLocation, variables: Sequence[str], clock: datetime
    ) -> tuple[AirSeries, tuple[float, float]]:
        """The days of a location as they were at the clock, and the coordinates of its answer. Raises Refused."""
        nearest = min(self._by_location, key=lambda it: location.distance(*it), default=None)
        if nearest is None or location.distance(*nearest) > NEAR_DEGREES:
            raise Refused(NO_DATA)
        there = {day: said[0] for day, said in self._by_location[nearest].items() if said[0].asked <= clock}
        if not there:
            raise Refused(NO_DATA)
        location.check(min(there), max(there))
        found = []
        for day in Days.of(location.first, location.last):
            if day not in there:
                raise Refused(f"No answer about {day} was recorded by {iso(clock)}")
            by_then = [said for said in self._by_location[nearest][day] if said.asked <= clock]
            lacking = [name for name in variables if all(name not in said.series.values for said in by_then)]
            whole = [said for said in by_then if all(name in said.series.values for name in variables)]
            if not whole:
                raise Refused(f"No data is available for {(lacking or list(variables))[0]}")
            found.append((whole[-1], day))
        parts = [said.hours_of(day) for said, day in found]
        values = {name: np.concatenate([part.values[name] for part in parts]) for name in variables}
        made_up = any(said.series.made_up for said, _ in found)
        return AirSeries(np.concatenate([part.hours for part in parts]), values, made_up), found[-1][0].cell


# As they are kept ---------------------------------------------------------------------------------


def kept_reply(asked: datetime, query: Mapping[str, str], status: int, body: bytes) -> bytes:
    """A reply as the text of a JSON file, in which the body is unchanged. query: without the key.

    Raises ValueError for a body that does not answer the query: what cannot be replayed is not kept.
    """
    head, text = {"asked": iso(asked), "query": dict(query), "status": status}, body.decode("utf-8-sig")
    try:
        read_kept_reply(head | {"body": json.loads(text)})
    except RecursionError:
        raise ValueError("it is no JSON of the API's") from None
    return f'{json.dumps(head, ensure_ascii=False)[:-1]}, "body": {text}}}\n'.encode()


def is_kept_reply(content: Any) -> bool:
    """Whether the JSON of a file is that of ``kept_reply``: with the moment of the request."""
    return isinstance(content, dict) and "asked" in content and ("query" in content or "body" in content)


def read_kept_reply(content: Mapping[str, Any]) -> list[LocationReply]:
    """The locations of a reply, from the JSON of ``kept_reply``. Raises ValueError."""
    try:
        asked, body = instant_of(content["asked"]), content["body"]
        locations, _ = parse_query(urlencode(content["query"]))
    except Refused as refusal:
        raise ValueError(f"its query would be refused: {refusal}") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it lacks something ({error!r})") from None
    return _replies(asked, locations, body)


def of_raw_answer(answer: RawAnswer) -> list[LocationReply]:
    """The locations of a raw answer of Open-Meteo. Raises ValueError for a raw answer of another source."""
    request = answer.request
    try:
        first, last = (date.fromisoformat(request[name]) for name in ("first", "last"))
        locations = [
            AskedLocation(float(it["latitude"]), float(it["longitude"]), first, last) for it in request["locations"]
        ]
    except (KeyError, TypeError) as error:
        raise ValueError(f"a request that lacks {error}") from None
    return _replies(instant_of(answer.asked), locations, json.loads(answer.body))


def _replies(asked: datetime, locations: Sequence[AskedLocation], body: Any) -> list[LocationReply]:
    documents = body if isinstance(body, list) else [body]
    if len(documents) != len(locations):
        raise ValueError(f"{len(documents)} answers to a request for {len(locations)} locations")
    return [_of_location(asked, location, document) for location, document in zip(locations, documents, strict=True)]


def _of_location(asked: datetime, location: AskedLocation, document: Any) -> LocationReply:
    """One element of the API's array, checked. Hours that had not begun at the request are left out."""
    if not isinstance(document, Mapping):
        raise ValueError(f"it lacks something (it is no object, but a {type(document).__name__})")
    if (reason := saved_error(document)) is not None:
        raise ValueError(f"it is an error: {reason}")
    if document.get("utc_offset_seconds"):
        raise ValueError("its hours are not in UTC")
    read = read_document(document, may_be_empty=True)
    had_begun = read.series.hours <= asked.astimezone(UTC).timestamp() // 3600
    return LocationReply(asked, location, (read.latitude, read.longitude), read.series.where(had_begun))
