"""Layout of a graph on paper: columns of nodes from left to right, with few crossings of edges.

Layered drawing after Sugiyama, Tagawa and Toda (1981). The column of a node is the longest path to it. An edge across
several columns has a bend in each of them. Nodes within a column are ordered by the mean of their neighbours, and their
heights keep edges straight. Deterministic; knows nothing about assets.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

SWEEPS = 12
"""The order is improved this many times, from left to right and back. More sweeps changed nothing in trials."""
SETTLED = 8
THIN = 0.45
"""The height of a bend, where a node has height 1."""

_Bend = tuple[str, str, int]
"""Where an edge (from, to) passes a column: from, to, number of the column."""
_Item = str | _Bend
_Order = list[list[_Item]]


class Point(NamedTuple):
    """A point of the layout. x: number of the column, from 0. y: height of the middle, in nodes, from 0 downwards."""

    x: int
    y: float


@dataclass(frozen=True, slots=True)
class Layout:
    """A layout of a graph."""

    places: Mapping[str, Point]
    """Node → its point."""
    ways: Mapping[tuple[str, str], tuple[Point, ...]]
    """Edge (from, to) → its points, both ends included."""
    bands: tuple[tuple[int, int], ...]
    """For each group, its first and last column."""
    columns: int
    """The number of columns."""
    rows: float
    """The height of the whole, in nodes."""


def layout(parents: Mapping[str, Sequence[str]], groups: Sequence[Iterable[str]]) -> Layout:
    """The layout of nodes with their parents.

    parents: node → the nodes upstream of it; in topological order. groups: every node is in one of them. The columns of
    a group lie right of those of the group before, unless an edge goes backwards. Nodes without edges are put where
    there is room.
    """
    group_of = {node: number for number, group in enumerate(groups) for node in group}
    column_of, bands = _columns(parents, group_of, len(groups))
    order, below = _with_bends(parents, column_of)
    above = _turned(below)
    for column in order:
        column.sort(key=lambda item: item not in above and item not in below)  # what is joined to nothing: below all
    _reduce_crossings(order, above, below)
    heights = _heights(order, above, below)
    places = {node: Point(column, heights[node]) for node, column in column_of.items()}
    ways = {}
    for node, upstream in parents.items():
        for parent in dict.fromkeys(upstream):
            between = range(column_of[parent] + 1, column_of[node])
            bends = [Point(at, heights[parent, node, at]) for at in between]
            ways[parent, node] = (places[parent], *bends, places[node])
    rows = max((heights[column[-1]] + _size(column[-1]) / 2 for column in order if column), default=0.0)
    return Layout(places, ways, bands, len(order), rows)


def crossings(parents: Mapping[str, Sequence[str]], places: Mapping[str, Point]) -> int:
    """The number of crossings between edges of the same two columns, with nodes at ``places``."""
    by_columns: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for node, upstream in parents.items():
        for parent in upstream:
            between = places[parent].x, places[node].x
            by_columns.setdefault(between, []).append((places[parent].y, places[node].y))
    return sum(_crossings(edges) for edges in by_columns.values())


def _columns(
    parents: Mapping[str, Sequence[str]], group_of: Mapping[str, int], groups: int
) -> tuple[dict[str, int], tuple[tuple[int, int], ...]]:
    """The column of each node; and for each group its first and last column."""
    depth: dict[str, int] = {}
    widths = [0] * groups
    for node, upstream in parents.items():
        inside = [depth[parent] for parent in upstream if group_of[parent] == group_of[node]]
        depth[node] = max(inside, default=-1) + 1
        widths[group_of[node]] = max(widths[group_of[node]], depth[node] + 1)
    begins = [sum(widths[:number]) for number in range(groups)]
    found: dict[str, int] = {}
    for node, upstream in parents.items():
        least = max((found[parent] + 1 for parent in upstream), default=0)
        found[node] = max(begins[group_of[node]], least)
    joined = {node for child, upstream in parents.items() if upstream for node in (child, *upstream)}
    many = Counter(found[node] for node in found if node in joined)
    for node in found:
        if node not in joined:  # it may stand anywhere in its group: where there is room
            begin, width = begins[group_of[node]], widths[group_of[node]]
            found[node] = min(range(begin, begin + width), key=lambda at: (many[at], at))
            many[found[node]] += 1
    return found, tuple((begin, begin + width - 1) for begin, width in zip(begins, widths, strict=True))


def _with_bends(
    parents: Mapping[str, Sequence[str]], column_of: Mapping[str, int]
) -> tuple[_Order, dict[_Item, list[_Item]]]:
    """The nodes and bends in each column, and the edges between neighbouring columns, from left to right."""
    order: _Order = [[] for _ in range(max(column_of.values(), default=-1) + 1)]
    for node, column in column_of.items():
        order[column].append(node)
    right: dict[_Item, list[_Item]] = {}
    for node, upstream in parents.items():
        for parent in dict.fromkeys(upstream):
            here: _Item = parent
            for at in range(column_of[parent] + 1, column_of[node]):
                bend = (parent, node, at)
                order[at].append(bend)
                right.setdefault(here, []).append(bend)
                here = bend
            right.setdefault(here, []).append(node)
    return order, right


def _turned(edges: Mapping[_Item, Sequence[_Item]]) -> dict[_Item, list[_Item]]:
    found: dict[_Item, list[_Item]] = {}
    for here, others in edges.items():
        for there in others:
            found.setdefault(there, []).append(here)
    return found


def _reduce_crossings(
    order: _Order, left: Mapping[_Item, Sequence[_Item]], right: Mapping[_Item, Sequence[_Item]]
) -> None:
    """Orders each column by the means of its neighbours, to and fro, and keeps the best order that was found."""
    best, fewest = [list(column) for column in order], _all_crossings(order, right)
    for sweep in range(SWEEPS):
        forth = sweep % 2 == 0
        neighbours = left if forth else right
        for at in range(1, len(order)) if forth else range(len(order) - 2, -1, -1):
            beside = {item: number for number, item in enumerate(order[at - 1 if forth else at + 1])}
            own = {item: number for number, item in enumerate(order[at])}
            scale = len(beside) / max(len(own), 1)
            means = {item: _mean([beside[one] for one in neighbours.get(item, ())], own[item] * scale) for item in own}
            order[at].sort(key=lambda item, means=means, own=own: (means[item], own[item]))  # type: ignore[misc]
        found = _all_crossings(order, right)
        if found < fewest:
            best, fewest = [list(column) for column in order], found
    order[:] = best


def _all_crossings(order: _Order, right: Mapping[_Item, Sequence[_Item]]) -> int:
    total = 0
    for here, there in pairwise(order):
        at = {item: number for number, item in enumerate(there)}
        total += _crossings([(number, at[to]) for number, item in enumerate(here) for to in right.get(item, ())])
    return total


def _crossings(edges: Iterable[tuple[float, float]]) -> int:
    """The number of crossings of edges between two columns, given as pairs of heights."""
    ends: list[float] = []
    found = 0
    for _, end in sorted(edges):
        found += len(ends) - bisect_left(ends, end + 1e-9)
        insort(ends, end)
    return found


def _heights(
    order: _Order, left: Mapping[_Item, Sequence[_Item]], right: Mapping[_Item, Sequence[_Item]]
) -> dict[_Item, float]:
    """Heights in the given order, near those of the neighbours. The smallest height leaves room for half a node."""
    heights: dict[_Item, float] = {}
    for column in order:
        at = 0.0
        for item in column:
            heights[item] = at + _size(item) / 2
            at += _size(item)
    for turn in range(SETTLED):
        forth = turn % 2 == 0
        for column in order if forth else reversed(order):
            wanted = []
            for item in column:
                first, second = (left, right) if forth else (right, left)
                beside = first.get(item) or second.get(item) or ()
                wanted.append(_mean([heights[one] for one in beside], heights[item]))
            heights.update(zip(column, _apart(wanted, [_size(item) for item in column]), strict=True))
    for column in order:
        for before, item in pairwise(column):
            if item not in left and item not in right:
                heights[item] = heights[before] + (_size(before) + _size(item)) / 2
    least = min((heights[column[0]] - _size(column[0]) / 2 for column in order if column), default=0.0)
    return {item: height - least for item, height in heights.items()}


def _apart(wanted: Sequence[float], sizes: Sequence[float]) -> list[float]:
    """Heights in the same order with room for all. The sum of squared differences from ``wanted`` is as small as
    possible.

    Neighbours that are in each other's way are pooled (isotonic regression).
    """
    offsets, at = [], 0.0
    for number, size in enumerate(sizes):
        at += (sizes[number - 1] + size) / 2 if number else 0.0
        offsets.append(at)
    pools: list[tuple[float, int]] = []  # mean, how many
    for want, offset in zip(wanted, offsets, strict=True):
        mean, many = want - offset, 1
        while pools and pools[-1][0] > mean:
            before, count = pools.pop()
            mean, many = (mean * many + before * count) / (many + count), many + count
        pools.append((mean, many))
    free = [mean for mean, many in pools for _ in range(many)]
    return [mean + offset for mean, offset in zip(free, offsets, strict=True)]


def _size(item: _Item) -> float:
    return 1.0 if isinstance(item, str) else THIN


def _mean(numbers: Sequence[float], otherwise: float) -> float:
    return sum(numbers) / len(numbers) if numbers else otherwise
