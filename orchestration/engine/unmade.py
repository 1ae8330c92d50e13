"""Partitions that a run was to make and that nobody has made since; and damaged tables that still have to be mended."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import numpy as np

from orchestration.core.alerts.incident_words import Broken
from orchestration.core.calendar import iso
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.state.freshness import NOT_MENDED, Judge, Way
from orchestration.core.state.judged import judged
from orchestration.core.state.table_state import TableState
from orchestration.engine.workspace import Workspace
from resources.storage.journal import Journal


def still_unmade(
    workspace: Workspace, unmade: Mapping[str, PartitionSet], since: datetime, *, forced: bool = False
) -> dict[str, PartitionSet]:
    """Those of ``unmade`` (by asset) that are not right and that nobody has made since.

    A partition counts as made if it was recorded later, if a later run found it right, or if its source was asked later
    in vain. forced: fresh partitions were to be made too, so being fresh does not count. Assets and locations that are
    no longer configured are left out.
    """
    current, after = workspace.current(), iso(since)
    known = {key: of for key, of in unmade.items() if key in workspace.assets}
    tables = workspace.counted_states(tuple(known)) if known else {}
    good = _good_since(workspace, after) if known else {}
    left: dict[str, PartitionSet] = {}
    for key, partitions in known.items():
        asset, own = workspace.assets[key], tables.get(key, TableState())
        gone = [location for location in partitions.locations if not current.is_configured(location)]
        rest = partitions - partitions.without_null().restrict(locations=gone) - good.get(key, PartitionSet.empty())
        rest -= recorded_since(own, rest, after)
        if rest and asset.source is not None:
            rest -= _asked_since(workspace.moments.read(key), rest, after)
        if rest and not forced:
            for alike in judged(Judge(asset, tables, current), rest):
                if alike.judgement.fresh or alike.judgement.way is Way.REFETCH:
                    rest -= alike.partitions
        if rest:
            left[key] = rest
    return left


def recorded_since(own: TableState, partitions: PartitionSet, after: str) -> PartitionSet:
    """Those of ``partitions`` whose present record is later than ``after`` (ISO 8601, UTC)."""
    there = (partitions & own.records.partitions) - own.unrecorded
    if not there:
        return there
    records = own.records
    at = records.index(there)
    later = np.array([stamp.at > after for stamp in records.stamps], dtype=bool)
    return records.set_of(at[later[records.stamp[at]]])


def broken_tables(workspace: Workspace) -> list[Broken]:
    """The damaged tables, and those whose repair was broken off or failed."""
    found = []
    for key, state in workspace.states(workspace.catalog.keys).items():
        if (damage := state.damage) is not None:
            what = damage.in_short if damage.trouble is None else damage.trouble.what
            remedy = damage.remedy(key) if damage.trouble is None else damage.trouble.remedy
            found.append(Broken(key, what, remedy, state.damaged | state.taken_out))
        elif state.taken_out:
            found.append(Broken(key, NOT_MENDED, f"`aqi repair {key}` mends it.", state.taken_out))
    return found


def _asked_since(moments: Mapping[PartitionKey, str], partitions: PartitionSet, after: str) -> PartitionSet:
    return PartitionSet.from_keys(key for key, asked in moments.items() if asked > after) & partitions


def _good_since(workspace: Workspace, after: str) -> dict[str, PartitionSet]:
    """The partitions that later runs made or found right."""
    good: dict[str, PartitionSet] = {}
    for entry in Journal(workspace.warehouse.uri).entries():
        if entry.started_at > after:
            for asset, attempt in entry.attempts.items():
                good[asset] = good.get(asset, PartitionSet.empty()) | attempt.good
    return good
