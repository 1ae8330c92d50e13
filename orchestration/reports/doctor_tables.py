"""What `aqi doctor` looks at in the tables, beside their contracts and the configuration."""

from __future__ import annotations

from orchestration.core.errors import LakehouseError, UsageError
from orchestration.engine.changes.places import check_swapped, locations_of
from orchestration.engine.changes.tables import foreign_columns, table_changes, troubles
from orchestration.engine.workspace import Workspace
from orchestration.reports.findings import Finding, look
from resources.delta.pending import Pending

GONE_SHOWN = 5


def examine_tables(workspace: Workspace) -> list[Finding]:
    """Look at the tables beside their contracts and the configuration; never raises LakehouseError."""
    return [
        look("tables", lambda: _tables(workspace)),
        *_damaged(workspace),
        look("locations", lambda: _locations(workspace)),
    ]


def _damaged(workspace: Workspace) -> list[Finding]:
    """A fault for each table of which files are lost, or that cannot be read or written as it is."""
    try:
        states = workspace.states(workspace.catalog.keys)
    except LakehouseError:
        return []  # told of the tables as a whole
    found = []
    for key, state in states.items():
        if state.damage is not None and (trouble := state.damage.trouble) is not None:
            found.append(Finding(f"table {key}", False, trouble.what, trouble.remedy))
        elif state.damage is not None:
            damaged = f" ({len(state.damaged)} partitions are damaged)"
            found.append(Finding(f"table {key}", False, state.damage.in_short + damaged, state.damage.remedy(key)))
    return found


def _tables(workspace: Workspace) -> str:
    """Raises UsageError where a table cannot be written as it is, or a change of tables was broken off."""
    keys = workspace.catalog.keys
    Pending(workspace.warehouse.uri).check(frozenset(keys))
    states = workspace.states(keys)
    changes, blocked = table_changes(workspace, keys, states)
    in_trouble = troubles(states)
    if others := [why for key, why in blocked.items() if key not in in_trouble]:
        raise UsageError("; ".join(others))
    told = [change.text for change in changes] + foreign_columns(workspace, keys, states)
    return f"{len(states)} of {len(keys)} are there" + "".join(f"; {text}" for text in told)


def _locations(workspace: Workspace) -> str:
    """Raises UsageError where facts have no row in the table of locations, or two locations changed places."""
    check_swapped(workspace)
    found = locations_of(workspace)
    if found.without_row and Pending(workspace.warehouse.uri).read() is None:
        raise UsageError(
            "; ".join(f"{asset} has rows of {', '.join(keys)}, which {found.table} has not" for asset, keys in
                      found.without_row.items()),
            f"Make it: aqi materialize {found.table}; or remove these rows: aqi wipe --locations KEY.",
        )  # fmt: skip
    told = f"{len(workspace.settings.locations)} are configured"
    if found.gone:
        shown = [f"{key} ({count} partitions are kept)" for key, count in list(found.gone.items())[:GONE_SHOWN]]
        more = len(found.gone) - len(shown)
        told += f"; no longer configured: {', '.join(shown)}{f' and {more} more' if more else ''}"
    return told
