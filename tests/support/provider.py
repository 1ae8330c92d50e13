"""A provider that changes its mind as a test says, over HTTP, and keeps every answer that it gave for the oracle."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Self

from resources.simulator.requests import AskedLocation, parse_query
from resources.simulator.server import Simulator
from tests.support import oracle
from tests.support.clocks import MovingClock
from tests.support.oracle.answers import Said
from tests.support.strategies import LOCATIONS, hours_of, plain_row

KEYS = {degrees: key for key, degrees in LOCATIONS.items()}
COLUMNS = (*oracle.INDEXES, *oracle.CONCENTRATIONS)


REMEMBERED = ("rows", "instead", "down", "forced", "domain", "refused", "said", "requests")


class Provider(Simulator):
    """Answers at the moment of ``clock`` with ``rows`` (bronze rows), and of ``instead`` with what is there.

    instead: location and hour → values by column, None for an hour that is left out. down: no request is answered.
    refused: locations for which there is no data. forced: whether the run that asks is; domain: what it asks for. said:
    all answers, in order. meanwhile: called once, when an answer is found and not sent yet. requests: days and
    locations of each.
    """

    def __init__(self, clock: MovingClock, rows: Iterable[Mapping[str, Any]], **options: Any) -> None:
        super().__init__(now=clock, override=self._hour, **options)
        self.clock = clock
        self.rows = {(row["location_key"], row["ts_utc"]): {name: row[name] for name in COLUMNS} for row in rows}
        self.instead: dict[tuple[str, datetime], Mapping[str, Any] | None] = {}
        self.down = self.forced = False
        self.domain = "auto"
        self.refused: frozenset[str] = frozenset()
        self.said: list[Said] = []
        self.meanwhile: Callable[[], None] | None = None
        self.requests: list[tuple[date, date, tuple[str, ...]]] = []

    @property
    def memory(self) -> dict[str, Any]:
        """What it says and has said, for another one to go on with: see ``recall``."""
        return copy.deepcopy({name: getattr(self, name) for name in REMEMBERED})

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on where another one was."""
        vars(self).update(copy.deepcopy(dict(memory)))

    def __enter__(self) -> Self:
        self.start()
        return self

    def answer(self, query: str) -> tuple[int, Any]:
        asked, forced = self.clock(), self.forced
        locations, _ = parse_query(query)
        keys = tuple(key_of(location) for location in locations)
        self.requests.append((locations[0].first, locations[0].last, keys))
        if self.down:
            return 503, {"error": True, "reason": "The service is overloaded"}
        if self.refused.intersection(keys):
            return 400, {"error": True, "reason": "No data is available for this location"}
        status, payload = super().answer(query)
        assert status == 200, payload
        documents = payload if isinstance(payload, list) else [payload]
        hours: dict[tuple[str, datetime], dict[str, Any]] = {}
        for key, document in zip(keys, documents, strict=True):
            hours |= sent_of(key, json.loads(json.dumps(document)))
        spots = {key: (location.latitude, location.longitude) for key, location in zip(keys, locations, strict=True)}
        days = (locations[0].first, locations[0].last)
        said = Said(asked.replace(microsecond=0), spots, *days, hours, forced, self.domain, clock=asked)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        self.said.append(said)  # in the order in which runs can take them in
        return status, payload

    def _hour(self, latitude: float, longitude: float, values: Mapping[str, Any]) -> dict[str, Any] | None:
        instant = datetime.fromisoformat(values["time"]).replace(tzinfo=UTC)
        hour = (KEYS[latitude, longitude], instant)
        sent = self.instead[hour] if hour in self.instead else self.rows.get(hour)
        if sent is None:
            return None
        return {"time": values["time"]} | {name: sent[column] for name, column in oracle.API_TO_COLUMN.items()}


def key_of(location: AskedLocation) -> str:
    return KEYS[location.latitude, location.longitude]


def sent_of(key: str, document: Mapping[str, Any]) -> dict[tuple[str, datetime], dict[str, Any]]:
    """What an answer says of a location, by column."""
    hourly = document["hourly"]
    return {
        (key, datetime.fromisoformat(text).replace(tzinfo=UTC)): {
            column: hourly[name][number] for name, column in oracle.API_TO_COLUMN.items()
        }
        for number, text in enumerate(hourly["time"])
    }


def full_rows(locations: Iterable[str], first: date, days: int) -> list[dict[str, Any]]:
    """Rows without a null: PM2.5 and the index rise and fall, at each location over another threshold for long."""
    rows = []
    for number, location in enumerate(locations):
        for hour, instant in enumerate(hours_of(first, days)):
            level = 150 + 2 * number + (-1) ** (hour // 7) * (1 + hour % 5)
            row = plain_row(location, instant, level)
            row["pm25"] = 30.0 + hour + number / 4
            rows.append(row)
    return rows
