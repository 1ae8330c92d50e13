"""A fetched asset whose rows are hours, with two essential columns, and what is recorded of days of August 2025."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from orchestration.core.declarations.asset import HourlyRows
from orchestration.core.partitions.keys import PartitionKey
from orchestration.core.state.freshness import Current
from orchestration.core.state.partition_record import Answer, PartitionRecord
from orchestration.core.state.table_state import TableState
from tests.support.judged_tables import CURRENT, FEED, feed, record

HOURLY = replace(feed, hours=HourlyRows("at", ("aqi", "pm25"), "silver.clean"))
NOW = datetime(2025, 8, 20, 10, 30, tzinfo=UTC)
TODAY = NOW.date()
HUE = "hue"


def at(day: int, location: str = HUE) -> PartitionKey:
    """A day counted from the first of August 2025."""
    return PartitionKey(date(2025, 8, 1) + timedelta(day - 1), location)


def hours(aqi: int, pm25: int | None = None, *, as_of: str = "", asked: str = "", **more: Any) -> PartitionRecord:
    """A record of today's code with so many values of each column; ``pm25``: None for as many as ``aqi``."""
    values = {"aqi": aqi, "pm25": aqi if pm25 is None else pm25, "dust": 0}
    answers = (Answer(asked, "digest"),) if asked else ()
    return replace(record(HOURLY, {"api": {}}, as_of=as_of), values=values, answers=answers, **more)


def now(at: datetime = NOW, **more: Any) -> Current:
    return replace(CURRENT, now=at, **more)


def table(records: Mapping[PartitionKey, PartitionRecord]) -> dict[str, TableState]:
    return {FEED: TableState(5, records)}
