"""A query plan as far as column lineage needs it: the same few relations and expressions for both engines.

Columns are identified by *attributes*: numbers that are given once. A column that is passed on keeps its attribute; a
computed column gets a new one. Names matter only for inputs and outputs. Operations that change neither columns nor
rows by values (limits, aliases, repartitioning) are left out. What is not known is an ``Opaque`` relation or an
``Unknown`` expression with its name. Knows no engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

# --- expressions ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Column:
    """The value of an attribute."""

    attribute: int


@dataclass(frozen=True, slots=True)
class Made:
    """A value that is computed from ``values`` and chosen by ``conditions``. Without either it is a constant.

    An argument that decides and can also be the result is in both.
    """

    values: tuple[Expression, ...] = ()
    conditions: tuple[Expression, ...] = ()
    aggregate: bool = False
    """Whether it is computed over several rows."""


@dataclass(frozen=True, slots=True)
class Windowed:
    """A function over a window."""

    function: Expression
    window: tuple[Expression, ...]
    """The expressions of the window's partition, order and frame bounds."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """An expression that cannot be read. name: its name in the engine."""

    name: str


Expression = Column | Made | Windowed | Unknown

CONSTANT = Made()


# --- relations --------------------------------------------------------------------------------------------------


class Output(NamedTuple):
    """A column of a relation."""

    attribute: int
    name: str


class Named(NamedTuple):
    """A computed column; or a column that is passed on, if ``expression`` is the attribute itself."""

    attribute: int
    name: str
    expression: Expression


@dataclass(frozen=True, slots=True)
class Origin:
    """From where the rows come that a function is given."""

    of: str
    """Key of an asset, or name of a source."""
    columns: Mapping[str, str] = field(hash=False)
    """Column of the rows → its name in the asset or source. A column that is not listed does not come from there."""


@dataclass(frozen=True, slots=True)
class Input:
    """Rows that the function is given. The plan ends here."""

    origins: tuple[Origin, ...]
    """Several, if some rows come from one of them and some from another."""
    outputs: tuple[Output, ...]


@dataclass(frozen=True, slots=True)
class Values:
    """Rows that come from no table: constants, or ranges of numbers."""

    outputs: tuple[Output, ...]


@dataclass(frozen=True, slots=True)
class Foreign:
    """Rows that the function reads by itself. name: of what it reads, as far as the plan tells."""

    name: str
    outputs: tuple[Output, ...]


@dataclass(frozen=True, slots=True)
class Project:
    """Computes columns row by row. Generators, which make several rows from one, count as such too."""

    child: Relation
    columns: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Filter:
    """Keeps the rows that fulfil ``condition``."""

    child: Relation
    condition: Expression


@dataclass(frozen=True, slots=True)
class Join:
    """Joins two relations."""

    left: Relation
    right: Relation
    condition: Expression | None
    """None: every row with every row."""
    left_alone: bool = False
    """Whether only the columns of the left side come out (semi and anti joins)."""


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One row for each distinct value of ``keys``. columns: their expressions are keys, or aggregates of the child's
    columns."""

    child: Relation
    keys: tuple[Expression, ...]
    columns: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Sort:
    """Orders the rows."""

    child: Relation
    by: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Distinct:
    """One row of all those with equal values of the attributes ``by``."""

    child: Relation
    by: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Union:
    """All rows of the children. Columns correspond by position."""

    children: tuple[Relation, ...]
    outputs: tuple[Output, ...]


@dataclass(frozen=True, slots=True)
class Opaque:
    """A relation that cannot be read. name: its name in the engine. outputs: as far as they are known."""

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
    """The relation and all relations below it."""
    yield of
    for child in children(of):
        yield from relations(child)
