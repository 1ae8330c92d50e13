"""`aqi checks`: what the checks of tables found."""

from __future__ import annotations

import io
from pathlib import Path

import click
from rich.console import Console

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
from orchestration.core.errors import RunError, in_a_line

WIDTH_IN_FILES = 200


@main.command()
@click.argument("selection", default="*")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=or_printed,
    help="Write to a file instead, whole or not at all.",
)
@profile_option
@json_option
@command
def checks(selection: str, output: Path | None, profile: str | None, as_json: bool) -> int:
    """Print which checks of tables failed, how often and when.

    From what is recorded of each partition, and from the journal of runs: nothing is counted anew. Rows that break a
    row rule are no failure of a check: they are in quarantine. Needs no JVM.
    """
    from orchestration.reports.output import check_output, write_output
    from orchestration.reports.quality import print_checks, read_checks

    if output is not None:
        check_output(output)
    workspace = open_workspace(profile)
    keys = workspace.select(selection)
    check_there(workspace)
    found = read_checks(workspace, keys)
    if output is None:
        emit(lambda: [one.to_json() for one in found], as_json, lambda: print_checks(console_for_people(), found))
        return 0
    text = io.StringIO()
    console = Console(file=text, width=WIDTH_IN_FILES, color_system=None)
    emit(lambda: [one.to_json() for one in found], as_json, lambda: print_checks(console, found), to=text)
    try:
        write_output(str(output), text.getvalue())
    except OSError as error:
        raise RunError(f"{output} cannot be written ({in_a_line(error)})", "Name another file.") from error
    return 0
