"""Canned replies: faults of the simulated API whose reply does not depend on the request.

Must not know: sockets, values, recordings.

Source of texts and statuses: the provider's server, github.com/open-meteo/open-meteo, and reports of users.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from resources.simulator.requests import NO_DATA, unknown_variable


@dataclass(frozen=True)
class Reply:
    """An HTTP response."""

    status: int
    body: bytes
    kind: str = "application/json; charset=utf-8"
    """The Content-Type."""
    headers: Mapping[str, str] | None = None
    """Headers besides type and length. None: the simulator's own headers, and ``more``."""
    more: Mapping[str, str] = field(default_factory=dict)
    """Headers to add to the simulator's own."""


def error(status: int, reason: str) -> Reply:
    """An error in the API's form."""
    return Reply(status, json.dumps({"error": True, "reason": reason}).encode())


def page(status: int, title: str) -> Reply:
    """An HTML page, as a proxy or a login page between client and API would send."""
    text = f"<!DOCTYPE html><html><head><title>{title}</title></head></html>"
    return Reply(status, text.encode(), "text/html")


LIMITS: Mapping[str, str] = MappingProxyType(
    {
        "minute": "Minutely API request limit exceeded. Please try again in one minute.",
        "hour": "Hourly API request limit exceeded. Please try again in the next hour.",
        "day": "Daily API request limit exceeded. Please try again tomorrow.",
        "concurrent": "Too many concurrent requests",
    }
)
"""Limit → the provider's text when it is used up."""
TOO_MUCH = (
    "Your API call requests too much data. Please reduce the number of variables, locations and/or weather models."
)
STREAM_ERROR = "Unexpected error while streaming data: timeoutReached"
"""The end of an answer that fails after its status was sent."""
ELSEWHERE = "/customer"
"""The target of ``redirect``: a path of the simulator that does not exist. The provider redirects to another host."""
PROXY: Mapping[int, str] = MappingProxyType(
    {
        520: "Web server is returning an unknown error",
        521: "Web server is down",
        522: "Connection timed out",
        523: "Origin is unreachable",
        524: "A timeout occurred",
    }
)
"""Status → the text of a proxy whose host behind it fails."""

_ALIKE: Mapping[str, Reply] = {
    "error": error(500, "Internal server error"),
    "overload": error(503, "The service is overloaded"),
    "limit": error(429, LIMITS["minute"]),
    "refuse": error(400, NO_DATA),
    "html": page(200, "Log in"),
    "nonsense": Reply(200, b'{"data":[1,2,3]}'),
    "stream_error_alone": Reply(200, STREAM_ERROR.encode()),
    "error_in_200": error(200, "Something went wrong."),
    "timeout": page(408, "408 Request Time-out"),
    "wrong_key": error(400, "The supplied API key is invalid."),
    "too_much": error(400, TOO_MUCH),
    "domain_refused": error(400, NO_DATA),
}


def canned(fault: str, number: int, word: str, query: str) -> Reply | None:
    """The reply of a fault that does not depend on the API's answer. None for a fault that spoils the answer itself.

    number: the request's number. word: what the fault is confined to, in the provider's terms: a limit, a variable, or
    a status (empty: statuses take turns). query: the query as it was sent, with the key. A redirect repeats the query,
    as the provider's redirects do.
    """
    if fault == "proxy":
        status = int(word or 520 + number % len(PROXY))
        return page(status, f"{status}: {PROXY[status]}")
    if fault in ("limit_429", "limit_400"):
        return error(int(fault[-3:]), LIMITS[word])
    if fault == "variable_refused":
        return error(400, unknown_variable(word))
    if fault == "redirect":
        return Reply(303, b"", more={"Location": f"{ELSEWHERE}/v1/air-quality?{query}"})
    return _ALIKE.get(fault)
