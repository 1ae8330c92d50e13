"""Lineage as a page for a browser: only the first page of the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from orchestration.reports.page import lineage_html

if TYPE_CHECKING:
    from orchestration.engine.workspace import Workspace


def render(workspace: Workspace, keys: Sequence[str]) -> str:
    """The graph of the assets ``keys``, and the facts of each."""
    return lineage_html(workspace, keys)
