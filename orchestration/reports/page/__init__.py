"""The report: one self-contained HTML file that sends no request. There is a module for each page, with

- ``TITLE``: the text of its tab,
- ``facts(found)``: what it shows, as JSON values; None if the project has nothing for it, and then there is no tab,

and a file ``static/<name>.js`` that exports ``draw(root, facts, app)`` and draws the facts (see ``static/app.js``),
with its styles in ``static/<name>.css``. To add a page, add these, and its name to ``PAGES``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestration.engine.workspace import Workspace

PAGES = ("assets", "partitions", "runs", "air")
"""Modules of this package, in the order of their tabs."""


def render_page(workspace: Workspace, keys: Sequence[str], pages: Sequence[str] = PAGES) -> str:
    """The report on the assets ``keys``, as the text of its file. pages: the pages that it has.

    Raises WarehouseError if the warehouse cannot be read.
    """
    from orchestration.reports.page.found import Found
    from orchestration.reports.page.html import page

    return page(Found(workspace, tuple(keys)), pages)


def lineage_html(workspace: Workspace, keys: Sequence[str]) -> str:
    """Only the first page: the assets and their lineage."""
    return render_page(workspace, keys, PAGES[:1])
