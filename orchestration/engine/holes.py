"""Holes of the tables in a warehouse: what of them people look at, and a request for all that is wanted."""

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
    """The holes of those of ``keys`` that have days, by key. tables: their states, where these were read already.

    locations: only of these; none: of all that are configured.
    """
    return {key: _at(found, locations) for key, found in workspace.holes(keys, tables).items()}


def _at(found: Holes, locations: Sequence[str]) -> Holes:
    if not locations:
        return found
    sets = (part.restrict(locations) for part in (found.wanted, found.missing, found.gaps))
    return Holes(found.asset, *sets)


def all_missing(found: Mapping[str, Holes]) -> PartitionSet:
    """What is wanted and not there in any of the tables."""
    return PartitionSet.union_of(of.missing for of in found.values())


def all_gaps(found: Mapping[str, Holes]) -> PartitionSet:
    """What is not there between days that are, in any of the tables, and nobody said that it is wanted."""
    return PartitionSet.union_of(of.gaps for of in found.values()) - all_missing(found)


def wanted_request(workspace: Workspace, keys: Sequence[str], locations: Sequence[str] = ()) -> Refresh | None:
    """All that is wanted of ``keys``, today with it; None where nothing is declared, or nothing that has days selected.

    locations: only these; none: all where something is declared.
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
