"""Where nodes of a graph are drawn: columns, no two in one place, few crossings, the same every time."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

import pytest

from orchestration.core.lineage.layout import Point, crossings, layout

SMALL = {
    "feed": [],
    "sites": [],
    "clean": ["feed"],
    "bad": ["feed"],
    "hours": ["clean", "sites"],
    "days": ["hours"],
    "alone": [],
    "sums": ["days", "feed"],
}
GROUPS = [["feed"], ["clean", "bad"], ["sites", "hours", "days", "alone", "sums"]]


def a_graph(seed: int, many: int = 60) -> tuple[dict[str, list[str]], list[list[str]]]:
    """Random, with edges from any group to itself and to later ones."""
    rng = random.Random(seed)
    groups: list[list[str]] = [[], [], []]
    parents: dict[str, list[str]] = {}
    for number in range(many):
        group = number * 3 // many
        before = [node for nodes in groups[: group + 1] for node in nodes]
        name = f"{group}-{number}"
        parents[name] = rng.sample(before, min(len(before), rng.randint(0, 3)))
        groups[group].append(name)
    return parents, groups


def test_columns_follow_groups_and_the_longest_way() -> None:
    made = layout(SMALL, GROUPS)
    assert {name: place.x for name, place in made.places.items()} == {
        "feed": 0, "clean": 1, "bad": 1, "sites": 2, "alone": 2, "hours": 3, "days": 4, "sums": 5,
    }  # fmt: skip
    assert made.bands == ((0, 0), (1, 1), (2, 5))
    assert made.columns == 6


def test_an_edge_over_several_columns_has_a_place_in_each() -> None:
    way = layout(SMALL, GROUPS).ways["feed", "sums"]
    assert [point.x for point in way] == [0, 1, 2, 3, 4, 5]


def test_what_is_joined_to_nothing_stands_below_where_there_is_room() -> None:
    places = layout(SMALL, GROUPS).places
    assert places["alone"].y > places["sites"].y
    alone = layout(
        SMALL | {"one": [], "two": [], "three": []}, [*GROUPS[:2], [*GROUPS[2], "one", "two", "three"]]
    ).places
    assert [alone[name].x for name in ("alone", "one", "two", "three")] == [2, 3, 4, 5]


def test_a_chain_is_straight() -> None:
    chain = {"a": [], "b": ["a"], "c": ["b"], "d": ["c"]}
    assert {place.y for place in layout(chain, [["a"], ["b", "c"], ["d"]]).places.values()} == {0.5}


def test_crossings_that_can_be_avoided_are_avoided() -> None:
    crossed = {"a": [], "b": [], "c": [], "x": ["c"], "y": ["b"], "z": ["a"]}
    made = layout(crossed, [["a", "b", "c"], ["x", "y", "z"]])
    assert crossings(crossed, made.places) == 0
    as_given = {name: Point(at // 3, at % 3 + 0.5) for at, name in enumerate(crossed)}
    assert crossings(crossed, as_given) == 3


def test_an_edge_against_the_groups_goes_on_to_the_right() -> None:
    backwards = {"gold": [], "silver": ["gold"]}
    made = layout(backwards, [["silver"], ["gold"]])
    assert made.places["silver"].x > made.places["gold"].x


def test_of_nothing() -> None:
    made = layout({}, [])
    assert (made.places, made.ways, made.columns, made.rows) == ({}, {}, 0, 0.0)


@pytest.mark.parametrize("seed", range(20))
def test_any_graph(seed: int) -> None:
    parents, groups = a_graph(seed)
    made = layout(parents, groups)
    assert layout(parents, groups) == made
    assert made.places.keys() == parents.keys()
    for column in range(made.columns):
        there = sorted(place.y for place in made.places.values() if place.x == column)
        assert all(below - above >= 1 - 1e-9 for above, below in pairwise(there))
        assert not there or (there[0] >= 0.5 - 1e-9 and there[-1] <= made.rows - 0.5 + 1e-9)
    for node, upstream in parents.items():
        for parent in upstream:
            _is_a_way(made.ways[parent, node], made.places[parent], made.places[node])
            assert made.places[parent].x < made.places[node].x
    in_given_order = {node: Point(place.x, float(at)) for at, (node, place) in enumerate(made.places.items())}
    assert crossings(parents, made.places) <= crossings(parents, in_given_order)


def _is_a_way(way: Sequence[Point], first: Point, last: Point) -> None:
    assert (way[0], way[-1]) == (first, last)
    assert [point.x for point in way] == list(range(first.x, last.x + 1))
