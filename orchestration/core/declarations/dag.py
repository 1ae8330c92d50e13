"""A small directed acyclic graph of names: a deterministic order, and what lies upstream and downstream.

Knows nothing of assets: a node is a name, an edge runs from an upstream node to the one that needs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType

from orchestration.core.errors import DeclarationError


class CycleError(DeclarationError):
    """Nodes that depend on each other in a circle.

    cycle: the nodes in the direction of the data, the first one again at the end.
    """

    def __init__(self, cycle: tuple[str, ...]) -> None:
        super().__init__(
            f"these need each other in a circle: {' -> '.join(cycle)}",
            "each feeds the next; take one of these upstreams away",
        )
        self.cycle = cycle


class UnknownUpstreamError(DeclarationError):
    """A node names an upstream node that is not declared."""

    def __init__(self, node: str, upstream: str, known: Iterable[str]) -> None:
        near = get_close_matches(upstream, known, n=1)
        super().__init__(
            f"{node} names the upstream {upstream}, which is not declared",
            f"did you mean {near[0]}?" if near else f"declare {upstream}, or take it away from {node}",
        )
        self.node, self.upstream = node, upstream


@dataclass(frozen=True, slots=True, eq=False)
class Dag:
    """A graph that is known to have no cycle.

    parents: node -> the nodes directly upstream of it, in the order of declaration.
    children: node -> the nodes directly downstream of it, in the order of declaration.
    nodes: all in topological order: by depth, the length of the longest way from a node without upstream,
    and within a depth in the order of declaration. The order never depends on hashes.

    Raises UnknownUpstreamError and CycleError. Every method raises KeyError for a name that is not a node.
    """

    parents: Mapping[str, tuple[str, ...]]
    children: Mapping[str, tuple[str, ...]] = field(init=False, repr=False)
    nodes: tuple[str, ...] = field(init=False, repr=False)
    _rank: Mapping[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        parents = {node: tuple(dict.fromkeys(upstream)) for node, upstream in self.parents.items()}
        children: dict[str, list[str]] = {node: [] for node in parents}
        for node, upstream in parents.items():
            for parent in upstream:
                if parent not in parents:
                    raise UnknownUpstreamError(node, parent, parents)
                children[parent].append(node)
        depth = _depths(parents, children)
        if len(depth) < len(parents):
            raise CycleError(_find_cycle({node: up for node, up in parents.items() if node not in depth}))
        nodes = tuple(sorted(parents, key=depth.__getitem__))
        object.__setattr__(self, "parents", MappingProxyType(parents))
        object.__setattr__(self, "children", MappingProxyType({k: tuple(v) for k, v in children.items()}))
        object.__setattr__(self, "nodes", nodes)
        object.__setattr__(self, "_rank", {node: rank for rank, node in enumerate(nodes)})

    def __contains__(self, node: object) -> bool:
        return node in self.parents

    def __iter__(self) -> Iterator[str]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def sort(self, nodes: Iterable[str]) -> tuple[str, ...]:
        """The given nodes, each once, in topological order."""
        return tuple(sorted(set(nodes), key=self._rank.__getitem__))

    def upstream(self, node: str, depth: int | None = None) -> tuple[str, ...]:
        """What ``node`` needs, directly or not, without itself, in topological order.

        depth: how many edges away at most; None for all the way.
        """
        return self.sort(_reach((node,), self.parents, depth))

    def downstream(self, node: str, depth: int | None = None) -> tuple[str, ...]:
        """What needs ``node``, directly or not, without itself, in topological order; ``depth`` as above."""
        return self.sort(_reach((node,), self.children, depth))

    def upstream_of_any(self, nodes: Iterable[str], depth: int | None = None) -> frozenset[str]:
        """All that ``upstream`` gives for the nodes one by one, at the cost of one walk."""
        return _reach(nodes, self.parents, depth)

    def downstream_of_any(self, nodes: Iterable[str], depth: int | None = None) -> frozenset[str]:
        """All that ``downstream`` gives for the nodes one by one, at the cost of one walk."""
        return _reach(nodes, self.children, depth)


def _depths(parents: Mapping[str, tuple[str, ...]], children: Mapping[str, list[str]]) -> dict[str, int]:
    """The depth of every node that is neither on a cycle nor downstream of one."""
    waiting = {node: len(upstream) for node, upstream in parents.items()}
    layer = [node for node, count in waiting.items() if not count]
    depth: dict[str, int] = {}
    level = 0
    while layer:
        following: list[str] = []
        for node in layer:
            depth[node] = level
            for child in children[node]:
                waiting[child] -= 1
                if not waiting[child]:
                    following.append(child)
        layer, level = following, level + 1
    return depth


def _find_cycle(parents: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """A cycle among nodes each of which has a parent among them, from its first declared node on."""
    seen: dict[str, None] = {}
    node = next(iter(parents))
    while node not in seen:
        seen[node] = None
        node = next(parent for parent in parents[node] if parent in parents)
    against_the_data = list(seen)[list(seen).index(node) :]
    cycle = against_the_data[::-1]
    declared = {name: position for position, name in enumerate(parents)}
    start = cycle.index(min(cycle, key=declared.__getitem__))
    return (*cycle[start:], *cycle[:start], cycle[start])


def _reach(starts: Iterable[str], edges: Mapping[str, tuple[str, ...]], depth: int | None) -> frozenset[str]:
    """All nodes at the end of a way of 1 to ``depth`` edges from any of ``starts``; breadth first."""
    if depth is not None and depth < 0:
        raise ValueError(f"depth must be 0 or more, or None (got {depth})")
    reached: set[str] = set()
    frontier, steps = set(starts), 0
    if unknown := frontier - edges.keys():
        raise KeyError(min(unknown))
    while frontier and (depth is None or steps < depth):
        frontier = {end for node in frontier for end in edges[node]} - reached
        reached |= frontier
        steps += 1
    return frozenset(reached)
