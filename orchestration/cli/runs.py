"""The commands that change tables: materialize, backfill, wipe; `repair` is in ``mending``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestration.cli.again import of_partitions, remember
from orchestration.cli.asked import asked_as
from orchestration.cli.columns import check_alone, record, record_columns_option
from orchestration.cli.common import (
    check_there,
    command,
    confirm,
    console_for_people,
    dry_run_option,
    engine_option,
    json_option,
    leave_interrupted,
    location_names,
    locations_option,
    main,
    open_workspace,
    partitions_option,
    profile_option,
    yarn_check_option,
    yes_option,
)
from orchestration.cli.emit import emit
from orchestration.cli.parameters import option_name
from orchestration.cli.plans import show_plan
from orchestration.cli.run_profiles import check_profile_run, profile_run_options
from orchestration.core.errors import UsageError
from orchestration.core.planning.commands import gap_in_words
from orchestration.core.planning.parameters import Backfill, Materialize
from orchestration.core.runs.names import title_of
from resources.prefect.quiet import quiet_prefect

if TYPE_CHECKING:
    from orchestration.core.planning.request import Request
    from orchestration.engine.workspace import Workspace


@main.command()
@asked_as(Materialize)
@dry_run_option
@click.option(
    "--from-raw",
    is_flag=True,
    help="Ask no source: fold the answers that are kept again, in the order in which they were asked for.",
)
@record_columns_option
@profile_run_options
@engine_option
@yarn_check_option
@json_option
def materialize(
    asked: Materialize,
    *,
    dry_run: bool,
    from_raw: bool,
    record_columns: bool,
    profile_run: bool,
    output: Path | None,
    engine: str | None,
    no_yarn_check: bool,
    as_json: bool,
) -> int:
    """Make what is not fresh of the selected assets.

    Of the partitions that are asked for, in one session of the engine and one Prefect flow. With --hourly the provider
    is asked first what it sends now: where nothing changed, no session is started.
    """
    check_profile_run(profile_run, output, dry_run=dry_run)
    if record_columns:
        check_alone(
            {
                "--partitions": asked.partitions,
                "--locations": asked.locations,
                "--hourly": asked.hourly,
                "--force": asked.force,
                "--from-raw": from_raw,
                "--wait": asked.wait,
                "--profile-run": profile_run,
            }
        )
    workspace = open_workspace(asked.profile, no_yarn_check=no_yarn_check, engine=engine)
    if record_columns:
        return record(workspace, asked.selection, dry_run=dry_run, as_json=as_json)
    if wrong := asked.contradiction(option_name):
        raise UsageError(wrong, "Leave out one of them.")
    for name, given in (("--hourly", asked.hourly), ("--force", asked.force), ("--wait", asked.wait)):
        if from_raw and given:
            raise UsageError(f"--from-raw asks no source, and {name} does", "Leave out one of them.")
    from orchestration.engine.asked import request_of

    request = request_of(workspace, asked, from_raw=from_raw)
    if dry_run:
        return _show_hourly(workspace, request, as_json) if asked.hourly else show_plan(workspace, request, as_json)
    if asked.hourly:
        remember(of_partitions(request.partitions, [one.key for one in workspace.settings.locations]))
    return run_request(
        workspace, request, title_of(asked), "materialize", as_json, profile_run, output, wait=asked.wait
    )


def _show_hourly(workspace: Workspace, request: Request, as_json: bool) -> int:
    """Print the plan for what sources send now; 1 where one does not answer."""
    from orchestration.core.planning.request import Hourly
    from orchestration.engine.changes.locations import check_ready
    from orchestration.engine.observation import observe_sources

    check_ready(workspace, request)
    if isinstance(request, Hourly) and request.beyond:
        click.echo(gap_in_words(request.beyond, request.fill), err=True)
    observed = observe_sources(workspace, request)
    status = show_plan(workspace, request, as_json, workspace.current(None if observed is None else observed.sent))
    for line in [] if observed is None else observed.problems:
        click.echo(line, err=True)
    return status if observed is None or not observed.problems else 1


@main.command()
@asked_as(Backfill)
@dry_run_option
@profile_run_options
@engine_option
@yarn_check_option
@json_option
def backfill(
    asked: Backfill,
    *,
    dry_run: bool,
    profile_run: bool,
    output: Path | None,
    engine: str | None,
    no_yarn_check: bool,
    as_json: bool,
) -> int:
    """Make a range of days in chunks, in one session and one flow.

    Called again, it does only what is missing: after a failure, a Ctrl-C or a crash just repeat the command. Each chunk
    is fetched and kept by itself; what is made from all of them is made once, after them.
    """
    check_profile_run(profile_run, output, dry_run=dry_run)
    workspace = open_workspace(asked.profile, no_yarn_check=no_yarn_check, engine=engine)
    from orchestration.engine.asked import request_of

    request = request_of(workspace, asked)
    if dry_run:
        return show_plan(workspace, request, as_json)
    return run_request(workspace, request, title_of(asked), "backfill", as_json, profile_run, output, wait=asked.wait)


@main.command()
@click.argument("selection", required=False)
@partitions_option
@locations_option
@dry_run_option
@yes_option
@profile_option
@json_option
@command
def wipe(
    selection: str | None,
    days: str | None,
    locations: str,
    dry_run: bool,
    yes: bool,
    profile: str | None,
    as_json: bool,
) -> int:
    """Remove partitions: their rows and what is recorded of them. Needs no JVM.

    What was made from them becomes stale; earlier versions of the tables keep the rows until they are vacuumed.
    What has no days is left alone by --partitions and --locations.
    With --locations alone: everything of these locations, also of such as are no longer configured.
    """
    from orchestration.cli.progress import Quiet
    from orchestration.engine.wipe import planned_wipes, run_wipes

    workspace = open_workspace(profile)
    if selection is None and not locations:
        raise click.UsageError("Missing argument 'SELECTION', or --locations.")
    keys = workspace.select(selection or "*")
    request = workspace.to_wipe(keys, days, location_names(locations))
    check_there(workspace)
    if selection is not None and (others := [key for key in keys if key not in request.assets]):
        click.echo(f"left as they are, for they have no days: {', '.join(others)}", err=True)
    wipes = planned_wipes(workspace, request)
    for item in wipes:
        click.echo(item.in_words(), err=as_json)
    if not wipes:
        click.echo("Nothing is there to be removed.", err=as_json)
    elif not dry_run:
        if not yes:
            confirm("Remove them?")
        run_wipes(workspace, request, Quiet(console_for_people(to_stderr=True)))
        click.echo("Removed.", err=as_json)
    emit(lambda: [item.to_json() for item in wipes], as_json)
    return 0


def run_request(
    workspace: Workspace,
    request: Request,
    title: str,
    flow_name: str,
    as_json: bool,
    profile_run: bool,
    output: Path | None,
    *,
    wait: bool = False,
) -> int:
    quiet_prefect()
    from orchestration.cli.printing import print_summary, where_to_look
    from orchestration.cli.progress import Live, Quiet
    from orchestration.engine.executor import materialize as run

    console = console_for_people(to_stderr=True)
    try:
        with Live(console) if console.is_terminal and not as_json else Quiet(console) as listener:
            summary = run(workspace, request, listener, title=title, flow_name=flow_name, wait=wait)
    except KeyboardInterrupt as error:
        leave_interrupted(error)
    profile = summary.profile if profile_run else None
    profiled = {} if profile is None else {"profile": profile.to_json()}
    emit(lambda: summary.to_json() | profiled, as_json, lambda: print_summary(console_for_people(), summary))
    for line in where_to_look(summary.run_id) if as_json and not summary.ok else ():
        click.echo(line, err=True)
    if profile is not None and (output is not None or not as_json):
        from orchestration.reports.run_profile import print_profile, write_profile

        if output is not None:
            write_profile(profile, output)
        else:
            click.echo()
            print_profile(console_for_people(), profile)
    return summary.exit_status
