"""What is there: a line per asset and partition, from the tables' logs alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from orchestration.outcome import union
from orchestration.partitions import PartitionKey, PartitionSet
from orchestration.workspace import Workspace

THERE, MISSING, UNRECORDED = "there", "missing", "unrecorded"
STYLES = {THERE: "green", MISSING: "yellow", UNRECORDED: "red"}


@dataclass(frozen=True, slots=True)
class PartitionStatus:
    """The state of one partition. rows, version, run_id: as its last commit of ours recorded them."""

    asset: str
    partition: PartitionKey
    state: str
    reason: str
    rows: int | None = None
    version: int | None = None
    run_id: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "asset": self.asset,
            "partition": str(self.partition),
            "state": self.state,
            "reason": self.reason,
            "rows": self.rows,
            "version": self.version,
            "run_id": self.run_id,
        }


def read_status(
    workspace: Workspace,
    keys: Sequence[str],
    partitions: PartitionSet | None = None,
    locations: Sequence[str] = (),
) -> list[PartitionStatus]:
    """The states of ``partitions`` of the assets ``keys``; without a range: of all that any of the assets has."""
    states = {key: workspace.warehouse.state(workspace.catalog[key]) for key in keys}
    if partitions is None:
        partitions = union(state.present for state in states.values()).without_null()
        if locations:
            workspace.check_locations(locations)
            partitions = partitions.restrict(locations=locations)
    found = []
    for key in keys:
        state = states[key]
        asked = PartitionSet.null() if workspace.catalog[key].partitions is None else partitions
        for partition in asked:
            record = state.records.get(partition)
            if partition in state.unrecorded:
                what, why = UNRECORDED, "somebody else changed the table's data"
            elif record is None:
                what, why = MISSING, "never made"
            else:
                what, why = THERE, f"made {record.at}"
            facts = (None, None, None) if record is None else (record.rows, record.version, record.run_id)
            found.append(PartitionStatus(key, partition, what, why, *facts))
    return found


def print_status(console: Console, found: Sequence[PartitionStatus]) -> None:
    """A line per asset and state, with the partitions it holds for and their rows."""
    groups: dict[tuple[str, str], list[PartitionStatus]] = {}
    for item in found:
        groups.setdefault((item.asset, item.state), []).append(item)
    table = Table(box=None, pad_edge=False)
    for name in ("asset", "state", "partitions"):
        table.add_column(name, overflow="fold")
    table.add_column("count", justify="right")
    table.add_column("rows", justify="right")
    for (asset, state), items in groups.items():
        partitions = PartitionSet.from_keys(item.partition for item in items)
        rows = sum(item.rows or 0 for item in items)
        style = STYLES[state]
        shown = "" if state == MISSING else str(rows)
        table.add_row(asset, f"[{style}]{state}[/{style}]", str(partitions), str(len(items)), shown)
    console.print(table if found else "There is nothing yet.")
