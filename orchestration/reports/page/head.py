"""The head of the report, above all pages: project, warehouse, time, and how much is fresh; and what pages share."""

from __future__ import annotations

from collections import Counter
from typing import Any

from orchestration.core.calendar import iso
from orchestration.core.state.freshness import State
from orchestration.reports.page.found import Found
from resources.machine import addresses
from resources.machine.package import VERSION


def head(found: Found) -> dict[str, Any]:
    """JSON values.

    project, version, engine. warehouse: its address, without secrets. made: the time of the report (ISO 8601).
    assets: their number. partitions: state → number of partitions. lacking: the number of partitions that lack values.
    states: all states, in the order in which pages show them.
    locations: key → name.
    """
    partitions: Counter[State] = Counter()
    lacking = 0
    for group in found.statuses.groups:
        partitions[group.state] += len(group.partitions)
        lacking += len(group.partitions) if group.lacks_values else 0
    settings = found.workspace.settings
    return {
        "project": found.workspace.project.title.partition(",")[0].rstrip("."),
        "warehouse": without_secrets(found.workspace.warehouse.uri),
        "made": iso(found.current.now),
        "version": VERSION,
        "engine": str(settings.engine),
        "assets": len(found.keys),
        "partitions": {str(state): partitions[state] for state in State if partitions[state]},
        "lacking": lacking,
        "states": [str(state) for state in State],
        "locations": {location.key: location.name for location in settings.locations},
    }


def without_secrets(uri: str) -> str:
    """A URI without user, password and query, for pages that are passed on. A path stays as it is."""
    return addresses.without_secrets(uri) if "://" in uri else uri
