"""A logical plan as far as lineage needs it: whichever engine it was read from, the same few relations and expressions.

Columns are known by *attributes*, numbers that are given once: a column that is passed on keeps its own, one that is
made has a new one; names are for the ends. What neither gives nor takes columns or rows by their values (a limit, an
alias, a repartitioning) is left out. What is not known is an ``Opaque`` relation or an ``Unknown`` expression, with its
name. Knows no engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

# --- expressions ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Column:
    """The value of an attribute, as it is."""

    attribute: int


@dataclass(frozen=True, slots=True)
class Made:
    """Made of ``values``, as ``conditions`` say; without either a constant.

    aggregate: over several rows. What is looked at to decide and can be the result too stands in both.
    """

    values: tuple[Expression, ...] = ()
    conditions: tuple[Expression, ...] = ()
    aggregate: bool = False


@dataclass(frozen=True, slots=True)
class Windowed:
    """A function over a window: its partition's and order's expressions, and what its frame is bounded by."""

    function: Expression
    window: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Unknown:
    """An expression that nobody here can read. name: what its engine calls it."""

    name: str


Expression = Column | Made | Windowed | Unknown

CONSTANT = Made()


# --- relations --------------------------------------------------------------------------------------------------


class Output(NamedTuple):
    """A column of a relation."""

    attribute: int
    name: str


class Named(NamedTuple):
    """A column that is made, or passed on where ``expression`` is its own attribute."""

    attribute: int
    name: str
    expression: Expression


@dataclass(frozen=True, slots=True)
class Origin:
    """Where rows that a function is given come from. of: an asset's key, or the name of a source.

    columns: what a column of the rows is called there; a column that is not named does not come from there.
    """

    of: str
    columns: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Input:
    """Rows that the function is given; what lies below them is none of its business. origins: several where some rows
    come from one and some from another."""

    origins: tuple[Origin, ...]
    outputs: tuple[Output, ...]


@dataclass(frozen=True, slots=True)
class Values:
    """Rows of no table: written down, or counted."""

    outputs: tuple[Output, ...]


@dataclass(frozen=True, slots=True)
class Foreign:
    """Rows that the function reads by itself. name: of what, as far as the plan tells."""

    name: str
    outputs: tuple[Output, ...]


@dataclass(frozen=True, slots=True)
class Project:
    """The columns alone, made row by row. What makes several rows of one is here too."""

    child: Relation
    columns: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Filter:
    child: Relation
    condition: Expression


@dataclass(frozen=True, slots=True)
class Join:
    """Columns of both sides, or of the left one alone (semi and anti joins). condition: None for each with each."""

    left: Relation
    right: Relation
    condition: Expression | None
    left_alone: bool = False


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A row for each value of ``keys``. columns: their expressions are keys, or aggregates of the child's."""

    child: Relation
    keys: tuple[Expression, ...]
    columns: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Sort:
    child: Relation
    by: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Distinct:
    """One row of those that have the same values of ``by``."""

    child: Relation
    by: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Union:
    """Rows of all, columns by their position."""

    children: tuple[Relation, ...]
    outputs: tuple[Output, ...]


@dataclass(frozen=True, slots=True)
class Opaque:
    """A relation that nobody here can read. name: what its engine calls it. outputs: as far as they are known."""

    name: str
    children: tuple[Relation, ...]
    outputs: tuple[Output, ...]


Relation = Input | Values | Foreign | Project | Filter | Join | Aggregate | Sort | Distinct | Union | Opaque


def outputs(of: Relation) -> tuple[Output, ...]:
    """The columns of a relation, in their order."""
    match of:
        case Project(_, columns) | Aggregate(_, _, columns):
            return tuple(Output(one.attribute, one.name) for one in columns)
        case Filter(child) | Sort(child) | Distinct(child):
            return outputs(child)
        case Join(left, right, _, left_alone):
            return outputs(left) if left_alone else outputs(left) + outputs(right)
        case _:
            return of.outputs


def children(of: Relation) -> tuple[Relation, ...]:
    match of:
        case Project(child) | Filter(child) | Aggregate(child) | Sort(child) | Distinct(child):
            return (child,)
        case Join(left, right):
            return (left, right)
        case Union(together) | Opaque(_, together):
            return together
        case _:
            return ()


def relations(of: Relation) -> Iterator[Relation]:
    """It and all below it."""
    yield of
    for child in children(of):
        yield from relations(child)
