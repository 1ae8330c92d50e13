"""Faults: how the simulated API misbehaves on purpose, in the ways of real networks and providers.

Faults of an exchange are drawn from the request's number; faults of values (``value_faults``) from location and hour.
``scope`` has what a fault is confined to. Must not know: sockets, recordings, the content of answers.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from orchestration.core.errors import UsageError
from resources.simulator.air import noise
from resources.simulator.requests import AUTO, Asked
from resources.simulator.scope import Degrees, Scope, parse_scope

# The draw depends on the order of the names: add a new name at the end of its group.
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
        "stream_error": "HTTP 200, half of the answer, then the provider's sentence instead of the rest",
        "stream_error_alone": "HTTP 200, the provider's sentence instead of an answer",
        "error_in_200": "HTTP 200, an error in the API's form",
        "timeout": "HTTP 408 of a proxy",
        "proxy": "HTTP 520 to 524 of a proxy, in turn, or as @522 says",
        "drip": "the answer comes a few bytes at a time",
        "endless": "the answer never ends",
        "wrong_key": "HTTP 400, the key is invalid",
        "redirect": "HTTP 303 to another address, which repeats the query",
        "limit_429": "HTTP 429, a limit is used up: @minute, @hour, @day (unless named) or @concurrent",
        "limit_400": "the same as HTTP 400",
        "too_much": "HTTP 400, too much is asked for at once",
        "domain_refused": "HTTP 400, no data, where a domain is asked for by its name: any, or @DOMAIN",
        "variable_refused": "HTTP 400, where a variable is asked for: carbon_dioxide, or @VARIABLE",
        "clock": "the Date is off: an hour ahead, or as @-90m, @+2h says",
    }
)
VALUE_FAULTS: Mapping[str, str] = MappingProxyType(
    {
        "nulls": "values are null",
        "negative": "values are negative",
        "duplicate": "hours come twice, alike",
        "conflict": "hours come twice, with different values",
        "revise": "hours of the last three days change with every day of the clock",
        "withdrawn": "hours are left out",
        "frozen": "values stay as they were: from the hour named on, or every day from noon on",
        "scale": "the index of PM2.5 is by the scale of before July 2026, from the day named on by that of after",
        "undefined": "variables are null, and their unit is undefined: carbon_dioxide, or @VARIABLE",
    }
)
FAULTS: Mapping[str, str] = MappingProxyType(
    {**EXCHANGE_FAULTS, **VALUE_FAULTS, "die": "after so many requests the server is gone"}
)
"""Name of a fault → what it does."""
GRAMMAR = """NAME[:RATE][@ONLY]…,…
RATE: the share that is hit, from 0 to 1 (1 unless given); of die the number of requests.
ONLY: what a fault is confined to, as often as needed.
  hanoi, 21.0278/105.8342                 a location, by its key or by its coordinates
  2025-09-10, 2025-09-08..2025-09-10      days (UTC); of faults of an exchange: requests for one of them
  2025-09-10T05, 2025-09-10T05..…         hours
  pm2_5                                   a variable (nulls, negative, undefined, variable_refused)
  3x                                      the first three times (faults of an exchange)"""

MODIFIERS = ("slow", "clock")
"""Faults that change how a reply is sent; another fault may decide the reply itself."""
_OF_EXCHANGE, _OF_VALUES = ("locations", "hours", "times"), ("locations", "hours")
_TAKES: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(EXCHANGE_FAULTS, _OF_EXCHANGE),
    **dict.fromkeys(VALUE_FAULTS, _OF_VALUES),
    **dict.fromkeys(("limit_429", "limit_400"), (*_OF_EXCHANGE, "limit")),
    "proxy": (*_OF_EXCHANGE, "status"),
    "domain_refused": (*_OF_EXCHANGE, "domain"),
    "variable_refused": (*_OF_EXCHANGE, "variables"),
    "clock": (*_OF_EXCHANGE, "offset"),
    **dict.fromkeys(("nulls", "negative", "undefined"), (*_OF_VALUES, "variables")),
    "die": (),
}
"""Name of a fault → what it can be confined to: fields of ``Scope``."""
UNLESS_NAMED = ("carbon_dioxide",)
"""The variable that is refused or undefined if the fault names none."""


@dataclass(frozen=True)
class Fault:
    """One way to misbehave.

    Raises UsageError for an unknown name, an impossible rate, and where ``only`` has what the fault cannot be confined
    to.
    """

    name: str
    """A key of ``FAULTS``."""
    rate: float = 1.0
    """For faults of an exchange: the share of requests that are hit, drawn from the request's number. For faults of
    values: the share of values or hours that are hit, drawn from location and hour, so that a repeated request gets the
    same; ``revise`` changes hours of the last three days with every day of the clock. For ``die``: the number of
    requests after which the server is gone."""
    only: Scope = field(default_factory=Scope)
    """What the fault is confined to."""

    def __post_init__(self) -> None:
        if self.name not in FAULTS:
            near = difflib.get_close_matches(self.name, FAULTS, n=1, cutoff=0.0)[0]
            raise UsageError(f"unknown fault {self.name!r}", f"Did you mean {near!r}? One of: {', '.join(FAULTS)}.")
        if self.name == "die" and not (self.rate >= 1 and float(self.rate).is_integer()):
            raise UsageError(f"die needs a number of requests of at least 1 (got {self.rate:g})")
        if self.name != "die" and not 0 <= self.rate <= 1:
            raise UsageError(f"the rate of fault {self.name} must be from 0 to 1 (got {self.rate:g})")
        if surplus := sorted(self.only.kinds - set(_TAKES[self.name])):
            raise UsageError(f"fault {self.name} cannot be confined to {', '.join(surplus)}")

    @property
    def variables(self) -> Sequence[str]:
        """The variables that the fault refuses or leaves undefined."""
        return self.only.variables or UNLESS_NAMED


def parse_faults(text: str, locations: Mapping[str, Degrees] = MappingProxyType({})) -> tuple[Fault, ...]:
    """The faults of ``NAME[:RATE][@ONLY]…,…``; none for an empty text. locations: key → coordinates. Raises
    UsageError."""
    faults = []
    for part in filter(None, map(str.strip, text.split(","))):
        head, *words = part.split("@")
        name, colon, rate = head.partition(":")
        try:
            fault = Fault(name, float(rate) if colon else 1.0)
        except ValueError:
            raise UsageError(f"the rate of fault {name} must be a number (got {rate!r})") from None
        faults.append(Fault(name, fault.rate, parse_scope(words, name, _TAKES[name], locations)) if words else fault)
    return tuple(faults)


def exchange_faults(faults: Sequence[Fault], number: int, asked: Asked, seed: int = 0) -> list[Fault]:
    """The exchange faults that hit the request of this number, in the order of ``faults``."""
    draw, channels = np.array([number]), list(EXCHANGE_FAULTS)
    exchange = [(channels.index(fault.name), fault) for fault in faults if fault.name in EXCHANGE_FAULTS]
    drawn = [fault for channel, fault in exchange if noise(seed, channel, draw)[0] < fault.rate]
    return [fault for fault in drawn if _concerns(fault, asked)]


def _concerns(fault: Fault, asked: Asked) -> bool:
    """Whether a request is within the scope of a fault."""
    only = fault.only
    if (only.locations or only.hours) and not any(only.touches(location) for location in asked.locations):
        return False
    if fault.name == "variable_refused":
        return any(name in asked.variables for name in fault.variables)
    if fault.name == "domain_refused":
        return asked.domain != AUTO and only.domain in (None, asked.domain)
    return True
