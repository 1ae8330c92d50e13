"""The gauges' HTTP service as a source of hourly levels: see ``core.source``.

GET /levels?gauges=alder,birch&first=2025-03-01&last=2025-03-02
{"alder": [["2025-03-01T00", 1.25, 7.5], …], "birch": […]}
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import requests

from orchestration.core.errors import FetchCancelled, SourceError, SourceNonsense, SourceRefused, SourceUnreachable
from orchestration.core.partitions.days import Days
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.partitions.location import Location
from orchestration.core.source import Answer, Reply
from orchestration.core.state.partition_record import Question
from resources.settings.section import Section

SCHEMA = pa.schema(
    [
        ("gauge_id", pa.string()),
        ("read_at", pa.timestamp("us", tz="UTC")),
        ("level_m", pa.float64()),
        ("flow_m3s", pa.float64()),
    ]
)


class GaugeSettings(Section):
    base_url: str = "http://127.0.0.1:9"
    seconds: float = 5.0


@dataclass(frozen=True)
class LevelRequest:
    """Some days of some gauges."""

    locations: tuple[Location, ...]
    days: Days

    def __str__(self) -> str:
        return f"{', '.join(gauge.key for gauge in self.locations)} on {self.days}"


@dataclass(frozen=True)
class Gauges:
    """The source."""

    settings: GaugeSettings
    first_day = date(2020, 1, 1)
    values_from = date.min
    columns = (("gauge_id", "string"), ("read_at", "timestamp"), ("level_m", "double"), ("flow_m3s", "double"))
    called: ClassVar[Mapping[str, str]] = {"gauge_id": "gauge"}

    @property
    def address(self) -> str:
        return self.settings.base_url

    def requests(self, wanted: PartitionSet, locations: Sequence[Location]) -> Sequence[LevelRequest]:
        """One for all gauges that want the same days without a gap."""
        sharing: dict[tuple[date, date], list[Location]] = {}
        for gauge in locations:
            for piece in wanted.days_of(gauge.key).pieces:
                sharing.setdefault(piece, []).append(gauge)
        return [LevelRequest(tuple(gauges), Days.of(*piece)) for piece, gauges in sorted(sharing.items())]

    def alone(self, request: LevelRequest, location: Location) -> LevelRequest:
        return replace(request, locations=(location,))

    def fetch(
        self,
        request: LevelRequest,
        now: Callable[[], datetime],
        cancelled: Callable[[], bool],
        attempts: int | None = None,
    ) -> Reply:
        if cancelled():
            raise FetchCancelled(f"the fetch of {request} was cancelled")
        asked = now()
        body = self._ask(request)
        return Reply(self.read(self.described(request), body, asked), asked, body)

    def described(self, request: LevelRequest) -> Mapping[str, Any]:
        gauges = {gauge.key: [gauge.latitude, gauge.longitude] for gauge in request.locations}
        return {"gauges": gauges, "first": request.days.first.isoformat(), "last": request.days.last.isoformat()}

    def read(self, request: Mapping[str, Any], body: bytes, asked: datetime) -> Sequence[Answer]:
        gauges, days = request["gauges"], Days.of(*(date.fromisoformat(request[name]) for name in ("first", "last")))
        try:
            told = json.loads(body)
        except ValueError:
            told = None
        if not isinstance(told, dict) or set(told) != set(gauges):
            raise SourceNonsense(f"the gauges answered {', '.join(gauges)} with something else", "Look at the service.")
        return [_answer(gauge, told, days, asked) for gauge in gauges]

    def asked_then(self, request: Mapping[str, Any], location: str) -> Question:
        return Question("gauges", "", ("flow_m3s", "level_m"), *request["gauges"][location])

    def _ask(self, request: LevelRequest) -> bytes:
        query = {
            "gauges": ",".join(gauge.key for gauge in request.locations),
            "first": request.days.first.isoformat(),
            "last": request.days.last.isoformat(),
        }
        try:
            reply = requests.get(f"{self.settings.base_url}/levels", params=query, timeout=self.settings.seconds)
        except requests.RequestException as error:
            raise SourceUnreachable(f"the gauges cannot be reached ({type(error).__name__})", "Try later.") from None
        if reply.status_code == 404:
            raise SourceRefused(f"the gauges refused {request}: {reply.text}", "Look whether the gauge is there.")
        if reply.status_code != 200:
            raise SourceError(f"the gauges answered HTTP {reply.status_code} to {request}", "Try later.")
        return reply.content

    def only(self, rows: pa.Table, days: Days) -> pa.Table:
        return rows.filter(pc.is_in(rows["read_at"].cast(pa.date32()), value_set=pa.array(list(days), pa.date32())))

    def more_may_come(self, day: date) -> bool:
        return True

    def question(self, location: Location) -> Question:
        return Question("gauges", "", ("flow_m3s", "level_m"), location.latitude, location.longitude)

    def difference(self, location: str, then: Question, now: Question) -> str:
        return f"the gauge {location} was moved" if self.is_elsewhere(then, now) else ""

    def is_elsewhere(self, then: Question, now: Question) -> bool:
        return (then.latitude, then.longitude) != (now.latitude, now.longitude)


def _answer(gauge: str, told: dict[str, Any], days: Days, now: datetime) -> Answer:
    hours = sorted((datetime.fromisoformat(f"{at}:00+00:00"), level, flow) for at, level, flow in told[gauge])
    hours = [hour for hour in hours if hour[0] <= now and hour[0].date() in days]
    columns = [[gauge] * len(hours), *([hour[number] for hour in hours] for number in range(3))]
    digests = {day: _digest([hour for hour in hours if hour[0].date() == day]) for day in days}
    return Answer(gauge, pa.table([pa.array(*it) for it in zip(columns, SCHEMA.types, strict=True)], SCHEMA), digests)


def _digest(rows: Sequence[Sequence[Any]]) -> str:
    return hashlib.sha256(json.dumps(rows, default=str).encode()).hexdigest()[:32]
