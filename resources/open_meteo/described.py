"""Requests as JSON values, as they are kept beside what was sent to them, and read again.

Pure. Must not know: HTTP, the key, today's configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from orchestration.core.errors import SourceNonsense, UsageError
from orchestration.core.partitions.location import Location
from resources.open_meteo.requests import AUTO, Request
from resources.open_meteo.variables import UNITS

_SENT = "domains="
"""What a domain begins with in records, where it was sent by name."""


def domain_in_records(domain: str) -> str:
    """A domain as records and descriptions have it: as it was sent.

    Before it was sent they had the one that was configured, by its bare name; so a bare name other than ``auto`` is not
    what was asked for: see ``domain_asked``.
    """
    return AUTO if domain == AUTO else f"{_SENT}{domain}"


def domain_asked(recorded: str) -> str:
    """What the source was asked for, of a domain in a record.

    | recorded                | asked         |
    |-------------------------|---------------|
    | ``auto``                | ``auto``      |
    | ``domains=cams_europe`` | cams_europe   |
    | ``cams_europe``         | ``auto``      |
    """
    return recorded.removeprefix(_SENT) if recorded.startswith(_SENT) else AUTO


def describe(request: Request) -> dict[str, Any]:
    """A request. Names and time zones of locations are not part of it, nor what an answer may be without."""
    return {
        "locations": [
            {"key": location.key, "latitude": location.latitude, "longitude": location.longitude}
            for location in request.locations
        ],
        "first": request.first.isoformat(),
        "last": request.last.isoformat(),
        "variables": list(request.variables),
        "domain": domain_in_records(request.domain),
    }


def described_request(described: Mapping[str, Any]) -> Request:
    """The request of what ``describe`` gave; its answer was kept, so it may be without any variable.

    Raises SourceNonsense for anything else.
    """
    try:
        locations = [
            Location(location["key"], location["key"], float(location["latitude"]), float(location["longitude"]), "UTC")
            for location in described["locations"]
        ]
        first, last = (date.fromisoformat(described[name]) for name in ("first", "last"))
        variables = tuple(described["variables"])
        if unknown := [name for name in variables if name not in UNITS]:
            raise ValueError(f"unknown variables {unknown}")
        domain = domain_asked(str(described["domain"]))
        return Request(tuple(locations), first, last, variables, domain, optional=frozenset(variables))
    except (KeyError, TypeError, ValueError, UsageError) as error:
        raise SourceNonsense(f"a kept request to Open-Meteo cannot be read ({error!r})") from None
