"""The report: one self-contained HTML file, which no request leaves. A module per page, each with

- ``TITLE``: what its tab says,
- ``facts(found)``: what it shows, as JSON values; None where a project has nothing for it: then there is no tab,

a file ``static/<name>.js`` that exports ``draw(root, facts, app)``, which draws them (see ``static/app.js``), and its
styles, ``static/<name>.css``. A page more is these, and its name in ``PAGES``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestration.engine.workspace import Workspace

PAGES = ("assets", "partitions", "runs", "air")
"""Modules of this package, in the order of their tabs."""


def render_page(workspace: Workspace, keys: Sequence[str], pages: Sequence[str] = PAGES) -> str:
    """The report on the assets ``keys``: the whole text of its file. pages: those that it has.

    Raises WarehouseError where the warehouse cannot be read.
    """
    from orchestration.reports.page.found import Found
    from orchestration.reports.page.html import page

    return page(Found(workspace, tuple(keys)), pages)


def lineage_html(workspace: Workspace, keys: Sequence[str]) -> str:
    """The first page alone: assets, and what is made from what."""
    return render_page(workspace, keys, PAGES[:1])
