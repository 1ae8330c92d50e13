"""Converts the plan of a Spark Connect frame, in which nothing is resolved, to a plan of ``core.lineage.plan``.

A column that is passed on keeps its attribute. Where the columns of a relation do not follow from the plan, the engine
is asked for its schema. Reads the messages of the protocol without importing it. Source: ``relations.proto`` of Spark
4.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from typing import Any

from orchestration.core.lineage.functions import called
from orchestration.core.lineage.plan import (
    CONSTANT,
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
)
from orchestration.engine.lineage.connect_expressions import columns_of, expression_of
from orchestration.engine.lineage.connect_scope import Scope, Seen, parts_of
from orchestration.engine.lineage.marks import input_of

Schema = Sequence[tuple[str, str]]
"""Names and types of columns."""

_PASSED_ON = frozenset(
    {*("limit", "offset", "tail", "sample", "repartition", "repartition_by_expression", "hint"), "collect_metrics"}
)
"""Relations that only limit or move rows."""
_WIDER = (("tinyint", "smallint", "int", "bigint", "double"), ("float", "double"), ("date", "timestamp"))
"""Of two types of a union, the later one is the type of the result. Source: Spark's ANSI coercion."""
_NUMBERS = ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal")
_FITS: Mapping[str, tuple[str, ...]] = {
    "boolean": ("boolean",),
    "string": ("string",),
    **dict.fromkeys(("byte", "short", "integer", "long", "float", "double"), _NUMBERS),
}
"""Type of a value that replaces nulls → types of the columns in which it does."""
_LEFT_ALONE = frozenset({"JOIN_TYPE_LEFT_SEMI", "JOIN_TYPE_LEFT_ANTI"})


class ConnectPlan:
    """Converts a plan. inputs: for each marked frame, the origins of its rows. schema: asks the engine for the schema
    of a relation."""

    def __init__(self, inputs: Sequence[tuple[Origin, ...]], schema: Callable[[Any], Schema]) -> None:
        self._inputs, self._schema = inputs, schema
        self._numbers = count()

    def relation(self, plan: Any) -> Relation:
        """What the message of a relation says."""
        return self._scope(plan).relation

    def _scope(self, said: Any) -> Scope:
        kind = said.WhichOneof("rel_type")
        one = getattr(said, kind)
        below: list[Scope] = []
        number = input_of(one.alias) if kind == "subquery_alias" else None
        if number is not None:
            made = self._input(one, number)
        elif kind == "with_relations":
            return self._scope(one.root)
        else:
            below = [self._scope(child) for child in _inputs_of(one)]
            made = self._made(kind, one, said, below) or self._opaque(kind, said, below)
        return made.of_plan(said.common.plan_id, below)

    def _input(self, alias: Any, number: int) -> Scope:
        selected = alias.input.project.expressions
        names = [parts_of(one.unresolved_attribute.unparsed_identifier)[-1] for one in selected]
        outputs = self._new(names)
        return Scope(Input(self._inputs[number], outputs), _seen(outputs, alias.alias))

    def _opaque(self, kind: str, said: Any, below: Sequence[Scope]) -> Scope:
        outputs = self._new(name for name, _ in self._schema(said))
        return Scope(Opaque(kind, tuple(scope.relation for scope in below), outputs), _seen(outputs))

    def _new(self, names: Iterable[str]) -> tuple[Output, ...]:
        return tuple(Output(next(self._numbers), name) for name in names)

    # --- relations ----------------------------------------------------------------------------------------------

    def _made(self, kind: str, one: Any, said: Any, below: Sequence[Scope]) -> Scope | None:
        """The relation; None for one that cannot be read."""
        if kind in _PASSED_ON:
            return Scope(below[0].relation, below[0].columns, hidden=below[0].hidden)
        match kind:
            case "range" | "local_relation" | "cached_local_relation" | "chunked_cached_local_relation":
                outputs = self._new(name for name, _ in self._schema(said))
                return Scope(Values(outputs), _seen(outputs))
            case "read":
                outputs = self._new(name for name, _ in self._schema(said))
                return Scope(Foreign(_read_name(one), outputs), _seen(outputs))
            case "subquery_alias":
                columns = tuple(seen._replace(qualifier=one.alias) for seen in below[0].columns)
                return Scope(below[0].relation, columns)
            case "project":
                if not below:  # of one row without columns
                    below = [Scope(Values(()), ())]
                return self._selected(
                    below[0], [column for each in one.expressions for column in columns_of(each, below[0])]
                )
            case "with_columns":
                made = [column for alias in one.aliases for column in _aliased(alias, below[0])]
                return self._selected(below[0], _replaced(below[0], made))
            case "with_columns_renamed":
                return self._selected(below[0], _renamed(one, below[0]))
            case "to_df":
                own = [made for _, made in _all(below[0])]
                return self._selected(below[0], list(zip(one.column_names, own, strict=True)))
            case "drop":
                return self._selected(below[0], _kept(one, below[0]))
            case "filter":
                return _seeing(below[0], [one.condition], lambda child, found: Filter(child, found[0]))
            case "sort":
                return _seeing(
                    below[0], [order.child for order in one.order], lambda child, found: Sort(child, tuple(found))
                )
            case "drop_na":
                names = list(one.cols) or [seen.name for seen in below[0].columns]
                looked_at = Made(tuple(below[0].resolved(f"`{name}`") for name in names))
                return Scope(Filter(below[0].relation, looked_at), below[0].columns)
            case "fill_na":
                return self._selected(below[0], _filled(one, below[0], self._schema(one.input)))
            case "deduplicate" if not one.within_watermark:
                return _distinct(below[0], None if one.all_columns_as_keys else list(one.column_names))
            case "aggregate":
                return self._aggregate(one, below[0])
            case "join":
                return self._join(one, below[0], below[1])
            case "set_op":
                return self._set_operation(one, below)
        return None

    def _selected(self, child: Scope, columns: Sequence[tuple[str, Expression]]) -> Scope:
        named = self._named(child, columns)
        there = {one.attribute for one in named}
        qualifiers = {one.attribute: one.qualifier for one in child.columns}
        seen = tuple(Seen(one.attribute, one.name, qualifiers.get(one.attribute, "")) for one in named)
        hidden = tuple(one for one in child.columns if one.attribute not in there)
        return Scope(Project(child.relation, named), seen, hidden=hidden)

    def _named(self, child: Scope, columns: Iterable[tuple[str, Expression]]) -> tuple[Named, ...]:
        """Computed columns. One that is passed on by its name, for the first time, keeps its attribute."""
        passed_on = {seen.attribute: seen.name for seen in child.columns}
        named = []
        for name, made in columns:
            kept = isinstance(made, Column) and passed_on.get(made.attribute) == name
            attribute = made.attribute if kept and isinstance(made, Column) else next(self._numbers)
            passed_on.pop(attribute, None)
            named.append(Named(attribute, name, made))
        return tuple(named)

    def _aggregate(self, one: Any, child: Scope) -> Scope | None:
        if one.group_type != one.GROUP_TYPE_GROUPBY:
            return None
        said = [*one.grouping_expressions, *one.aggregate_expressions]
        keys = tuple(expression_of(each, child) for each in one.grouping_expressions)
        columns = self._named(child, (column for each in said for column in columns_of(each, child)))
        seen = tuple(Seen(each.attribute, each.name) for each in columns)
        return Scope(Aggregate(child.relation, keys, columns), seen)

    def _join(self, one: Any, left: Scope, right: Scope) -> Scope:
        how = one.JoinType.Name(one.join_type)
        both = left.beside(right, left.relation)
        condition = expression_of(one.join_condition, both) if one.HasField("join_condition") else None
        keys = [(left.resolved(f"`{name}`"), right.resolved(f"`{name}`")) for name in one.using_columns]
        if keys:
            condition = Made(tuple(side for pair in keys for side in pair))
        joined = Join(left.relation, right.relation, condition, how in _LEFT_ALONE)
        if how in _LEFT_ALONE:
            return Scope(joined, left.columns)
        both = Scope(joined, both.columns)
        if not keys:
            return both
        chosen = [_key(pair, how) for pair in keys]
        used = {side.attribute for pair in keys for side in pair if isinstance(side, Column)}
        others = [(seen.name, Column(seen.attribute)) for seen in both.columns if seen.attribute not in used]
        return self._selected(both, [*zip(one.using_columns, chosen, strict=True), *others])

    def _set_operation(self, one: Any, below: Sequence[Scope]) -> Scope:
        aligned = self._aligned(one, below)
        messages = (one.left_input, one.right_input)
        kinds = [self._types(said, side, by_name=one.by_name) for said, side in zip(messages, aligned, strict=True)]
        sides = [self._cast(side, own, other) for side, own, other in zip(aligned, kinds, kinds[::-1], strict=True)]
        left, right = sides
        if one.set_op_type != one.SET_OP_TYPE_UNION:
            compared = Made(tuple(Column(seen.attribute) for side in sides for seen in side.columns))
            return Scope(Join(left.relation, right.relation, compared, left_alone=True), left.columns)
        outputs = tuple(Output(seen.attribute, seen.name) for seen in left.columns)
        return Scope(Union((left.relation, right.relation), outputs), _seen(outputs))

    def _aligned(self, one: Any, below: Sequence[Scope]) -> list[Scope]:
        """Both sides with the same columns: those of the first one; where some may be missing, also those of the second
        one."""
        if not one.by_name:
            return list(below)
        names = [seen.name for seen in below[0].columns]
        known = {name.lower() for name in names}
        if one.allow_missing_columns:
            names += [seen.name for seen in below[1].columns if seen.name.lower() not in known]
        sides = []
        for scope in below:
            there = {seen.name.lower() for seen in scope.columns}
            found = [(name, scope.resolved(f"`{name}`") if name.lower() in there else CONSTANT) for name in names]
            same = [seen.name for seen in scope.columns] == names
            sides.append(scope if same else self._selected(scope, found))
        return sides

    def _types(self, said: Any, side: Scope, *, by_name: bool) -> list[str | None]:
        """The types of the columns of a side; None where it lacks the column."""
        own = self._schema(said)
        if not by_name:
            return [kind for _, kind in own]
        kinds = {name.lower(): kind for name, kind in own}
        return [kinds.get(seen.name.lower()) for seen in side.columns]

    def _cast(self, side: Scope, own: Sequence[str | None], other: Sequence[str | None]) -> Scope:
        """A side of a union, cast where the other side has wider types."""
        how = [_widened(mine, theirs) for mine, theirs in zip(own, other, strict=True)]
        if all(cast is False for cast in how):
            return side
        return self._selected(
            side,
            [
                (name, made if cast is False else Made((made,)) if cast else Unknown(f"union of {mine} and {theirs}"))
                for (name, made), cast, mine, theirs in zip(_all(side), how, own, other, strict=True)
            ],
        )


def _widened(own: str | None, other: str | None) -> bool | None:
    """Whether a column of a union is cast to the type of the other side; None where that is not known."""
    if own == other or own is None or other in (None, "void"):
        return False
    if own == "void":
        return True
    for wider in _WIDER:
        if own in wider and other in wider:
            return wider.index(own) < wider.index(other)
    return None


def _inputs_of(one: Any) -> list[Any]:
    """The relations from which a relation is made."""
    fields = ("input", "left", "right", "left_input", "right_input")
    known = [name for name in fields if name in one.DESCRIPTOR.fields_by_name]
    return [getattr(one, name) for name in known if one.HasField(name)]


def _seen(outputs: Iterable[Output], qualifier: str = "") -> tuple[Seen, ...]:
    return tuple(Seen(one.attribute, one.name, qualifier) for one in outputs)


def _all(scope: Scope) -> list[tuple[str, Expression]]:
    return [(seen.name, Column(seen.attribute)) for seen in scope.columns]


def _aliased(alias: Any, scope: Scope) -> list[tuple[str, Expression]]:
    return [(name, expression_of(alias.expr, scope)) for name in alias.name]


def _replaced(scope: Scope, made: Sequence[tuple[str, Expression]]) -> list[tuple[str, Expression]]:
    """All columns. Computed ones replace those of the same name, or come last."""
    new = {name.lower(): (name, expression) for name, expression in made}
    kept = [new.pop(name.lower(), (name, own)) for name, own in _all(scope)]
    return [*kept, *new.values()]


def _renamed(one: Any, scope: Scope) -> list[tuple[str, Expression]]:
    """All columns; each renaming sees the names that those before it gave."""
    pairs = [(each.col_name, each.new_col_name) for each in one.renames] or list(one.rename_columns_map.items())
    columns = _all(scope)
    for old, new in pairs:
        columns = [(new if name.lower() == old.lower() else name, made) for name, made in columns]
    return columns


def _kept(one: Any, scope: Scope) -> list[tuple[str, Expression]]:
    """All columns but those that are dropped."""
    names = {name.lower() for name in one.column_names}
    found = [expression_of(each, scope) for each in one.columns]
    return [(name, own) for name, own in _all(scope) if name.lower() not in names and own not in found]


def _filled(one: Any, scope: Scope, types: Schema) -> list[tuple[str, Expression]]:
    """All columns, with another value in place of null in the named ones, or in those whose type fits it."""
    named = {name.lower() for name in one.cols}
    fits = None if len(one.values) > 1 else _FITS.get(one.values[0].WhichOneof("literal_type"), ())
    made = []
    for (name, own), (_, kind) in zip(_all(scope), types, strict=True):
        is_filled = name.lower() in named if named else True
        if fits is not None and not kind.startswith(fits):
            is_filled = False
        made.append((name, called("coalesce", (own, CONSTANT)) if is_filled else own))
    return made


def _key(pair: tuple[Expression, Expression], how: str) -> Expression:
    """The key column of a join by names, from the keys of both sides."""
    if how == "JOIN_TYPE_FULL_OUTER":
        return called("coalesce", pair)
    return pair[how == "JOIN_TYPE_RIGHT_OUTER"]


def _distinct(scope: Scope, names: Sequence[str] | None) -> Scope:
    found = (
        [Column(seen.attribute) for seen in scope.columns]
        if names is None
        else [scope.resolved(f"`{name}`") for name in names]
    )
    lost = [each for each in found if not isinstance(each, Column)]
    keys = tuple(each.attribute for each in found if isinstance(each, Column))
    relation: Relation = Distinct(scope.relation, keys)
    return Scope(Filter(relation, Made(tuple(lost))) if lost else relation, scope.columns)


def _seeing(scope: Scope, said: Sequence[Any], make: Callable[[Relation, list[Expression]], Relation]) -> Scope:
    """A filter or an order: it can use columns that were dropped right below it."""
    found = [expression_of(each, scope) for each in said]
    wider = scope.with_hidden() if any(_is_lost(each) for each in found) else None
    if wider is None:
        return Scope(make(scope.relation, found), scope.columns, hidden=scope.hidden)
    made = make(wider.relation, [expression_of(each, wider) for each in said])
    own = tuple(Named(seen.attribute, seen.name, Column(seen.attribute)) for seen in scope.columns)
    return Scope(Project(made, own), scope.columns, hidden=scope.hidden)


def _is_lost(expression: Expression) -> bool:
    match expression:
        case Unknown(name):
            return name.startswith("column ")
        case Made(values, conditions):
            return any(map(_is_lost, (*values, *conditions)))
    return False


def _read_name(read: Any) -> str:
    """What is read, as far as the plan says."""
    if read.WhichOneof("read_type") == "named_table":
        return str(read.named_table.unparsed_identifier)
    source = read.data_source
    return " ".join([source.format, *source.paths]).strip()
