"""The command that proves that no warehouse can tell which engine made it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
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
    yarn_check_option,
)
from orchestration.cli.emit import emit
from orchestration.cli.progress import Quiet
from orchestration.core.planning.ranges import in_range
from orchestration.reports.fitting import Column, Kind, print_table

if TYPE_CHECKING:
    from rich.console import Console

    from orchestration.engine.verify import Verified

OTHER = {"embedded": "spark", "spark": "embedded"}


@main.command()
@click.argument("selection", default="*")
@partitions_option
@locations_option
@click.option(
    "--engine", type=click.Choice(["embedded", "spark"]), help="What makes the rows (default: the other engine)."
)
@yarn_check_option
@profile_option
@json_option
@command
def verify(
    selection: str,
    days: str | None,
    locations: str,
    engine: str | None,
    no_yarn_check: bool,
    profile: str | None,
    as_json: bool,
) -> int:
    """Make partitions on the other engine, and compare them.

    With what is recorded.

    The engine is the other one than the profile's, unless named; on YARN and HDFS it is Spark.

    Nothing is written. What is not fresh is left out. Exit status 1 where a row comes out otherwise.
    """
    from orchestration.engine.verify import verify as run

    workspace = open_workspace(profile, no_yarn_check=no_yarn_check, engine=engine)
    if engine is None and not workspace.settings.needs_spark:  # elsewhere there is but one
        other = OTHER[workspace.settings.engine]
        workspace = open_workspace(profile, no_yarn_check=no_yarn_check, engine=other)
    keys = workspace.select(selection)
    in_range(workspace.catalog, keys, days)
    check_there(workspace)
    request = workspace.requested(keys, days, location_names(locations))
    found: list[Verified] = []
    listener = Quiet(console_for_people(to_stderr=True))
    with closing(run(workspace, keys, request.partitions, listener)) as verified:
        for number, one in enumerate(verified, 1):
            found.append(one)
            click.echo(f"compared  {one.asset} ({number} of {len(keys)})", err=True)
    emit(lambda: [one.to_json() for one in found], as_json, lambda: print_verified(console_for_people(), found))
    different = sum(len(one.different) for one in found)
    equal, left_out = (sum(map(len, parts)) for parts in ([o.equal for o in found], [o.left_out for o in found]))
    said = f"{equal} partitions are equal on {workspace.settings.engine}, {different} are different"
    click.echo(said + (f", {left_out} were left out: they are not fresh." if left_out else "."), err=True)
    return 1 if different else 0


def print_verified(console: Console, found: Sequence[Verified]) -> None:
    """A line per asset: how many partitions are equal, different and left out, and why the first of these is."""
    columns = [Column("asset", Kind.KEY), *(Column(name, Kind.NUMBER) for name in ("equal", "different", "left out"))]
    rows = [
        [one.asset, *(str(len(part)) for part in (one.equal, one.different, one.left_out)), _why(one)] for one in found
    ]
    print_table(console, [*columns, Column("why")], rows)


def _why(one: Verified) -> str:
    return "; ".join(filter(None, [one.why, next(iter(one.left_out.values()), "")]))
