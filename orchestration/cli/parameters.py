"""Makes options of commands from the declared parameters of command and flow."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TypeVar

import click

from orchestration.core.errors import UsageError
from orchestration.core.partitions.days import parse_day
from orchestration.core.planning.parameters import Parameter, parameters_of

F = TypeVar("F", bound=Callable[..., object])

VARIABLES = {"partitions": "days"}
"""Parameter → the name of the variable in a command's function, where that is another name."""


def option_name(name: str) -> str:
    """The option of a parameter: ``--start-date`` for ``start_date``."""
    return f"--{name.replace('_', '-')}"


def variable(parameter: Parameter) -> str:
    """The name of a parameter's variable in click."""
    return VARIABLES.get(parameter.name, parameter.name)


def option_of(declared: type, name: str) -> Callable[[F], F]:
    """The option of one parameter of ``declared``."""
    return click_parameter(next(one for one in parameters_of(declared) if one.name == name))


def click_parameter(one: Parameter) -> Callable[[F], F]:
    """The option of a parameter, or its argument."""
    default = ",".join(one.default) if isinstance(one.default, tuple) else one.default
    if one.description.argument:
        return click.argument(variable(one), required=one.required, default=default)
    if one.kind is bool:
        return click.option(option_name(one.name), variable(one), is_flag=True, help=one.description.help)
    return click.option(
        option_name(one.name),
        variable(one),
        metavar=one.description.metavar or None,
        type=click.Choice(one.choices) if one.choices else str,
        required=one.required,
        default=default,
        show_default=bool(default),
        help=one.description.help,
    )


def read(one: Parameter, said: object) -> object:
    """The value of a parameter, from what click read. Raises PartitionRangeError for a text that is no day, and
    UsageError for a required value that is missing."""
    if one.kind is date:
        if said is None:
            raise UsageError(f"{option_name(one.name)} is missing", "Add a day, for instance 2025-08-08.")
        return parse_day(str(said), option_name(one.name))
    if one.kind == tuple[str, ...]:
        return tuple(name.strip() for name in str(said).split(",") if name.strip())
    return said
