"""How many random examples a property is tried with: ``--examples 0.25`` is a quarter of what each test says.

A bug that is planted is looked for with as many as ever; so is what names its examples, or is slow.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

import pytest
from hypothesis import settings

FEWEST = 5
"""No test has fewer, but those that ask for fewer."""


@dataclass
class Share:
    """Of the examples that tests ask for."""

    of: float = 1.0

    def taken(self, examples: int) -> int:
        """How many of so many are tried."""
        return max(min(FEWEST, examples), ceil(examples * self.of))


share = Share()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--examples", type=float, default=1.0, help="this share of the random examples of each property")


def pytest_configure(config: pytest.Config) -> None:
    share.of = config.getoption("--examples")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Once for each function: it may be collected several times, for parameters."""
    if share.of == 1.0:
        return
    changed: set[int] = set()
    for item in items:
        function: Any = getattr(item, "function", None)
        if getattr(function, "is_hypothesis_test", False) and id(function) not in changed and not is_slow(item):
            changed.add(id(function))
            told = getattr(function, "_hypothesis_internal_use_settings", None) or settings()
            function._hypothesis_internal_use_settings = settings(told, max_examples=share.taken(told.max_examples))


def is_slow(item: pytest.Item) -> bool:
    return item.get_closest_marker("slow") is not None
