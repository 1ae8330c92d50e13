"""Kinds along a path."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.lineage.kinds import Kind, along

KINDS = st.sampled_from(list(Kind))


@pytest.mark.parametrize(
    "first, then, together",
    [
        ("IDENTITY", "IDENTITY", "IDENTITY"),
        ("IDENTITY", "TRANSFORMATION", "TRANSFORMATION"),
        ("TRANSFORMATION", "IDENTITY", "TRANSFORMATION"),
        ("AGGREGATION", "TRANSFORMATION", "AGGREGATION"),
        ("TRANSFORMATION", "AGGREGATION", "AGGREGATION"),
        ("AGGREGATION", "FILTER", "FILTER"),
        ("CONDITIONAL", "AGGREGATION", "CONDITIONAL"),
        ("WINDOW", "GROUP_BY", "GROUP_BY"),
    ],
)
def test_along(first: str, then: str, together: str) -> None:
    assert along(Kind(first), Kind(then)) == together


@given(KINDS, KINDS, KINDS)
def test_a_path_may_be_cut_anywhere(one: Kind, two: Kind, three: Kind) -> None:
    assert along(along(one, two), three) == along(one, along(two, three))


@given(KINDS)
def test_identity_changes_nothing(kind: Kind) -> None:
    assert along(kind, Kind.IDENTITY) == kind == along(Kind.IDENTITY, kind)


@given(KINDS, KINDS)
def test_nothing_makes_a_value_of_what_only_had_a_say(one: Kind, two: Kind) -> None:
    assert along(one, two).is_direct == (one.is_direct and two.is_direct)


def test_types() -> None:
    assert [kind for kind in Kind if kind.type == "DIRECT"] == ["IDENTITY", "TRANSFORMATION", "AGGREGATION"]
