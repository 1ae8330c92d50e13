"""Column lineage of a query plan: from which input columns each output column comes, and how.

As in OpenLineage's facet there are two parts. ``columns``: the columns from which a column is computed, with the
conditions and windows in its own expression. ``rows``: the columns that decide which rows exist, and so affect every
column: those of filters, join keys, group keys, orders.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from orchestration.core.lineage.kinds import Kind, along
from orchestration.core.lineage.plan import (
    Aggregate,
    Column,
    Distinct,
    Expression,
    Filter,
    Foreign,
    Input,
    Join,
    Made,
    Opaque,
    Project,
    Relation,
    Sort,
    Union,
    Unknown,
    Values,
    Windowed,
    outputs,
    relations,
)

FORMAT = 1


class Edge(NamedTuple):
    """One origin of a column or of rows. of: key of an asset, or name of a source."""

    of: str
    column: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Sources:
    """The origins of a column, or of rows. Without any origin it is a constant."""

    edges: frozenset[Edge] = frozenset()
    unknown: frozenset[str] = frozenset()
    """The parts of the plan that could not be read, by name. If there are any, there may be more edges, and of other
    kinds."""

    def __or__(self, other: Sources) -> Sources:
        return Sources(self.edges | other.edges, self.unknown | other.unknown)

    def then(self, kind: Kind) -> Sources:
        """The same origins after one more operation of the given kind."""
        return Sources(frozenset(Edge(of, name, along(how, kind)) for of, name, how in self.edges), self.unknown)

    @property
    def direct(self) -> frozenset[tuple[str, str]]:
        """The columns from which the value comes."""
        return frozenset((edge.of, edge.column) for edge in self.edges if edge.kind.is_direct)

    @property
    def made_of(self) -> frozenset[tuple[str, str]]:
        """The columns that a contract should declare: ``direct``; for a choice among constants, the columns that
        choose."""
        return self.direct or frozenset((edge.of, edge.column) for edge in self.edges)

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {"from": [[of, name, how.value] for of, name, how in sorted(self.edges)]}
        return data | ({"unknown": sorted(self.unknown)} if self.unknown else {})

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Sources:
        edges = frozenset(Edge(of, column, Kind(kind)) for of, column, kind in data["from"])
        return cls(edges, frozenset(data.get("unknown", ())))


NOTHING = Sources()


@dataclass(frozen=True, slots=True)
class ColumnLineage:
    """The column lineage of one asset."""

    columns: Mapping[str, Sources] = field(hash=False)
    """Column → its origins, in the order of the table."""
    rows: Sources = NOTHING
    """The origins that affect all columns."""
    reads: frozenset[str] = frozenset()
    """Everything whose rows the plan reads, used or not: assets, sources, and whatever the function reads by itself."""

    @property
    def unknown(self) -> frozenset[str]:
        """All parts of the plan that could not be read."""
        return self.rows.unknown.union(*(sources.unknown for sources in self.columns.values()))

    @property
    def edges(self) -> frozenset[Edge]:
        """All edges, of columns and of rows."""
        return self.rows.edges.union(*(sources.edges for sources in self.columns.values()))

    def to_json(self) -> dict[str, Any]:
        """JSON values, the same for the same lineage: ``columns`` in the table's order, all else sorted; an edge is
        ``[of, column, kind]``."""
        return {
            "format": FORMAT,
            "columns": {name: sources.to_json() for name, sources in self.columns.items()},
            "rows": self.rows.to_json(),
            "reads": sorted(self.reads),
        }

    @property
    def text(self) -> str:
        """``to_json`` as compact JSON."""
        return json.dumps(self.to_json(), separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ColumnLineage:
        """The inverse of ``to_json``. Raises ValueError for another format."""
        if data.get("format") != FORMAT:
            raise ValueError(f"column lineage of format {data.get('format')!r}; this version reads {FORMAT}")
        return cls(
            {name: Sources.from_json(sources) for name, sources in data["columns"].items()},
            Sources.from_json(data["rows"]),
            frozenset(data["reads"]),
        )


def column_lineage(plan: Relation) -> ColumnLineage:
    """The column lineage of a query plan."""
    known, rows = _followed(plan)
    columns = {one.name: known.get(one.attribute, _lost(one.name)) for one in outputs(plan)}
    reads: set[str] = set()
    for relation in relations(plan):
        if isinstance(relation, Input):
            reads.update(origin.of for origin in relation.origins)
        elif isinstance(relation, Foreign):
            reads.add(relation.name)
    return ColumnLineage(columns, rows, frozenset(reads))


_Known = dict[int, Sources]


def _followed(plan: Relation) -> tuple[_Known, Sources]:
    """The origins of each attribute of a relation, and of its rows."""
    match plan:
        case Input(origins, given):
            return {one.attribute: _from_origins(origins, one.name) for one in given}, NOTHING
        case Foreign(name, read):
            edges = {one.attribute: frozenset((Edge(name, one.name, Kind.IDENTITY),)) for one in read}
            return {attribute: Sources(edge) for attribute, edge in edges.items()}, NOTHING
        case Values(written):
            return {one.attribute: NOTHING for one in written}, NOTHING
        case Project(child, columns):
            known, rows = _followed(child)
            return {one.attribute: _sources(one.expression, known) for one in columns}, rows
        case Filter(child, condition):
            known, rows = _followed(child)
            return known, rows | _sources(condition, known).then(Kind.FILTER)
        case Join(left, right, on, _):
            (known, rows), (others, their_rows) = _followed(left), _followed(right)
            known = known | others
            rows = rows | their_rows
            return known, rows if on is None else rows | _sources(on, known).then(Kind.JOIN)
        case Aggregate(child, keys, columns):
            known, rows = _followed(child)
            keyed = _all((_sources(key, known) for key in keys), Kind.GROUP_BY)
            return {one.attribute: _sources(one.expression, known) for one in columns}, rows | keyed
        case Sort(child, by):
            known, rows = _followed(child)
            return known, rows | _all((_sources(one, known) for one in by), Kind.SORT)
        case Distinct(child, attributes):
            known, rows = _followed(child)
            return known, rows | _all((known.get(one, _lost(str(one))) for one in attributes), Kind.GROUP_BY)
        case Union(together, columns):
            return _of_union(together, [one.attribute for one in columns])
        case Opaque(name, below, columns):
            unknown = Sources(unknown=frozenset((name,)))
            rows = unknown | _all((_followed(child)[1] for child in below), Kind.IDENTITY)
            return {one.attribute: unknown for one in columns}, rows


def _of_union(together: Iterable[Relation], attributes: list[int]) -> tuple[_Known, Sources]:
    found, rows = dict.fromkeys(attributes, NOTHING), NOTHING
    for child in together:
        known, their_rows = _followed(child)
        rows = rows | their_rows
        for attribute, one in zip(attributes, outputs(child), strict=True):
            found[attribute] |= known.get(one.attribute, _lost(one.name))
    return found, rows


def _from_origins(origins: Iterable[Any], name: str) -> Sources:
    return Sources(frozenset(Edge(one.of, one.columns[name], Kind.IDENTITY) for one in origins if name in one.columns))


def _sources(expression: Expression, known: _Known) -> Sources:
    """The origins of the value of an expression."""
    match expression:
        case Column(attribute):
            return known.get(attribute, _lost(str(attribute)))
        case Made(values, conditions, aggregate):
            made = _all(
                (_sources(value, known) for value in values), Kind.AGGREGATION if aggregate else Kind.TRANSFORMATION
            )
            return made | _all((_sources(one, known) for one in conditions), Kind.CONDITIONAL)
        case Windowed(function, window):
            return _sources(function, known) | _all((_sources(one, known) for one in window), Kind.WINDOW)
        case Unknown(name):
            return Sources(unknown=frozenset((name,)))


def _all(several: Iterable[Sources], then: Kind) -> Sources:
    edges: set[Edge] = set()
    unknown: set[str] = set()
    for one in several:
        edges |= one.then(then).edges
        unknown |= one.unknown
    return Sources(frozenset(edges), frozenset(unknown))


def _lost(name: str) -> Sources:
    """The origins of an attribute that no relation below has. Then the plan was read wrongly; it counts as unknown."""
    return Sources(unknown=frozenset((f"column {name}",)))
