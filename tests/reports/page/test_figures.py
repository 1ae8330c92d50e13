"""Figures and spells as a page has them, against rows that are gone through one by one."""

from __future__ import annotations

import base64
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.declarations.figures import Category, Daily, Spells
from orchestration.core.partitions.scheme import PartitionColumns
from orchestration.reports.page import figures as module
from orchestration.reports.page.figures import NO_ROW, NO_VALUE, Locations, daily_facts, locations_in, spell_facts
from tests.support.days_and_keys import quick

AT = PartitionColumns("day", "location")
CATEGORIES = tuple(Category(name, name[0], low, "#000", name) for name, low in (("calm", 0), ("high", 100)))
DAILY = Daily("gold.daily", "value", "a figure", ("because", "why"), CATEGORIES)
SPELLS = Spells("gold.spells", "start", "hours", "peak", "because", ("spell", "spells"), "open")
FIRST = date(2024, 12, 30)
LOCATIONS = ("north", "south", "west")

keys = st.tuples(st.sampled_from(LOCATIONS), st.integers(0, 70))
days = st.dictionaries(
    keys,
    st.fixed_dictionaries(
        {
            "value": st.none() | st.integers(0, 500) | st.just(99_999),
            "because": st.none() | st.sampled_from(["rain", "snow", "wind"]),
            "calm": st.integers(0, 12),
            "high": st.integers(0, 12),
        }
    ),
    max_size=30,
)


def table(rows: list[dict[str, Any]], text: pa.DataType | None = None) -> pa.Table:
    words = text or pa.string()
    schema = pa.schema(
        {
            "location": words,
            "day": pa.date32(),
            "value": pa.int32(),
            "because": words,
            "calm": pa.int64(),
            "high": pa.int64(),
        }
    )
    return pa.Table.from_pylist(rows, schema)


def rows_of(drawn: dict[tuple[str, int], dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"location": location, "day": FIRST + timedelta(days=day), **of} for (location, day), of in drawn.items()]


def numbers(text: str, kind: str, *shape: int) -> Any:
    return np.frombuffer(base64.b64decode(text), dtype=kind).reshape(shape or (-1,))


@quick
@given(days, st.sampled_from([pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())]))
def test_every_day_has_its_figure_its_word_and_its_hours(
    drawn: dict[tuple[str, int], dict[str, Any]], text: pa.DataType
) -> None:
    rows = rows_of(drawn)
    of = table(rows, text)
    locations = Locations.of({"south": "The south", "nowhere": "Nowhere"}, locations_in(of, AT))
    there = {location for location, _ in drawn}
    assert locations.listed == [["south", "The south"]] * ("south" in there) + [
        [k, k] for k in sorted(there - {"south"})
    ]
    facts = daily_facts(of, AT, DAILY, locations)
    if not rows:
        assert facts["days"] == 0 and facts["base"] is None
        return
    base = date.fromisoformat(facts["base"])
    values = numbers(facts["values"], "<u2", len(locations.listed), facts["days"])
    because = numbers(facts["because"], "u1", len(locations.listed), facts["days"])
    hours = numbers(facts["hours"], "<u2", len(locations.listed), len(facts["months"]), 3)
    by_month: Counter[tuple[str, int, int, int]] = Counter()
    for at, (location, _) in enumerate(locations.listed):
        for day in range(facts["days"]):
            row = drawn.get((location, (base - FIRST).days + day))
            if row is None:
                assert (values[at, day], because[at, day]) == (NO_ROW, 255)
                continue
            value, word = values[at, day], because[at, day]
            assert value == (NO_VALUE if row["value"] is None else min(row["value"], NO_VALUE - 1))
            assert (None if word == 255 else facts["words"][word]) == row["because"]
            month = base + timedelta(days=day)
            counted = (row["calm"], row["high"], 24 - row["calm"] - row["high"])
            for category, number in enumerate(counted):
                by_month[location, month.year, month.month, category] += number
    found = {
        (location, *month, category): int(hours[at, number, category])
        for at, (location, _) in enumerate(locations.listed)
        for number, month in enumerate(facts["months"])
        for category in range(3)
    }
    assert {key: number for key, number in found.items() if number} == +by_month


def test_the_oldest_days_are_left_out_where_they_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CELLS", 20)
    rows = [
        {"location": location, "day": FIRST + timedelta(days=day), "value": day, "because": None, "calm": 1, "high": 0}
        for location in ("north", "south")
        for day in range(30)
    ]
    facts = daily_facts(table(rows), AT, DAILY, Locations.of({}, ["north", "south"]))
    assert (facts["days"], facts["since"]) == (10, str(FIRST + timedelta(days=20)))
    assert numbers(facts["values"], "<u2").tolist() == list(range(20, 30)) * 2
    assert sum(numbers(facts["hours"], "<u2").tolist()) == 2 * 10 * 24


spells = st.lists(
    st.fixed_dictionaries(
        {
            "location": st.sampled_from(LOCATIONS),
            "start": st.integers(0, 9999).map(lambda hour: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=hour)),
            "hours": st.integers(4, 200),
            "peak": st.integers(151, 700),
            "because": st.none() | st.sampled_from(["rain", "wind"]),
            "open": st.none() | st.booleans(),
        }
    ),
    max_size=20,
)


@quick
@given(spells, st.integers(1, 12))
def test_spells_come_in_the_order_of_their_beginning_and_the_newest_stay(
    drawn: list[dict[str, Any]], most: int
) -> None:
    schema = pa.schema(
        {
            "location": pa.string(),
            "start": pa.timestamp("us", "UTC"),
            "hours": pa.int64(),
            "peak": pa.int32(),
            "because": pa.string(),
            "open": pa.bool_(),
        }
    )
    locations = Locations.of({}, LOCATIONS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MOST_SPELLS", most)
        facts = spell_facts(pa.Table.from_pylist(drawn, schema), AT, SPELLS, locations)
    ordered = sorted(drawn, key=lambda row: (row["start"], row["location"]))[-most:]
    assert (facts["count"], facts["left_out"]) == (len(ordered), len(drawn) - len(ordered))
    found = [
        (locations.listed[at][0], start, hours, peak, None if word == 255 else facts["words"][word])
        for at, start, hours, peak, word in zip(
            numbers(facts["at"], "<u2"),
            numbers(facts["start"], "<u4").tolist(),
            numbers(facts["hours"], "<u2").tolist(),
            numbers(facts["peak"], "<u2").tolist(),
            numbers(facts["because"], "u1"),
            strict=True,
        )
    ]
    expected = [
        (row["location"], int(row["start"].timestamp()) // 3600, row["hours"], row["peak"], row["because"])
        for row in ordered
    ]
    assert sorted(found, key=str) == sorted(expected, key=str)
    assert [start for _, start, *_ in found] == sorted(start for _, start, *_ in found)
    going = [(row["location"], int(row["start"].timestamp()) // 3600) for row in ordered if row["open"]]
    assert sorted(found[at][:2] for at in facts["open"]) == sorted(going)
    earlier = pa.Table.from_pylist(drawn, schema).drop_columns(["open"])
    assert spell_facts(earlier, AT, SPELLS, locations)["open"] is None, "of a table that does not say it"
