"""Scales: by which a source works some of its values out of others, and which it may change without a word.

The rows of a table then follow two scales, and nothing else tells: no row is wrong. So what is declared here is
watched: a function that knows the scales says which of them the hours of a day follow, and where that changes from day
to day it is told (``core.state.scales``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.core.declarations.asset import Asset
from orchestration.core.errors import DeclarationError


@dataclass(frozen=True, slots=True)
class WatchedScale:
    """A scale of a source, as the rows of an asset have it.

    told: what it is, for people: ``the gauges' scale``. columns: of the rows, that decide. names: of the scales that
    are known, for people. meaning: what a change means, in sentences.
    follows: given arrays (locations, hours) of numbers by column, whole UTC days, NaN where there is none, an array
    (locations, days) of masks: bit n, that the day may follow number n of ``names``; the bit after them, that it
    follows none of these. All bits: nothing can be told. It must depend on the day and two days on either side alone.
    """

    told: str
    columns: tuple[str, ...]
    names: tuple[str, ...]
    meaning: str
    follows: Callable[[Mapping[str, Any]], Any]

    @property
    def known(self) -> int:
        """The mask of all scales that are known."""
        return (1 << len(self.names)) - 1

    @property
    def any(self) -> int:
        """The mask of a day of which nothing can be told."""
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
    """Raises DeclarationError for an asset that is unknown, or whose rows are not hours. Both by asset key."""
    for key in scales:
        if (asset := assets.get(key)) is None or asset.hours is None:
            why = "is unknown" if asset is None else "keeps no hours"
            raise DeclarationError(f"watched scales: asset {key!r} {why}", "Name a fetched one that declares hours.")
