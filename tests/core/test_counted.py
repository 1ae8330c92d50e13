"""Numbers of things in words."""

from __future__ import annotations

import pytest

from orchestration.core.counted import counted


@pytest.mark.parametrize(
    ("count", "noun", "told"),
    [
        (0, "row", "0 rows"),
        (1, "partition", "1 partition"),
        (2, "partition", "2 partitions"),
        (1056, "row", "1,056 rows"),
    ],
)
def test_one_thing_is_not_several(count: int, noun: str, told: str) -> None:
    assert counted(count, noun) == told
