"""Rows of a table for people and scripts, without a JVM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from orchestration.core.errors import UsageError
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.state.table_state import TableState
from orchestration.engine.workspace import Workspace

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

    Raises UsageError where the asset has no table yet, or a place is not configured.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    asset = workspace.catalog[key]
    state: TableState = workspace.warehouse.state(asset)
    workspace.check_locations(locations, state.present.locations)
    if state.version is None:
        raise UsageError(
            f"{key} has no table in {workspace.warehouse.uri}", f"Make it: aqi materialize '+{key}' --partitions RANGE"
        )
    filters: list[tuple[str, str, Any]] = []
    columns = asset.partition_columns
    if columns is not None and partitions is not None:
        filters.append((columns.day, ">=", partitions.days.first))
        filters.append((columns.day, "<=", partitions.days.last))
    rows = workspace.warehouse.read_arrow(key, state.version, filters=filters or None)
    if columns is not None and locations:  # not by a filter: see ``Warehouse.read_partitions``
        here = pa.array(list(locations), pa.string())
        rows = rows.filter(pc.is_in(rows[columns.location].cast(pa.string()), value_set=here))
    contract = workspace.contracts[key]
    order = [(name, "ascending") for name in contract.key]
    positions = pc.sort_indices(rows.select(contract.key), sort_keys=order)
    if limit is not None:
        positions = positions[:limit]
    return rows.take(positions).select([name for name in contract.column_names if name in rows.column_names])
