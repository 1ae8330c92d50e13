"""Options of commands from the parameters that are declared for command and flow."""

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
"""What commands call the values of options that have another name."""


def option_name(name: str) -> str:
    """What the command line calls a parameter: ``--start-date``."""
    return f"--{name.replace('_', '-')}"


def variable(parameter: Parameter) -> str:
    """What click calls its value."""
    return VARIABLES.get(parameter.name, parameter.name)


def option_of(declared: type, name: str) -> Callable[[F], F]:
    """The option of one parameter that ``declared`` has."""
    return click_parameter(next(one for one in parameters_of(declared) if one.name == name))


def click_parameter(one: Parameter) -> Callable[[F], F]:
    """The option of a parameter, or its argument."""
    default = ",".join(one.default) if isinstance(one.default, tuple) else one.default
    if one.told.argument:
        return click.argument(variable(one), required=one.required, default=default)
    if one.kind is bool:
        return click.option(option_name(one.name), variable(one), is_flag=True, help=one.told.help)
    return click.option(
        option_name(one.name),
        variable(one),
        metavar=one.told.metavar or None,
        type=click.Choice(one.choices) if one.choices else str,
        required=one.required,
        default=default,
        show_default=bool(default),
        help=one.told.help,
    )


def read(one: Parameter, said: object) -> object:
    """The value of a parameter from what click read. Raises PartitionRangeError for a day that is none, and UsageError
    for one that is not there."""
    if one.kind is date:
        if said is None:
            raise UsageError(f"{option_name(one.name)} is missing", "Add a day, for instance 2025-08-08.")
        return parse_day(str(said), option_name(one.name))
    if one.kind == tuple[str, ...]:
        return tuple(name.strip() for name in str(said).split(",") if name.strip())
    return said
