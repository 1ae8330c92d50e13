"""Requests as JSON values, as they are kept beside what was sent to them, and read again.

Pure. Must not know: HTTP, the key, today's configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from orchestration.core.errors import SourceNonsense, UsageError
from orchestration.core.partitions.location import Location
from resources.open_meteo.requests import Request
from resources.open_meteo.variables import UNITS


def describe(request: Request, domain: str) -> dict[str, Any]:
    """A request and the domain that it was for. Names and time zones of locations are not part of it."""
    return {
        "locations": [
            {"key": place.key, "latitude": place.latitude, "longitude": place.longitude} for place in request.locations
        ],
        "first": request.first.isoformat(),
        "last": request.last.isoformat(),
        "variables": list(request.variables),
        "domain": domain,
    }


def described_request(described: Mapping[str, Any]) -> Request:
    """The request of what ``describe`` gave. Raises SourceNonsense for anything else."""
    try:
        places = [
            Location(place["key"], place["key"], float(place["latitude"]), float(place["longitude"]), "UTC")
            for place in described["locations"]
        ]
        first, last = (date.fromisoformat(described[name]) for name in ("first", "last"))
        variables = tuple(described["variables"])
        if unknown := [name for name in variables if name not in UNITS]:
            raise ValueError(f"unknown variables {unknown}")
        str(described["domain"])
        return Request(tuple(places), first, last, variables)
    except (KeyError, TypeError, ValueError, UsageError) as error:
        raise SourceNonsense(f"a kept request to Open-Meteo cannot be read ({error!r})") from None
