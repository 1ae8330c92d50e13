"""Requests of the API and what it answers to them: documents of whole numbers, and replies with a status."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

from orchestration.core.partitions.location import Location
from resources.open_meteo.requests import Request
from resources.open_meteo.variables import UNITS as UNITS_OF_API
from tests.support.scripted_api import Reply

NOW = datetime(2025, 10, 13, 10, 30, tzinfo=UTC)
HANOI = Location("hanoi", "Hà Nội", 21.0278, 105.8342, "Asia/Ho_Chi_Minh")
HCMC = Location("hcmc", "TP.HCM", 10.8231, 106.6297, "Asia/Ho_Chi_Minh")
DANANG = Location("danang", "Đà Nẵng", 16.0544, 108.2022, "Asia/Ho_Chi_Minh")
CITIES = (HANOI, HCMC, DANANG)
KEYS = ("hanoi", "hcmc", "danang")
DAY = date(2025, 8, 8)
VARIABLES = tuple(UNITS_OF_API)[:17]
ONE_DAY = Request((HANOI,), DAY, DAY, VARIABLES)
TWO_CITIES = Request((HANOI, HCMC), DAY, DAY + timedelta(days=1), VARIABLES)
UNITS = {"time": "iso8601", "carbon_dioxide": "ppm", "aerosol_optical_depth": "", "uv_index": ""}


def now() -> datetime:
    """A clock that stands still."""
    return NOW


def document(hours: int = 24, first: date = DAY) -> dict[str, Any]:
    """An answer as the API writes it (its µ is U+03BC): whole numbers that differ by variable and hour."""
    midnight = datetime(first.year, first.month, first.day)
    times = [(midnight + timedelta(hours=n)).strftime("%Y-%m-%dT%H:%M") for n in range(hours)]
    values = {name: [float(100 * k + n) for n in range(hours)] for k, name in enumerate(VARIABLES)}
    units = {name: UNITS.get(name, "USAQI" if "aqi" in name else "\u03bcg/m³") for name in ("time", *VARIABLES)}
    return {
        "latitude": 21.2,
        "longitude": 106.0,
        "utc_offset_seconds": 0,
        "hourly_units": units,
        "hourly": {"time": times, **values},
    }


def good(content: Any = None) -> Reply:
    return 200, {}, json.dumps(content or document()).encode()


def bad(status: int, reason: str, **headers: str) -> Reply:
    text = json.dumps({"error": True, "reason": reason})
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, text.encode()


MINUTELY = "Minutely API request limit exceeded. Please try again in one minute."
