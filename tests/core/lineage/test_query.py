"""Which column a SELECTION means, and how far."""

from __future__ import annotations

import pytest

from orchestration.core.errors import SelectionError
from orchestration.core.lineage.query import ColumnQuery, column_query

ASSETS, SOURCES = ("bronze.rows", "gold.days"), ("feed",)


@pytest.mark.parametrize(
    ("selection", "up", "down"),
    [
        ("gold.days.peak", None, 0),
        ("+gold.days.peak", None, 0),
        ("gold.days.peak+", 0, None),
        ("+gold.days.peak+", None, None),
        ("2+gold.days.peak", 2, 0),
        ("0+gold.days.peak", 0, 0),
        ("0+gold.days.peak+0", 0, 0),
        ("gold.days.peak+1", 0, 1),
        ("2+gold.days.peak+1", 2, 1),
        ("(gold.days.peak)", None, 0),
    ],
)
def test_how_far(selection: str, up: int | None, down: int | None) -> None:
    assert column_query(selection, ASSETS, SOURCES) == ColumnQuery("gold.days.peak", up, down)


@pytest.mark.parametrize("name", ["feed.height", "feet.height", "gold.days.no_such", "gold.nights.peak", "a.b.c"])
def test_names_of_columns_known_or_not(name: str) -> None:
    assert column_query(name, ASSETS, SOURCES) == ColumnQuery(name, None, 0)


@pytest.mark.parametrize(
    "selection", ["gold.days", "gold.*", "+gold.days", "*", "gold.dais", "feed", "gold.days.a or x"]
)
def test_selections_of_assets(selection: str) -> None:
    assert column_query(selection, ASSETS, SOURCES) is None


def test_what_cannot_be_read() -> None:
    with pytest.raises(SelectionError, match="nothing follows"):
        column_query("gold.days.peak and", ASSETS, SOURCES)
