"""Reads recorded column lineage from the logs of tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestration.core.lineage.columns import ColumnLineage
from orchestration.core.state.table_state import TableState
from orchestration.engine.workspace import Workspace
from resources.storage.json_text import read_json


@dataclass(frozen=True, slots=True)
class RecordedColumns:
    """The recorded column lineage of several assets."""

    lineages: Mapping[str, ColumnLineage]
    """Asset key → the lineage of its present code, or else the newest recorded one."""
    of_older_code: frozenset[str] = frozenset()
    """The assets for which it is not that of the present code."""
    lacking: tuple[str, ...] = ()
    """The assets for which no readable lineage is recorded."""


def recorded_columns(workspace: Workspace, states: Mapping[str, TableState]) -> RecordedColumns:
    """The column lineages of the assets of ``states``."""
    lineages: dict[str, ColumnLineage] = {}
    older: set[str] = set()
    lacking = []
    for key, part in workspace.code_parts(states).items():
        known = {of: found for of, text in states[key].columns_of.items() if (found := lineage_in(text)) is not None}
        if part in known:
            lineages[key] = known[part]
        elif known:
            lineages[key] = list(known.values())[-1]
            older.add(key)
        else:
            lacking.append(key)
    return RecordedColumns(lineages, frozenset(older), tuple(lacking))


def lineage_in(text: str) -> ColumnLineage | None:
    """The recorded lineage in a text; None for a text that cannot be read, for instance of a newer version."""
    try:
        return ColumnLineage.from_json(read_json(text))
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
