"""Walks over the column lineage of all assets: upstream to columns that no asset makes, or downstream to everything
made from a column."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NamedTuple

from orchestration.core.errors import UsageError
from orchestration.core.lineage.columns import ColumnLineage, Edge, Sources
from orchestration.core.lineage.kinds import Kind, along

Lineages = Mapping[str, ColumnLineage]
"""Asset key → its column lineage."""


class Field(NamedTuple):
    """A column of an asset, or of a source."""

    of: str
    column: str

    def __str__(self) -> str:
        return f"{self.of}.{self.column}"


class Hop(NamedTuple):
    """One edge of a walk."""

    source: Field
    target: Field
    kind: Kind
    """The kind of this edge."""
    together: Kind
    """The kind of the whole path from the start of the walk to the far end of this edge (``kinds.along``)."""
    distance: int
    """The number of edges from the start on a shortest such path, this one included."""


@dataclass(frozen=True, slots=True)
class Walk:
    """A walk from one column."""

    start: Field
    hops: tuple[Hop, ...]
    """The edges, by distance. An edge occurs once for each kind that paths over it can have."""
    unknown: Mapping[Field, frozenset[str]]
    """Column → the parts of its plan that could not be read. If there are any, there may be further edges."""


def field_of(text: str, lineages: Lineages) -> Field:
    """The column that ``layer.name.column`` or ``source.column`` names.

    Raises UsageError for an asset, a source or a column that is in none of the lineages, with the nearest that is.
    """
    known = _columns(lineages)
    of, _, column = text.rpartition(".")
    if of not in known:
        wanted = f"{of} is no asset or source whose columns are known" if of else f"{text!r} names no column"
        raise UsageError(wanted, _nearest(of or text, known))
    if column not in known[of]:
        raise UsageError(f"{of} has no column {column!r}", _nearest(column, known[of]))
    return Field(of, column)


def upstream(lineages: Lineages, start: Field, *, rows: bool = False) -> Walk:
    """The walk from a column to everything from which it is made. rows: whether to follow also the columns that decide
    which rows exist.

    The walk ends at sources of hops that are no other hop's target: columns of sources, and constants of assets.
    """
    unknown: dict[Field, frozenset[str]] = {}

    def above(field: Field) -> list[tuple[Field, Kind]]:
        sources = _sources(lineages, field, rows=rows)
        if sources.unknown:
            unknown[field] = sources.unknown
        return [(Field(edge.of, edge.column), edge.kind) for edge in sorted(sources.edges)]

    found = _walked(start, above, lambda path, kind: along(kind, path))
    hops = tuple(Hop(there, here, kind, together, distance) for here, there, kind, together, distance in found)
    return Walk(start, hops, unknown)


def downstream(lineages: Lineages, start: Field, *, rows: bool = False) -> Walk:
    """The walk from a column to everything that is made from it. rows: as in ``upstream``."""
    below: dict[Field, list[tuple[Field, Kind]]] = {}
    unknown: dict[Field, frozenset[str]] = {}
    for asset, lineage in sorted(lineages.items()):
        for column in lineage.columns:
            field = Field(asset, column)
            sources = _sources(lineages, field, rows=rows)
            if sources.unknown:
                unknown[field] = sources.unknown
            for edge in sorted(sources.edges):
                below.setdefault(Field(edge.of, edge.column), []).append((field, edge.kind))
    found = _walked(start, lambda field: below.get(field, ()), along)
    hops = tuple(Hop(here, there, kind, together, distance) for here, there, kind, together, distance in found)
    return Walk(start, hops, unknown)


def ends(walk: Walk) -> frozenset[Edge]:
    """For a walk upstream: where it ends, with the kind of each path."""
    goes_on = {hop.target for hop in walk.hops if hop.source != hop.target}
    return frozenset(Edge(*hop.source, hop.together) for hop in walk.hops if hop.source not in goes_on)


_Found = tuple[Field, Field, Kind, Kind, int]


def _walked(
    start: Field,
    edges: Callable[[Field], Iterable[tuple[Field, Kind]]],
    together: Callable[[Kind, Kind], Kind],
) -> list[_Found]:
    """Breadth first. A column is expanded once for each kind that paths to it can have."""
    waiting, seen = deque([(start, Kind.IDENTITY, 0)]), {(start, Kind.IDENTITY)}
    found: dict[tuple[Field, Field, Kind, Kind], int] = {}
    while waiting:
        here, path, distance = waiting.popleft()
        for there, kind in edges(here):
            whole = together(path, kind)
            found.setdefault((here, there, kind, whole), distance + 1)
            if (there, whole) not in seen:
                seen.add((there, whole))
                waiting.append((there, whole, distance + 1))
    return [(*hop, distance) for hop, distance in found.items()]


def _sources(lineages: Lineages, field: Field, *, rows: bool) -> Sources:
    lineage = lineages.get(field.of)
    if lineage is None or field.column not in lineage.columns:
        return Sources()
    own = lineage.columns[field.column]
    return own | lineage.rows if rows else own


def _columns(lineages: Lineages) -> dict[str, set[str]]:
    """The known columns of each asset, and the columns of sources from which something is made."""
    known = {key: set(lineage.columns) for key, lineage in lineages.items()}
    for lineage in lineages.values():
        for edge in lineage.edges:
            if edge.of not in lineages:
                known.setdefault(edge.of, set()).add(edge.column)
    return known


def _nearest(name: str, known: Collection[str]) -> str:
    by_lower = {one.lower(): one for one in known}
    near = get_close_matches(name.lower(), by_lower, n=1)
    return f"Did you mean {by_lower[near[0]]!r}?" if near else f"Known are {', '.join(sorted(known)) or 'none'}."
