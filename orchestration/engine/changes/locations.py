"""Locations that the tables have: those that are no longer configured, those that have one key in the warehouse and
another in the configuration, and pairs that have swapped their coordinates.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from orchestration.core.declarations.asset import Asset
from orchestration.core.errors import UsageError, WarehouseError
from orchestration.core.partitions.keys import PartitionKey
from orchestration.core.planning.request import Refetch, Request
from orchestration.core.state.provenance import Question
from orchestration.core.state.table_state import TableState
from orchestration.engine.workspace import Workspace
from resources.delta.pending import Pending
from resources.settings.layers import values_of


@dataclass(frozen=True, slots=True)
class TableLocations:
    """What the tables say about locations."""

    table: str
    """The asset that lists the locations."""
    gone: Mapping[str, int] = field(default_factory=dict)
    """Location that is no longer configured → its number of partitions."""
    without_row: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Asset → *configured* locations that have partitions there and no row in ``table``. Locations that are no longer
    configured have no row on purpose; their facts are kept."""


def locations_of(workspace: Workspace, states: Mapping[str, TableState] | None = None) -> TableLocations:
    """What the tables say about locations. Needs no JVM."""
    states = workspace.states(workspace.catalog.keys) if states is None else states
    configured = {location.key for location in workspace.settings.locations}
    table = next((asset for asset in workspace.catalog if workspace.history.is_of_locations(asset)), None)
    listed = {location.key for location in workspace.history.locations_in(table)} if table is not None else set()
    gone: dict[str, int] = {}
    without: dict[str, tuple[str, ...]] = {}
    for asset in workspace.catalog:
        state = states.get(asset.key)
        if state is None or asset.partitions is None:
            continue
        present = state.present
        for key in present.locations:
            if key not in configured:
                gone[key] = gone.get(key, 0) + len(present.days_of(key))
        lacking = tuple(key for key in present.locations if key in configured and key not in listed)
        if lacking and asset.layer == "gold":
            without[asset.key] = lacking
    return TableLocations(table.key if table is not None else "", dict(sorted(gone.items())), without)


def check_ready(workspace: Workspace, request: Request) -> None:
    """Raises UsageError if a run cannot start: a change of its tables is under way, a location has another key in the
    warehouse, or two locations have swapped coordinates."""
    Pending(workspace.warehouse.uri).check(request.assets)
    check_renamed(workspace, request)
    if not isinstance(request, Refetch):
        check_swapped(workspace, workspace.states(tuple(request.assets)))


def check_renamed(workspace: Workspace, request: Request | None = None) -> None:
    """Raises UsageError if the configuration has a location under a key that was renamed away in this warehouse.

    A run would fetch it anew, beside the rows of its new key. That is refused only where the new key has rows and is
    not configured, and where the old key is configured with the coordinates that these rows were fetched for: any
    other location may take the old key. request: None for all that there is.
    """
    configured = [location.key for location in workspace.settings.locations]
    if request is not None and not any(workspace.history.is_of_locations(workspace.catalog[k]) for k in request.assets):
        configured = [key for key in configured if key in request.partitions.locations]
    for asset in workspace.project.fetched:
        try:
            names = workspace.raw.names(asset.key)
        except WarehouseError:  # told where kept answers are needed
            continue
        for old in configured:
            for new in names.renamed_to(old):
                if _is_configured(workspace, new) or _is_another(workspace, asset, old, new):
                    continue
                raise UsageError(
                    f"locations: {old!r} was renamed to {new!r} in this warehouse, and {_where(workspace)} still has "
                    f"{old!r}: it would be fetched anew, beside the rows of {new!r}",
                    f"Write {new!r} there. To undo the rename: aqi location rename {new} {old}. If {old!r} is another "
                    f"location now, keep {new!r} there too, or remove its rows: aqi wipe --locations {new}.",
                )


def _is_configured(workspace: Workspace, key: str) -> bool:
    return any(location.key == key for location in workspace.settings.locations)


def _is_another(workspace: Workspace, asset: Asset, old: str, new: str) -> bool:
    """Whether the configured location ``old`` is another one than that whose rows have the key ``new``; also if there
    are no such rows."""
    state = workspace.states([asset.key]).get(asset.key)
    newest = None if state is None else _newest(state).get(new)
    if state is None or newest is None:
        return True
    asked = workspace.history.question_of(asset, newest, state.records[newest], state)
    wanted = workspace.history.question(asset, old)
    if asked is None or wanted is None:
        return False
    return workspace.sources[str(asset.source)].is_elsewhere(asked, wanted)


def _where(workspace: Workspace) -> str:
    """Where the locations are configured: a file or a variable."""
    project = workspace.project
    _, origins = values_of(project.folder, project.files, workspace.settings.profile, os.environ, {})
    return origins.get(("locations",), "the configuration")


def check_swapped(workspace: Workspace, states: Mapping[str, TableState] | None = None) -> None:
    """Raises UsageError if two locations were asked for at each other's coordinates, which is most likely a mistake."""
    states = workspace.states(workspace.catalog.keys) if states is None else states
    for asset in workspace.catalog:
        state = states.get(asset.key)
        if asset.source is None or state is None:
            continue
        is_elsewhere = workspace.sources[asset.source].is_elsewhere
        then, now = {}, {}
        for key, newest in _newest(state).items():
            asked = workspace.history.question_of(asset, newest, state.records[newest], state)
            wanted = workspace.history.question(asset, key)
            if asked is not None and wanted is not None and is_elsewhere(asked, wanted):
                then[key], now[key] = asked, wanted
        pair = swapped(then, now, is_elsewhere)
        if pair is not None:
            one, other = pair
            raise UsageError(
                f"locations: {one} and {other} have each other's coordinates (of what {asset.key} was fetched for)",
                f"Correct the configuration; if it is right now and was wrong before, fetch both anew: "
                f"aqi repair --refetch --locations {one},{other}.",
            )


def swapped(
    then: Mapping[str, Question], now: Mapping[str, Question], is_elsewhere: Callable[[Question, Question], bool]
) -> tuple[str, str] | None:
    """Two locations that have swapped their coordinates between ``then`` and ``now``; None where there are none."""
    for one in sorted(then):
        for other in sorted(then):
            crossed = not is_elsewhere(then[one], now[other]) and not is_elsewhere(then[other], now[one])
            if one < other and crossed:
                return one, other
    return None


def _newest(state: TableState) -> dict[str, PartitionKey]:
    """The newest partition of every location."""
    return {location: PartitionKey(days.last, location) for location, days in state.records.partitions.parts}
