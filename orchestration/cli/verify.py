"""The command that proves that no warehouse can tell which engine made it."""

from __future__ import annotations

import sys
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

if TYPE_CHECKING:
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
        for one in verified:
            found.append(one)
            if not as_json:
                click.echo(_line(one))
                sys.stdout.flush()
    emit(lambda: [one.to_json() for one in found], as_json)
    different = sum(len(one.different) for one in found)
    equal, left_out = (sum(map(len, parts)) for parts in ([o.equal for o in found], [o.left_out for o in found]))
    said = f"{equal} partitions are equal on {workspace.settings.engine}, {different} are different"
    click.echo(said + (f", {left_out} were left out: they are not fresh." if left_out else "."), err=True)
    return 1 if different else 0


def _line(one: Verified) -> str:
    parts = [f"{len(one.equal)} equal", f"{len(one.different)} different"]
    parts += [f"{len(one.left_out)} left out ({next(iter(one.left_out.values()))})"] if one.left_out else []
    return f"{one.asset:38} {', '.join(parts)}" + (f"\n  {one.why}" if one.why else "")
