"""Compares tables with the contracts of their assets: which differences one commit of metadata removes, and which
not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from orchestration.core.calendar import iso
from orchestration.core.declarations.contract_changes import TableDifference, compare
from orchestration.core.errors import CommitConflict, UsageError
from orchestration.core.planning.plan import Plan, TableChange
from orchestration.core.state.damage import Trouble, as_folded, damaged_by, with_damage
from orchestration.core.state.provenance import Provenance, dumps
from orchestration.core.state.shapes import shape_of
from orchestration.core.state.table_state import TableState
from resources.delta.table_schema import cannot_grow, grow
from resources.machine import failpoints
from resources.machine.package import package_version

if TYPE_CHECKING:
    from orchestration.core.declarations.catalog import Catalog
    from orchestration.core.declarations.contract import Contract
    from orchestration.engine.changes.history import WarehouseHistory
    from resources.delta.warehouse import Warehouse


class Contracted(Protocol):
    """Tables and their contracts: a workspace."""

    @property
    def catalog(self) -> Catalog: ...

    @property
    def contracts(self) -> Mapping[str, Contract]: ...

    @property
    def warehouse(self) -> Warehouse: ...

    @property
    def history(self) -> WarehouseHistory: ...


def differences(
    workspace: Contracted, keys: Iterable[str], states: Mapping[str, TableState]
) -> dict[str, TableDifference]:
    """How the tables of ``keys`` differ from their contracts, by key. Assets without a table are left out.

    states: of the tables. They know the columns without opening the tables, unless the tables are very old.
    """
    found = {}
    for key in sorted(keys):
        state = states.get(key)
        if state is None or state.version is None:
            continue
        schema, description = workspace.warehouse.schema(key, state)
        contract = workspace.contracts[key]
        shapes = workspace.history.earlier_shapes(key, state)
        recorded = frozenset(name for shape in shapes for name, _, _ in shape.columns)
        unique = next((shape.key for shape in shapes if shape.key), None)
        texts = contract.description if description is None else description
        found[key] = compare(key, contract, schema, texts, recorded, unique)
    return found


def table_changes(
    workspace: Contracted, keys: Iterable[str], states: Mapping[str, TableState], *, tell: bool = False
) -> tuple[tuple[TableChange, ...], dict[str, str]]:
    """Two results: the changes that a plan makes to tables before its steps; and the tables that cannot be written,
    with why.

    Raises UsageError for a table that needs `aqi migrate`; but not with ``tell``, for a preview of costs.
    """
    changes: list[TableChange] = []
    blocked: dict[str, str] = {}
    blocked |= {key: trouble.in_words for key, trouble in troubles(states).items() if key in set(keys)}
    for key, difference in differences(workspace, set(keys) - blocked.keys(), states).items():
        if (difference.refused or difference.needs_migration) and not tell:
            raise UsageError(difference.in_words().removesuffix(difference.remedy).strip(), difference.remedy)
        if difference.blocks:
            blocked[key] = difference.in_words()
        elif difference.grows and (why := cannot_grow(workspace.warehouse.table_uri(key))):
            blocked[key] = f"{key}: {why}"
        elif difference.grows:
            added = tuple(column.name for column in difference.added)
            changes.append(TableChange(key, added, difference.in_words()))
    return tuple(changes), blocked


def troubles(states: Mapping[str, TableState]) -> dict[str, Trouble]:
    """The tables that cannot be read or written, with why; by key."""
    damages = ((key, state.damage) for key, state in states.items())
    return {key: damage.trouble for key, damage in damages if damage is not None and damage.trouble is not None}


def with_changes_of_others(workspace: Contracted, states: Mapping[str, TableState]) -> dict[str, TableState]:
    """The states, with trouble for tables in which somebody else changed columns so that nothing can be written."""
    found = dict(states)
    sound = [key for key, state in states.items() if state.damage is None or state.damage.trouble is None]
    owners = {contract.digest: key for key, contract in workspace.contracts.items()}
    for key, difference in differences(workspace, sound, states).items():
        state, contract = states[key], workspace.contracts[key]
        owner = owners.get(_newest_contract(state), key)
        if difference.blocks and contract.digest not in state.shapes and owner != key:
            what = f"the folder of {key} holds the table of {owner}"
            remedy = f"Move it back, if it was moved; else `aqi repair {key} --rebuild` makes the table of {key} anew."
            found[key] = with_damage(as_folded(state), (), Trouble(what, remedy, moved=True))
            continue
        followed = _newest_contract(state) == contract.digest or (not state.records and bool(state.files))
        if difference.foreign_required or difference.by_others(followed):
            remedy = f"`aqi repair {key} --rebuild` makes it anew as its contract says."
            what = f"others changed the columns of {key}: {difference.of_others}"
            trouble = Trouble(what, remedy, readable=not difference.retyped and not difference.recased)
            lost = () if state.damage is None else state.damage.lost
            found[key] = with_damage(as_folded(state), lost, trouble)
    return found


def _newest_contract(state: TableState) -> str:
    """The digest of the contract of the newest record; empty without records."""
    records = state.records
    return records.record(int(records.version.argmax())).contract if len(records) else ""


def foreign_columns(workspace: Contracted, keys: Iterable[str], states: Mapping[str, TableState]) -> list[str]:
    """A line for each table to which somebody else added columns."""
    found = differences(workspace, set(keys) - troubles(states).keys(), states)
    return [difference.in_words() for difference in found.values() if difference.foreign]


def change_tables(workspace: Contracted, plan: Plan, states: Mapping[str, TableState], run_id: str) -> None:
    """Make the changes ``plan.tables``: one commit without new files for each table. Raises CommitConflict,
    WarehouseError."""
    for change in plan.tables:
        if change.lost:
            tell_lost(workspace, change.asset, states[change.asset], run_id, change.lost)
            continue
        contract = workspace.contracts[change.asset]
        shapes = {contract.digest: shape_of(contract)}
        said = Provenance(run_id, change.asset, iso(datetime.now(UTC)), {}, shapes=shapes, by=package_version())
        uri, fields = workspace.warehouse.table_uri(change.asset), contract.delta_schema()["fields"]
        text = dumps(said.to_json())
        try:
            grow(uri, fields, contract.description, text, states[change.asset].version)
        except CommitConflict:  # without a lock; maybe another run has done the same
            grow(uri, fields, contract.description, text)
    if plan.tables:
        failpoints.reach("tables-changed")


def tell_lost(
    workspace: Contracted, key: str, state: TableState, run_id: str, paths: Collection[str] | None = None
) -> None:
    """Take lost files out of a table's log. The partitions that they may have held are unrecorded from then on.

    state: with its damage. paths: some of the lost files; None: all. Raises as ``Warehouse.tell_lost`` does.
    """
    lost = [one for one in (() if state.damage is None else state.damage.lost) if paths is None or one.path in paths]
    at, partitions = iso(datetime.now(UTC)), damaged_by(as_folded(state), lost)
    said = Provenance(run_id, key, at, {}, lost=partitions, by=package_version())
    workspace.warehouse.tell_lost(workspace.catalog[key], lost, said, state)
