"""Requests as JSON values: so they are kept beside their answers, and read again.

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
"""The prefix, in records, of a domain that was sent by name."""


def domain_in_records(domain: str) -> str:
    """A domain as records and descriptions have it: with a prefix where it was sent.

    Older versions recorded the configured domain as a bare name, and did not send it. So a bare name other than
    ``auto`` is not what the source was asked for: see ``domain_asked``.
    """
    return AUTO if domain == AUTO else f"{_SENT}{domain}"


def domain_asked(recorded: str) -> str:
    """The domain that the source was asked for, from a domain in a record.

    | recorded                | asked         |
    |-------------------------|---------------|
    | ``auto``                | ``auto``      |
    | ``domains=cams_europe`` | cams_europe   |
    | ``cams_europe``         | ``auto``      |
    """
    return recorded.removeprefix(_SENT) if recorded.startswith(_SENT) else AUTO


def describe(request: Request) -> dict[str, Any]:
    """A request as JSON values, without names and time zones of locations, and without its optional variables."""
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
    """The request that ``describe`` described. All of its variables are optional: its answer was accepted and kept.

    Raises SourceNonsense for other values.
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
