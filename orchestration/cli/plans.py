"""The command that says what would be done, and of what: plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestration.cli.common import (
    check_there,
    command,
    console_for_people,
    force_option,
    json_option,
    location_names,
    locations_option,
    main,
    open_workspace,
    partitions_option,
    profile_option,
)
from orchestration.cli.emit import emit
from orchestration.core.errors import UsageError

if TYPE_CHECKING:
    from orchestration.core.planning.request import Request
    from orchestration.core.state.freshness import Current
    from orchestration.engine.changes.changed import Costs
    from orchestration.engine.workspace import Workspace


@main.command()
@click.argument("selection", required=False)
@partitions_option
@locations_option
@force_option
@click.option(
    "--changed",
    is_flag=True,
    help="What changes of code, contracts and configuration make of everything that is there, and what that costs.",
)
@click.option(
    "--if",
    "changes",
    metavar="ASSET[.COLUMN]",
    help="What would become stale if this changed, in --partitions and --locations (default: all that is there). Also "
    "SOURCE.VARIABLE.",
)
@profile_option
@json_option
@command
def plan(
    selection: str | None,
    days: str | None,
    locations: str,
    force: bool,
    changed: bool,
    changes: str | None,
    profile: str | None,
    as_json: bool,
) -> int:
    """Print what `materialize` would do, and why. Needs no JVM.

    Without --partitions: of all that is wanted (history.since).
    With --changed the exit status is 3 where something can only be brought up to date by fetching it again.
    """
    if changes is not None and (selection is not None or force or changed):
        raise UsageError("--if names what changes itself", "Leave out SELECTION, --force and --changed.")
    workspace = open_workspace(profile)
    if changes is not None:
        return _show_what_if(workspace, changes, days, locations, as_json)
    if changed:
        if days is not None or locations or force:
            raise UsageError(
                "--changed looks at everything that is there", "Leave out --partitions, --locations and --force."
            )
        return _show_costs(workspace, selection or "*", as_json)
    from orchestration.engine.holes import wanted_request
    from orchestration.reports.holes import not_asked_for

    keys, names = workspace.select(selection or "*"), location_names(locations)
    wanted = wanted_request(workspace, keys, names) if days is None and not force else None
    request = wanted or workspace.requested(keys, days, names, force=force)
    status = show_plan(workspace, request, as_json)
    for line in not_asked_for(workspace, keys, request.partitions):
        click.echo(line, err=True)
    return status


def _show_costs(workspace: Workspace, selection: str, as_json: bool) -> int:
    from orchestration.engine.changes.changed import costs

    keys = workspace.select(selection)
    check_there(workspace)
    found = costs(workspace, keys)
    emit(found.to_json, as_json, lambda: _print_costs(found))
    return found.exit_status


def _print_costs(costs: Costs) -> None:
    from orchestration.cli.printing import print_plan

    print_plan(console_for_people(), costs.plan)
    for line in costs.in_words().splitlines():
        click.echo(line)


def _show_what_if(workspace: Workspace, changes: str, days: str | None, locations: str, as_json: bool) -> int:
    from orchestration.engine.changes.what_if import what_if
    from orchestration.reports.what_if import print_what_if

    found = what_if(workspace, changes, days, location_names(locations))
    check_there(workspace)
    emit(found.to_json, as_json, lambda: print_what_if(console_for_people(), found))
    return 0


def show_plan(workspace: Workspace, request: Request, as_json: bool, current: Current | None = None) -> int:
    """Print the plan for a request. current: None for the present one, without asking sources."""
    from orchestration.cli.printing import print_plan
    from orchestration.engine.changes.locations import check_ready
    from orchestration.engine.whereabouts import told_if_new

    check_ready(workspace, request)
    made, _ = workspace.plan(request, current)

    def print_all() -> None:
        print_plan(console_for_people(), made)
        if notice := told_if_new(workspace):
            click.echo(notice)

    emit(made.to_json, as_json, print_all)
    return 0
