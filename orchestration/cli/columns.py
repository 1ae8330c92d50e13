"""`aqi materialize --record-columns`: its allowed options, and its output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from orchestration.cli.common import console_for_people
from orchestration.cli.emit import emit
from orchestration.core.errors import UsageError
from resources.prefect.quiet import quiet_prefect

if TYPE_CHECKING:
    from orchestration.engine.workspace import Workspace

record_columns_option = click.option(
    "--record-columns",
    is_flag=True,
    help="Make nothing: record what columns are made of, where that is not known yet. Needs no range.",
)


def check_alone(given: Mapping[str, object]) -> None:
    """Raises UsageError if an option about partitions is given besides. given: name of an option → its value."""
    if options := [name for name, value in given.items() if value]:
        raise UsageError(
            f"--record-columns makes no partition, and {options[0]} is about partitions",
            f"Leave out {' and '.join(options)}, or --record-columns.",
        )


def record(workspace: Workspace, selection: str, *, dry_run: bool, as_json: bool) -> int:
    """Record the column lineage, or say what would be recorded. Gives the exit status: 1 if an asset failed."""
    from orchestration.cli.progress import Quiet
    from orchestration.engine.changes.record_columns import planned_columns, record_columns

    keys = workspace.select(selection)
    if dry_run:
        found = planned_columns(workspace, keys)
    else:
        quiet_prefect()
        found = record_columns(workspace, keys, Quiet(console_for_people(to_stderr=True)))
    emit(
        lambda: [one.to_json() for one in found],
        as_json,
        lambda: click.echo("".join(f"{one}\n" for one in found), nl=False),
    )
    return int(any(one.what == "failed" for one in found))
