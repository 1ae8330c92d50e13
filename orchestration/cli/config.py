"""`aqi config`: which settings hold, and where each is said."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import yaml

from orchestration.cli.common import command, console_for_people, json_option, main, profile_option, project
from orchestration.cli.emit import emit
from orchestration.core.errors import UsageError, unknown_names
from orchestration.core.json_value import JsonValue

if TYPE_CHECKING:
    from resources.settings.shown import Shown

STEP = "  "
IN_THE_ENVIRONMENT = re.compile(r"the environment \((\w+)\)")


@main.command()
@click.argument("section", required=False)
@profile_option
@json_option
@command
def config(section: str | None, profile: str | None, as_json: bool) -> int:
    """Print which settings hold, and where each is said.

    As a profile that says the same, with comments: a file, a variable of the environment, or the default. SECTION: only
    what begins so, for instance warehouse or open_meteo.base_url. Nothing secret is shown. Needs no JVM.
    """
    settings = _of_section(read_settings(profile), section)
    emit(
        lambda: [one.to_json() for one in settings],
        as_json,
        lambda: click.echo("\n".join(as_yaml(settings, console_for_people().width))),
    )
    return 0


def read_settings(profile: str | None) -> list[Shown]:
    """Every setting of a profile. Raises ConfigurationError if the settings are wrong."""
    from resources.settings.layers import values_of
    from resources.settings.shown import DEFAULT, Shown, shown

    of = project()
    settings = of.load(profile)
    said, origins = values_of(of.folder, of.files, settings.profile, os.environ, {})
    where = DEFAULT
    if profile is not None:
        where = "the command line"
    elif os.environ.get("AQI_PROFILE"):
        where = "the environment (AQI_PROFILE)"
    return [
        Shown(one.path, one.value, where) if one.key == "profile" else one for one in shown(settings, said, origins)
    ]


def _of_section(settings: list[Shown], section: str | None) -> list[Shown]:
    if section is None:
        return settings
    found = [one for one in settings if one.key == section or one.key.startswith(f"{section}.")]
    if not found:
        known = {".".join(one.key.split(".")[: section.count(".") + 1]) for one in settings}
        problem = unknown_names("setting", [section], known)
        assert problem is not None, "what begins so was found else"
        raise UsageError(*problem)
    return found


def as_yaml(settings: Sequence[Shown], width: int) -> Iterator[str]:
    """The settings as the YAML of an equal profile. A comment says from where each one comes: after it, or before it if
    the line is longer than ``width``."""
    before: tuple[str, ...] = ()
    for one in settings:
        within = one.path[:-1]
        common = next((at for at, pair in enumerate(zip(before, within, strict=False)) if pair[0] != pair[1]), None)
        begin = min(len(before), len(within)) if common is None else common
        for depth in range(begin, len(within)):
            yield f"{STEP * depth}{_scalar(within[depth])}:"
        before, indent = within, STEP * len(within)
        text, origin = f"{indent}{_scalar(one.path[-1])}: {_scalar(one.value)}", f"# {_origin(one.origin)}"
        if isinstance(one.value, list) and one.value and len(text) > width:
            yield f"{indent}{_scalar(one.path[-1])}:  {origin}"
            yield from (f"{indent}- {_scalar(item)}" for item in one.value)
        elif len(text) + len(origin) + len(STEP) <= width:
            yield f"{text}{STEP}{origin}"
        else:
            yield f"{indent}{origin}"
            yield text


def _scalar(value: JsonValue) -> str:
    """A JSON value as YAML in one line."""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, sort_keys=False, width=sys.maxsize)
    return text.removesuffix("\n").removesuffix("\n...")


def _origin(origin: str) -> str:
    """Where a setting comes from: a file of the project from its folder on, a file below the current folder from there
    on, or the name of a variable."""
    if found := IN_THE_ENVIRONMENT.fullmatch(origin):
        return found[1]
    path = Path(origin)
    near = (root for root in (Path.cwd(), project().folder.parent) if path.is_absolute() and path.is_relative_to(root))
    return next((str(path.relative_to(root)) for root in near), origin)
