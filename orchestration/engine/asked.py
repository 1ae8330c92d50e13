"""The request to the planner that follows from the parameters of a command or a deployment."""

from __future__ import annotations

from orchestration.core.planning.parameters import Backfill, Materialize
from orchestration.core.planning.request import Request
from orchestration.engine.backfill import backfill_request
from orchestration.engine.workspace import Workspace


def request_of(workspace: Workspace, asked: Materialize | Backfill, *, from_raw: bool = False) -> Request:
    """The request for ``asked``. Raises UsageError where selection, range or locations make no sense."""
    if isinstance(asked, Backfill):
        return backfill_request(
            workspace,
            workspace.select(asked.select),
            asked.start_date,
            asked.end_date,
            asked.chunk_mode,
            asked.locations,
            restart=asked.restart,
        )
    keys = workspace.select(asked.selection)
    if asked.hourly:
        return workspace.hourly(keys, asked.locations)
    return workspace.requested(keys, asked.partitions, asked.locations, force=asked.force, from_raw=from_raw)
