"""``--examples``: how many of the random examples of a property are tried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.examples import pytest_collection_modifyitems, share


@dataclass
class Item:
    """As much of a collected test as is looked at."""

    function: Callable[[], None]
    slow: bool = False

    def get_closest_marker(self, name: str) -> object:
        return name if self.slow else None


@pytest.mark.parametrize(("asked", "of", "slow", "tried"), [
    (200, 0.1, False, 20), (200, 1.0, False, 200), (200, 0.1, True, 200), (20, 0.1, False, 5), (2, 0.1, False, 2),
])  # fmt: skip
def test_a_share_of_them_is_tried(
    monkeypatch: pytest.MonkeyPatch, asked: int, of: float, slow: bool, tried: int
) -> None:
    seen: list[int] = []

    @settings(max_examples=asked, database=None, deadline=None)
    @given(st.integers())
    def holds(number: int) -> None:
        seen.append(number)

    monkeypatch.setattr(share, "of", of)
    items: list[Any] = [Item(holds, slow), Item(holds, slow)]
    pytest_collection_modifyitems(items)
    holds()
    assert len(seen) == tried
