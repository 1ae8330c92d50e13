"""Runs of days as a reader of the page finds them."""

from __future__ import annotations

from collections.abc import Sequence


def read(numbers: Sequence[int], base: int) -> dict[int, int]:
    """The kind of each day. numbers: flat, of each run the days before it, its days, its kind."""
    found, at = {}, base
    for gap, length, kind in zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True):
        at += gap
        found |= {at + number: kind for number in range(length)}
        at += length
    return found
