"""``aqi materialize SELECTION --record-columns``: records the column lineage of assets whose partitions are all fresh.

Steps record the lineage together with rows, once for each code version. Here the functions are called with empty
frames, and the lineage in their plans is recorded in commits without files. Nothing is fetched and no row is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from orchestration.core.calendar import iso
from orchestration.core.declarations.checks import LINEAGE
from orchestration.core.lineage.columns import ColumnLineage
from orchestration.core.lineage.compare import REMEDY
from orchestration.core.state.provenance import Provenance
from orchestration.core.state.table_state import TableState
from orchestration.engine.engines.engine import Engine, MakeEngine
from orchestration.engine.exclusive import RunListener, locked, new_run_id
from orchestration.engine.lineage.declared import compared
from orchestration.engine.lineage.of_frames import lineage_of_asset
from orchestration.engine.lineage.recorded import recorded_columns
from orchestration.engine.session import engine_session
from orchestration.engine.steps import explain
from orchestration.engine.workspace import Workspace
from resources.delta.pending import Pending
from resources.machine.package import package_version

What = Literal["recorded", "known", "no table", "failed", "to be recorded"]
_READ_ANEW = ("to be recorded", "failed")
"""A later version may be able to read what could not be read of a plan, or was read otherwise than declared."""


@dataclass(frozen=True, slots=True)
class AssetColumns:
    """The result for one asset. why: why it failed."""

    asset: str
    what: What
    why: str = ""

    def __str__(self) -> str:
        words = {
            "known": "recorded already",
            "no table": "has no table yet; what makes it will record them",
            "failed": self.why,
        }
        return f"{self.asset}: {words.get(self.what, self.what)}"

    def to_json(self) -> dict[str, Any]:
        return {"asset": self.asset, "state": self.what, **({"message": self.why} if self.why else {})}


def planned_columns(workspace: Workspace, keys: Sequence[str]) -> tuple[AssetColumns, ...]:
    """For each of ``keys`` whether its column lineage is recorded, or would be."""
    return _planned(workspace, keys, workspace.states(tuple(keys)))


def _planned(workspace: Workspace, keys: Sequence[str], states: Mapping[str, TableState]) -> tuple[AssetColumns, ...]:
    there = {key: states[key] for key in keys if key in states}
    recorded = recorded_columns(workspace, there)
    found = []
    for key in keys:
        lineage = recorded.lineages.get(key)
        if key not in there:
            found.append(AssetColumns(key, "no table"))
        elif lineage is None or key in recorded.of_older_code or lineage.unknown:
            found.append(AssetColumns(key, "to be recorded"))
        else:
            found.append(_judged(workspace, key, lineage, "known"))
    return tuple(found)


def record_columns(
    workspace: Workspace, keys: Sequence[str], listener: RunListener, make_engine: MakeEngine | None = None
) -> tuple[AssetColumns, ...]:
    """Record the lineage that is not recorded yet. Lineage that differs from the declared one fails and is not
    recorded. If nothing has to be recorded, no lock is taken and no engine is started."""
    planned = planned_columns(workspace, keys)
    if not any(one.what in _READ_ANEW for one in planned):
        return planned
    run_id, wanted = new_run_id(), frozenset(keys)
    with locked(workspace, run_id, listener) as inherited:
        Pending(workspace.warehouse.uri).check(wanted)
        states = workspace.states(tuple(keys))
        planned = _planned(workspace, keys, states)  # another run may have been faster
        with engine_session(workspace, run_id, 1, inherited, listener, make_engine) as engine:
            return tuple(
                _recorded(workspace, one.asset, states[one.asset], run_id, engine) if one.what in _READ_ANEW else one
                for one in planned
            )


def _recorded(workspace: Workspace, key: str, state: TableState, run_id: str, engine: Engine) -> AssetColumns:
    asset = workspace.catalog[key]
    source = None if asset.source is None else workspace.sources[asset.source]
    try:
        with engine.working(key):
            arguments = workspace.code.arguments(asset)
            lineage = lineage_of_asset(asset, engine, workspace.contracts, arguments, source)
        judged = _judged(workspace, key, lineage, "recorded")
        part = workspace.code_parts((key,))[key]
        if judged.what == "failed":
            return judged
        if state.columns_of.get(part) == lineage.text:
            return AssetColumns(key, "known")
        at, by = iso(datetime.now(UTC)), package_version()
        said = Provenance(run_id, key, at, {}, columns_of={part: lineage.text}, by=by)
        workspace.warehouse.record(asset, said, state)
    except Exception as error:  # of this asset; the others are recorded all the same  # noqa: BLE001
        return AssetColumns(key, "failed", explain(error))
    return judged


def _judged(workspace: Workspace, key: str, lineage: ColumnLineage, what: What) -> AssetColumns:
    found = compared(workspace.catalog[key], workspace.contracts, lineage)
    if not found:
        return AssetColumns(key, what)
    return AssetColumns(key, "failed", f"check {LINEAGE} failed: {'; '.join(map(str, found))}. {REMEDY}")
