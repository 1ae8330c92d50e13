"""Removing partitions: their rows and their records, in one commit a table, without a JVM."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from orchestration.core.calendar import iso
from orchestration.core.counted import counted
from orchestration.core.errors import WarehouseError
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.planning.request import Selected
from orchestration.core.runs.journal import RunEntry, RunState, last_failed
from orchestration.core.runs.names import run_name
from orchestration.core.runs.records import provenance_of
from orchestration.core.state.table_state import TableState
from orchestration.engine.changes.tables import tell_lost, troubles
from orchestration.engine.exclusive import RunListener, locked, new_run_id
from orchestration.engine.run_record import write_down
from orchestration.engine.workspace import Workspace
from resources.delta.pending import Pending
from resources.machine.package import package_version
from resources.storage.journal import Journal


@dataclass(frozen=True, slots=True)
class Wipe:
    """The partitions of an asset that are removed. rows: as recorded; rows that somebody else added are not counted."""

    asset: str
    partitions: PartitionSet
    """The partitions that are there."""
    rows: int
    """As recorded; not of what somebody else changed."""
    failed: PartitionSet
    """The partitions, there or not, at which the last attempt failed: this is forgotten."""

    def in_words(self) -> str:
        """A line for what is there, and one for what is not; all partitions are named, as they are asked for."""
        lines = []
        if self.partitions:
            amount = f"{counted(len(self.partitions), 'partition')}, {counted(self.rows, 'row')}"
            lines.append(f"remove {_all_of(self.asset, self.partitions)} ({amount})")
        if lacking := self.failed - self.partitions:
            amount = counted(len(lacking), "partition")
            lines.append(f"forget {_all_of(self.asset, lacking)} ({amount} that could not be made)")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        return {
            "asset": self.asset,
            "partitions": self.partitions.keys(),
            "rows": self.rows,
            "failed": self.failed.keys(),
        }


def _all_of(asset: str, partitions: PartitionSet) -> str:
    return asset if partitions == PartitionSet.null() else f"{asset} {partitions.in_full()}"


def planned_wipes(workspace: Workspace, request: Selected) -> list[Wipe]:
    """The existing partitions of the request, downstream assets first, so that nothing ever depends on something
    removed; and those that are missing because the last attempt to make them failed, which is forgotten.

    Raises WarehouseError if one of the tables cannot be written.
    """
    tables = _tables(workspace, request)
    return _wipes(workspace, request, tables)


def failed_at(workspace: Workspace, keys: Iterable[str]) -> PartitionSet:
    """The days and locations at which the last attempt to make any of ``keys`` failed."""
    entries = Journal(workspace.warehouse.uri).entries()
    return PartitionSet.union_of(last_failed(entries, key) for key in keys).without_null()


def _tables(workspace: Workspace, request: Selected) -> dict[str, TableState]:
    tables = workspace.states(tuple(request.assets))
    for key, trouble in troubles(tables).items():
        if key in request.assets:
            raise WarehouseError(f"{key}: nothing can be removed: {trouble.what}", trouble.remedy)
    return tables


def _wipes(workspace: Workspace, request: Selected, tables: Mapping[str, TableState]) -> list[Wipe]:
    wipes, entries = [], Journal(workspace.warehouse.uri).entries()
    for key in reversed(workspace.catalog.keys):
        if key not in request.assets:
            continue
        asked, state = workspace.catalog[key].asked_by(request.partitions), tables.get(key, TableState())
        there = asked & state.present
        failed = asked & last_failed(entries, key)
        wipes += [Wipe(key, there, state.records.rows_of(there), failed)] if there or failed else []
    return wipes


def run_wipes(workspace: Workspace, request: Selected, listener: RunListener) -> list[Wipe]:
    """Remove the existing partitions of the request, under the lock of the warehouse. That others of them failed is
    forgotten."""
    run_id, began = new_run_id(), datetime.now(UTC)
    Pending(workspace.warehouse.uri).check(request.assets)
    with locked(workspace, run_id, listener):
        Pending(workspace.warehouse.uri).check(request.assets)
        tables = _tables(workspace, request)
        wipes = _wipes(workspace, request, tables)
        for wipe in wipes:
            if not wipe.partitions:
                continue
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
        if any(wipe.failed for wipe in wipes):
            _write_down(workspace, run_id, wipes, began, listener)
    return wipes


def _write_down(
    workspace: Workspace, run_id: str, wipes: Sequence[Wipe], began: datetime, listener: RunListener
) -> None:
    """Tell the journal, which knows of attempts that failed."""
    wiped = {wipe.asset: wipe.partitions | wipe.failed for wipe in wipes}
    dated = {asset.key for asset in workspace.catalog if asset.partitions is not None}
    keys = "*" if dated <= wiped.keys() else " or ".join(wiped)
    days = PartitionSet.union_of(wiped.values()).days
    which = "..".join(dict.fromkeys([days.first.isoformat(), days.last.isoformat()])) if days else ""
    ended, process = datetime.now(UTC), (os.getpid(), socket.gethostname())
    title, seconds = f"wipe {run_name(keys, which)}", (ended - began).total_seconds()
    entry = RunEntry(run_id, title, iso(began), iso(ended), RunState.COMPLETED, *process, seconds, wiped=wiped)
    if problem := write_down(workspace, entry):
        listener.warned(problem)
