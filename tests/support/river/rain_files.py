"""A folder of CSV files as a source of rain: see ``core.source``.

``alder_2025-03.csv`` is the rain at one gauge in one month, a bucket a line: ``day,bucket,rain_mm``. A day that is in
no file has no rows.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from orchestration.core.calendar import day_of
from orchestration.core.errors import SourceNonsense, SourceUnreachable
from orchestration.core.partitions.days import Days
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.partitions.location import Location
from orchestration.core.source import Answer, Reply
from orchestration.core.state.partition_record import Question
from resources.settings.section import Section

SCHEMA = pa.schema(
    [("station_id", pa.string()), ("fell_on", pa.date32()), ("bucket", pa.int32()), ("rain_mm", pa.float64())]
)
HEADER = ["day", "bucket", "rain_mm"]
QUESTION = Question("rain_files", "", ("rain_mm",), None, None)


class RainSettings(Section):
    folder: str = "rain"


@dataclass(frozen=True)
class RainRequest:
    """All wanted days of one gauge."""

    locations: tuple[Location, ...]
    days: Days

    def __str__(self) -> str:
        return f"the rain at {', '.join(gauge.key for gauge in self.locations)} on {self.days}"


@dataclass(frozen=True)
class RainFiles:
    """The source."""

    settings: RainSettings
    first_day = date(2019, 1, 1)
    values_from = date.min
    columns = (("station_id", "string"), ("fell_on", "date"), ("bucket", "integer"), ("rain_mm", "double"))
    called: ClassVar[Mapping[str, str]] = {"rain_mm": "rain"}

    @property
    def address(self) -> str:
        return self.settings.folder

    def requests(self, wanted: PartitionSet, locations: Sequence[Location]) -> Sequence[RainRequest]:
        return [RainRequest((at,), days) for at in locations if (days := wanted.days_of(at.key))]

    def alone(self, request: RainRequest, location: Location) -> RainRequest:
        return replace(request, locations=(location,))

    def fetch(self, request: RainRequest, now: Callable[[], datetime], cancelled: Callable[[], bool]) -> Reply:
        folder, asked = Path(self.settings.folder), now()
        if not folder.is_dir():
            raise SourceUnreachable(f"the folder of rain {folder} is not there", "Mount it, or set rain_files.folder.")
        names = [f"{at.key}_{month}.csv" for at in request.locations for month in _months(request.days)]
        files = {name: (folder / name).read_text(encoding="utf-8") for name in names if (folder / name).is_file()}
        body = json.dumps(files).encode()
        return Reply(self.read(self.described(request), body, asked), asked, body)

    def described(self, request: RainRequest) -> Mapping[str, Any]:
        """Days with gaps as their pieces."""
        days = [[first.isoformat(), last.isoformat()] for first, last in request.days.pieces]
        return {"gauges": [at.key for at in request.locations], "days": days}

    def read(self, request: Mapping[str, Any], body: bytes, asked: datetime) -> Sequence[Answer]:
        files: dict[str, str] = json.loads(body)
        pieces = [(date.fromisoformat(first), date.fromisoformat(last)) for first, last in request["days"]]
        days, until = Days.union_of(Days.of(*piece) for piece in pieces), day_of(asked)
        return [_answer(gauge, _read(files, gauge, days, until), days) for gauge in request["gauges"]]

    def asked_then(self, request: Mapping[str, Any], location: str) -> Question:
        return QUESTION

    def only(self, rows: pa.Table, days: Days) -> pa.Table:
        return rows.filter(pc.is_in(rows["fell_on"], value_set=pa.array(list(days), pa.date32())))

    def more_may_come(self, day: date) -> bool:
        """Nobody waits for it: who changes a file says so by another digest."""
        return False

    def question(self, location: Location) -> Question:
        """Files go by the gauge's key: wherever it is."""
        return QUESTION

    def difference(self, location: str, then: Question, now: Question) -> str:
        return ""

    def is_elsewhere(self, then: Question, now: Question) -> bool:
        return False


def _months(days: Days) -> list[str]:
    return sorted({f"{day:%Y-%m}" for day in days})


def _read(files: Mapping[str, str], gauge: str, days: Days, until: date) -> list[tuple[date, int, float]]:
    found: list[tuple[date, int, float]] = []
    for name in (f"{gauge}_{month}.csv" for month in _months(days)):
        if name in files:
            found += [row for row in _rows(name, files[name]) if row[0] in days and row[0] <= until]
    return sorted(found)


def _rows(name: str, text: str) -> Iterator[tuple[date, int, float]]:
    lines = csv.reader(text.splitlines())
    if next(lines, None) != HEADER:
        raise SourceNonsense(f"{name} has not the columns {', '.join(HEADER)}", "Look at the file.")
    for number, line in enumerate(lines, 2):
        try:
            day, bucket, rain = line
            yield date.fromisoformat(day), int(bucket), float(rain)
        except ValueError:
            raise SourceNonsense(f"{name}, line {number} cannot be read", "Look at the file.") from None


def _answer(gauge: str, rows: list[tuple[date, int, float]], days: Days) -> Answer:
    columns = [[gauge] * len(rows), *([row[number] for row in rows] for number in range(3))]
    digests = {day: _digest([row for row in rows if row[0] == day]) for day in days}
    return Answer(gauge, pa.table([pa.array(*it) for it in zip(columns, SCHEMA.types, strict=True)], SCHEMA), digests)


def _digest(rows: Sequence[Sequence[Any]]) -> str:
    return hashlib.sha256(json.dumps(rows, default=str).encode()).hexdigest()[:32]
