"""The graphs that ours and a peer build: plain numbers, so that both have the same. Imports nothing of either."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

FIRST = date(2024, 1, 1)
"""Of a leap year: 366 partitions."""
TEN_YEARS = (date(2016, 1, 1), date(2025, 12, 31))
EMPTY_ASSETS = 5


def upstream(number: int) -> tuple[int, ...]:
    """What the asset with this number is made from: a tree of threes, with an edge across to a neighbour."""
    if number == 0:
        return ()
    parent = (number - 1) // 3
    across = (parent,) if number % 5 else (parent, parent + 1)
    return tuple(sorted({one for one in across if one < number}))


class Splits:
    """Seconds of the parts of a process, said at its end in the way that the bench reads."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self._seconds[f"{name}_seconds"] = round(time.perf_counter() - started, 4)

    def say(self, **more: object) -> None:
        """Print them, and whatever else is to be kept."""
        print(f"bench details: {json.dumps({**self._seconds, **more})}", flush=True)
