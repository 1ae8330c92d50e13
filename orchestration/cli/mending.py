"""The command that mends tables: `aqi repair`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestration.cli.common import (
    check_there,
    command,
    confirm,
    console_for_people,
    dry_run_option,
    engine_option,
    json_option,
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
from orchestration.cli.plans import show_plan
from orchestration.cli.run_profiles import check_profile_run, profile_run_options
from orchestration.cli.runs import run_request
from orchestration.core.errors import UsageError
from orchestration.core.planning.ranges import in_range
from orchestration.core.runs.names import run_name

if TYPE_CHECKING:
    from orchestration.core.state.damage import Trouble
    from orchestration.engine.workspace import Workspace


@main.command()
@click.argument("selection", default="*")
@partitions_option
@locations_option
@click.option(
    "--refetch",
    is_flag=True,
    help="Instead, fetch what lies behind its question: coordinates that moved, a variable that was never asked for.",
)
@click.option("--wait", is_flag=True, help="With --refetch: wait for a used-up limit of the source.")
@click.option("--verify", is_flag=True, help="Read all rows, and compare them with what was recorded of them.")
@click.option(
    "--rebuild",
    "anew",
    is_flag=True,
    help="Make tables anew, with a fresh log, and keep the old folders: for features of others, a log with holes.",
)
@dry_run_option
@yes_option
@profile_run_options
@engine_option
@yarn_check_option
@profile_option
@json_option
@command
def repair(
    selection: str,
    days: str | None,
    locations: str,
    refetch: bool,
    wait: bool,
    verify: bool,
    anew: bool,
    dry_run: bool,
    yes: bool,
    profile_run: bool,
    output: Path | None,
    engine: str | None,
    no_yarn_check: bool,
    profile: str | None,
    as_json: bool,
) -> int:
    """Mend partitions that are unrecorded or damaged.

    As `aqi status` calls them: somebody else changed them, or files are lost.

    Where the rows are still those that were recorded last, the record holds again; else the partition is made anew:
    what was fetched, from the answers that are kept, or with --refetch by asking again. Without --partitions: all of
    them. --rebuild of all means all tables that cannot be read or written as they are.
    """
    check_profile_run(profile_run, output, dry_run=dry_run)
    check_repair(days, locations, refetch=refetch, wait=wait, verify=verify, anew=anew)
    workspace = open_workspace(profile, no_yarn_check=no_yarn_check, engine=engine)
    keys, in_the_way = in_range(workspace.catalog, workspace.select(selection), days), 0
    check_there(workspace)
    if anew:
        refused = [key for key, trouble in troubles_of(workspace, keys).items() if trouble.refused]
        in_the_way = int(print_troubles(workspace, refused)) if refused else 0
        asked = [key for key in keys if key not in refused]
        keys = rebuild_tables(workspace, asked, everything=selection == "*", dry_run=dry_run, yes=yes)
        if dry_run or not keys:
            emit(lambda: {"rebuild": list(keys)}, as_json)
            return in_the_way
        yes = True
    elif print_troubles(workspace, keys):
        in_the_way = 1
    if verify and not verify_tables(workspace, keys, days, location_names(locations)):
        in_the_way = 1
    request = workspace.repair(keys, days, location_names(locations), refetch=refetch)
    made, _ = workspace.plan(request)
    if dry_run:
        return show_plan(workspace, request, as_json)
    for step in made.steps:
        what = step.reason if refetch else "compare with what was recorded, make anew what differs"
        click.echo(f"{step.asset} {step.partitions if yes else step.partitions.in_full()}: {what}", err=True)
    if made.steps and not yes:
        confirm("Go on?")
    title = f"repair {run_name(selection, days, locations=location_names(locations))}"
    ended = run_request(workspace, request, title, "repair", as_json, profile_run, output, wait=wait)
    return max(in_the_way, ended)


def check_repair(days: str | None, locations: str, *, refetch: bool, wait: bool, verify: bool, anew: bool) -> None:
    """Raises UsageError for options that cannot be combined, before any work."""
    if wait and not refetch:
        raise UsageError(
            "--wait is for a source that is asked, and repair asks none", "Leave it out, or add --refetch."
        )
    if anew and (days is not None or locations or refetch or verify):
        raise UsageError(
            "--rebuild is of whole tables, and compares all of their rows",
            "Leave out --partitions, --locations, --refetch and --verify.",
        )
    if verify and refetch:
        raise UsageError("--verify compares what is there, and --refetch asks for it", "Leave out one of them.")


def print_troubles(workspace: Workspace, keys: Sequence[str]) -> bool:
    """Report the tables of ``keys`` that no repair of partitions mends. Gives whether there are any."""
    found = troubles_of(workspace, keys)
    for trouble in found.values():
        click.echo(trouble.in_words, err=True)
    return bool(found)


def troubles_of(workspace: Workspace, keys: Sequence[str]) -> dict[str, Trouble]:
    """Asset → why its table cannot be read or written."""
    from orchestration.engine.changes.tables import troubles

    return {key: trouble for key, trouble in troubles(workspace.states(keys)).items() if key in keys}


def rebuild_tables(
    workspace: Workspace, keys: Sequence[str], *, everything: bool, dry_run: bool, yes: bool
) -> tuple[str, ...]:
    """Rebuild the tables of ``keys``; with ``everything`` only those in trouble. Gives the rebuilt ones."""
    from orchestration.cli.progress import Quiet
    from orchestration.engine.changes.rebuild import rebuild, to_rebuild

    wanted = to_rebuild(workspace, keys, sound=not everything)
    for key in wanted:
        click.echo(f"{key}: make a new table of what can be read, and keep the old one aside", err=True)
    if not wanted:
        click.echo("There is no table to be rebuilt.", err=True)
    if dry_run or not wanted:
        return tuple(wanted)
    if not yes:
        confirm("Go on?")
    for rebuilt in rebuild(workspace, wanted, Quiet(console_for_people(to_stderr=True))):
        click.echo(rebuilt.in_words(), err=True)
    return tuple(wanted)


def verify_tables(workspace: Workspace, keys: Sequence[str], days: str | None, locations: Sequence[str]) -> bool:
    """Compare the rows of tables with their records. Partitions that differ count as damaged from then on.

    Gives whether all rows of all tables could be compared.
    """
    from orchestration.cli.progress import Quiet
    from orchestration.engine.changes.compare import compare_rows

    there = workspace.states(keys)
    partitions = workspace.repaired(keys, there, days, locations, everything=True)
    whole = True
    for found in compare_rows(workspace, keys, partitions, Quiet(console_for_people(to_stderr=True))):
        click.echo(found.in_words, err=True)
        whole = whole and found.whole
    return whole
