"""Which partitions are meant, as conditions, which read back as the same partitions."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.openlineage.subsets import COMPARISONS, LISTED, condition
from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet
from orchestration.core.partitions.scheme import PartitionColumns

COLUMNS = PartitionColumns("day", "location")
FIRST = date(2020, 1, 1)


def days(first: int, last: int) -> Days:
    return Days.of(FIRST + timedelta(days=first), FIRST + timedelta(days=last))


def holds(of: dict[str, Any], row: dict[str, str]) -> bool:
    """Whether a row meets a condition, as a reader would find out."""
    if of["type"] == "partition":
        return any(one["dimensions"] == row for one in of["partitions"])
    if of["type"] == "binary":
        left, right = holds(of["left"], row), holds(of["right"], row)
        return (left and right) if of["operator"] == "AND" else (left or right)
    value, bound = row[of["left"]["field"]], of["right"]["value"]
    return {
        "EQUAL": value == bound,
        "GREATER_EQUAL_THAN": value >= bound,
        "LESS_EQUAL_THAN": value <= bound,
    }[of["comparison"]]


def depth(of: dict[str, Any]) -> int:
    return 1 + max(depth(of["left"]), depth(of["right"])) if of["type"] == "binary" else 1


def test_a_few_are_listed() -> None:
    found = condition(PartitionSet.of(days(0, 1), ["north"]), COLUMNS)
    assert found == {
        "type": "partition",
        "partitions": [
            {"identifier": "2020-01-01/north", "dimensions": {"day": "2020-01-01", "location": "north"}},
            {"identifier": "2020-01-02/north", "dimensions": {"day": "2020-01-02", "location": "north"}},
        ],
    }
    assert condition(PartitionSet.empty(), COLUMNS) == {"type": "partition", "partitions": []}


def test_a_table_without_partitions_is_meant_whole() -> None:
    assert condition(PartitionSet.null(), None) is None
    assert condition(PartitionSet.null(), COLUMNS) is None


def test_ten_years_of_many_locations_are_short() -> None:
    many = PartitionSet.of(days(0, 3652), [f"location-{number}" for number in range(200)])
    found = condition(many, COLUMNS)
    assert found is not None
    assert len(json.dumps(found)) < 60_000
    assert depth(found) < 12
    assert holds(found, {"day": "2025-08-08", "location": "location-7"})
    assert not holds(found, {"day": "2025-08-08", "location": "location-200"})
    assert not holds(found, {"day": "2019-12-31", "location": "location-7"})


def test_what_would_take_too_many_comparisons_is_not_said() -> None:
    odd = PartitionSet.from_keys(
        PartitionKey(FIRST + timedelta(days=2 * number), "north") for number in range(COMPARISONS)
    )
    assert condition(odd, COLUMNS) is None


keys = st.builds(
    lambda number, location: PartitionKey(FIRST + timedelta(days=number), location),
    st.integers(0, 90),
    st.sampled_from(["east", "north", "south", "west"]),
)


@settings(max_examples=60, deadline=None)
@given(st.sets(keys, max_size=300))
def test_conditions_read_back_as_what_they_were_made_of(of: set[PartitionKey]) -> None:
    found = condition(PartitionSet.from_keys(of), COLUMNS)
    assert found is not None
    assert (found["type"] == "partition") is (len(of) <= LISTED)
    for number in range(-1, 92):
        for location in ("east", "north", "south", "west"):
            key = PartitionKey(FIRST + timedelta(days=number), location)
            assert holds(found, {"day": str(key.day), "location": location}) is (key in of)
