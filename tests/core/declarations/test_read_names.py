"""Parameters that are declared and not used, or used and not declared: refused by name, without a false alarm."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from orchestration.core.declarations.asset import asset
from orchestration.core.declarations.catalog import Catalog
from orchestration.core.declarations.read_names import undeclared, unread
from orchestration.core.errors import DeclarationError


def helper(**given: Any) -> Any:
    return given


def plain(*, rule: Any) -> Any:
    return rule.limit


def nested(*, rule: Any) -> Any:
    def inner(rows: Any) -> Any:
        return rows, rule

    return inner


def deeper(*, rule: Any) -> Any:
    return [lambda rows: [rule for _ in rows] for _ in ()]


def handed_on(*, rule: Any) -> Any:
    return helper(rule=rule)


def handed_on_with_others(*, rule: Any, other: Any) -> Any:
    named = {"rule": rule}
    return helper(**named, others=[other])


def in_a_text(*, rule: Any) -> Any:
    return f"{rule!r}"


def as_a_default(*, rule: Any) -> Any:
    def inner(rows: Any, by: Any = rule) -> Any:
        return rows, by

    return inner


def in_a_class(*, rule: Any) -> Any:
    class Inner:
        limit = rule

    return Inner


def only_looked_at(*, rule: Any) -> Any:
    if rule:
        return 1
    return 2


def by_name(*, rule: Any) -> Any:
    return locals()["rule"]


def by_text(*, rule: Any) -> Any:
    return eval("rule")  # noqa: S307


def swapped(*, rule: Any, other: Any) -> Any:
    rule, other = other, rule
    return rule


def walrus(*, rule: Any) -> Any:
    return (found := rule) and found


@pytest.mark.parametrize(
    "function",
    [
        plain, nested, deeper, handed_on, handed_on_with_others, in_a_text, as_a_default, in_a_class, only_looked_at,
        by_name, by_text, swapped, walrus,
    ],
)  # fmt: skip
def test_what_is_read_somehow_is_used(function: Callable[..., Any]) -> None:
    assert unread(function, inspect.getfullargspec(function).kwonlyargs) == []


def test_a_wrapper_may_read_what_it_hands_on() -> None:
    def keeps(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(*arguments: Any, **parameters: Any) -> Any:
            return parameters["rule"], function(*arguments, **parameters)

        return wrapper

    @keeps
    def wrapped(*, rule: Any) -> Any:
        return 1

    assert unread(wrapped, ["rule"]) == []
    assert unread(functools.partial(plain, rule=1), ["rule"]) == []


def never(*, rule: Any) -> Any:
    return 1


def only_named(*, rule: Any) -> Any:
    return helper(rule=1), helper().rule, "rule"


def shadowed(*, rule: Any) -> Any:
    def inner(rule: Any) -> Any:
        return rule

    return inner


def shadowed_in_a_comprehension(*, rule: Any) -> Any:
    return lambda: [len(rows) for rows in ()]


@pytest.mark.parametrize("function", [never, only_named, shadowed_in_a_comprehension])
def test_what_is_never_read_is_named(function: Callable[..., Any]) -> None:
    assert unread(function, ["rule"]) == ["rule"]


def test_what_is_shadowed_may_be_meant() -> None:
    """A variable of that name in a function inside: nothing is claimed."""
    assert unread(shadowed, ["rule"]) == []


def test_an_asset_with_a_parameter_that_it_never_uses_is_refused() -> None:
    with pytest.raises(DeclarationError) as refused:

        @asset(layer="gold", contract="C")
        def days(*, calendar: Any, rule: Any) -> Any:
            """Text."""
            return calendar

    assert refused.value.message == "asset gold.days: parameter 'rule' is declared and never used"
    assert "Take it out of the function's arguments" in refused.value.remedy


@dataclass(frozen=True)
class Parameters:
    rule: int
    calendar: int
    helper: int


def test_an_asset_that_uses_a_parameter_that_it_does_not_declare_is_refused() -> None:
    @asset(layer="gold", contract="C")
    def days(*, calendar: Any) -> Any:
        """Text."""
        return [calendar + rule for _ in ()], helper, len  # type: ignore[name-defined]  # noqa: F821

    assert undeclared(days.function, ["helper", "len", "calendar"]) == []
    with pytest.raises(DeclarationError) as refused:
        Catalog([days], Parameters)
    assert refused.value.message == "asset gold.days: parameter 'rule' is used and not declared"
    assert refused.value.remedy == "Take it as an argument: def days(…, *, rule)."


def test_a_name_that_a_class_inside_gives_itself_is_no_parameter() -> None:
    def days() -> Any:
        class Wide:
            rule = 1
            twice = rule

        return Wide

    assert undeclared(days, ["rule"]) == []
