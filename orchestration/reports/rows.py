"""Rows of a table for people and scripts, without a JVM."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

from orchestration.core.errors import UsageError, WarehouseError
from orchestration.core.partitions.keys import Days, PartitionSet
from orchestration.engine.changes.tables import troubles
from orchestration.engine.whereabouts import check_there
from orchestration.engine.workspace import Workspace
from resources.delta.first_rows import Within, count_rows, rows_in_order
from resources.delta.mending import how_to_mend

if TYPE_CHECKING:
    import pyarrow as pa


def read_rows(
    workspace: Workspace,
    key: str,
    partitions: PartitionSet | None = None,
    locations: Sequence[str] = (),
    limit: int | None = None,
) -> pa.Table:
    """At most ``limit`` rows of an asset's newest version, in the order of its key: all, or those of ``partitions`` or
    ``locations``.

    Raises UsageError if the asset has no table, or a location is not configured; WarehouseError if the table cannot be
    read.
    """
    version = _version_of(workspace, key, locations)
    contract, within = workspace.contracts[key], _within(workspace, key, partitions, locations)
    try:
        rows = rows_in_order(workspace.warehouse.table_uri(key), version, contract.key, limit, within)
    except WarehouseError as error:
        raise WarehouseError(error.message, how_to_mend(key, error)) from error
    return rows.select([name for name in contract.column_names if name in rows.column_names])


def rows_there(
    workspace: Workspace, key: str, partitions: PartitionSet | None = None, locations: Sequence[str] = ()
) -> int:
    """The number of rows that ``read_rows`` gives without a limit. Raises the same errors."""
    version = _version_of(workspace, key, locations)
    return count_rows(workspace.warehouse.table_uri(key), version, _within(workspace, key, partitions, locations))


def last_days(workspace: Workspace, key: str, count: int) -> PartitionSet:
    """The last ``count`` days up to the newest one of an asset. Raises UsageError if it is unpartitioned or empty."""
    asset = workspace.catalog[key]
    if asset.partitions is None:
        raise UsageError(f"{key} has no days", "Leave out --last.")
    _version_of(workspace, key)
    days = workspace.warehouse.state(asset).present.without_null().days
    if not days:
        raise UsageError(f"{key} has no day yet", f"Make some: aqi materialize '+{key}' --partitions RANGE")
    last = days.last
    first = last - min(timedelta(days=count - 1), last - date.min)
    return PartitionSet.of(Days.of(first, last), workspace.warehouse.state(asset).present.locations)


def _version_of(workspace: Workspace, key: str, locations: Sequence[str] = ()) -> int:
    """The newest version of an asset's table. Raises the errors of ``read_rows``."""
    asset = workspace.catalog[key]
    if (trouble := troubles(workspace.states([key])).get(key)) is not None and not trouble.readable:
        raise WarehouseError(trouble.what, trouble.remedy)
    version = workspace.warehouse.newest(asset)
    workspace.check_locations(locations, workspace.warehouse.state(asset).present.locations if locations else ())
    if version is None:
        check_there(workspace)
        raise UsageError(
            f"{key} has no table in {workspace.warehouse.uri}", f"Make it: aqi materialize '+{key}' --partitions RANGE"
        )
    return version


def _within(workspace: Workspace, key: str, partitions: PartitionSet | None, locations: Sequence[str]) -> Within | None:
    """The restriction of rows; None for all rows of an unpartitioned table."""
    if (columns := workspace.catalog[key].partition_columns) is None:
        return None
    return Within(
        columns, None if partitions is None else (partitions.days.first, partitions.days.last), locations or None
    )
