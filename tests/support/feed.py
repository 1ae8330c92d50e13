"""A real HTTP server that answers with rows that a test made up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from resources.simulator.faults import Fault
from resources.simulator.server import Simulator
from tests.support import oracle
from tests.support.small_lake import NOW
from tests.support.strategies import LOCATIONS


class Feed:
    """Speaks the API's protocol; hours that ``rows`` (bronze rows) does not hold are not sent.

    Change ``rows`` through ``revise`` and ``withdraw``: the next request sees it.
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]], faults: Iterable[Fault] = (), now: datetime = NOW) -> None:
        self._rows = {(row["location_key"], row["ts_utc"].strftime("%Y-%m-%dT%H:%M")): dict(row) for row in rows}
        self._location = {location: key for key, location in LOCATIONS.items()}
        self.now = now
        self.server = Simulator(now=lambda: self.now, override=self._hour, faults=tuple(faults))

    @property
    def rows(self) -> list[dict[str, Any]]:
        return list(self._rows.values())

    def revise(self, location: str, instant: datetime, **values: Any) -> None:
        """Change values of one hour."""
        self._rows[(location, instant.strftime("%Y-%m-%dT%H:%M"))].update(values)

    def withdraw(self, location: str, instant: datetime) -> None:
        """The provider does not send this hour any more."""
        del self._rows[(location, instant.strftime("%Y-%m-%dT%H:%M"))]

    def _hour(self, latitude: float, longitude: float, values: Mapping[str, Any]) -> dict[str, Any] | None:
        row = self._rows.get((self._location[(latitude, longitude)], values["time"]))
        if row is None:
            return None
        return {"time": values["time"]} | {name: row[column] for name, column in oracle.API_TO_COLUMN.items()}

    def __enter__(self) -> Feed:
        self.server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()
