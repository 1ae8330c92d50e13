"""A warehouse whose fetched table has three days of one location, two of them with holes, recorded without counts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestration.engine.workspace import Workspace
from orchestration.project import load, open_workspace
from tests.support import oracle
from tests.support.cli_calls import write

NOW = datetime(2025, 9, 1, 6, tzinfo=UTC)
ESSENTIAL = ("aqi", "pm25", "pm10", "o3", "no2", "so2", "co")
MARKS = {
    "2025-08-20/hanoi": (),
    "2025-08-21/hanoi": ("incomplete: 0 of 24 hours (aqi 0, pm25 23)",),
    "2025-08-22/hanoi": ("incomplete: 0 of 24 hours",),
}
"""What is said of each day."""


def opened(folder: Path, now: datetime = NOW, **flags: Any) -> Workspace:
    return open_workspace(
        load(environment={}, flags={"warehouse": {"uri": str(folder)}, "clock": {"now": now}, **flags})
    )


def _hour(day: int, number: int, **values: Any) -> dict[str, Any]:
    at = datetime(2025, 8, day, number, tzinfo=UTC)
    key = {"location_key": "hanoi", "ts_utc": at, "date_utc": at.date(), "_ingested_at": at}
    rest = {"latitude": 21.0, "longitude": 105.8, "model_domain": "auto", "request_timezone": "UTC"}
    return key | rest | dict.fromkeys(ESSENTIAL, 40) | values


def with_holes(folder: Path) -> Path:
    """The warehouse: a whole day; one without an index, and with an hour without PM2.5; one without a value."""
    rows = [_hour(20, number) for number in range(24)]
    rows += [_hour(21, number, aqi=None, pm25=None if number == 7 else 40) for number in range(24)]
    rows += [_hour(22, number, **dict.fromkeys(ESSENTIAL)) for number in range(24)]
    write(opened(folder), oracle.BRONZE, rows, **dict.fromkeys(MARKS, 24))
    return folder
