"""The page *Partitions*: a calendar per asset, day × location, and first what is not as it should be, worst first."""

from __future__ import annotations

from typing import Any

from orchestration.core.calendar import day_of
from orchestration.reports.page.found import Found
from orchestration.reports.page.partition_facts import partition_facts

TITLE = "Partitions"


def facts(found: Found) -> dict[str, Any]:
    """JSON values, as ``partition_facts`` says."""
    workspace = found.workspace
    assets = [workspace.catalog[key] for key in found.keys]
    return partition_facts(assets, found.statuses.groups, workspace.settings.places, day_of(found.current.now))
