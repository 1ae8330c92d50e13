"""`aqi show`: rows of a table, or what a source sent about them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING

import click

from orchestration.cli.common import (
    check_there,
    command,
    console_for_people,
    json_option,
    location_names,
    locations_option,
    main,
    open_workspace,
    partitions_option,
    profile_option,
)
from orchestration.cli.emit import emit
from orchestration.core.errors import UsageError, unknown_names
from orchestration.core.planning.ranges import in_range

if TYPE_CHECKING:
    import pyarrow as pa

    from orchestration.core.partitions.keys import PartitionSet
    from orchestration.engine.workspace import Workspace

ROWS = 20
"""So many rows are shown, unless a number is given, or all of them go to another program."""


@main.command()
@click.argument("asset")
@partitions_option
@click.option("--last", metavar="N", type=click.IntRange(min=1), help="Only the N days up to the newest of the table.")
@locations_option
@click.option("--columns", metavar="A,B", multiple=True, help="Only these columns, in this order.")
@click.option("--raw", is_flag=True, help="Instead of rows: what its source sent about these partitions, and when.")
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=0),
    help=f"Rows at the most, 0 for all (default: {ROWS}; as csv or json to a file or program: all).",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="How to print.",
)
@profile_option
@json_option
@command
def show(
    asset: str,
    days: str | None,
    last: int | None,
    locations: str,
    columns: tuple[str, ...],
    raw: bool,
    limit: int | None,
    form: str,
    profile: str | None,
    as_json: bool,
) -> int:
    """Print rows of an asset's table in the order of its key.

    On a terminal the columns that fit; what is left out is named on standard error. Needs no JVM.

    --raw: a line per kept answer of its source and partition: when it was asked for, what became of it, and in which
    hours and columns it differs from the kept answer before it.
    """
    from orchestration.cli.rows import as_csv
    from orchestration.cli.rows import as_json as as_objects

    form = "json" if as_json else form
    if last is not None and (raw or days is not None):
        raise UsageError("--last chooses the days itself", "Leave out --partitions and --raw, or --last.")
    workspace = open_workspace(profile)
    keys = workspace.select(asset)
    if len(keys) != 1:
        raise UsageError(f"{asset} means {len(keys)} assets", f"Name one of {', '.join(keys) or 'the assets'}.")
    in_range(workspace.catalog, keys, days)
    most = _most(limit, form)
    found = (
        _raw(workspace, keys[0], days, locations, most)
        if raw
        else _rows(workspace, keys[0], days, last, locations, most)
    )
    named = _named(",".join(columns), found.rows.column_names) if columns else None
    rows = found.rows if named is None else found.rows.select(named)

    def print_them() -> None:
        if form == "csv":
            for part in as_csv(rows):
                click.echo(part, nl=False)
        else:
            _print_table(rows, found.key, chosen=named is not None)

    emit(lambda: as_objects(rows), form == "json", print_them)
    if limit is None and found.there > rows.num_rows:
        click.echo(f"{rows.num_rows} of {found.there} rows; --limit 0 for all", err=True)
    elif form == "table" and not rows.num_rows:
        click.echo("no rows", err=True)
    return 0


@dataclass(frozen=True)
class Found:
    """Rows. there: how many there are with those that were not asked for. key: columns by which they are told apart."""

    rows: pa.Table
    there: int
    key: Sequence[str]


def _most(limit: int | None, form: str) -> int | None:
    """So many rows at the most; None for all."""
    if limit is None:
        return ROWS if form == "table" or sys.stdout.isatty() else None
    return limit or None


def _rows(
    workspace: Workspace, key: str, days: str | None, last: int | None, locations: str, most: int | None
) -> Found:
    from orchestration.reports.rows import last_days, read_rows, rows_there

    names = location_names(locations)
    partitions: PartitionSet | None = None
    if days is not None:
        partitions = workspace.partitions(days, names)
    elif last is not None:
        partitions = last_days(workspace, key, last)
    rows = read_rows(workspace, key, partitions, names, most)
    full = most is not None and rows.num_rows == most
    there = rows_there(workspace, key, partitions, names) if full else rows.num_rows
    return Found(rows, there, workspace.contracts[key].key)


def _raw(workspace: Workspace, key: str, days: str | None, locations: str, most: int | None) -> Found:
    from orchestration.reports.raw_answers import read_raw_answers

    found = read_raw_answers(workspace, key, days, location_names(locations), None if most is None else most + 1)
    check_there(workspace)
    for note in found.notes:
        click.echo(f"note: {note}", err=True)
    rows = found.table
    return Found(rows.slice(0, most), rows.num_rows, ("asked", "partition"))


def _named(columns: str, known: Sequence[str]) -> list[str]:
    """The columns that are named. Raises UsageError for unknown ones, and for none."""
    names = list(dict.fromkeys(name.strip() for name in columns.split(",") if name.strip()))
    if not names:
        raise UsageError("--columns names no column", f"Columns are {', '.join(known)}.")
    if problem := unknown_names("column", names, known, "Columns"):
        raise UsageError(*problem)
    return names


def _print_table(rows: pa.Table, key: Sequence[str], *, chosen: bool) -> None:
    """As a table; on a terminal only of columns with values that fit, unless they were chosen. The others are told. If
    a terminal is too narrow for the key, a line a column."""
    from orchestration.cli.rows import as_lines, as_records, that_fit

    console, names = console_for_people(), rows.column_names
    fit = that_fit(rows, key, console.width) if console.is_terminal and not chosen else names
    lines = list(as_lines(rows, fit))
    if console.is_terminal and not chosen and rows.num_rows and max(map(len, lines)) > console.width:
        lines, fit = list(as_records(rows, console.width)), names
    for line in lines:
        click.echo(line)
    if left := [name for name in names if name not in fit and rows[name].null_count < rows.num_rows]:
        hint = f"{len(fit)} of {len(fit) + len(left)} columns; --columns A,B for others, --format csv for all:"
        click.echo(fill(hint, console.width, break_on_hyphens=False), err=True)
        click.echo(fill(", ".join(left), console.width, initial_indent="  ", subsequent_indent="  "), err=True)
