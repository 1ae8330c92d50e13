"""Converts pandera models, in which contracts are declared, to plain ``Contract`` values. Imports pandera.

In ``Config.metadata``, a model says what its row rules need beside the checks of single columns:

    key            columns that must not be null in a valid row
    on_the_hour    the column with the instant, for the check with the name ``on_the_hour``
    on_its_day     the columns with the instant and the day, for the check ``on_its_day``

The metadata of a column may have its ``unit``, and in ``from`` its origins: see ``Column.made_of``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyspark.sql.types as T

from orchestration.core.declarations.contract import Column, Contract, RowRule
from orchestration.core.errors import DeclarationError

RULE_ORDER = ("key", "negative", "not_finite", "implausible")


def contract_of(name: str, model: Any) -> Contract:
    """A pandera model as a ``Contract``. Raises DeclarationError for a check that cannot be compiled to a row rule."""
    schema = model.to_schema()
    columns, rules = [], []
    if not (model.__doc__ or "").strip():
        raise DeclarationError(f"contract {name}: has no description", "Give the class a docstring.")
    for column_name, column in schema.columns.items():
        if not column.description:
            raise DeclarationError(
                f"contract {name}: column {column_name!r} does not say what it holds",
                "Give its field a description; the table shows it as a comment.",
            )
        columns.append(
            Column(
                name=column_name,
                type=_delta_type(name, column_name, column.dtype.type),
                nullable=column.nullable,
                unit=(column.metadata or {}).get("unit", ""),
                description=column.description,
                made_of=_made_of(name, column_name, (column.metadata or {}).get("from")),
            )
        )
        for check in column.checks:
            rules += _row_rules(name, column_name, check.name, dict(check.statistics))
    if rules:
        about: Mapping[str, Sequence[str]] = getattr(model.Config, "metadata", None) or {}
        keys = [RowRule("key", "null", column) for column in about.get("key", schema.unique)]
        rules = keys + [_table_rule(name, check.name, about) for check in schema.checks] + rules
        rules.sort(key=lambda rule: RULE_ORDER.index(rule.rule))
    return Contract(
        name=name,
        description=(model.__doc__ or "").strip(),
        columns=tuple(columns),
        key=tuple(schema.unique),
        rules=tuple(rules),
    )


def _made_of(model: str, column: str, said: Any) -> tuple[str, ...] | None:
    if said is None or (isinstance(said, list | tuple) and all(isinstance(one, str) for one in said)):
        return None if said is None else tuple(said)
    raise DeclarationError(
        f"contract {model}: what column {column!r} is made of must be a list of columns (got {said!r})",
        'Write metadata={"from": ["column"]}; of other than the first upstream asset ["layer.name.column"].',
    )


TYPES = ("string", "integer", "long", "double", "boolean", "date", "timestamp", "byte", "short", "float")
"""The types of columns, and of what arrays hold."""


def _delta_type(model: str, column: str, kind: T.DataType) -> str:
    of = kind.elementType if isinstance(kind, T.ArrayType) else kind
    if of.typeName() not in TYPES:
        raise DeclarationError(
            f"contract {model}: column {column!r} has a type that no table has here ({kind.simpleString()})",
            f"Such are {', '.join(TYPES)}, and arrays of them; make columns of its parts.",
        )
    return f"array<{of.typeName()}>" if of is not kind else of.typeName()


def _table_rule(model: str, check: str, about: Mapping[str, Sequence[str]]) -> RowRule:
    match check, list(about.get(check, ())):
        case "on_the_hour", [instant]:
            return RowRule("key", "off_hour", instant)
        case "on_its_day", [instant, day]:
            return RowRule("key", "other_day", instant, other=day)
    raise _no_compiled_form(model, check)


def _row_rules(model: str, column: str, check: str, statistics: dict[str, Any]) -> list[RowRule]:
    match check:
        case "greater_than_or_equal_to":
            low = float(statistics["min_value"])
            return [RowRule("implausible" if low else "negative", "below", column, low)]
        case "notin":
            return [RowRule("not_finite", "not_finite", column)]
        case "less_than_or_equal_to":
            return [RowRule("implausible", "above", column, float(statistics["max_value"]))]
        case "in_range":
            low, high = float(statistics["min_value"]), float(statistics["max_value"])
            above = [] if high == float("inf") else [RowRule("implausible", "above", column, high)]
            return [RowRule("implausible", "below", column, low), *above]
    raise _no_compiled_form(model, check)


def _no_compiled_form(model: str, check: str) -> DeclarationError:
    return DeclarationError(
        f"contract {model}: the check {check!r} has no compiled form",
        "Use ge=0, le, in_range or notin=NOT_FINITE of a column, or teach engine/pandera_contracts.py a new one.",
    )
