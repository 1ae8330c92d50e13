"""A check of Open-Meteo by one small request: whether it answers, how fast, and with which clock.

Must not know: assets, runs, the warehouse, HTTP. Nothing of the answer is kept.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

from orchestration.core.partitions.days import Days
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.partitions.location import Location
from orchestration.core.source import Source
from resources.machine.clock import Clock
from resources.open_meteo.settings import OpenMeteoSettings

SECONDS = 5.0
"""How long the check waits for the answer: a person waits for the check."""
APART_SECONDS = 2.0


def terms_of(settings: OpenMeteoSettings) -> str:
    """A sentence: how many calls are made at most, and whether a key is sent. The key itself is not in it."""
    key = settings.api_key is not None and settings.api_key.get_secret_value()
    return (
        f"{settings.calls_per_minute} calls a minute, {settings.calls_per_hour} an hour and {settings.calls_per_day} a "
        f"day (open_meteo.calls_per_…); {'with the key open_meteo.api_key' if key else 'no key (open_meteo.api_key)'}"
    )


def brief(settings: OpenMeteoSettings) -> OpenMeteoSettings:
    """The settings with one attempt, of a few seconds."""
    changed = {
        "attempts": 1,
        "connect_timeout_seconds": min(settings.connect_timeout_seconds, SECONDS),
        "read_timeout_seconds": min(settings.read_timeout_seconds, SECONDS),
        "unreachable_seconds": SECONDS,
        "request_deadline_seconds": 3 * SECONDS,
    }
    return settings.model_copy(update=changed)


def examined(source: Source[Any], location: Location, now: Clock) -> str:
    """A sentence about the answer for yesterday (UTC) at a location, and the time that it took. Raises SourceError."""
    yesterday = PartitionSet.of(Days.of(now().date() - timedelta(days=1)), [location.key])
    (request,) = source.requests(yesterday, [location])
    began, before = time.monotonic(), now()
    reply = source.fetch(request, now, lambda: False, 1)
    (answer,) = reply.answers
    seconds = time.monotonic() - began
    rows = answer.rows
    columns = [name for name, _ in source.columns if name in source.called and name != "ts_utc"]
    without = [source.called[name] for name in columns if rows[name].null_count == len(rows)]
    values = f"{len(columns) - len(without)} of {len(columns)} variables have values"
    names = f" (not {', '.join(without)})" if 0 < len(without) < len(columns) else ""
    text = f"{source.address} answered {request} in {seconds:.1f} s: {len(rows)} hours, {values}{names}"
    return text + _clocks(reply.asked, before, now())


def _clocks(asked: datetime, before: datetime, after: datetime) -> str:
    """A phrase about the difference between the source's clock and this machine's; empty where the clocks may be the
    same.

    The source's clock has whole seconds. An answer whose clock differs by more than
    open_meteo.max_clock_difference_minutes is refused before.
    """
    behind, ahead = (before - asked).total_seconds(), (asked - after).total_seconds()
    if max(behind, ahead) < APART_SECONDS:
        return ""
    return f"; its clock is {max(behind, ahead):.0f} s {'behind' if behind > ahead else 'ahead of'} this machine's"
