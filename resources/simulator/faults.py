"""How the simulated API misbehaves on purpose: in the ways that networks and providers do.

Faults of an exchange are drawn from the request's number; faults of values from place and hour. Must not
know: sockets, queries, recordings.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from orchestration.core.errors import UsageError
from resources.open_meteo.variables import INDEX, UNITS
from resources.simulator.air import noise
from resources.simulator.requests import NO_DATA
from resources.simulator.series import AirSeries

# The order of the names is part of what is drawn: a new one goes to the end of its group.
EXCHANGE_FAULTS: Mapping[str, str] = MappingProxyType(
    {
        "error": "HTTP 500",
        "overload": "HTTP 503",
        "limit": "HTTP 429, the minute's limit, with Retry-After",
        "refuse": "HTTP 400, no data for this location",
        "html": "a login page instead of JSON",
        "truncate": "half of the answer, then the connection ends",
        "nonsense": "JSON of another shape",
        "slow": "the answer comes late",
        "drop": "the connection ends without an answer",
    }
)
VALUE_FAULTS: Mapping[str, str] = MappingProxyType(
    {
        "nulls": "values are null",
        "negative": "values are negative",
        "duplicate": "hours come twice, alike",
        "conflict": "hours come twice, with different values",
        "revise": "hours of the last three days change with every day of the clock",
    }
)
FAULTS: Mapping[str, str] = MappingProxyType(
    {**EXCHANGE_FAULTS, **VALUE_FAULTS, "die": "after so many requests the server is gone"}
)
"""Every fault by name: what it does."""


@dataclass(frozen=True)
class Reply:
    """An HTTP response. headers: besides type and length; None: those of the simulator."""

    status: int
    body: bytes
    kind: str = "application/json; charset=utf-8"
    headers: Mapping[str, str] | None = None


def error(status: int, reason: str) -> Reply:
    """An error in the API's form."""
    return Reply(status, json.dumps({"error": True, "reason": reason}).encode())


CANNED: Mapping[str, Reply] = {
    "error": error(500, "Internal server error"),
    "overload": error(503, "The service is overloaded"),
    "limit": error(429, "Minutely API request limit exceeded. Please try again in one minute."),
    "refuse": error(400, NO_DATA),
    "html": Reply(200, b"<!DOCTYPE html><html><head><title>Log in</title></head></html>", "text/html"),
    "nonsense": Reply(200, b'{"data":[1,2,3]}'),
}


@dataclass(frozen=True)
class Fault:
    """One way to misbehave.

    rate: for ``error`` … ``drop`` the share of requests hit, drawn from the request's number; for ``nulls`` …
    ``revise`` the share of values or hours hit, drawn from place and hour, so that asking again gives the
    same; for ``die`` the number of requests after which the server is gone. ``revise`` changes hours of the
    last three days with every day of the clock.
    Raises UsageError for an unknown name or an impossible rate.
    """

    name: str
    rate: float = 1.0

    def __post_init__(self) -> None:
        if self.name not in FAULTS:
            near = difflib.get_close_matches(self.name, FAULTS, n=1, cutoff=0.0)[0]
            raise UsageError(f"unknown fault {self.name!r}", f"Did you mean {near!r}? One of: {', '.join(FAULTS)}.")
        if self.name == "die" and not (self.rate >= 1 and float(self.rate).is_integer()):
            raise UsageError(f"die needs a number of requests of at least 1 (got {self.rate:g})")
        if self.name != "die" and not 0 <= self.rate <= 1:
            raise UsageError(f"the rate of fault {self.name} must be from 0 to 1 (got {self.rate:g})")


def parse_faults(text: str) -> tuple[Fault, ...]:
    """The faults of ``NAME[:RATE],…``; none for an empty text. Raises UsageError."""
    faults = []
    for part in filter(None, map(str.strip, text.split(","))):
        name, colon, rate = part.partition(":")
        try:
            faults.append(Fault(name, float(rate) if colon else 1.0))
        except ValueError:
            raise UsageError(f"the rate of fault {name} must be a number (got {rate!r})") from None
    return tuple(faults)


def exchange_faults(faults: Sequence[Fault], number: int) -> list[str]:
    """The exchange faults that hit the request with this number."""
    draw, channels = np.array([number]), list(EXCHANGE_FAULTS)
    exchange = [(channels.index(fault.name), fault) for fault in faults if fault.name in EXCHANGE_FAULTS]
    return [fault.name for channel, fault in exchange if noise(0, channel, draw)[0] < fault.rate]


def with_faults(series: AirSeries, seed: int, faults: Sequence[Fault], today: int) -> AirSeries:
    """The series after its value faults. seed: of the place. today: days since 1970 of the clock."""
    hours, values = series.hours, dict(series.values)
    for fault in faults:
        channel = 100 * (1 + list(VALUE_FAULTS).index(fault.name)) if fault.name in VALUE_FAULTS else 0
        hit = noise(seed, channel, hours) < fault.rate
        if fault.name in ("nulls", "negative"):
            for offset, (name, cells) in enumerate(values.items()):
                instead = np.nan if fault.name == "nulls" else -np.abs(cells) - 1
                values[name] = np.where(noise(seed, channel + offset, hours) < fault.rate, instead, cells)
        elif fault.name in ("duplicate", "conflict"):
            source = np.repeat(np.arange(len(hours)), 1 + hit)
            extra = np.concatenate([[False], source[1:] == source[:-1]]) if fault.name == "conflict" else 0
            hours, values = hours[source], {name: cells[source] + extra for name, cells in values.items()}
        elif fault.name == "revise":
            recent = hit & (hours // 24 > today - 3) & (hours // 24 <= today)
            factor = np.where(recent, 1 + 0.2 * noise(seed, channel + 1 + today, hours), 1.0)
            for name, cells in values.items():
                values[name] = np.round(cells * factor, 0 if UNITS[name] == INDEX else 2)
    return AirSeries(hours, values)
