"""Commands with the parameters of a flow: their options are made from the flow's declared parameters."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from orchestration.cli.common import command
from orchestration.cli.parameters import click_parameter, read, variable
from orchestration.core.planning.parameters import parameters_of

D = TypeVar("D")


def asked_as(declared: type[D]) -> Callable[[Callable[..., int | None]], Callable[..., None]]:
    """Turns a function into a command, as ``command`` does, with an option for every parameter of ``declared``.

    The function gets a ``declared`` with the given values as its first argument. Further options follow by name.
    """
    parameters, make = parameters_of(declared), _maker(declared)

    def decorate(function: Callable[..., int | None]) -> Callable[..., None]:
        @wraps(function)
        def run(**said: object) -> int | None:
            asked = make(**{one.name: read(one, said.pop(variable(one))) for one in parameters})
            return function(asked, **said)

        made = command(run)
        for one in reversed(parameters):  # as decorators, of which the last is told first
            made = click_parameter(one)(made)
        return made

    return decorate


def _maker(declared: type[D]) -> Callable[..., D]:
    return declared
