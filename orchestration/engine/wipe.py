"""Removing partitions: their rows and their records, in one commit a table, without a JVM."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from orchestration.core.calendar import iso
from orchestration.core.counted import counted
from orchestration.core.errors import WarehouseError
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.planning.request import Selected
from orchestration.core.runs.records import provenance_of
from orchestration.core.state.table_state import TableState
from orchestration.engine.changes.tables import tell_lost, troubles
from orchestration.engine.exclusive import RunListener, locked, new_run_id
from orchestration.engine.workspace import Workspace
from resources.delta.pending import Pending
from resources.machine.package import package_version


@dataclass(frozen=True, slots=True)
class Wipe:
    """The partitions of an asset that are removed. rows: as recorded; not of what somebody else changed."""

    asset: str
    partitions: PartitionSet
    rows: int

    def in_words(self) -> str:
        told = self.partitions.in_full()  # it is asked for: nothing may be hidden behind two ends of a list
        return f"remove {self.asset} {told} ({counted(len(self.partitions), 'partition')}, {counted(self.rows, 'row')})"

    def to_json(self) -> dict[str, Any]:
        return {"asset": self.asset, "partitions": self.partitions.keys(), "rows": self.rows}


def planned_wipes(workspace: Workspace, request: Selected) -> list[Wipe]:
    """What is there of the requested assets and partitions: downstream first, so that nothing stands on nothing.

    Raises WarehouseError where one of the tables cannot be written as it is.
    """
    tables = _tables(workspace, request)
    return _wipes(workspace, request, tables)


def _tables(workspace: Workspace, request: Selected) -> dict[str, TableState]:
    tables = workspace.states(tuple(request.assets))
    for key, trouble in troubles(tables).items():
        if key in request.assets:
            raise WarehouseError(f"{key}: nothing can be removed: {trouble.what}", trouble.remedy)
    return tables


def _wipes(workspace: Workspace, request: Selected, tables: Mapping[str, TableState]) -> list[Wipe]:
    wipes = []
    for key in reversed(workspace.catalog.keys):
        if key in request.assets and key in tables:
            there = workspace.catalog[key].asked_by(request.partitions) & tables[key].present
            wipes += [Wipe(key, there, tables[key].records.rows_of(there))] if there else []
    return wipes


def run_wipes(workspace: Workspace, request: Selected, listener: RunListener) -> list[Wipe]:
    """Remove what is there of the requested assets and partitions, under the warehouse's lock."""
    run_id = new_run_id()
    Pending(workspace.warehouse.uri).check(request.assets)
    with locked(workspace, run_id, listener):
        Pending(workspace.warehouse.uri).check(request.assets)
        tables = _tables(workspace, request)
        wipes = _wipes(workspace, request, tables)
        for wipe in wipes:
            asset, state = workspace.catalog[wipe.asset], tables[wipe.asset]
            lost = () if state.damage is None else state.damage.lost
            if paths := [one.path for one in lost if one.span.covered(wipe.partitions)]:  # nobody could look there
                tell_lost(workspace, asset.key, state, run_id, paths)
            at, past = iso(datetime.now(UTC)), workspace.history.past(asset, wiped=True)
            provenance = provenance_of(
                run_id, asset, at, {}, state, {}, wiped=wipe.partitions, past=past, by=package_version()
            )
            workspace.warehouse.wipe(asset, wipe.partitions, provenance)
            with contextlib.suppress(OSError):  # the log says it too; the next run writes it down
                workspace.warehouse.keep_state(asset, workspace.warehouse.state(asset))
    return wipes
