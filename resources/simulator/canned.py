"""What the simulated API says on its bad days, in the provider's words, whatever it is asked.

Must not know: sockets, values, recordings.

Source of the words and statuses: the provider's server, github.com/open-meteo/open-meteo, and what people met.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from resources.simulator.requests import NO_DATA, unknown_variable


@dataclass(frozen=True)
class Reply:
    """An HTTP response. headers: besides type and length; None: those of the simulator, and ``more``."""

    status: int
    body: bytes
    kind: str = "application/json; charset=utf-8"
    headers: Mapping[str, str] | None = None
    more: Mapping[str, str] = field(default_factory=dict)


def error(status: int, reason: str) -> Reply:
    """An error in the API's form."""
    return Reply(status, json.dumps({"error": True, "reason": reason}).encode())


def page(status: int, title: str) -> Reply:
    """What stands between says something of its own, and not in JSON."""
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
"""What the provider says of a limit that is used up."""
TOO_MUCH = (
    "Your API call requests too much data. Please reduce the number of variables, locations and/or weather models."
)
STREAM_ERROR = "Unexpected error while streaming data: timeoutReached"
"""Where an answer fails after its status was sent, this is its end."""
ELSEWHERE = "/customer"
"""Where ``redirect`` leads: on the simulator itself, which has nothing there. The provider leads to another host."""
PROXY: Mapping[int, str] = MappingProxyType(
    {
        520: "Web server is returning an unknown error",
        521: "Web server is down",
        522: "Connection timed out",
        523: "Origin is unreachable",
        524: "A timeout occurred",
    }
)
"""What a proxy says of a host behind it, by status."""

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
    """The reply of a fault whatever the API would have said; None where that is what is spoilt.

    number: of the request. word: what the fault is confined to, in the provider's words (a limit, a variable, a
    status); empty where it is to take turns. query: as it was sent, the key with it; a redirect repeats it, as the
    provider's does.
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
