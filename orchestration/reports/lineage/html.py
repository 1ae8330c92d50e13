"""Lineage as a page by itself: the first one of the report, assets and what is made from what. Nothing is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestration.engine.workspace import Workspace


def render(workspace: Workspace, keys: Sequence[str]) -> str:
    """The whole text of the file. Raises WarehouseError where the warehouse cannot be read."""
    from orchestration.reports.page import lineage_html

    page = lineage_html(workspace, keys)
    return page if page.endswith("\n") else f"{page}\n"
