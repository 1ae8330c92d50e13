"""What tables' logs say of where columns come from: recorded by the steps that made the rows, once per code version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from orchestration.core.lineage.columns import ColumnLineage
from orchestration.core.state.table_state import TableState
from orchestration.engine.workspace import Workspace


@dataclass(frozen=True, slots=True)
class RecordedColumns:
    """lineages: by asset key, of the code as it is now, else of the newest that is recorded. of_older_code: the assets
    where it is that. lacking: those of which nothing is recorded that can be read."""

    lineages: Mapping[str, ColumnLineage]
    of_older_code: frozenset[str] = frozenset()
    lacking: tuple[str, ...] = ()


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
    """What a commit recorded; None for what a newer version wrote, or nobody can read."""
    try:
        return ColumnLineage.from_json(json.loads(text))
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
