"""What rows of an earlier contract lack."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestration.core.declarations.contract import Column, Contract, RowRule
from orchestration.core.state.shapes import absent, hashed_columns, lacking, shape_of


def contract(*columns: str, key: tuple[str, ...] = ("a",), rules: tuple[RowRule, ...] = ()) -> Contract:
    """Columns as ``a``, ``b:double``, ``c?`` (nullable)."""
    made = []
    for text in columns:
        name, _, kind = text.rstrip("?").partition(":")
        made.append(Column(name, kind or "string", text.endswith("?"), "", ""))
    return Contract("C", "", tuple(made), key, rules)


THEN = contract("a", "b:double", "_at:timestamp")
RULE = RowRule("negative", "below", "b", 0)


@pytest.mark.parametrize(
    ("now", "lacks"),
    [
        (THEN, ()),
        (contract("_at:timestamp", "b:double", "a"), ()),
        (contract("a", "b:double", "c?", "_at:timestamp"), ("c",)),
        (contract("d:long?", "a", "b:double", "c?", "_at:timestamp"), ("d", "c")),
        (contract("a", "b:double?", "_at:timestamp"), ()),
        (contract("a", "b:double", "c", "_at:timestamp"), None),
        (contract("a", "b:double"), None),
        (contract("a", "b:long", "_at:timestamp"), None),
        (contract("a", "b:double", "_at:timestamp", key=("b",)), None),
        (contract("a", "b:double", "c?", "_at:timestamp", rules=(RULE,)), None),
    ],
)
def test_lacking(now: Contract, lacks: tuple[str, ...] | None) -> None:
    assert lacking(now, shape_of(THEN)) == lacks


def test_what_may_no_longer_be_null_is_another_contract() -> None:
    assert lacking(THEN, shape_of(contract("a", "b:double?", "_at:timestamp"))) is None


def test_absent_columns_do_not_hang_on_rules() -> None:
    """They read as null whatever else changed with them."""
    now = contract("a", "b:double", "c?", "_at:timestamp", rules=(RULE,))
    assert (lacking(now, shape_of(THEN)), absent(now, shape_of(THEN))) == (None, ("c",))
    assert absent(THEN, shape_of(now)) == ()


def test_hashed_columns_are_those_of_then_in_their_order() -> None:
    grown = contract("c?", "b:double", "a", "_at:timestamp")
    assert hashed_columns(shape_of(THEN), grown) == ("a", "b")
    assert hashed_columns(shape_of(THEN), contract("a", "b:long", "_at:timestamp")) is None
    assert hashed_columns(shape_of(THEN), contract("a", "_at:timestamp")) is None


def test_prose_is_no_shape() -> None:
    described = replace(THEN, columns=tuple(replace(column, description="x", unit="y") for column in THEN.columns))
    assert shape_of(described) == shape_of(THEN)
