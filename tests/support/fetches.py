"""A source of three cities whose clock stands still, and what the API says of them without the network."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from assets.variables import VARIABLES
from orchestration.core.errors import SourceError
from orchestration.core.partitions.keys import Days, PartitionSet
from orchestration.engine.asking import Askings
from orchestration.engine.fetching import Fetching, Wanted
from orchestration.project import load
from resources.open_meteo.client import OpenMeteoClient, never
from resources.open_meteo.source import OpenMeteo
from resources.simulator.server import Simulator

NOW = datetime(2025, 8, 9, 10, 30, tzinfo=UTC)
ENDED, UNFINISHED = date(2025, 8, 8), date(2025, 8, 9)
HCMC = (10.8231, 106.6297)
LATITUDES = {"hanoi": "21.0278", "hcmc": "10.8231", "danang": "16.0544"}
KEYS = tuple(LATITUDES)
TWO_DAYS = PartitionSet.of(Days.of(ENDED, UNFINISHED), KEYS)
STEP = "bronze.feed"


def source(
    url: str,
    partitions: PartitionSet | Mapping[str, PartitionSet] = TWO_DAYS,
    cancelled: Callable[[], bool] = never,
    max_days: int = 92,
    looked: Fetching | None = None,
    client: type[OpenMeteoClient] = OpenMeteoClient,
    kind: type[OpenMeteo] = OpenMeteo,
    now: Callable[[], datetime] = lambda: NOW,
    askings: Askings | None = None,
    **options: Any,
) -> Fetching:
    """The three cities of the configuration, a clock that stands still, a client that gives up soon.

    partitions: of the one step STEP, or by step. looked: what was asked before. client, kind: classes of what asks.
    askings: how sources are asked in the run.
    """
    flags = {"open_meteo": {"base_url": url, "max_days_per_request": max_days}}
    settings = load(flags=flags, environment={})
    wanted = {STEP: partitions} if isinstance(partitions, PartitionSet) else partitions
    api = settings.open_meteo.model_copy(update={"attempts": 2, "backoff_seconds": 0.0} | options)
    steps = {step: Wanted("feed", what) for step, what in wanted.items()}
    asks = kind(api, VARIABLES, client(api, injected_clock=True))
    return Fetching({"feed": asks}, steps, settings.configured_locations, now, cancelled, looked, askings=askings)


def simulator(**options: Any) -> Simulator:
    return Simulator(now=lambda: NOW, **options)


def outcomes(asked: Fetching) -> dict[str, int | SourceError]:
    """Fetch every task: the number of hours that it brought or its error, by location."""
    found: dict[str, int | SourceError] = {}
    for task in asked.tasks:
        try:
            found[task.location] = asked.fetch(task)
        except SourceError as error:
            found[task.location] = error
    return found


def refusal(status: int, reason: str) -> tuple[int, bytes]:
    return status, json.dumps({"error": True, "reason": reason}).encode()


def good_answer(latitudes: list[str]) -> tuple[int, bytes]:
    """What the simulator says of these locations, without the network; their longitudes do not matter."""
    locations = ",".join(latitudes)
    query = f"latitude={locations}&longitude={locations}&hourly={','.join(VARIABLES)}"
    query += f"&start_date={ENDED}&end_date={UNFINISHED}"
    quiet = simulator()
    try:
        status, payload = quiet.answer(query)
    finally:
        quiet.stop()
    return status, json.dumps(payload).encode()
