"""A walk over column lineage as a tree, for drawing. Every column is expanded once; after that it is only referred
to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from orchestration.core.lineage.columns import Sources
from orchestration.core.lineage.kinds import Kind
from orchestration.core.lineage.walk import Field, Hop, Lineages, Walk


@dataclass(frozen=True, slots=True)
class Branch:
    """A column in the tree."""

    field: Field
    kinds: tuple[Kind, ...] = ()
    """The kinds of the edges to the column above it, direct kinds first; empty for the root."""
    below: tuple[Branch, ...] = ()
    """The next columns in the direction of the walk."""
    again: bool = False
    """Whether the column is expanded elsewhere in the tree."""
    unknown: tuple[str, ...] = ()
    """For a walk upstream: what could not be read about how the column is made."""

    @property
    def is_direct(self) -> bool:
        """Whether values flow over any of its edges."""
        return any(kind.is_direct for kind in self.kinds)


def limited(walk: Walk, hops: int | None, *, down: bool) -> Walk:
    """The part of a walk within ``hops`` edges; None: the whole walk. down: whether it is a walk downstream.

    Upstream, what is unknown about a column that is not expanded any more is left out. Downstream nothing is left out:
    a column with unknown origins may be made from this one, however near it is.
    """
    if hops is None:
        return walk
    near = tuple(hop for hop in walk.hops if hop.distance <= hops)
    opened = {walk.start, *(hop.source for hop in walk.hops if hop.distance < hops)}
    unknown = {field: of for field, of in walk.unknown.items() if down or (hops > 0 and field in opened)}
    return replace(walk, hops=near, unknown=unknown)


def tree_of(walk: Walk, *, down: bool) -> Branch:
    """The walk as a tree, with its start as the root. down: whether it is a walk downstream."""
    edges: dict[Field, dict[Field, set[Kind]]] = {}
    for hop in walk.hops:
        near, far = (hop.source, hop.target) if down else (hop.target, hop.source)
        edges.setdefault(near, {}).setdefault(far, set()).add(hop.kind)
    opened: set[Field] = set()

    def branch(field: Field, kinds: Collection[Kind]) -> Branch:
        ordered, beyond = _in_order(kinds), edges.get(field, {})
        unknown = () if down else tuple(sorted(walk.unknown.get(field, ())))
        if field in opened:
            return Branch(field, ordered, again=bool(beyond or unknown))
        opened.add(field)
        below = sorted(beyond.items(), key=lambda one: (not any(kind.is_direct for kind in one[1]), one[0]))
        return Branch(field, ordered, tuple(branch(*one) for one in below), unknown=unknown)

    return branch(walk.start, ())


def rows_upstream(lineages: Lineages, walk: Walk) -> dict[str, Sources]:
    """For each asset that a walk upstream passes, the nearest first: the columns that decide which rows the asset
    has.
    """
    passed = dict.fromkeys([walk.start.of, *(hop.target.of for hop in walk.hops)])
    found = {key: lineages[key].rows for key in passed if key in lineages}
    return {key: rows for key, rows in found.items() if rows.edges or rows.unknown}


def rows_downstream(lineages: Lineages, walk: Walk) -> dict[str, Sources]:
    """The assets whose rows are decided by columns of a walk downstream, with these columns."""
    passed = {walk.start, *(hop.target for hop in walk.hops)}
    found: dict[str, Sources] = {}
    for key, lineage in lineages.items():
        edges = frozenset(edge for edge in lineage.rows.edges if Field(edge.of, edge.column) in passed)
        if edges:
            found[key] = Sources(edges)
    return found


def hops_to_json(hops: Iterable[Hop]) -> list[dict[str, object]]:
    """Hops as JSON values, in their order."""
    return [
        {
            "source": hop.source._asdict(),
            "target": hop.target._asdict(),
            "type": hop.kind.type,
            "kind": str(hop.kind),
            "together": str(hop.together),
            "distance": hop.distance,
        }
        for hop in hops
    ]


def by_source(sources: Sources) -> Mapping[Field, tuple[Kind, ...]]:
    """The edges by the column from which they come. Direct edges come first; each column with the kinds of its
    edges.
    """
    kinds: dict[Field, set[Kind]] = {}
    for edge in sources.edges:
        kinds.setdefault(Field(edge.of, edge.column), set()).add(edge.kind)
    ordered = {field: _in_order(of) for field, of in kinds.items()}
    order = list(Kind)
    return dict(
        sorted(ordered.items(), key=lambda one: (not one[1][0].is_direct, one[0].of, order.index(one[1][0]), one[0]))
    )


def _in_order(kinds: Collection[Kind]) -> tuple[Kind, ...]:
    return tuple(kind for kind in Kind if kind in kinds)
