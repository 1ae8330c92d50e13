"""One small question to Open-Meteo: whether it answers, how fast, and what it allows.

Must not know: assets, runs, the warehouse; nothing that it is told is kept.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import timedelta

from orchestration.core.partitions.location import Location
from resources.machine.addresses import without_secrets
from resources.machine.clock import Clock
from resources.open_meteo.client import OpenMeteoClient
from resources.open_meteo.requests import Request
from resources.open_meteo.settings import OpenMeteoSettings

SECONDS = 5.0
"""For the answer; somebody is waiting."""


def terms_of(settings: OpenMeteoSettings) -> str:
    """How much is asked of it at most, and whether with a key, which is not told."""
    key = settings.api_key is not None and settings.api_key.get_secret_value()
    return (
        f"{settings.calls_per_minute} calls a minute, {settings.calls_per_hour} an hour and {settings.calls_per_day} a "
        f"day (open_meteo.calls_per_…); {'with the key open_meteo.api_key' if key else 'no key (open_meteo.api_key)'}"
    )


def examined(
    settings: OpenMeteoSettings, variables: Iterable[str], location: Location, now: Clock, injected_clock: bool
) -> str:
    """What it answers for yesterday (UTC) at a location, in words, with the time that it took.

    Asked once. Raises SourceError as the client does.
    """
    brief = {
        "attempts": 1,
        "connect_timeout_seconds": min(settings.connect_timeout_seconds, SECONDS),
        "read_timeout_seconds": min(settings.read_timeout_seconds, SECONDS),
        "unreachable_seconds": SECONDS,
        "request_deadline_seconds": 3 * SECONDS,
    }
    yesterday = now().date() - timedelta(days=1)
    request = Request((location,), yesterday, yesterday, tuple(variables))
    client = OpenMeteoClient(settings.model_copy(update=brief), injected_clock=injected_clock)
    began = time.monotonic()
    (answer,) = client.fetch(request, now).answers
    seconds = time.monotonic() - began
    table = answer.table
    without = [name for name in request.variables if table[name].null_count == table.num_rows]
    values = f"{len(request.variables) - len(without)} of {len(request.variables)} variables have values"
    names = f" (not {', '.join(without)})" if 0 < len(without) < len(request.variables) else ""
    address = without_secrets(settings.base_url)
    return f"{address} answered {request} in {seconds:.1f} s: {table.num_rows} hours, {values}{names}"
