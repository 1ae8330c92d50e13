"""`aqi lineage`: what is made from what, for assets and columns; and from what exactly one partition was made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestration.cli.common import (
    command,
    json_option,
    location_names,
    locations_option,
    main,
    open_workspace,
    or_printed,
    partitions_option,
    profile_option,
)
from orchestration.core.errors import RunError, SelectionError, UsageError, in_a_line
from orchestration.reports.lineage import DEFAULT, FORMATS, NAMES, can_tell, told_of

if TYPE_CHECKING:
    from rich.text import Text

    from orchestration.core.lineage.query import ColumnQuery
    from orchestration.engine.workspace import Workspace

ABOUT = "— "
"""Stands before the description of an asset."""
CONTINUED = 6
"""The indent of a line's continuation."""
LEAST_ROOM = 20
"""A description is shown if at least this many characters of it have room."""


@main.command()
@click.argument("selection", default="*")
@click.option("--format", "form", type=click.Choice(NAMES), show_default=DEFAULT)
@click.option("--columns", is_flag=True, help="Of columns: of one (gold.days.peak; peak+ downstream), or of assets.")
@partitions_option
@locations_option
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=or_printed,
    help="Write to a file instead.",
)
@profile_option
@json_option
@command
def lineage(
    selection: str,
    form: str | None,
    columns: bool,
    days: str | None,
    locations: str,
    output: Path | None,
    profile: str | None,
    as_json: bool,
) -> int:
    """Print which asset is made from which, and what is there.

    Needs no JVM.

    --columns: what columns are made from, as the steps that made them recorded it; gold.days.peak walks upstream from
    that column, gold.days.peak+ downstream, 2+gold.days.peak two hops. --partitions and --locations, of one asset: what
    exactly that one partition was made from, to the answers of the source.
    """
    from orchestration.reports.lineage.words.ink import plain
    from orchestration.reports.output import check_output, write_output

    if as_json and form not in (None, "json"):
        raise UsageError(f"--json is --format json, and --format {form} is asked for too", "Leave out one of the two.")
    form = "json" if as_json else form or DEFAULT
    wanted = _wanted(columns=columns, days=days, locations=locations)
    if wanted is not None and not can_tell(form, wanted):
        able = ", ".join(name for name in NAMES if can_tell(name, wanted))
        option = "--columns" if columns else "--partitions"
        raise UsageError(f"{option} cannot be told as {form}", f"Choose another --format: {able}.")
    if output is not None:
        check_output(output)
    workspace = open_workspace(profile)
    text, notes = _rendered(workspace, selection, form, wanted, days, location_names(locations))
    for note in notes:
        click.echo(f"note: {note}", err=True)
    if output is not None:
        try:
            write_output(str(output), plain(text))
        except OSError as error:
            raise RunError(f"{output} cannot be written ({in_a_line(error)})", "Name another file.") from error
    else:
        _print(text, styled=form == DEFAULT)
    return 0


def _wanted(*, columns: bool, days: str | None, locations: str) -> str | None:
    """Which question is asked besides that about assets; None for no other."""
    if columns and (days is not None or locations):
        raise UsageError("--columns is about code, --partitions and --locations about rows", "Ask for one of the two.")
    if locations and days is None:
        raise UsageError("--locations says of which partition, and no day is named", "Add --partitions DAY.")
    return "columns" if columns else None if days is None else "partition"


def _rendered(
    workspace: Workspace, selection: str, form: str, wanted: str | None, days: str | None, locations: list[str]
) -> tuple[str, list[str]]:
    """The lineage as text in a format, and notes about it."""
    if wanted == "columns":
        return _of_columns(workspace, selection, form)
    try:
        keys = workspace.select(selection)
    except SelectionError as error:
        if _query(workspace, selection) is not None:
            raise SelectionError(error.message, f"A column? Add --columns; otherwise: {error.remedy}") from error
        raise
    if wanted is None:
        return FORMATS[form](workspace, keys), []
    from orchestration.reports.lineage.facts.partition import read_audit

    return told_of(form, wanted, read_audit(workspace, keys, days, locations)), []


def _of_columns(workspace: Workspace, selection: str, form: str) -> tuple[str, list[str]]:
    from orchestration.reports.lineage.facts.columns import ColumnsOfAssets, notes, recorded_of, walk_of, walked

    query = _query(workspace, selection)
    if query is not None:
        found = walked(workspace, query)
        return told_of(form, "columns", found), notes(found.recorded, found.passed, walk_of(query))
    keys = workspace.select(selection)
    recorded = recorded_of(workspace, keys)
    listed = ColumnsOfAssets(workspace.catalog, keys, recorded)
    return told_of(form, "columns", listed), notes(recorded, keys)


def _query(workspace: Workspace, selection: str) -> ColumnQuery | None:
    from orchestration.core.lineage.query import column_query

    return column_query(selection, workspace.assets, {str(one.source) for one in workspace.project.fetched})


def _print(text: str, *, styled: bool) -> None:
    """Print styled text with its styles on a terminal. Descriptions are cut to the room that is left, facts never
    are.
    """
    from orchestration.cli.common import console_for_people
    from orchestration.reports.lineage.words.ink import plain

    console = console_for_people()
    if not styled or not console.is_terminal:
        click.echo(plain(text), nl=False)
        return
    from rich.text import Text

    for line in text.splitlines():
        shown = Text.from_ansi(line)
        facts, separator, _ = shown.plain.partition(ABOUT)
        if separator:
            if console.width - len(facts) >= LEAST_ROOM:
                shown.truncate(console.width, overflow="ellipsis")
            else:
                shown = shown[: len(facts.rstrip())]
        for part in _in_parts(shown, console.width):
            console.print(part, soft_wrap=True)


def _in_parts(line: Text, width: int) -> Iterator[Text]:
    """A line in parts that fit, cut at spaces; between two facts if that is far enough. The lines of a tree go on
    beside them."""
    from rich.text import Text

    first = len(line) - len(line.plain.lstrip("│├└─ "))
    bars = line.plain[:first].translate(str.maketrans("├└─", "│  "))
    indent = bars + " " * (max(CONTINUED, first + 3) - first)
    while line.cell_len > width:
        at = line.plain.rfind("  ", first + 1, width + 1)
        if at < width // 3:
            at = line.plain.rfind(" ", first + 1, width + 1)
        if at < 0:
            break
        part, rest = line[:at], line[at:]
        part.rstrip()
        yield part
        room = len(rest.plain) - len(rest.plain.lstrip())
        line, first = Text.assemble((indent, "dim"), rest[room:]), len(indent)
    yield line
