"""The partitions that a run of a deployment was asked to make. They follow from its parameters, for runs without an
entry in the journal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from orchestration.core.calendar import DAY, day_of
from orchestration.core.partitions.keys import Days, PartitionSet, parse_range
from orchestration.core.planning.parameters import Backfill, Maintenance
from orchestration.engine.workspace import Workspace
from orchestration.service.flow_parameters import parse_parameters


def partitions_of(
    workspace: Workspace, flow: str, parameters: Mapping[str, Any], began: datetime
) -> dict[str, PartitionSet]:
    """Asset → the partitions that a run with these parameters was to make, if it began at ``began``. Future days are
    left out.

    Empty for a run that must have been refused. For an hourly run: the days that the provider still revised; which
    further days it would have caught up with is not known. Raises UsageError for parameters that are none.
    """
    said = parse_parameters(flow, {key: value for key, value in parameters.items() if value is not None})
    if isinstance(said, Maintenance):
        return {}
    today = day_of(began)
    if isinstance(said, Backfill):
        keys, days = workspace.select(said.select), Days.of(said.start_date, said.end_date)
    else:
        keys, days = workspace.select(said.selection), Days.empty()
        dated = any(workspace.catalog[key].partitions is not None for key in keys)
        if said.hourly:
            days = Days.of(today - workspace.settings.hourly.revisable_days * DAY, today)
        elif said.partitions is not None and not dated:
            return {}  # such a run is refused
        elif said.partitions is not None:
            days = parse_range(said.partitions, today)
        elif dated:
            return {}  # so is this one
    locations = said.locations or [location.key for location in workspace.settings.locations]
    partitions = PartitionSet.of(days, locations)
    asked = {}
    for key in keys:
        asset = workspace.catalog[key]
        wanted = asset.asked_by(partitions)
        asked[key] = wanted if asset.partitions is None else asset.partitions.begun(wanted, began)
    return asked
