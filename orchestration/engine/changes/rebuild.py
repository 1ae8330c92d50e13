"""`aqi repair --rebuild`: makes a table again with a new log. The old folder is kept under a name with the time.

The rows of the old data files go into the new table, and so do the records. But nothing is trusted before a repair has
compared rows and records, and has made again what differs. So it does not matter how broken the old table is, or how
much of it can be read.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from orchestration.core.calendar import iso
from orchestration.core.errors import LakehouseError, UsageError, WarehouseError
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.runs.journal import RunEntry, RunState
from orchestration.core.state.damage import as_folded
from orchestration.core.state.provenance import Provenance
from orchestration.core.state.table_state import TableState
from orchestration.engine.changes.tables import troubles
from orchestration.engine.exclusive import RunListener, locked, new_run_id
from orchestration.engine.run_record import write_down
from orchestration.engine.workspace import Workspace
from resources.delta.mending import check_in_order
from resources.delta.pending import Pending, PendingChange
from resources.delta.rebuilding import exchange, make_beside, new_beside, remove, sweep
from resources.delta.warehouse import TABLE_PROPERTIES
from resources.machine.package import package_version


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A rebuilt table."""

    asset: str
    kept: str
    """Where the old folder is."""
    rows: int
    """The number of rows that were taken over."""
    left_out: tuple[str, ...] = ()
    """The old files that could not be taken over, with why."""
    unread: bool = False
    """Whether the old log could not be read to its end."""
    fetched: bool = False
    """Whether the table is fetched from a source, whose answers are kept."""

    def in_words(self) -> str:
        text = f"{self.asset}: a new table with {self.rows:,} rows of the old one, which is kept at {self.kept}"
        if self.rows and self.unread:
            text += ". Its log could not be read to its end, and what only that recorded is not in it"
        if not self.rows or self.unread:
            of_kept = " --from-raw" if self.fetched else ""
            text += f". What is missing now is made by `aqi materialize {self.asset}{of_kept} --partitions RANGE`"
        return text + "".join(f"\n  left out: {path}" for path in self.left_out)


def command(key: str) -> str:
    """The command that rebuilds a table, and that goes on with a rebuild that was broken off."""
    return f"aqi repair {key} --rebuild"


def to_rebuild(workspace: Workspace, keys: Sequence[str], *, sound: bool) -> list[str]:
    """Those of ``keys`` whose tables are in trouble, or whose rebuild was broken off. Tables that this user merely may
    not read are left out.

    sound: whether to rebuild also tables with which nothing is wrong.
    """
    pending = Pending(workspace.warehouse.uri).read()
    begun = set() if pending is None else {key for key in keys if pending.command == command(key)}
    there = workspace.states(keys)
    wanted = there if sound else {key for key, trouble in troubles(there).items() if not trouble.refused}
    return [key for key in keys if key in wanted or key in begun]


def rebuild(workspace: Workspace, keys: Sequence[str], listener: RunListener) -> list[Rebuilt]:
    """Rebuild the tables of ``keys``, one after the other, under the lock of the warehouse.

    Raises UsageError where another change of these tables is under way, WarehouseError, OSError.
    """
    run_id, found, began = new_run_id(), list[Rebuilt](), datetime.now(UTC)
    with locked(workspace, run_id, listener):
        try:
            for key in keys:
                found.append(_rebuild(workspace, key, run_id))
        finally:
            if found:
                _write_down(workspace, run_id, tuple(one.asset for one in found), began, listener)
    return found


def _write_down(
    workspace: Workspace, run_id: str, rebuilt: tuple[str, ...], began: datetime, listener: RunListener
) -> None:
    """Tell the journal that what it knows about these tables is about the old ones."""
    ended, title = datetime.now(UTC), f"repair {' or '.join(rebuilt)} --rebuild"
    process, seconds = (os.getpid(), socket.gethostname()), (ended - began).total_seconds()
    entry = RunEntry(run_id, title, iso(began), iso(ended), RunState.COMPLETED, *process, seconds, rebuilt=rebuilt)
    if problem := write_down(workspace, entry):
        listener.warned(problem)


def _rebuild(workspace: Workspace, key: str, run_id: str) -> Rebuilt:
    pending, uri = Pending(workspace.warehouse.uri), workspace.warehouse.table_uri(key)
    begun = pending.read()
    if begun is not None and begun.command == command(key):
        details = begun.details
        exchange(uri, details["new"], details["kept"])
        pending.end()
        return _rebuilt(workspace, key, details)
    pending.check(frozenset([key]))
    sweep(uri)
    state = workspace.states((key,)).get(key)
    if state is None:
        raise UsageError(f"{key} has no table", f"Make it: aqi materialize '+{key}' --partitions RANGE")
    if state.damage is not None and (trouble := state.damage.trouble) is not None and trouble.refused:
        raise WarehouseError(f"{key}: nothing can be made in its place: {trouble.what}", trouble.remedy)
    if state.damage is not None and state.damage.trouble is not None and state.damage.trouble.moved:
        state = TableState(version=state.version)
    now = datetime.now(UTC)
    new, kept = new_beside(uri, run_id), f"{uri}.kept-{now:%Y%m%dT%H%M%SZ}"
    said = _said(key, as_folded(state), run_id, iso(now))
    lost = set() if state.damage is None else {one.path for one in state.damage.lost}
    paths = [path for path in state.files if path not in lost]
    try:
        asset, contract = workspace.catalog[key], workspace.contracts[key]

        def metadata_of(with_rows: PartitionSet) -> str:
            return workspace.warehouse.metadata(asset, replace(said, lost=said.lost | with_rows), new)

        at = asset.partition_columns
        if _is_unread(workspace, key, state):
            check_in_order(uri, f"the log of {key}")
        rows, left_out = make_beside(uri, new, contract, TABLE_PROPERTIES, paths, state.schema, at, metadata_of)
    except BaseException:
        remove(new)
        raise
    unread = _is_unread(workspace, key, state)
    details = {"new": new, "kept": kept, "rows": rows, "left_out": left_out, "unread": unread}
    pending.begin(PendingChange(command(key), run_id, (key,), {key: state.version}, details))
    exchange(uri, new, kept)
    pending.end()
    workspace.forget(key)
    return _rebuilt(workspace, key, details)


def _rebuilt(workspace: Workspace, key: str, details: Mapping[str, Any]) -> Rebuilt:
    """details: of the pending change. Those of older versions say nothing about ``unread``."""
    fetched = workspace.catalog[key].source is not None
    rows, left_out, unread = int(details["rows"]), tuple(details["left_out"]), bool(details.get("unread"))
    return Rebuilt(key, details["kept"], rows, left_out, unread, fetched)


def _is_unread(workspace: Workspace, key: str, state: TableState) -> bool:
    """Whether the table has, or may have, versions that its state does not include."""
    try:
        newest = workspace.warehouse.newest(workspace.catalog[key])
    except LakehouseError:
        return True
    return newest is None or state.version is None or newest > state.version


def _said(key: str, state: TableState, run_id: str, at: str) -> Provenance:
    """Everything that the old table's commits said. All partitions exist, and none is trusted."""
    return Provenance(
        run_id,
        key,
        at,
        state.records,
        questions=state.questions,
        shapes=state.shapes,
        equal=tuple(sorted(state.equal, key=lambda one: (one.asset, one.location or "", one.one, one.other))),
        past=tuple(dict(items) for items in sorted(state.past, key=repr)),
        columns_of=state.columns_of,
        kinds=tuple(sorted(state.kinds)),
        by=package_version(),
        lost=state.present,
    )
