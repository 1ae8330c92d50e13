"""Tables that fit a terminal: whatever is in them, no key is broken, nothing is lost, and no line is too long."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from orchestration.reports.fitting import Column, Kind, columns_that_fit, fitted

WORDS = st.text("abcdefgh", min_size=1, max_size=12)
TEXTS = st.lists(WORDS, max_size=12).map(" ".join)
KEYS = st.text("klmnop.", min_size=1, max_size=36)
NUMBERS = st.integers(0, 10**9).map(str)
OF_KIND = {Kind.KEY: KEYS, Kind.NUMBER: NUMBERS, Kind.TEXT: TEXTS}
KINDS = [Kind.KEY, *Kind]
NAMES = ["one", "two", "three", "four", "five", "six"]


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[Column], list[list[str]]]:
    kinds = [Kind.KEY, *draw(st.lists(st.sampled_from(list(Kind)), max_size=5))]
    columns = [Column(name, kind) for name, kind in zip(NAMES, kinds, strict=False)]
    cells = [OF_KIND[kind] if number == 0 else OF_KIND[kind] | st.just("") for number, kind in enumerate(kinds)]
    return columns, draw(st.lists(st.tuples(*cells).map(list), max_size=6))


def plain(lines: Sequence[Text]) -> list[str]:
    return [line.plain for line in lines]


@given(tables(), st.integers(45, 200), st.booleans())
def test_any_table(table: tuple[list[Column], list[list[str]]], width: int, group: bool) -> None:
    columns, rows = table
    lines = plain(fitted(columns, rows, width, group=group))
    assert all(len(line) <= width for line in lines), "there is room for the widest key"
    assert not any(line != line.rstrip() for line in lines)
    words = [word for line in lines for word in line.split()]
    for number, column in enumerate(columns):
        for row in rows:
            assert set(row[number].split()) <= set(words), "no word is broken"
        if number and not any(row[number] for row in rows):
            assert column.name not in words, "an empty column is gone"
    if not group:
        said = sorted(word for row in rows for cell in row for word in cell.split())
        names = {column.name for column in columns}
        assert sorted(word for word in words if word not in names) == said, "nothing is lost or said twice"


COLUMNS = [Column("asset", Kind.KEY), Column("rows", Kind.NUMBER), Column("why"), Column("lag", Kind.KEY)]
ROWS = [
    ["silver.air_quality_hourly_clean", "3096", "its code or parameters changed since", ""],
    ["gold.dim_date", "12", "", ""],
]


def test_what_fits_stands_beside() -> None:
    assert plain(fitted(COLUMNS, ROWS, 80)) == [
        "asset                            rows  why",
        "silver.air_quality_hourly_clean  3096  its code or parameters changed since",
        "gold.dim_date                      12",
    ]


def test_a_text_goes_on_in_further_lines() -> None:
    assert plain(fitted(COLUMNS, ROWS, 60)) == [
        "asset                            rows  why",
        "silver.air_quality_hourly_clean  3096  its code or",
        "                                       parameters changed",
        "                                       since",
        "gold.dim_date                      12",
    ]


def test_then_below_its_row() -> None:
    assert plain(fitted(COLUMNS, ROWS, 44)) == [
        "asset                            rows",
        "silver.air_quality_hourly_clean  3096",
        "    why  its code or parameters changed",
        "         since",
        "gold.dim_date                      12",
    ]


def test_keys_are_not_broken_where_there_is_no_room_for_them() -> None:
    assert plain(fitted(COLUMNS, ROWS, 20))[1] == "silver.air_quality_hourly_clean"


def test_a_key_below_its_row_stands_below_its_name_where_it_needs_the_room() -> None:
    columns = [Column("asset", Kind.KEY), Column("run", Kind.KEY), Column("rows", Kind.NUMBER)]
    rows = [["silver.air_quality_hourly_clean", "20260801T060000Z-0123456789abcdef", "3096"]]
    assert plain(fitted(columns, rows, 39)) == [
        "asset",
        "silver.air_quality_hourly_clean",
        "    run",
        "      20260801T060000Z-0123456789abcdef",
        "    rows 3096",
    ]
    assert plain(fitted(columns, rows, 44))[2] == "    run 20260801T060000Z-0123456789abcdef"


def test_rows_of_one_key_stand_together_where_it_is_too_wide() -> None:
    columns = [Column("asset", Kind.KEY), Column("check", Kind.KEY), Column("failed", Kind.NUMBER)]
    rows = [["silver.clean", "not_null", "1"], ["silver.clean", "unique", "2"], ["gold.days", "unique", "3"]]
    assert len(plain(fitted(columns, rows, 40, group=True))) == 4
    assert plain(fitted(columns, rows, 25, group=True)) == [
        "  check     failed",
        "silver.clean",
        "  not_null       1",
        "  unique         2",
        "gold.days",
        "  unique         3",
    ]


def test_a_row_that_has_only_its_key_is_the_line_of_the_key() -> None:
    columns = [Column("asset", Kind.KEY), Column("check", Kind.KEY), Column("failed", Kind.NUMBER)]
    rows = [["silver.clean", "", ""], ["gold.days", "not_null", "3"]]
    assert plain(fitted(columns, rows, 25, group=True)) == [
        "  check     failed",
        "silver.clean",
        "gold.days",
        "  not_null       3",
    ]


def test_a_word_that_is_longer_than_a_line_is_broken_there() -> None:
    url = "https://air-quality-api.example.org/v1/" + "a" * 40
    lines = plain(fitted([Column("key", Kind.KEY), Column("value")], [["k", f"see {url}"]], 50))
    assert all(len(line) <= 50 for line in lines)
    assert re.sub(r"\s", "", "".join(lines[1:])).endswith(url)


def test_markup_is_markup_only_where_it_is_said() -> None:
    [_, line] = fitted([Column("state")], [["[red]failed[/red] \\[x]"]], 80, markup=True)
    assert (line.plain, str(line.spans[0].style)) == ("failed [x]", "red")
    assert plain(fitted([Column("text")], [["[red] x"]], 80))[1] == "[red] x"


@pytest.mark.parametrize(
    ("width", "chosen"), [(5, {"a"}), (12, {"a"}), (14, {"a", "c"}), (24, {"a", "b"}), (30, {"a", "b", "c"})]
)
def test_columns_that_fit(width: int, chosen: set[str]) -> None:
    assert columns_that_fit([("a", 8), ("b", 12), ("c", 3)], width, 1) == chosen


def test_a_long_word_below_its_row_stands_below_its_name() -> None:
    """No comma begins a line: with its name before it, a range of days and a comma are wider than the room."""
    columns = [Column("state", Kind.KEY), Column("partitions"), Column("count", Kind.NUMBER)]
    days = "2026-11-13..2026-11-23, 2026-11-25..2026-11-27 × hanoi"
    lines = [line.plain for line in fitted(columns, [["fresh", days, "43"]], 36)]
    assert lines[2:] == ["    partitions", "      2026-11-13..2026-11-23,", "      2026-11-25..2026-11-27 × hanoi"]
