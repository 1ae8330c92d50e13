"""The holes of the tables in a warehouse, and a request for everything that is wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestration.core.calendar import day_of
from orchestration.core.partitions.keys import Days, PartitionSet
from orchestration.core.planning.request import Refresh
from orchestration.core.state.holes import Holes
from orchestration.core.state.table_state import TableState
from orchestration.engine.workspace import Workspace


def read_holes(
    workspace: Workspace,
    keys: Sequence[str],
    tables: Mapping[str, TableState] | None = None,
    locations: Sequence[str] = (),
) -> dict[str, Holes]:
    """The holes of the dated assets among ``keys``, by key. tables: their states, if they were read already.

    locations: only these; empty for all configured ones.
    """
    return {key: _at(found, locations) for key, found in workspace.holes(keys, tables).items()}


def _at(found: Holes, locations: Sequence[str]) -> Holes:
    if not locations:
        return found
    sets = (part.restrict(locations) for part in (found.wanted, found.missing, found.gaps))
    return Holes(found.asset, *sets)


def all_missing(found: Mapping[str, Holes]) -> PartitionSet:
    """Everything that is wanted and does not exist in one of the tables."""
    return PartitionSet.union_of(of.missing for of in found.values())


def all_gaps(found: Mapping[str, Holes]) -> PartitionSet:
    """Everything that lies in a gap of one of the tables and is not wanted."""
    return PartitionSet.union_of(of.gaps for of in found.values()) - all_missing(found)


def wanted_request(workspace: Workspace, keys: Sequence[str], locations: Sequence[str] = ()) -> Refresh | None:
    """The request for everything that is wanted of ``keys``, today included; None if nothing is declared, or no dated
    asset is selected.

    locations: only these; empty for all locations with a declaration.
    """
    workspace.check_locations(locations)
    names = locations or list(workspace.settings.since)
    found = read_holes(workspace, keys, None, names) if names else {}
    begins = {at: days.first for at, days in PartitionSet.union_of(of.wanted for of in found.values()).parts}
    today = day_of(workspace.settings.now())
    begins |= {at: day for at, day in workspace.settings.since.items() if at in names and day == today}
    if not begins or begins.keys() < set(locations):
        return None
    days = (PartitionSet.of(Days.of(first, today), [at]) for at, first in begins.items())
    return Refresh(frozenset(keys), PartitionSet.union_of(days))
