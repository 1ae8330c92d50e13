"""Figures: the numbers of a project for which people read its tables. There are figures of days, in categories, and
spells: stretches of hours that stand out.

A project declares them, and the report shows them. They are only names of assets and columns. Which day and location a
row is about, the partition scheme of the asset says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestration.core.declarations.asset import Asset
from orchestration.core.errors import DeclarationError


@dataclass(frozen=True, slots=True)
class Category:
    """A category of a daily figure: the values from ``low`` on, up to the next category."""

    name: str
    letter: str
    """A short name, where there is little room."""
    low: int
    color: str
    """As in CSS."""
    hours: str
    """The column with the number of the day's hours in this category."""


@dataclass(frozen=True, slots=True)
class Daily:
    """A table with one figure for each day and location."""

    asset: str
    """The key of its asset."""
    value: str
    """The column of the figure: whole numbers from 0 on."""
    title: str
    """The name of the figure, for people."""
    because: tuple[str, str]
    """A column that explains the figure in words, and its name for people."""
    categories: tuple[Category, ...]
    """In the order of ``low``."""


@dataclass(frozen=True, slots=True)
class Spells:
    """A table with a row for each spell."""

    asset: str
    """The key of its asset."""
    start: str
    """The column with the instant at which the first hour of the spell begins."""
    hours: str
    """The column with the number of hours."""
    peak: str
    """The column with the highest figure of the spell."""
    because: str
    """As in ``Daily``."""
    names: tuple[str, str]
    """What a spell is called: singular and plural."""
    open: str = ""
    """The column that says whether the spell may go on; empty without one. Tables of before it are shown without."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures that a project shows on a page of its report."""

    title: str
    """The title of the page."""
    daily: Daily
    spells: Spells | None = None
    """None where the project has none."""

    @property
    def assets(self) -> tuple[str, ...]:
        """The keys of the assets that it names."""
        return (self.daily.asset,) if self.spells is None else (self.daily.asset, self.spells.asset)

    def check(self, assets: Mapping[str, Asset]) -> None:
        """Raises DeclarationError for an asset that is unknown or not partitioned by day. assets: by key."""
        for key in self.assets:
            if (asset := assets.get(key)) is None or asset.partitions is None:
                why = "is unknown" if asset is None else "has no days"
                raise DeclarationError(f"figures of {self.title!r}: asset {key!r} {why}", "Name one that has days.")
