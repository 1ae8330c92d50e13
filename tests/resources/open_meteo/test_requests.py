"""Variables, weights and plans: which requests ask for what is wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.variables import VARIABLES as COLUMNS
from orchestration.core.errors import UsageError
from orchestration.core.partitions.location import Location
from resources.open_meteo.answers import schema_of
from resources.open_meteo.requests import Request, plan_requests
from tests.support.api_answers import CITIES, DAY, HANOI, KEYS, VARIABLES
from tests.support.oracle import API_TO_COLUMN

# --- variables and weights ------------------------------------------------------------------------


def test_variables_are_those_of_the_data_model() -> None:
    assert dict(COLUMNS) == API_TO_COLUMN
    kinds = {field.name: field.type for field in schema_of(COLUMNS)}
    assert all((kinds[name] == pa.int32()) == column.startswith("aqi") for name, column in COLUMNS.items())
    assert kinds["ts_utc"] == pa.timestamp("us", tz="UTC")


@pytest.mark.parametrize(("days", "weight"), [(1, 5.1), (14, 5.1), (28, 10.2), (365, 132.96)])
def test_weight_of_three_cities(days: int, weight: float) -> None:
    request = Request(CITIES, DAY, DAY + timedelta(days=days - 1), VARIABLES)
    assert round(request.weight, 2) == weight


def test_a_request_is_checked() -> None:
    with pytest.raises(UsageError, match=r"not before the first \(got 1 locations, 2025-08-08"):
        Request((HANOI,), DAY, DAY - timedelta(days=1), VARIABLES)
    with pytest.raises(UsageError, match="needs a location"):
        Request((), DAY, DAY, VARIABLES)


def test_a_request_of_many_locations_is_named_shortly() -> None:
    locations = tuple(Location(f"p{n}", "", float(n), 0.0, "UTC") for n in range(9))
    assert str(Request(locations, DAY, DAY, VARIABLES)) == "p0, p1, p2, p3, p4, 4 more on 2025-08-08"


# --- plans ----------------------------------------------------------------------------------------


def plan(wanted: Mapping[str, Sequence[tuple[int, int]]], **limits: Any) -> list[str]:
    """Plans with days counted from 2025-08-08; a request as ``hanoi+hcmc 0..3``."""
    pieces = {key: [(DAY + timedelta(a), DAY + timedelta(b)) for a, b in spans] for key, spans in wanted.items()}
    limits = {"max_weight": 1000.0, "max_days": 1000} | limits
    return [
        f"{'+'.join(p.key for p in r.locations)} {(r.first - DAY).days}..{(r.last - DAY).days}"
        for r in plan_requests(pieces, CITIES, VARIABLES, **limits)
    ]


@pytest.mark.parametrize(
    ("wanted", "limits", "planned"),
    [
        ({}, {}, []),
        ({"hanoi": []}, {}, []),
        # Those who want the same days share a request, in the order of the configuration.
        ({"hcmc": [(0, 3)], "hanoi": [(0, 3)]}, {}, ["hanoi+hcmc 0..3"]),
        ({"hcmc": [(0, 1), (2, 3)], "hanoi": [(0, 3)]}, {}, ["hanoi+hcmc 0..3"]),
        ({"hanoi": [(0, 3)], "hcmc": [(2, 3)]}, {}, ["hanoi 0..3", "hcmc 2..3"]),
        # By the first day, whatever the order in which it was asked.
        ({"hanoi": [(9, 9), (1, 1)], "hcmc": [(5, 5)]}, {}, ["hanoi 1..1", "hcmc 5..5", "hanoi 9..9"]),
        ({"hanoi": [(0, 9), (5, 12)]}, {"max_days": 10}, ["hanoi 0..9", "hanoi 10..12"]),
        # Three cities weigh 10.2 for 28 days: cut by days. They weigh 5.1 for one: below that, by locations.
        (
            {key: [(0, 27)] for key in KEYS},
            {"max_weight": 10.2},
            ["hanoi+hcmc+danang 0..27"],
        ),
        (
            {key: [(0, 27)] for key in KEYS},
            {"max_weight": 10.1},
            ["hanoi+hcmc+danang 0..26", "hanoi+hcmc+danang 27..27"],
        ),
        (
            {key: [(0, 0)] for key in KEYS},
            {"max_weight": 5.0},
            ["hanoi+hcmc 0..0", "danang 0..0"],
        ),
        ({"hanoi": [(0, 1)]}, {"max_weight": 0.1}, ["hanoi 0..0", "hanoi 1..1"]),
        ({"hanoi": [(0, 0)], "hcmc": [(0, 0)]}, {"max_locations": 1}, ["hanoi 0..0", "hcmc 0..0"]),
    ],
)
def test_planned_requests(wanted: Any, limits: dict[str, Any], planned: list[str]) -> None:
    assert plan(wanted, **limits) == planned


def test_planning_refuses_what_it_cannot_do() -> None:
    with pytest.raises(UsageError, match="no location is configured with the key 'hue'"):
        plan({"hue": [(0, 0)]})
    with pytest.raises(UsageError, match=r"at least 1 day and 1 location \(got 0 and 1000"):
        plan({"hanoi": [(0, 0)]}, max_days=0)
    with pytest.raises(ValueError, match="must not end before it starts"):
        plan({"hanoi": [(3, 0)]})


SPANS = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 60)).map(lambda s: (s[0], s[0] + s[1])), max_size=4)


@given(
    wanted=st.dictionaries(st.integers(0, 11), SPANS),
    max_weight=st.floats(0.5, 60),
    max_days=st.integers(1, 100),
    max_locations=st.integers(1, 12),
)
@settings(max_examples=60, deadline=None)
def test_every_wanted_day_is_asked_once_and_within_the_limits(
    wanted: dict[int, list[tuple[int, int]]], max_weight: float, max_days: int, max_locations: int
) -> None:
    locations = [Location(f"p{n}", "", float(n), 0.0, "UTC") for n in range(12)]
    pieces = {f"p{n}": [(DAY + timedelta(a), DAY + timedelta(b)) for a, b in spans] for n, spans in wanted.items()}
    requests = plan_requests(pieces, locations, VARIABLES, max_weight, max_days, max_locations)
    asked = [(location.key, day) for request in requests for location in request.locations for day in request.days]
    due = {(key, a + timedelta(n)) for key, spans in pieces.items() for a, b in spans for n in range((b - a).days + 1)}
    assert sorted(asked) == sorted(due)
    for request in requests:
        assert request.weight <= max_weight or (len(request.locations) == 1 and request.first == request.last)
        assert len(request.days) <= max_days
        assert len(request.locations) <= max_locations
    assert [r.first for r in requests] == sorted(r.first for r in requests)
    shuffled = {key: pieces[key][::-1] for key in reversed(pieces)}
    assert requests == plan_requests(shuffled, locations, VARIABLES, max_weight, max_days, max_locations)
