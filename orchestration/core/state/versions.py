"""Versions of the code that made rows, and which of them count as equal. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Equal:
    """Two versions of the code of an asset that count as equal: they make the same rows."""

    asset: str
    location: str | None
    """The location for which they count as equal; None for all locations."""
    one: str
    other: str
