"""Converts expressions of Spark Connect plans, in which names are not resolved, to expressions of
``core.lineage.plan``.

Reads the messages of the protocol without importing it. Source: ``expressions.proto`` of Spark 4.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from orchestration.core.lineage.functions import called
from orchestration.core.lineage.plan import CONSTANT, Column, Expression, Made, Unknown, Windowed
from orchestration.engine.lineage.connect_scope import Scope, parts_of

_CONSTANTS = frozenset({"literal", "unresolved_named_lambda_variable"})
_GENERATED = {
    "explode": ("col",),
    "explode_outer": ("col",),
    "posexplode": ("pos", "col"),
    "posexplode_outer": ("pos", "col"),
}
"""The names of a generator's columns where the plan gives none."""


def expression_of(said: Any, scope: Scope) -> Expression:
    """The expression of a message. scope: resolves names."""
    kind, one = _said(said)
    match kind:
        case "unresolved_attribute":
            plan = one.plan_id if one.HasField("plan_id") else None
            return scope.resolved(one.unparsed_identifier, plan)
        case "alias":
            return expression_of(one.expr, scope)
        case "sort_order":
            return expression_of(one.child, scope)
        case "named_argument_expression":
            return expression_of(one.value, scope)
        case "lambda_function":
            return expression_of(one.function, scope)
        case "cast":
            return Made((expression_of(one.expr, scope),))
        case "unresolved_extract_value":
            return Made(_all((one.child, one.extraction), scope))
        case "update_fields":
            values = (one.struct_expression, one.value_expression) if one.HasField("value_expression") else ()
            return Made(_all(values or (one.struct_expression,), scope))
        case "unresolved_function":
            if one.is_user_defined_function:
                return Unknown(one.function_name)
            return called(one.function_name, _arguments(one, scope))
        case "call_function":
            return called(one.function_name, _arguments(one, scope))
        case "window":
            bounds = [bound.value for bound in (one.frame_spec.lower, one.frame_spec.upper) if bound.HasField("value")]
            window = _all((*one.partition_spec, *(order.child for order in one.order_spec), *bounds), scope)
            return Windowed(expression_of(one.window_function, scope), window)
        case "common_inline_user_defined_function":
            return Unknown("PythonUDF" if one.HasField("python_udf") else kind)
    return CONSTANT if kind in _CONSTANTS else Unknown(kind)


def _said(said: Any) -> tuple[str, Any]:
    """The kind of an expression's message, and the message of that kind."""
    kind = str(said.WhichOneof("expr_type"))
    return kind, getattr(said, kind, None)


def _all(several: Iterable[Any], scope: Scope) -> tuple[Expression, ...]:
    return tuple(expression_of(one, scope) for one in several)


def _arguments(call: Any, scope: Scope) -> tuple[Expression, ...]:
    """The arguments of a function. A star stands for all columns."""
    found: list[Expression] = []
    for one in call.arguments:
        if one.WhichOneof("expr_type") != "unresolved_star":
            found.append(expression_of(one, scope))
        elif call.function_name.lower() != "count":
            found += [column for _, column in _star(one.unresolved_star, scope)]
    return tuple(found)


def columns_of(said: Any, scope: Scope) -> Iterator[tuple[str, Expression]]:
    """The columns that an expression of a selection makes, with their names."""
    kind = said.WhichOneof("expr_type")
    if kind == "unresolved_star":
        yield from _star(said.unresolved_star, scope)
        return
    expression = expression_of(said, scope)
    if kind == "alias":
        yield from ((name, expression) for name in said.alias.name)
    elif kind == "unresolved_function" and said.unresolved_function.function_name in _GENERATED:
        yield from ((name, expression) for name in _GENERATED[said.unresolved_function.function_name])
    else:
        yield _name(said), expression


def _star(star: Any, scope: Scope) -> Iterator[tuple[str, Expression]]:
    """All columns, or those of one relation by its alias. Fields of a column are not known here."""
    whose = star.unparsed_target.removesuffix(".*").strip("`").lower() if star.HasField("unparsed_target") else ""
    plan = star.plan_id if star.HasField("plan_id") else None
    found = [one for one in scope.columns if not whose or one.qualifier.lower() == whose]
    if whose and not found:
        yield star.unparsed_target, Unknown(star.unparsed_target)
    for one in found:
        yield one.name, Column(one.attribute) if plan is None else scope.resolved(f"`{one.name}`", plan)


def _name(said: Any) -> str:
    """The name of a column where the plan gives none, for simple expressions."""
    kind, one = _said(said)
    match kind:
        case "unresolved_attribute":
            return parts_of(one.unparsed_identifier)[-1]
        case "alias":
            return str(one.name[0])
        case "cast":
            return _name(one.expr)
        case "unresolved_function":
            return f"{one.function_name}({', '.join(_name(each) for each in one.arguments)})"
        case "literal":
            return str(getattr(one, one.WhichOneof("literal_type")))
    return ""
