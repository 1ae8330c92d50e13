"""A walk over columns as a tree, for who draws it: every column opens once, and is referred to from then on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from orchestration.core.lineage.columns import Sources
from orchestration.core.lineage.kinds import Kind
from orchestration.core.lineage.walk import Field, Hop, Lineages, Walk


@dataclass(frozen=True, slots=True)
class Branch:
    """A column in a tree.

    kinds: of the edges between it and the column that it hangs on, the direct ones first; none of the start. below: in
    the direction of the walk. again: it has been opened elsewhere. unknown: upstream, what could not be read of how it
    is made.
    """

    field: Field
    kinds: tuple[Kind, ...] = ()
    below: tuple[Branch, ...] = ()
    again: bool = False
    unknown: tuple[str, ...] = ()

    @property
    def is_direct(self) -> bool:
        """Whether values go over any of its edges."""
        return any(kind.is_direct for kind in self.kinds)


def limited(walk: Walk, hops: int | None, *, down: bool) -> Walk:
    """The walk, no more than so many hops far; None: all of it. down: it is one downstream.

    What is unknown of a column that the walk upstream does not open any more is left out. Downstream nothing is: any
    column of which not all is known may be made of this one, however near.
    """
    if hops is None:
        return walk
    near = tuple(hop for hop in walk.hops if hop.distance <= hops)
    opened = {walk.start, *(hop.source for hop in walk.hops if hop.distance < hops)}
    unknown = {field: of for field, of in walk.unknown.items() if down or (hops > 0 and field in opened)}
    return replace(walk, hops=near, unknown=unknown)


def tree_of(walk: Walk, *, down: bool) -> Branch:
    """The walk as a tree from its start. down: it is one downstream."""
    edges: dict[Field, dict[Field, set[Kind]]] = {}
    for hop in walk.hops:
        near, far = (hop.source, hop.target) if down else (hop.target, hop.source)
        edges.setdefault(near, {}).setdefault(far, set()).add(hop.kind)
    opened: set[Field] = set()

    def branch(field: Field, kinds: Collection[Kind]) -> Branch:
        told, beyond = _in_order(kinds), edges.get(field, {})
        unknown = () if down else tuple(sorted(walk.unknown.get(field, ())))
        if field in opened:
            return Branch(field, told, again=bool(beyond or unknown))
        opened.add(field)
        below = sorted(beyond.items(), key=lambda one: (not any(kind.is_direct for kind in one[1]), one[0]))
        return Branch(field, told, tuple(branch(*one) for one in below), unknown=unknown)

    return branch(walk.start, ())


def rows_upstream(lineages: Lineages, walk: Walk) -> dict[str, Sources]:
    """What decides which rows there are of the assets that a walk upstream passes, by asset, the nearest first."""
    passed = dict.fromkeys([walk.start.of, *(hop.target.of for hop in walk.hops)])
    found = {key: lineages[key].rows for key in passed if key in lineages}
    return {key: rows for key, rows in found.items() if rows.edges or rows.unknown}


def rows_downstream(lineages: Lineages, walk: Walk) -> dict[str, Sources]:
    """The assets of which columns of a walk downstream decide which rows there are; of the sources just these."""
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
    """Its edges by the column that they come from: direct ones first, each with how it is used."""
    kinds: dict[Field, set[Kind]] = {}
    for edge in sources.edges:
        kinds.setdefault(Field(edge.of, edge.column), set()).add(edge.kind)
    told = {field: _in_order(of) for field, of in kinds.items()}
    order = list(Kind)
    return dict(
        sorted(told.items(), key=lambda one: (not one[1][0].is_direct, one[0].of, order.index(one[1][0]), one[0]))
    )


def _in_order(kinds: Collection[Kind]) -> tuple[Kind, ...]:
    return tuple(kind for kind in Kind if kind in kinds)
