"""The tables of a warehouse as deltalake reads them, in the form in which they are compared: no engine is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchestration.engine.workspace import Workspace
from orchestration.project import load, open_workspace
from orchestration.reports.rows import read_rows
from tests.support import oracle
from tests.support.small_lake import DATED


def tables_of(workspace: Workspace) -> dict[str, Any]:
    """The dated tables, without ``_ingested_at``."""
    return {key: canonical_rows(workspace, key) for key in DATED}


def there_of(folder: Path) -> dict[str, Any]:
    """The dated tables of a warehouse in a folder; a table that is not there has no rows."""
    workspace = open_workspace(load(environment={}, flags={"warehouse": {"uri": str(folder)}}))
    there = [key for key in DATED if workspace.warehouse.state(workspace.assets[key]).version is not None]
    return {key: [] for key in DATED} | {key: canonical_rows(workspace, key) for key in there}


def canonical_rows(workspace: Workspace, key: str) -> Any:
    table = read_rows(workspace, key)
    rows = table.drop_columns([name for name in table.column_names if name.startswith("_")]).to_pylist()
    return oracle.canonical([dict.fromkeys(oracle.COLUMNS[key]) | row for row in rows], oracle.COLUMNS[key])
