"""How to go on after a failure: with the same command, or with one that means the same days tomorrow.

A command about days registers these commands before it begins (``remember``). Messages about going on use them.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

import click
from click.core import ParameterSource

from orchestration.core.partitions.hulls import hulls
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.planning.commands import first_commands

_KEY = "orchestration.again"


def remember(commands: Sequence[str]) -> None:
    """Register the commands that do the same whenever they are called; empty where that is this very command."""
    click.get_current_context().meta[_KEY] = tuple(commands)


def how_to_go_on() -> str:
    """``call the same command again to go on``, or the commands that do it."""
    commands = _remembered()
    if not commands:
        return "call the same command again to go on"
    return "\n  ".join(["to go on call", *first_commands(commands)])


def how_to_mend() -> str:
    """The same as ``how_to_go_on``, for the end of a failed run."""
    commands = _remembered()
    if not commands:
        return "Mend the cause and call the same command again: what is right already is left alone."
    return "\n  ".join(["Mend the cause and call, as what is right already is left alone:", *first_commands(commands)])


def with_days(days: object) -> list[str]:
    """This command with ``days`` for its RANGE."""
    return [_call({"days": str(days)})]


def of_partitions(partitions: PartitionSet, configured: Sequence[str]) -> list[str]:
    """This command for ``partitions`` in place of the days that it chooses itself; one command for each hull of
    locations.

    configured: all locations; a command for all of them names none.
    """
    return [
        _call(
            {
                "hourly": False,
                "days": hull.range,
                "locations": "" if set(hull.locations) == set(configured) else ",".join(hull.locations),
            }
        )
        for hull in hulls(partitions)
    ]


def _remembered() -> tuple[str, ...]:
    context = click.get_current_context(silent=True)
    return () if context is None else context.meta.get(_KEY, ())


def _call(instead: Mapping[str, object]) -> str:
    """The call of this command with other values of some parameters, for a shell."""
    context = click.get_current_context()
    words = ["aqi", str(context.info_name)]
    for parameter in context.command.params:
        value = {**context.params, **instead}.get(str(parameter.name))
        unsaid = value is None or value is False or value == "" or value == parameter.default
        if unsaid and not (value and _was_written(context, parameter)):
            continue
        if isinstance(parameter, click.Argument):
            words.append(str(value))
        else:
            option = max(parameter.opts, key=len)
            words += [option] if value is True else [option, str(value)]
    return shlex.join(words)


def _was_written(context: click.Context, parameter: click.Parameter) -> bool:
    """Whether an argument was given, even if it has its default value."""
    source = context.get_parameter_source(str(parameter.name))
    return isinstance(parameter, click.Argument) and source is ParameterSource.COMMANDLINE
