"""The command that brings a Prefect server to what the configuration declares: deploy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from orchestration.cli.common import command, console_for_people, json_option, main, profile_option, served_project
from orchestration.cli.emit import emit
from orchestration.core.errors import UsageError
from orchestration.reports.fitting import Column, Kind, print_table
from resources.prefect.quiet import quiet_prefect

if TYPE_CHECKING:
    from rich.console import Console

    from orchestration.core.deployments.changes import Change


@main.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All declared deployments.")
@click.option("--prune", is_flag=True, help="With --all: retire those of this environment that are not declared.")
@click.option("--dry-run", is_flag=True, help="Only say what would be changed.")
@profile_option
@json_option
@command
def deploy(
    names: tuple[str, ...], everything: bool, prune: bool, dry_run: bool, profile: str | None, as_json: bool
) -> int:
    """Bring a Prefect server to what the configuration declares.

    What differs is said first, then changed. A paused deployment stays paused, and a schedule that was switched off
    stays off. The server is the one of PREFECT_API_URL.
    """
    if not names and not everything:
        raise UsageError("which deployments?", "Name them, or add --all.")
    if prune and not everything:
        raise UsageError("--prune is for all: what is not named is not looked at", "Add --all, or leave --prune away.")
    quiet_prefect()
    from orchestration.core.deployments.changes import Create
    from orchestration.core.deployments.reconcile import Undeclared, reconcile, reconcile_automation, reconcile_pools
    from orchestration.service.deployments import (
        declared_deployments,
        declared_pools,
        environment_tags,
        heartbeat_automation,
    )
    from resources.prefect.deployments import connect

    settings = served_project().load(profile)
    if everything and names:
        declared_deployments(settings, names)  # a misspelt name is told
    declared = declared_deployments(settings, None if everything else names)
    tags = environment_tags(settings)
    undeclared = Undeclared.IGNORE
    if everything:
        undeclared = Undeclared.RETIRE if prune else Undeclared.LEAVE
    with connect() as server:
        pools = declared_pools(settings, declared, everything=everything)
        changes: tuple[Change, ...] = reconcile_pools(pools, server.pools(pool.name for pool in pools))
        found = server.deployments(tags, (item.name for item in declared))
        changes += reconcile(declared, found, tags, undeclared)
        if everything:
            automation = heartbeat_automation(settings)
            changes += reconcile_automation(automation, server.automations(automation.name))
        if not as_json:
            print_changes(console_for_people(), changes)
        for change in changes if not dry_run else ():
            server.make(change)
        if as_json:  # once they are made: where one fails, the error is all that there is
            emit(lambda: [change.to_json() for change in changes], as_json, lambda: None)
        if not as_json and any(isinstance(one, Create) and one.declared.properties.limit for one in changes):
            click.echo(f"note: slots of deployments that may not overlap are {server.leases()}.", err=True)
    return 0


def print_changes(console: Console, changes: Sequence[Change]) -> None:
    """A line per change: its kind, what is changed, and how."""
    columns = [Column("change", Kind.KEY), Column("of", Kind.KEY), Column("schedule", Kind.KEY), Column("how")]
    if changes:
        print_table(console, columns, [change.cells for change in changes])
    else:
        console.print("Nothing to do.")
