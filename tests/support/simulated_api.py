"""Requests to the simulated API, whose clock stands still."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import requests

from assets.variables import VARIABLES
from resources.simulator.faults import Fault
from resources.simulator.server import Simulator

NOW = datetime(2025, 10, 13, 10, 30, tzinfo=UTC)
HANOI, HCMC, DANANG = (21.0278, 105.8342), (10.8231, 106.6297), (16.0544, 108.2022)


def ask(
    server: Simulator, *locations: tuple[float, float], first: str = "2025-08-08", **more: str
) -> requests.Response:
    """One request; ``first`` is also the last day unless ``end_date`` says otherwise."""
    query = {
        "latitude": ",".join(str(latitude) for latitude, _ in locations or (HANOI,)),
        "longitude": ",".join(str(longitude) for _, longitude in locations or (HANOI,)),
        "hourly": ",".join(VARIABLES),
        "start_date": first,
        "end_date": first,
        "timezone": "UTC",
    } | more
    return requests.get(f"{server.url}/v1/air-quality", params=query, timeout=5)


def hours(server: Simulator, *locations: tuple[float, float], **more: str) -> dict[str, list[Any]]:
    """The lists of ``hourly`` of one location."""
    answer: dict[str, dict[str, list[Any]]] = ask(server, *locations, **more).json()
    return answer["hourly"]


def simulator(*faults: Fault, **options: Any) -> Simulator:
    return Simulator(now=lambda: NOW, faults=faults, **options)
