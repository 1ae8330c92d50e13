"""Column lineage of plans: by example, and that no other column than those that it names can change anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.lineage.columns import ColumnLineage, Edge, Sources, column_lineage
from orchestration.core.lineage.kinds import Kind
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
    Named,
    Opaque,
    Origin,
    Output,
    Project,
    Relation,
    Sort,
    Union,
    Unknown,
    Values,
    Windowed,
    outputs,
)

TABLES: Mapping[str, tuple[str, ...]] = {"a": ("p", "q", "r"), "b": ("s", "t")}


def table(of: str, first: int = 0) -> Input:
    columns = tuple(Output(first + number, name) for number, name in enumerate(TABLES[of]))
    return Input((Origin(of, {name: name for name in TABLES[of]}),), columns)


def edges(sources: Sources) -> set[str]:
    return {f"{edge.of}.{edge.column} {edge.kind}" for edge in sources.edges}


A, B = table("a"), table("b", 10)


def test_a_column_of_a_constant_comes_from_nowhere() -> None:
    made = column_lineage(Project(A, (Named(5, "one", Made()),)))
    assert made.columns == {"one": Sources()}
    assert made.reads == {"a"}


def test_what_is_looked_at_and_can_be_the_result_is_both() -> None:
    made = column_lineage(Project(A, (Named(5, "x", Made((Column(0), Column(1)), (Column(0),))),)))
    assert edges(made.columns["x"]) == {"a.p TRANSFORMATION", "a.p CONDITIONAL", "a.q TRANSFORMATION"}


def test_conditions_of_a_part_have_a_say_in_the_whole() -> None:
    chosen = Made((Column(1),), (Column(0),))
    made = column_lineage(Aggregate(A, (Column(2),), (Named(5, "x", Made((chosen,), aggregate=True)),)))
    assert edges(made.columns["x"]) == {"a.p CONDITIONAL", "a.q AGGREGATION"}
    assert edges(made.rows) == {"a.r GROUP_BY"}


def test_rows_are_decided_by_all_that_lies_below() -> None:
    joined = Join(Filter(A, Column(0)), Sort(B, (Column(11),)), Made((Column(1), Column(10))))
    made = column_lineage(Project(joined, (Named(2, "r", Column(2)),)))
    assert edges(made.columns["r"]) == {"a.r IDENTITY"}
    assert edges(made.rows) == {"a.p FILTER", "a.q JOIN", "b.s JOIN", "b.t SORT"}


def test_a_window_has_a_say_in_its_own_column_alone() -> None:
    over = Windowed(Made((Column(0),)), (Column(1),))
    made = column_lineage(Project(A, (Named(5, "x", over), Named(2, "r", Column(2)))))
    assert edges(made.columns["x"]) == {"a.p TRANSFORMATION", "a.q WINDOW"}
    assert edges(made.columns["r"]) == {"a.r IDENTITY"}
    assert made.rows == Sources()


def test_rows_of_two_origins_have_both() -> None:
    both = Input(
        (Origin("source", {"p": "its p"}), Origin("a", {"p": "p", "q": "q"})), (Output(0, "p"), Output(1, "q"))
    )
    made = column_lineage(both)
    assert edges(made.columns["p"]) == {"source.its p IDENTITY", "a.p IDENTITY"}
    assert edges(made.columns["q"]) == {"a.q IDENTITY"}
    assert made.reads == {"source", "a"}


def test_what_is_unknown_is_named_where_it_has_a_say_and_nowhere_else() -> None:
    made = column_lineage(Project(A, (Named(5, "x", Made((Unknown("magic"), Column(0)))), Named(1, "q", Column(1)))))
    assert made.columns["x"].unknown == {"magic"}
    assert made.columns["q"] == Sources(frozenset({Edge("a", "q", Kind.IDENTITY)}))
    assert made.rows == Sources()
    assert made.unknown == {"magic"}


def test_nothing_is_guessed_of_an_unknown_relation() -> None:
    made = column_lineage(Opaque("Magic", (Filter(A, Column(0)),), (Output(7, "x"),)))
    assert made.columns == {"x": Sources(unknown=frozenset({"Magic"}))}
    assert made.rows.unknown == {"Magic"}
    assert made.reads == {"a"}


def test_an_attribute_that_nobody_gives_is_no_constant() -> None:
    assert column_lineage(Project(A, (Named(5, "x", Column(99)),))).unknown == {"column 99"}


def test_what_is_read_without_being_given_is_named() -> None:
    made = column_lineage(Foreign("parquet /x", (Output(0, "y"),)))
    assert edges(made.columns["y"]) == {"parquet /x.y IDENTITY"}
    assert made.reads == {"parquet /x"}


def test_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match="column lineage of format 7; this version reads 1"):
        ColumnLineage.from_json({"format": 7, "columns": {}})


SOURCES = st.builds(
    Sources,
    st.frozensets(st.builds(Edge, st.sampled_from("ab"), st.sampled_from("pqr"), st.sampled_from(list(Kind)))),
    st.frozensets(st.sampled_from(["Magic", "Udf"])),
)
LINEAGES = st.builds(
    ColumnLineage,
    st.dictionaries(st.sampled_from(["z", "y", "é", "x"]), SOURCES),
    SOURCES,
    st.frozensets(st.sampled_from("ab")),
)


@given(LINEAGES)
def test_json_and_back(lineage: ColumnLineage) -> None:
    text = json.dumps(lineage.to_json())
    again = ColumnLineage.from_json(json.loads(text))
    assert again == lineage
    assert list(again.columns) == list(lineage.columns)
    assert json.dumps(again.to_json()) == text


# --- nothing else can change anything -----------------------------------------------------------------------------


class _Plans:
    """Draws plans of two tables."""

    def __init__(self, draw: Any) -> None:
        self._draw, self._numbers = draw, count(100)

    def relation(self, depth: int) -> Relation:
        kinds = ["input"] if depth == 0 else ["filter", "project", "distinct", "sort", "aggregate", "join", "union"]
        kind = self._draw(st.sampled_from(kinds))
        if kind == "input":
            of = self._draw(st.sampled_from(["a", "b"]))
            return Input(
                (Origin(of, {name: name for name in TABLES[of]}),),
                tuple(Output(next(self._numbers), name) for name in TABLES[of]),
            )
        child = self.relation(depth - 1)
        there = [one.attribute for one in outputs(child)]
        if kind == "project":
            return Project(child, self._columns(there, self._row_by_row))
        if kind == "filter":
            return Filter(child, self._row_by_row(there, 2))
        if kind == "join":
            other = self.relation(depth - 1)
            both = there + [one.attribute for one in outputs(other)]
            return Join(child, other, self._row_by_row(both, 2), self._draw(st.booleans()))
        if kind == "aggregate":
            keys = tuple(self._row_by_row(there, 1) for _ in range(self._draw(st.integers(0, 2))))
            choices = [lambda: Made((self._row_by_row(there, 1),), aggregate=True), *(lambda k=k: k for k in keys)]
            return Aggregate(child, keys, self._columns(there, lambda *_: self._draw(st.sampled_from(choices))()))
        if kind == "sort":
            return Sort(child, (self._row_by_row(there, 1),))
        if kind == "distinct":
            return Distinct(child, (self._draw(st.sampled_from(there)),))
        other = self.relation(depth - 1)
        number = min(len(there), len(outputs(other)))
        sides = tuple(
            Project(
                side, tuple(Named(next(self._numbers), "u", Column(one.attribute)) for one in outputs(side)[:number])
            )
            for side in (child, other)
        )
        return Union(sides, tuple(Output(next(self._numbers), "u") for _ in range(number)))

    def _columns(self, there: list[int], make: Any) -> tuple[Named, ...]:
        number = self._draw(st.integers(1, 3))
        return tuple(Named(next(self._numbers), f"c{at}", make(there, 2)) for at in range(number))

    def _row_by_row(self, there: list[int], depth: int) -> Expression:
        kind = self._draw(st.sampled_from(["made", "column", "window", "chosen"])) if depth else "column"
        if kind == "column":
            return Column(self._draw(st.sampled_from(there)))
        parts = tuple(self._row_by_row(there, depth - 1) for _ in range(self._draw(st.integers(0, 2))))
        if kind == "window" and parts:
            return Windowed(Made((self._row_by_row(there, 0),), aggregate=True), parts)
        return Made(parts) if kind == "made" else Made(parts, (self._row_by_row(there, depth - 1),))


@st.composite
def plans(draw: Any) -> Relation:
    return _Plans(draw).relation(draw(st.integers(1, 3)))


ROWS = st.fixed_dictionaries(
    {
        of: st.lists(st.fixed_dictionaries({name: st.integers(0, 3) for name in names}), min_size=2, max_size=4)
        for of, names in TABLES.items()
    }
)
Row = dict[int, int]


def number_of(*values: object) -> int:
    return hash(values) % 5


def value_of(expression: Expression, row: Row, among: list[Row]) -> int:
    """Of an expression in a row; aggregates and windows look at the rows ``among`` which it is."""
    match expression:
        case Column(attribute):
            return row[attribute]
        case Made(values, conditions, aggregate):
            over = among if aggregate else [row]
            made = sorted(tuple(value_of(one, each, among) for one in values) for each in over)
            return number_of(made and tuple(made), tuple(value_of(one, row, among) for one in conditions))
        case Windowed(function, window):
            own = [value_of(one, row, among) for one in window]
            return value_of(
                function, row, [each for each in among if [value_of(o, each, among) for o in window] == own]
            )
    raise AssertionError(expression)


def rows_of(plan: Relation, tables: Mapping[str, list[dict[str, int]]]) -> list[Row]:
    """A small engine."""
    match plan:
        case Input(origins, given_columns):
            return [{one.attribute: row[one.name] for one in given_columns} for row in tables[origins[0].of]]
        case Project(child, columns):
            rows = rows_of(child, tables)
            return [{one.attribute: value_of(one.expression, row, rows) for one in columns} for row in rows]
        case Filter(child, condition):
            rows = rows_of(child, tables)
            return [row for row in rows if value_of(condition, row, rows) % 2]
        case Join(left, right, condition, left_alone):
            sides = rows_of(left, tables), rows_of(right, tables)
            pairs = [(one, one | other) for one in sides[0] for other in sides[1]]
            both = [pair for _, pair in pairs]
            assert condition is not None
            matching = [(one, pair) for one, pair in pairs if value_of(condition, pair, both) % 2]
            if not left_alone:
                return [pair for _, pair in matching]
            return [one for one in sides[0] if any(one is other for other, _ in matching)]
        case Aggregate(child, keys, columns):
            rows = rows_of(child, tables)
            groups: dict[tuple[int, ...], list[Row]] = {}
            for row in rows:
                groups.setdefault(tuple(value_of(key, row, rows) for key in keys), []).append(row)
            return [
                {
                    one.attribute: value[keys.index(one.expression)]
                    if one.expression in keys
                    else value_of(one.expression, group[0], group)
                    for one in columns
                }
                for value, group in groups.items()
            ]
        case Sort(child, by):
            rows = rows_of(child, tables)
            return sorted(rows, key=lambda row: [value_of(one, row, rows) for one in by])
        case Distinct(child, by):
            return list({tuple(row[one] for one in by): row for row in reversed(rows_of(child, tables))}.values())[::-1]
        case Union(children, columns):
            return [
                {one.attribute: row[theirs.attribute] for one, theirs in zip(columns, outputs(child), strict=True)}
                for child in children
                for row in rows_of(child, tables)
            ]
    raise AssertionError(plan)


@settings(max_examples=300, deadline=None)
@given(plans(), ROWS, st.lists(ROWS, min_size=3, max_size=3))
def test_no_column_that_is_not_named_can_change_a_value_or_a_row(plan: Relation, tables: Any, others: Any) -> None:
    for one in outputs(plan):
        shown = Project(plan, (Named(1, "shown", Column(one.attribute)),))
        lineage = column_lineage(shown)
        assert not lineage.unknown
        named = {(edge.of, edge.column) for edge in lineage.edges}
        expected = sorted(row[1] for row in rows_of(shown, tables))
        for other in others:
            changed = {of: _changed(of, rows, other[of], named) for of, rows in tables.items()}
            assert sorted(row[1] for row in rows_of(shown, changed)) == expected


def _changed(
    of: str, rows: list[dict[str, int]], others: list[dict[str, int]], named: set[tuple[str, str]]
) -> list[dict[str, int]]:
    """As many rows, with others' values in all columns that are not named."""
    return [
        {name: value if (of, name) in named else others[at % len(others)][name] for name, value in row.items()}
        for at, row in enumerate(rows)
    ]


def test_rows_of_no_table_have_no_sources() -> None:
    assert column_lineage(Values((Output(1, "id"),))) == ColumnLineage({"id": Sources()})
