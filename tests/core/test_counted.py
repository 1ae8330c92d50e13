"""Numbers of things in words."""

from __future__ import annotations

import pytest

from orchestration.core.counted import counted, hours_in_words


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


@pytest.mark.parametrize(("hours", "told"), [(0, "0.0 h"), (4.04, "4.0 h"), (99.9, "99.9 h"), (10371.4, "432 days")])
def test_hours_that_are_many_are_days(hours: float, told: str) -> None:
    assert hours_in_words(hours) == told
