"""The first row that is not the same, in words."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.engine.changes.differences import in_words


@pytest.mark.parametrize(
    ("then", "now", "says"),
    [
        ({("a", 1): {"x": 1}}, {}, "the row location=a, hour=1 is not made any more"),
        ({}, {("a", 1): {"x": 1}}, "the row location=a, hour=1 is new"),
        (
            {("a", 1): {"x": 1, "y": 2}, ("a", 2): {"x": 3, "y": 4}},
            {("a", 1): {"x": 1, "y": 2}, ("a", 2): {"x": None, "y": 5}},
            "in the row location=a, hour=2: x was 3, is None; y was 4, is 5",
        ),
        ({("a", 1): {"x": float("nan")}}, {("a", 1): {"x": float("nan")}}, "its rows are equal as they print"),
        ({("a", 1): {"x": 1}}, {("a", 1): {"x": 1.0}}, "x was 1, is 1.0"),
    ],
)
def test_in_words(then: Any, now: Any, says: str) -> None:
    assert says in in_words(then, now, ("location", "hour"))
