"""`aqi runs`: what ran, and what became of one run."""

from __future__ import annotations

from pathlib import Path

import click

from orchestration.cli.common import (
    check_there,
    command,
    console_for_people,
    json_option,
    main,
    open_workspace,
    profile_option,
)
from orchestration.cli.emit import emit
from orchestration.core.errors import UsageError


@main.command()
@click.argument("run", required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="With RUN: write its profile to a file instead (NAME.json, .svg, .html, .txt).",
)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(min=1), help="Without RUN: so many runs.")
@profile_option
@json_option
@command
def runs(run: str | None, output: Path | None, limit: int, profile: str | None, as_json: bool) -> int:
    """Print the last runs, or what became of one.

    RUN: an id, the beginning of one, or `last`. Of one: when it ran and how it ended, its steps, why partitions failed,
    its log files, and where its time went. Runs with something to do are kept, the last 500; a run that was killed has
    neither steps nor a profile. Needs no JVM.
    """
    from orchestration.reports.run_profile import (
        check_profile_output,
        last_runs,
        print_runs,
        read_profile,
        run_as_json,
        write_profile,
    )

    if output is not None:
        if run is None or as_json:
            raise UsageError("--output is for the profile of one run", "Name the run, and leave out --json.")
        check_profile_output(output)
    workspace = open_workspace(profile)
    check_there(workspace)
    if run is None:
        found = last_runs(workspace, limit)
        emit(
            lambda: [run_as_json(entry, measured) for entry, measured in found],
            as_json,
            lambda: print_runs(console_for_people(), found),
        )
        return 0
    if output is not None:
        write_profile(read_profile(workspace, run), output)
        return 0
    from orchestration.reports.run_told import print_run, read_run

    one = read_run(workspace, run)
    for note in one.notes:
        click.echo(f"note: {note}", err=True)
    emit(one.to_json, as_json, lambda: print_run(console_for_people(), one))
    return 0
