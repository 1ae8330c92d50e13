"""The commands for changes that keep history: accept, migrate, location rename."""

from __future__ import annotations

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
    main,
    open_workspace,
    profile_option,
    yarn_check_option,
    yes_option,
)
from orchestration.cli.emit import emit
from orchestration.core.errors import UsageError
from resources.prefect.quiet import quiet_prefect

if TYPE_CHECKING:
    from orchestration.cli.progress import Quiet
    from orchestration.engine.workspace import Workspace


def one_asset(workspace: Workspace, text: str) -> str:
    """The key of the asset that a selection means. Raises UsageError where these are several."""
    keys = workspace.select(text)
    if len(keys) != 1:
        raise UsageError(f"{text} means {len(keys)} assets", f"Name one of {', '.join(keys)}.")
    return keys[0]


def _listener() -> Quiet:
    quiet_prefect()
    from orchestration.cli.progress import Quiet

    return Quiet(console_for_people(to_stderr=True))


@main.command()
@click.argument("asset")
@click.option("--sample", default=20, show_default=True, type=click.IntRange(min=1), help="Partitions to be made anew.")
@dry_run_option
@engine_option
@yarn_check_option
@profile_option
@json_option
@command
def accept(
    asset: str, sample: int, dry_run: bool, engine: str | None, no_yarn_check: bool, profile: str | None, as_json: bool
) -> int:
    """Prove on a sample that today's code makes the same rows.

    So it is declared that an earlier version of the code made the rows that today's would make. The sample is made anew
    and compared with what is recorded; then one commit without files says that both versions are equal. Where one row
    differs nothing is accepted, and the row is printed.
    """
    from orchestration.engine.changes.accept import accept as run
    from orchestration.engine.changes.accept import planned_acceptance

    workspace = open_workspace(profile, no_yarn_check=no_yarn_check, engine=engine)
    key = one_asset(workspace, asset)
    check_there(workspace)
    found = planned_acceptance(workspace, key, sample)
    click.echo(found.in_words(), err=True)
    if not dry_run:
        found = run(workspace, key, sample, _listener())
        click.echo(
            f"{key}: equal; {len(found.behind)} partitions are fresh again, and no row was written.", err=as_json
        )
    emit(lambda: found.to_json() | {"accepted": not dry_run}, as_json)
    return 0


@main.command()
@click.argument("asset")
@click.option("--rename", "renames", multiple=True, metavar="OLD=NEW", help="A column that has another name now.")
@click.option("--drop", "drops", multiple=True, metavar="COLUMN", help="A column whose values may go.")
@dry_run_option
@yes_option
@engine_option
@yarn_check_option
@profile_option
@json_option
@command
def migrate(
    asset: str,
    renames: tuple[str, ...],
    drops: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    engine: str | None,
    no_yarn_check: bool,
    profile: str | None,
    as_json: bool,
) -> int:
    """Bring a table to its contract, where columns went or changed.

    That is more than new nullable columns. It takes one commit, and records are kept. Columns that the contract renames
    (--rename), has no more (--drop, where they hold values), retypes, or lets no longer be null. Nothing is fetched,
    and nothing that does not read these columns becomes stale.
    """
    from orchestration.engine.changes.migrate import behind_its_code, planned_migration, run_migration

    pairs = {}
    for text in renames:
        old, sign, new = text.partition("=")
        if not (old and sign and new):
            raise UsageError(f"--rename {text}: must be OLD=NEW", "For instance --rename co2=carbon_dioxide.")
        if old in pairs:
            raise UsageError(f"--rename {old}: it is named twice", "Name each column once.")
        pairs[old] = new
    workspace = open_workspace(profile, no_yarn_check=no_yarn_check, engine=engine)
    key = one_asset(workspace, asset)
    check_there(workspace)
    found = planned_migration(workspace, key, pairs, drops)
    if found.is_empty:
        click.echo(f"{key}: nothing to migrate.", err=as_json)
    else:
        click.echo(found.in_words(), err=as_json)
        if not dry_run:
            if not yes:
                confirm("Migrate it?")
            run_migration(workspace, key, _listener(), pairs, drops)
            click.echo("Migrated.", err=as_json)
            if behind := behind_its_code(open_workspace(profile, no_yarn_check=no_yarn_check, engine=engine), key):
                click.echo(
                    f"{behind} partitions lie behind their code: `aqi accept {key}` if it makes the same rows, "
                    "else materialize them.",
                    err=as_json,
                )
    emit(found.to_json, as_json)
    return 0


@main.group()
def location() -> None:
    """Changes of locations that keep their history."""


@location.command()
@click.argument("old")
@click.argument("new")
@dry_run_option
@yes_option
@engine_option
@yarn_check_option
@profile_option
@json_option
@command
def rename(
    old: str,
    new: str,
    dry_run: bool,
    yes: bool,
    engine: str | None,
    no_yarn_check: bool,
    profile: str | None,
    as_json: bool,
) -> int:
    """Give a location another key, in every table.

    A commit a table, no fetch, ids as the new key makes them. Broken off, the same call goes on; until then runs on
    these tables are refused.
    """
    from orchestration.engine.changes.rename import planned_rename, run_rename

    workspace = open_workspace(profile, no_yarn_check=no_yarn_check, engine=engine)
    check_there(workspace)
    found = planned_rename(workspace, old, new)
    for table in found.tables:
        click.echo(table.in_words(), err=as_json)
    if not found.tables and not found.resumed:
        click.echo(f"No table has {old} any more, and {new} is there: nothing to do.", err=as_json)
    elif not dry_run:
        if not yes and not found.resumed:
            confirm(f"Rename {old} to {new}?")
        run_rename(workspace, old, new, _listener())
        click.echo(f"{old} is {new} now.", err=as_json)
    for location in found.still_named:
        click.echo(
            f"still named {old!r}: {location}. Change it: until then runs that would fetch {old} anew are refused, "
            "and fetch it in a warehouse without kept answers.",
            err=True,
        )
    emit(found.to_json, as_json)
    return 0
