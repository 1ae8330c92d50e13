"""The report that an hourly run writes to the configured path."""

from __future__ import annotations

from collections.abc import Callable

from orchestration.engine.workspace import Workspace
from orchestration.reports.output import write_output
from orchestration.reports.page import render_page
from orchestration.reports.page.head import without_secrets


def leave_report(workspace: Workspace, warn: Callable[[str], None]) -> None:
    """Write the report on all assets to the configured path, if there is one. warn: called with the reason where that
    failed.

    A failure does not concern the run: it is done, and what it made is right.
    """
    place = workspace.settings.report.path
    if place is None:
        return
    try:
        write_output(place, render_page(workspace, workspace.catalog.keys))
    except Exception as error:  # noqa: BLE001
        warn(f"the report {without_secrets(place)} was not written: {str(error) or type(error).__name__}")
