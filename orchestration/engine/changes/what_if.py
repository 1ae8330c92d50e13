"""``aqi plan --if``: what would become stale if the rows of an asset, or one of its columns, changed.

``core/planning/what_if.py`` finds the partitions by mappings and recorded column lineage. This module adds how many
rows they have, and which deployments and targets are concerned. Only the logs of tables are read, and flagged hours
where a mapping needs them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from orchestration.core.errors import UsageError
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.planning.ranges import in_range
from orchestration.core.planning.what_if import Reached, reached_by
from orchestration.core.state.table_state import TableState
from orchestration.engine.changes.changed import deployments_of
from orchestration.engine.lineage.recorded import RecordedColumns, recorded_columns
from orchestration.engine.workspace import Workspace


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What would become stale if an asset changed."""

    asset: str
    """The asset that would change."""
    column: str | None
    """The only column that would change; None: any."""
    partitions: PartitionSet
    """The partitions of ``asset`` that would change."""
    rows: int
    """The recorded rows of these partitions."""
    reached: tuple[Reached, ...]
    """The partitions downstream that would become stale, by asset."""
    of_older_code: tuple[str, ...]
    """Reached assets for which only the column lineage of earlier code is recorded."""
    deployments: tuple[str, ...]
    """The deployments that make what would be stale."""
    targets: Mapping[str, float]
    """Asset → its largest fine lag in hours, if its newest partition at a location would be stale."""

    def to_json(self) -> dict[str, Any]:
        """The form of ``aqi plan --if … --json``."""
        return {
            "asset": self.asset,
            "column": self.column,
            "partitions": len(self.partitions),
            "rows": self.rows,
            "intervals": self.partitions.to_json(),
            "reached": [one.to_json() for one in self.reached],
            "of_older_code": list(self.of_older_code),
            "deployments": list(self.deployments),
            "freshness_targets": dict(self.targets),
        }


def what_if(workspace: Workspace, text: str, days: str | None = None, locations: Sequence[str] = ()) -> WhatIf:
    """What would become stale if ``text``, the key of an asset or ``layer.name.column``, changed. Needs no JVM.

    A source, or ``source.variable``, stands for the asset that is fetched from it, or for the column of that variable.

    days: a RANGE; None: all days. locations: empty for all. Only recorded partitions count. Raises UsageError for an
    unknown asset or column, and for days or locations of an unpartitioned asset.
    """
    key, column = _start(workspace, text)
    downstream = workspace.catalog.dag.downstream(key)
    states = workspace.states((key, *downstream))
    own = states.get(key, TableState())
    changed = _changed(workspace, key, own, days, locations)
    known = RecordedColumns({}) if column is None else recorded_columns(workspace, states)
    reached = reached_by(workspace.catalog, key, changed, states, workspace.flags_of, column, known.lineages)
    stale = {one.asset: one.partitions | one.same for one in reached}
    targets = {
        of: hours
        for of, partitions in stale.items()
        if (hours := workspace.catalog[of].fresh_within_hours) is not None
        and _has_newest(partitions, states[of].records.partitions)
    }
    return WhatIf(
        key,
        column,
        changed,
        own.records.rows_of(changed),
        reached,
        tuple(of for of in stale if of in known.of_older_code),
        deployments_of(workspace, set(stale)),
        targets,
    )


def _start(workspace: Workspace, text: str) -> tuple[str, str | None]:
    """The asset and the column that ``text`` names."""
    if (of_source := _of_a_source(workspace, text)) is not None:
        return of_source
    layer, _, rest = text.partition(".")
    name, dot, column = rest.partition(".")
    key = f"{layer}.{name}"
    if key not in workspace.catalog:
        known = workspace.catalog.keys
        whole = [f"{one}{text.removeprefix(layer)}" for one in known if one.endswith(f".{layer}")]
        near = whole or [f"{one}{dot}{column}" for one in get_close_matches(key, known, n=1)]
        raise UsageError(
            f"the asset {key if name else text!r} is unknown",
            f"Did you mean {near[0]}?" if near else f"Known are {', '.join(known)}.",
        )
    if not dot:
        return key, None
    columns = workspace.contracts[key].column_names
    if column not in columns:
        near = get_close_matches(column, columns, n=1)
        raise UsageError(
            f"{key} has no column {column!r}",
            f"Did you mean {key}.{near[0]}?" if near else f"Its columns are {', '.join(columns)}.",
        )
    return key, column


def _of_a_source(workspace: Workspace, text: str) -> tuple[str, str | None] | None:
    """The asset, and the column, of a source and a variable that ``text`` names as the source does; None where what
    stands before the first dot is no source, or an asset is called so."""
    name, dot, variable = text.partition(".")
    assets = [asset.key for asset in workspace.catalog if asset.source == name]
    if not assets or text in workspace.catalog:
        return None
    if len(assets) > 1:
        remedy = f"Name one of them, with its column: {', '.join(f'--if {key}.COLUMN' for key in assets)}."
        raise UsageError(f"several assets are fetched from {name}", remedy)
    (key,) = assets
    if not dot:
        return key, None
    called = workspace.sources[name].called
    columns = {called.get(column, column): column for column, _ in workspace.sources[name].columns}
    if variable not in columns:
        near = get_close_matches(variable, columns, n=1)
        raise UsageError(
            f"the source {name} has no variable {variable!r}",
            f"Did you mean {name}.{near[0]}?" if near else f"Its variables are {', '.join(columns)}.",
        )
    return key, columns[variable]


def _changed(
    workspace: Workspace, key: str, own: TableState, days: str | None, locations: Sequence[str]
) -> PartitionSet:
    """The recorded partitions of the asset that the question is about."""
    there = own.records.partitions
    asset = workspace.catalog[key]
    in_range(workspace.catalog, [key], days)
    if asset.partitions is None and locations:
        raise UsageError(f"{key} has no partitions", "Leave out --locations.")
    workspace.check_locations(locations, there.locations)
    if days is not None:
        asked = PartitionSet.of(workspace.days(days), locations or there.locations)
        return asset.asked_by(asked) & there
    return there.restrict(locations=locations) if locations else there


def _has_newest(partitions: PartitionSet, there: PartitionSet) -> bool:
    """Whether the newest partition of any location is among ``partitions``."""
    return any(days.last == there.days_of(location).last for location, days in partitions.parts)
