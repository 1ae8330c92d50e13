"""``aqi migrate ASSET``: brings a table to its contract where a commit of metadata is not enough.

If the contract renames, retypes, tightens or removes columns, all rows are written again in one commit, together with
the records of all partitions. So nothing upstream is read again, and downstream only what reads a changed column
becomes stale. Values are never lost unless that is asked for, and those of a fetched table never.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from orchestration.core.calendar import iso
from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.contract import Contract
from orchestration.core.declarations.contract_changes import TableDifference, type_change, type_name
from orchestration.core.errors import UsageError, WarehouseError
from orchestration.core.partitions.keys import PartitionKey
from orchestration.core.runs.batches import in_batches
from orchestration.core.runs.decisions import EMPTY, PartitionFacts
from orchestration.core.runs.records import provenance_of
from orchestration.core.state.provenance import PartitionRecord, Shape
from orchestration.core.state.shapes import hashed, shape_of
from orchestration.core.state.table_state import TableState
from orchestration.engine.changes.accept import materialize_call
from orchestration.engine.changes.by_code import by_code
from orchestration.engine.changes.tables import differences, troubles
from orchestration.engine.engines.engine import MakeEngine
from orchestration.engine.exclusive import RunListener, locked, new_run_id
from orchestration.engine.fetching import stored_columns
from orchestration.engine.fingerprints import aggregate
from orchestration.engine.frames import conform
from orchestration.engine.session import engine_session
from orchestration.engine.steps import ROWS_A_PARTITION
from orchestration.engine.workspace import Workspace
from resources.delta.pending import Pending
from resources.delta.table_schema import lossy_values
from resources.delta.warehouse import condition
from resources.machine import failpoints
from resources.machine.package import package_version

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True, slots=True)
class Migration:
    """What a migration does to a table."""

    asset: str
    difference: TableDifference
    """How the table differs from its contract."""
    renames: Mapping[str, str] = field(default_factory=dict)
    """Old name → new name."""
    drops: tuple[str, ...] = ()
    """The columns that are removed with their values."""
    casts: tuple[tuple[str, str, str], ...] = ()
    """(new name of the column, old type, new type)."""

    @property
    def is_empty(self) -> bool:
        return not self.difference.needs_migration

    def in_words(self) -> str:
        said = [f"rename {old} to {new}" for old, new in self.renames.items()]
        said += [f"drop {name}" for name in self.drops]
        said += [f"make {name} {after} ({before} before)" for name, before, after in self.casts]
        said += [f"let {name} no longer be null" for name in self.difference.tightened]
        said += [f"add {column.name} ({column.type})" for column in self._added]
        return f"{self.asset}: {', '.join(said) or 'nothing to do'}"

    @property
    def _added(self) -> list[Any]:
        return [column for column in self.difference.added if column.name not in self.renames.values()]

    def to_json(self) -> dict[str, Any]:
        return {
            "asset": self.asset,
            "renames": dict(self.renames),
            "drops": list(self.drops),
            "casts": [list(cast) for cast in self.casts],
            "tightened": list(self.difference.tightened),
            "added": [column.name for column in self._added],
        }


def planned_migration(
    workspace: Workspace, key: str, renames: Mapping[str, str] | None = None, drops: Collection[str] = ()
) -> Migration:
    """What `aqi migrate` would do. Raises UsageError, naming table, column and remedy, where values would be lost."""
    Pending(workspace.warehouse.uri).check(frozenset([key]))
    asset = workspace.catalog[key]
    trouble = troubles(workspace.warehouse.states([asset])).get(key)  # what others did to its columns is told below
    if trouble is not None and not trouble.readable:
        raise WarehouseError(f"{key}: {trouble.what}", trouble.remedy)
    state = workspace.warehouse.state(asset)
    return _planned(workspace, asset, state, dict(renames or {}), set(drops))


def _planned(
    workspace: Workspace, asset: Asset, state: TableState, renames: dict[str, str], drops: set[str]
) -> Migration:
    key, contract = asset.key, workspace.contracts[asset.key]
    found = differences(workspace, [key], {key: state}).get(key)
    if found is None:
        raise UsageError(f"{key} has no table yet", "There is nothing to migrate: materialize it.")
    if found.refused or found.foreign_required:
        raise UsageError(found.in_words().removesuffix(found.remedy).strip(), found.remedy)
    if state.unrecorded:
        raise UsageError(
            f"{key} {state.unrecorded}: somebody else changed it, so what its rows are is not known",
            f"Change the contract back, mend it (aqi repair {key}), then migrate.",
        )
    columns = {str(one["name"]) for one in workspace.warehouse.schema(key, state)[0]}
    wanted = set(contract.column_names)
    done = {old for old, name in renames.items() if old not in columns and name in columns & wanted}
    renames = {old: name for old, name in renames.items() if old not in done}  # the same call again
    drops = {name for name in drops if name in columns or name in wanted}
    gone = {*found.removed, *(old for old, _ in found.renamed)}
    new = {column.name: column for column in contract.columns if column.name in _lacking(found)}
    for old, name in renames.items():
        if old not in gone:
            raise UsageError(f"{key}: --rename {old}={name}: {old!r} is no column that its contract has no more",
                             f"Such are {', '.join(sorted(gone)) or 'none'}.")  # fmt: skip
        if name not in new:
            raise UsageError(f"{key}: --rename {old}={name}: {name!r} is no new column of its contract",
                             f"Such are {', '.join(sorted(new)) or 'none'}.")  # fmt: skip
    for name in sorted(drops - gone):
        raise UsageError(
            f"{key}: --drop {name}: it is no column that its contract has no more",
            f"Such are {', '.join(sorted(gone)) or 'none'}.",
        )
    if len(set(renames.values())) < len(renames):
        raise UsageError(f"{key}: two columns cannot be renamed to one", "Name each new column once.")
    for name in sorted(gone - set(renames)):
        _check_drop(workspace, asset, state, name, new, asked=name in drops)
    for name in found.added_required:
        if name not in renames.values():
            raise UsageError(
                f"{key}: its contract adds {name}, which must not be null, and rows that are there have no value",
                f"Let {name} be null, fill it ({_filling(asset)}), then require it and migrate.",
            )
    there = {str(one["name"]): one for one in workspace.warehouse.schema(key, state)[0]}
    casts = list(found.retyped)
    for old, name in renames.items():
        before, after = type_name(there[old]["type"]), new[name].type
        casts += [(name, before, after)] if before != after else []
    for name, before, after in casts:
        if type_change(before, after) == "refused":
            raise UsageError(
                f"{key}: {name} cannot become {after} (it is {before})",
                "Add a column of another name, and remove this one.",
            )
    _check_casts(workspace, asset, state, casts, renames)
    nullable = {name for name, one in there.items() if one["nullable"]}
    _check_source(workspace, asset, {*gone, *(name for name, _, _ in casts)}, nullable)
    for name in found.tightened:
        _check_no_nulls(workspace, asset, state, name)
    return Migration(key, found, renames, tuple(sorted(gone - set(renames))), tuple(casts))


def _lacking(found: TableDifference) -> set[str]:
    return {column.name for column in found.added} | set(found.added_required) | {new for _, new in found.renamed}


def _check_drop(
    workspace: Workspace, asset: Asset, state: TableState, name: str, new: Collection[str], *, asked: bool
) -> None:
    """Raises UsageError where values would be lost without being asked for."""
    assert state.version is not None
    values = workspace.warehouse.read_arrow(asset.key, state.version, columns=[name]).column(name)
    number = len(values) - values.null_count
    if not number or (asked and asset.source is None):
        return
    lost = f"{asset.key}: its contract has no {name} any more, and {number} values of it would be lost"
    if asset.source is not None:
        raise UsageError(lost, f"What was fetched is a record: leave {name} in the contract, nullable.")
    call, one = f"aqi migrate {asset.key}", next(iter(new)) if len(new) == 1 else "NEW"
    which = "" if len(new) == 1 else f", where NEW is one of {', '.join(sorted(new))}"
    keeps = f"`{call} --rename {name}={one}` keeps them{which}; " if new else ""
    raise UsageError(lost, f"{keeps}`{call} --drop {name}` gives them up.")


def _check_casts(
    workspace: Workspace,
    asset: Asset,
    state: TableState,
    casts: Collection[tuple[str, str, str]],
    renames: Mapping[str, str],
) -> None:
    """Raises UsageError where a value would not be the same after conversion to the new type and back."""
    import pyarrow.compute as pc

    assert state.version is not None
    olds = {new: old for old, new in renames.items()}
    for name, before, after in casts:
        if type_change(before, after) != "checked" or after not in _ARROW:
            continue  # as it is lossless; or Spark counts them before it writes
        old = olds.get(name, name)
        values = workspace.warehouse.read_arrow(asset.key, state.version, columns=[old]).column(old)
        back = pc.cast(pc.cast(values, _ARROW[after], safe=False), values.type, safe=False)
        lost = len(values) - values.null_count - (pc.sum(pc.equal(back, values)).as_py() or 0)
        if lost:
            raise _lossy(asset, name, before, after, lost)


_ARROW = {"byte": "int8", "short": "int16", "integer": "int32", "long": "int64", "float": "float32"}


def _lossy(asset: Asset, name: str, before: str, after: str, lost: int) -> UsageError:
    return UsageError(
        f"{asset.key}: {name} cannot become {after} (it is {before}): {lost} values would not survive it",
        "Change the contract back."
        if asset.source is not None
        else "Add a column of another name, and remove this one.",
    )


def behind_its_code(workspace: Workspace, key: str) -> int:
    """The number of partitions whose code version does not count as equal to today's."""
    asset, current = workspace.catalog[key], workspace.current()
    own = workspace.warehouse.state(asset)
    return sum(
        len(at)
        for (location, code), at in by_code(own.records).items()
        if current.is_configured(location) and not current.same(asset, location, code, own)
    )


def _filling(asset: Asset) -> str:
    """The command that fills a new column. Stored rows of a fetched table go through its function without a command."""
    return materialize_call(asset) + ("" if asset.source is not None else " --force")


def _check_no_nulls(workspace: Workspace, asset: Asset, state: TableState, name: str) -> None:
    assert state.version is not None
    nulls = workspace.warehouse.read_arrow(asset.key, state.version, columns=[name]).column(name).null_count
    if nulls:
        raise UsageError(
            f"{asset.key}: its contract lets {name} no longer be null, and it is null in {nulls} rows",
            f"Let {name} be null, or fill it first: {_filling(asset)}.",
        )


def _check_source(workspace: Workspace, asset: Asset, touched: Collection[str], nullable: Collection[str]) -> None:
    """Raises UsageError where what a source sends would have another name or type, or be gone: then stored rows could
    not go through the function of a fetched table again.

    nullable: columns of the table that may be null, as all measured ones: they were sent by the source, though perhaps
    nobody asks for them any more.
    """
    if asset.source is None:
        return
    columns = {name for name, _ in stored_columns(workspace.sources[asset.source])}.union(nullable)
    sent = sorted(columns.intersection(touched))
    if sent:
        raise UsageError(
            f"{asset.key}: {', '.join(sent)} is what its source sends, and a record",
            "Change the contract back; another name or type is for an asset that is made from it.",
        )


def run_migration(
    workspace: Workspace,
    key: str,
    listener: RunListener,
    renames: Mapping[str, str] | None = None,
    drops: Collection[str] = (),
    make_engine: MakeEngine | None = None,
) -> Migration:
    """Migrate a table in one commit. Raises UsageError as ``planned_migration`` does, and where a type would lose
    values."""
    run_id, asset, warehouse = new_run_id(), workspace.catalog[key], workspace.warehouse
    planned_migration(workspace, key, renames, drops)
    with locked(workspace, run_id, listener) as inherited:
        Pending(warehouse.uri).check(frozenset([key]))
        state = warehouse.state(asset)
        found = _planned(workspace, asset, state, dict(renames or {}), set(drops))
        if found.is_empty or state.version is None:
            return found
        contract = workspace.contracts[key]
        rows = state.records.rows_of(state.records.partitions)
        with engine_session(workspace, run_id, rows, inherited, listener, make_engine) as engine, engine.working(key):
            frame = engine.table(asset, state.version)
            for old, new in found.renames.items():
                frame = frame.withColumnRenamed(old, new)
            frame = _cast(frame.drop(*found.drops), asset, found.casts)
            foreign = [name for name in frame.columns if name not in contract.column_names]
            made = conform(frame, asset, contract, missing_is_null=True)
            whole = frame.select(*[name for name in contract.column_names if name in frame.columns], *foreign)
            whole = _with_all(whole, contract)
            shapes, contracts = _shapes(workspace, asset, state, found)
            earlier = {digest: hashed(shape) for digest, shape in shapes.items() if digest != contract.digest}
            facts: dict[PartitionKey, PartitionFacts] = {}
            for part in in_batches(state.records.partitions, engine.rows_at_once // ROWS_A_PARTITION):
                some = made.where(condition(asset.partition_columns, part))
                facts |= aggregate(some, asset, contract, workspace.parameters, earlier)
            records = {one: _record(asset, one, record, facts, contracts) for one, record in state.records.items()}
            said = provenance_of(
                run_id,
                asset,
                iso(datetime.now(UTC)),
                records,
                state,
                {**workspace.history.shapes(key, state), **shapes},
                questions=workspace.history.questions_of(asset, state.records.partitions, state),
                by=package_version(),
            )
            engine.rewrite(whole, asset, contract, rows, warehouse.metadata(asset, said), state.version)
        failpoints.reach("after-commit")
        with contextlib.suppress(OSError):  # the log says it too; the next run writes it down
            warehouse.keep_state(asset, warehouse.state(asset, state))
    return found


def _with_all(frame: DataFrame, contract: Contract) -> DataFrame:
    """The rows, with null in columns of the contract that they do not have."""
    from pyspark.sql import functions as F

    lacking = [column for column in contract.columns if column.name not in frame.columns]
    return frame.withColumns({column.name: F.lit(None).cast(column.type) for column in lacking}) if lacking else frame


def _cast(frame: DataFrame, asset: Asset, casts: Collection[tuple[str, str, str]]) -> DataFrame:
    """The rows, with the columns in their new types. Raises UsageError where a value would change."""
    from pyspark.sql import functions as F

    if not casts:
        return frame
    lost = frame.agg(*[lossy_values(frame, name, after).alias(name) for name, _, after in casts]).collect()[0]
    for name, before, after in casts:
        if lost[name]:
            raise _lossy(asset, name, before, after, lost[name])
    return frame.withColumns({name: F.col(name).cast(after) for name, _, after in casts})


def _shapes(
    workspace: Workspace, asset: Asset, state: TableState, found: Migration
) -> tuple[dict[str, Shape], dict[str, str]]:
    """Two results: the shapes that rows which lack columns of today have after the migration; and, for each recorded
    contract's digest, the digest of the one that it becomes. Rows of a contract that differs in more than columns keep
    it, and stay stale."""
    contract = workspace.contracts[asset.key]
    shapes, contracts = {contract.digest: shape_of(contract)}, {}
    for digest, shape in workspace.history.shapes(asset.key, state).items():
        names = {found.renames.get(name, name) for name, _, _ in shape.columns} - set(found.drops)
        then = replace(contract, columns=tuple(column for column in contract.columns if column.name in names))
        if shape_of(then).rest == shape.rest:
            contracts[digest] = then.digest
            shapes[then.digest] = shape_of(then)
    return shapes, contracts


def _record(
    asset: Asset,
    key: PartitionKey,
    record: PartitionRecord,
    facts: Mapping[PartitionKey, PartitionFacts],
    contracts: Mapping[str, str],
) -> PartitionRecord:
    """The record of a partition after the migration. What dependants recorded about the partition still holds."""
    fact = facts.get(key, PartitionFacts())
    if fact.rows != record.rows:
        raise WarehouseError(
            f"{asset.key} {key} has {fact.rows} rows, and {record.rows} are recorded",
            f"Mend it first: aqi repair {asset.key}; then call the command again.",
        )
    contract = contracts.get(record.contract, record.contract)
    before = {} if record.fingerprint == EMPTY else {record.contract: record.fingerprint}
    return replace(
        record,
        contract=contract,
        fingerprint=fact.also.get(contract, fact.fingerprint),
        also={**record.also, **before},
    )
