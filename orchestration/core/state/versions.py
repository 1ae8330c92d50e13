"""Versions of the code that made rows, and which of them count as equal. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Equal:
    """Two versions of the code of ``asset`` that count as equal; location: where alone they do, None: anywhere."""

    asset: str
    location: str | None
    one: str
    other: str
