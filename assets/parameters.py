"""The parameters of air quality: declared and bounded here, and given to assets as they are configured.

The settings (``pollutants``, ``rules``) have fields of these classes, so each value is written once. The bounds are
checked when the configuration is read (``orchestration.project``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Annotated

from pydantic import BeforeValidator, Field

from assets.variables import CONCENTRATIONS
from orchestration.core.declarations.contract import RowRule
from orchestration.core.partitions.location import Location

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _iso(day: object) -> object:
    """A day of YAML, or a text, as text. An instant counts as a day only at midnight and without a zone."""
    try:
        read = datetime.fromisoformat(day) if isinstance(day, str) and _DAY.match(day) else day
    except ValueError:
        read = None
    if isinstance(read, datetime):
        read = read.date() if read.tzinfo is None and read.time() == time() else None
    if not isinstance(read, date):
        raise ValueError("must be a day, for instance 2022-01-01")
    return read.isoformat()


IsoDay = Annotated[str, BeforeValidator(_iso)]
"""A day as ``2022-01-01``."""


@dataclass(frozen=True)
class Pollutant:
    """A measured quantity."""

    code: str
    display_name: str
    unit_default: str
    aqi_timespan: str | None = None
    """The averaging time of its US AQI; None where it has none."""


@dataclass(frozen=True)
class EpisodeRule:
    """An episode: at least ``min_hours`` adjacent hours with a US AQI of at least ``threshold``."""

    threshold: Annotated[int, Field(ge=0, le=1000)] = 151
    min_hours: Annotated[int, Field(ge=1)] = 4

    @property
    def code(self) -> str:
        """The rule's name in ``gold.fact_episode.rule_code``, for instance ``AQI>=151_4h``."""
        return f"AQI>={self.threshold}_{self.min_hours}h"


@dataclass(frozen=True)
class Calendar:
    """The days in ``gold.dim_date``, both ends included, as ISO dates."""

    first: IsoDay = "2022-01-01"
    last: IsoDay = "2030-12-31"

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise ValueError(f"last ({self.last}) lies before first ({self.first})")


@dataclass(frozen=True)
class Bounds:
    """The plausible values of a concentration, in its unit; None for no bound."""

    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Rules:
    """The section ``rules`` of the configuration."""

    episode: EpisodeRule = EpisodeRule()
    calendar: Calendar = Calendar()
    limits: Mapping[str, Bounds] = field(default_factory=dict)
    """Concentration → its plausible values."""

    def __post_init__(self) -> None:
        for column in self.limits:
            if column not in CONCENTRATIONS:
                raise ValueError(f"limits: {column!r} is no concentration; known are {', '.join(CONCENTRATIONS)}")


AUTO = "auto"
"""A ``model_domain``: the provider's choice."""


@dataclass(frozen=True)
class Parameters:
    """All parameters that an asset may take by name (as keyword-only arguments)."""

    locations: tuple[Location, ...]
    pollutants: tuple[Pollutant, ...]
    episode_rule: EpisodeRule
    limits: Mapping[str, Bounds]
    calendar: Calendar
    model_domain: str = AUTO
    row_rules: tuple[RowRule, ...] = ()
