"""The command that writes all that is known into one file for a browser: report."""

from __future__ import annotations

import time
from pathlib import Path

import click

from orchestration.cli.common import check_there, command, json_option, main, open_workspace, or_printed, profile_option
from orchestration.cli.emit import emit
from orchestration.core.errors import RunError, UsageError


@main.command()
@click.argument("selection", default="*")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    callback=or_printed,
    help="The file, NAME.html: whole or not at all, in place of what was there; - to print it.",
)
@profile_option
@json_option
@command
def report(selection: str, output: Path | None, profile: str | None, as_json: bool) -> int:
    """Write assets, partitions, runs and figures into one page.

    An HTML file that loads nothing, with what the tables say. Needs no JVM.
    """
    from orchestration.reports.output import check_output, write_output
    from orchestration.reports.page import render_page
    from orchestration.reports.page.head import without_secrets

    if output is not None:
        check_output(output)
    elif as_json:
        raise UsageError("-o - prints the report, and --json what was written", "Leave out --json, or name a file.")
    begin = time.perf_counter()
    workspace = open_workspace(profile)
    keys = workspace.select(selection)
    check_there(workspace)
    place = without_secrets(workspace.warehouse.uri)
    click.echo(f"reads {len(keys)} asset{'' if len(keys) == 1 else 's'} of {place}", err=True)
    text = render_page(workspace, keys)
    if output is None:
        click.echo(text, nl=False)
        return 0
    try:
        size = write_output(str(output), text)
    except OSError as error:
        raise RunError(f"{output} cannot be written ({error})", "Name another file.") from error
    seconds = time.perf_counter() - begin
    emit(
        lambda: {"path": str(output), "bytes": size, "assets": len(keys), "seconds": round(seconds, 3)},
        as_json,
        lambda: click.echo(f"{output}: {size / 1e6:.1f} MB, in {seconds:.1f} s"),
    )
    return 0
