"""A backfill: a materialization of a range of days in chunks, in one session and one flow."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import date

from orchestration.core.partitions.keys import ChunkMode, Days, PartitionSet, chunks
from orchestration.core.planning.ranges import in_range
from orchestration.core.planning.request import Chunk, Refresh, Restart
from orchestration.engine.restart import restarted
from orchestration.engine.workspace import Workspace


def backfill_request(
    workspace: Workspace,
    keys: Sequence[str],
    start: date,
    end: date,
    mode: ChunkMode,
    locations: Sequence[str] = (),
    *,
    restart: bool = False,
) -> Refresh | Restart:
    """The request of `aqi backfill`. restart: make everything again, except what an earlier, broken-off restart of the
    same days has made.

    Raises PartitionRangeError where the two days are not a range.
    """
    days = f"{start}..{end}"
    in_range(workspace.catalog, keys, days, f"A backfill is of days: aqi materialize {shlex.quote(' or '.join(keys))}")
    asked = workspace.requested(keys, days, locations)
    request = Refresh(asked.assets, asked.partitions, chunks=in_chunks(asked.partitions, mode))
    return restarted(workspace, request) if restart else request


def in_chunks(partitions: PartitionSet, mode: ChunkMode) -> tuple[Chunk, ...]:
    """``partitions`` in chunks of days. Their names: 2025-08 (monthly), 2025-08-08..2025-08-14 (weekly), 2025-08-08
    (daily)."""
    return tuple(Chunk(_name(days, mode), partitions.restrict(days=days)) for days in chunks(partitions.days, mode))


def _name(days: Days, mode: ChunkMode) -> str:
    return f"{days.first:%Y-%m}" if mode == "monthly" else str(days)
