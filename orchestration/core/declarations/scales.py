"""Scales: how a source computes some of its values from others. A source can change its scale without notice.

Then the rows of a table follow two scales, and no check finds it, since no row is wrong by itself. So a declared scale
is watched. A function that knows the possible scales finds out which of them the hours of a day can follow.
``core.state.scales`` compares the days and reports changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.core.declarations.asset import Asset
from orchestration.core.errors import DeclarationError


@dataclass(frozen=True, slots=True)
class WatchedScale:
    """A scale of a source, in the rows of an asset."""

    title: str
    """The name of the scale, for people: ``the gauges' scale``."""
    columns: tuple[str, ...]
    """The columns that show which scale a day follows."""
    names: tuple[str, ...]
    """The names of the known scales, for people."""
    meaning: str
    """What a change means, in sentences."""
    follows: Callable[[Mapping[str, Any]], Any]
    """Takes column → array (locations, hours) of numbers, for whole UTC days, with NaN for no value. Gives an array
    (locations, days) of masks. Bit n: the day can follow the scale number n of ``names``. The bit after these: the day
    follows none of them. All bits: the day shows nothing. The mask of a day may depend only on that day and on two days
    before and after it."""

    @property
    def known(self) -> int:
        """The mask of all known scales."""
        return (1 << len(self.names)) - 1

    @property
    def any(self) -> int:
        """The mask of a day that does not show which scale it follows."""
        return self.known << 1 | 1

    def in_words(self, mask: int) -> str:
        """
        | scales of the mask | result            |
        |--------------------|-------------------|
        | one                | its name          |
        | several            | ``a, or b``       |
        | all that are known | one that is known |
        | none of these      | one that is not   |
        """
        if mask & self.known == self.known:
            return "one of the scales that are known"
        named = [name for bit, name in enumerate(self.names) if mask >> bit & 1]
        return ", or ".join(named) or "no scale that is known here"


def check_scales(scales: Mapping[str, WatchedScale], assets: Mapping[str, Asset]) -> None:
    """Raises DeclarationError if a scale is declared for an unknown asset, or for one that does not have hourly rows.
    Both arguments are by asset key."""
    for key in scales:
        if (asset := assets.get(key)) is None or asset.hours is None:
            why = "is unknown" if asset is None else "keeps no hours"
            raise DeclarationError(f"watched scales: asset {key!r} {why}", "Name a fetched one that declares hours.")
