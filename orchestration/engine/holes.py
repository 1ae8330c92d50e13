"""Holes of the tables in a warehouse, against what the settings say is wanted, and the commands that fill them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.planning.commands import fill_commands
from orchestration.core.state.holes import Holes, Wanted, holes
from orchestration.core.state.table_state import TableState
from orchestration.engine.workspace import Workspace


def wanted(workspace: Workspace) -> Wanted:
    """What history there should be by the settings, and what the sources say of themselves."""
    settings, sources = workspace.settings, workspace.sources
    return Wanted(
        settings.now(),
        settings.since,
        frozenset(place.key for place in settings.locations),
        {name: source.first_day for name, source in sources.items()},
        {name: source.values_from for name, source in sources.items()},
    )


def read_holes(
    workspace: Workspace, keys: Sequence[str], tables: Mapping[str, TableState] | None = None
) -> dict[str, Holes]:
    """The holes of those of ``keys`` that have days, by key. tables: their states, where these were read already."""
    states = workspace.states(keys) if tables is None else tables
    found = holes(workspace.catalog, states, wanted(workspace))
    return {key: found[key] for key in keys if key in found}


def all_missing(found: Mapping[str, Holes]) -> PartitionSet:
    """What is wanted and not there in any of the tables."""
    return PartitionSet.union_of(of.missing for of in found.values())


def all_gaps(found: Mapping[str, Holes]) -> PartitionSet:
    """What is not there between days that are, in any of the tables, and nobody said that it is wanted."""
    return PartitionSet.union_of(of.gaps for of in found.values()) - all_missing(found)


def commands(workspace: Workspace, partitions: PartitionSet, keys: Sequence[str] = ()) -> list[str]:
    """What fills ``partitions`` of the assets ``keys`` (none: of all)."""
    everything = not keys or set(keys) == set(workspace.catalog.keys)
    return fill_commands(partitions, () if everything else keys, [place.key for place in workspace.settings.locations])
