"""The page *Partitions*: a calendar for each asset, day × location, and a list of what is not fresh, worst first."""

from __future__ import annotations

from typing import Any

from orchestration.core.calendar import day_of
from orchestration.reports.holes import in_words, to_json
from orchestration.reports.page.found import Found
from orchestration.reports.page.partition_facts import LONGEST, partition_facts

TITLE = "Partitions"


def facts(found: Found) -> dict[str, Any]:
    """JSON values: those of ``partition_facts``, and two more.

    holes: missing partitions and gaps of each asset and location; see ``holes.to_json``.
    fill: lines for people about them. Lines that begin with two blanks are commands.
    """
    workspace = found.workspace
    assets = [workspace.catalog[key] for key in found.keys]
    facts = partition_facts(
        assets, found.statuses.groups, workspace.settings.configured_locations, day_of(found.current.now)
    )
    holes = found.statuses.holes
    shown = [one for one in to_json(holes, workspace.settings.since) if one["missing"] or one["hole_days"]]
    return facts | {"holes": [_shortened(one) for one in shown], "fill": in_words(workspace, holes)}


def _shortened(hole: dict[str, Any]) -> dict[str, Any]:
    return {name: f"{of[:LONGEST]} …" if isinstance(of, str) and len(of) > LONGEST else of for name, of in hole.items()}
