"""Locations that the tables have: those that are no longer configured, and pairs that have swapped their
coordinates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from orchestration.core.errors import UsageError
from orchestration.core.partitions.keys import PartitionKey
from orchestration.core.planning.request import Refetch, Request
from orchestration.core.state.provenance import Question
from orchestration.core.state.table_state import TableState
from orchestration.engine.workspace import Workspace
from resources.delta.pending import Pending


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
    """Raises UsageError if a run cannot start: a change of its tables is under way, or two locations have swapped
    coordinates."""
    Pending(workspace.warehouse.uri).check(request.assets)
    if not isinstance(request, Refetch):
        check_swapped(workspace, workspace.states(tuple(request.assets)))


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
