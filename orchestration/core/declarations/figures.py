"""What of a project's tables people come for: figures of days, in categories, and spells of hours that stand out.

Names of assets and columns alone. Where a row's day and location stand, the asset's partitions say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestration.core.declarations.asset import Asset
from orchestration.core.errors import DeclarationError


@dataclass(frozen=True, slots=True)
class Category:
    """From the figure ``low`` on, up to the next category.

    letter: short, where there is little room. color: as CSS has it. hours: the column of a day's hours in it.
    """

    name: str
    letter: str
    low: int
    color: str
    hours: str


@dataclass(frozen=True, slots=True)
class Daily:
    """A table with a row per day and location.

    value: the column of the figure, whole numbers from 0 on; told: what it is, in words. because: a column of words
    beside it, and what it is. categories: by rising ``low``.
    """

    asset: str
    value: str
    told: str
    because: tuple[str, str]
    categories: tuple[Category, ...]


@dataclass(frozen=True, slots=True)
class Spells:
    """A table with a row per spell. start: the column of the instant at which its first hour begins. hours: how many it
    has; peak: the highest figure in it; because: as in ``Daily``. told: what a spell is called, and several."""

    asset: str
    start: str
    hours: str
    peak: str
    because: str
    told: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a project, for the report's page of this title. spells: None where there are none."""

    title: str
    daily: Daily
    spells: Spells | None = None

    @property
    def assets(self) -> tuple[str, ...]:
        """The keys of the assets that it names."""
        return (self.daily.asset,) if self.spells is None else (self.daily.asset, self.spells.asset)

    def check(self, assets: Mapping[str, Asset]) -> None:
        """Raises DeclarationError for an asset that is unknown, or has no days. assets: by key."""
        for key in self.assets:
            if (asset := assets.get(key)) is None or asset.partitions is None:
                why = "is unknown" if asset is None else "has no days"
                raise DeclarationError(f"figures of {self.title!r}: asset {key!r} {why}", "Name one that has days.")
