"""What configuration says about the domain, as frozen values that assets are given.

Pure: reading YAML and the environment is the business of ``resources.settings.load``.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestration.core.declarations.contract import RowRule
from orchestration.core.partitions.location import Location


@dataclass(frozen=True)
class Pollutant:
    """A measured quantity. ``aqi_timespan``: the averaging time of its US AQI, or None where it has none."""

    code: str
    display_name: str
    unit_default: str
    aqi_timespan: str | None


@dataclass(frozen=True)
class EpisodeRule:
    """An episode: at least ``min_hours`` adjacent hours with a US AQI of at least ``threshold``."""

    threshold: int = 151
    min_hours: int = 4

    @property
    def code(self) -> str:
        """The rule's name in ``gold.fact_episode.rule_code``, for instance ``AQI>=151_4h``."""
        return f"AQI>={self.threshold}_{self.min_hours}h"


@dataclass(frozen=True)
class Limits:
    """What is still plausible, per column, in the column's unit: (lowest, highest), None for no bound."""

    bounds: tuple[tuple[str, float | None, float | None], ...]

    def of(self, column: str) -> tuple[float | None, float | None]:
        """Lowest and highest plausible value of ``column``; (None, None) where nothing is configured."""
        for name, low, high in self.bounds:
            if name == column:
                return low, high
        return None, None


@dataclass(frozen=True)
class Calendar:
    """The days that ``gold.dim_date`` covers, both ends in, as ISO dates."""

    first: str
    last: str


@dataclass(frozen=True)
class Parameters:
    """All parameters that an asset may ask for by name (its keyword-only arguments)."""

    locations: tuple[Location, ...]
    pollutants: tuple[Pollutant, ...]
    episode_rule: EpisodeRule
    limits: Limits
    calendar: Calendar
    model_domain: str = "cams_global"
    row_rules: tuple[RowRule, ...] = ()

    def value(self, path: str) -> object:
        """The parameter at a dotted path, for instance ``episode_rule.threshold``. Raises AttributeError."""
        found: object = self
        for name in path.split("."):
            found = getattr(found, name)
        return found
