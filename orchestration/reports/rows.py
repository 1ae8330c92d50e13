"""Rows of a table for people and scripts, without a JVM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from orchestration.core.errors import UsageError, WarehouseError
from orchestration.core.partitions.keys import PartitionSet
from orchestration.engine.changes.tables import troubles
from orchestration.engine.whereabouts import check_there
from orchestration.engine.workspace import Workspace
from resources.delta.first_rows import Within, rows_in_order
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
    """Rows of an asset's newest version in the order of its key: all, or those of ``partitions`` or ``locations``;
    at most ``limit``.

    Raises UsageError where the asset has no table yet, or a location is not configured; WarehouseError where the table
    cannot be read.
    """
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
    contract, within = workspace.contracts[key], None
    if (columns := asset.partition_columns) is not None:
        days = None if partitions is None else (partitions.days.first, partitions.days.last)
        within = Within(columns, days, locations or None)
    try:
        rows = rows_in_order(workspace.warehouse.table_uri(key), version, contract.key, limit, within)
    except WarehouseError as error:
        raise WarehouseError(error.message, how_to_mend(key, error)) from error
    return rows.select([name for name in contract.column_names if name in rows.column_names])
