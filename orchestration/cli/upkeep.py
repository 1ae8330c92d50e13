"""The commands that look after the pipeline: freshness, metrics, maintenance. None needs a JVM."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestration.cli.common import (
    check_there,
    command,
    console_for_people,
    json_option,
    main,
    open_workspace,
    or_printed,
    profile_option,
)
from orchestration.cli.emit import emit
from orchestration.core.errors import UsageError
from orchestration.reports.fitting import Column, Kind, print_table

if TYPE_CHECKING:
    from rich.console import Console

    from orchestration.service.maintenance import MaintenanceSummary


@main.command()
@click.argument("selection", default="*")
@profile_option
@json_option
@command
def freshness(selection: str, profile: str | None, as_json: bool) -> int:
    """Print how far the tables lie behind now, and their targets.

    And what they lack of what is wanted. Needs no JVM. The exit status is 1 where a target is missed, or something is
    missing that is wanted (history.since).
    """
    from orchestration.engine.holes import all_missing, read_holes
    from orchestration.engine.lags import read_lags
    from orchestration.reports.freshness import print_lags
    from orchestration.reports.freshness import to_json as lag_json
    from orchestration.reports.holes import missing_in_words

    workspace = open_workspace(profile)
    keys = workspace.select(selection)
    check_there(workspace)
    tables = workspace.states(keys)
    found, holes = read_lags(workspace, keys, tables), read_holes(workspace, keys, tables)
    since = workspace.settings.since

    def print_all() -> None:
        print_lags(console_for_people(), found, {key: tables[key] for key in keys if key in tables})
        for line in missing_in_words(workspace, holes):
            click.echo(line)

    emit(
        lambda: [lag_json(lag, holes.get(lag.asset), since.get(lag.location), tables.get(lag.asset)) for lag in found],
        as_json,
        print_all,
    )
    return 1 if any(lag.missed for lag in found) or all_missing(holes) else 0


@main.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=or_printed,
    help="Write to a file instead, whole or not at all (for the node exporter's textfile collector: NAME.prom).",
)
@click.option("--limit", default=100, show_default=True, type=click.IntRange(min=1), help="With --json: so many steps.")
@profile_option
@json_option
@command
def metrics(output: Path | None, limit: int, profile: str | None, as_json: bool) -> int:
    """Print states, lags and the last runs for Prometheus.

    With --json the history of steps. Needs no JVM.
    """
    from orchestration.reports.metrics import as_text, read_metrics, step_rows, write_text
    from orchestration.reports.output import check_output

    if as_json and output is not None:
        raise UsageError("--json goes to standard output", "Leave out --output, or --json.")
    if output is not None:
        check_output(output)
    workspace = open_workspace(profile)
    check_there(workspace)

    def write() -> None:
        found = read_metrics(workspace, _warn)
        if output is None:
            click.echo(as_text(found), nl=False)
        else:
            write_text(found, output)

    emit(lambda: [row.to_json() for row in step_rows(workspace, limit)], as_json, write)
    return 0


def _warn(text: str) -> None:
    click.echo(f"warning {text}", err=True)


@main.command()
@click.argument("selection", default="*")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@profile_option
@json_option
@command
def maintenance(selection: str, dry_run: bool, profile: str | None, as_json: bool) -> int:
    """Put small files together, remove what nothing needs.

    Provenance is kept safe. Needs no JVM.

    No state of any partition changes. What was removed from the tables is kept for maintenance.retention_hours.
    """
    from orchestration.cli.progress import Quiet
    from orchestration.service.maintenance import run_maintenance

    workspace = open_workspace(profile)
    keys = None if selection == "*" else workspace.select(selection)
    check_there(workspace)
    listener = Quiet(console_for_people(to_stderr=True))
    summary = run_maintenance(workspace, listener, keys, dry_run=dry_run)
    emit(summary.to_json, as_json, lambda: print_maintenance(console_for_people(), summary))
    return summary.exit_status


def print_maintenance(console: Console, summary: MaintenanceSummary) -> None:
    """A line per table where something was done or failed, what is no table's, and one for the whole."""
    rows = [[table.table, table.done] for table in summary.tables if table.done]
    if rows:
        print_table(console, [Column("table", Kind.KEY), Column("done")], rows)
    for line in [*summary.beside, *([] if rows or summary.beside else ["Nothing to do."]), summary.at_last]:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
