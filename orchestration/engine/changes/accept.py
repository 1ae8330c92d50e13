"""``aqi accept``: says that an earlier code version makes the same rows as today's, proves it on a sample, and records
it in one commit.

The sample is made again (for a fetched asset: from its stored rows). Its fingerprints are compared with the recorded
ones, over the columns that the recorded rows had.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from orchestration.core.calendar import iso
from orchestration.core.declarations.asset import Asset
from orchestration.core.errors import CheckFailed, UsageError
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.planning.plan import Plan, Step
from orchestration.core.state.freshness import Current, History, Judge, State, Way
from orchestration.core.state.judged import judged
from orchestration.core.state.provenance import PartitionRecord, Provenance
from orchestration.core.state.record_columns import Records
from orchestration.core.state.record_texts import Numbers
from orchestration.core.state.table_state import TableState
from orchestration.core.state.versions import Equal
from orchestration.engine.changes.anew import otherwise
from orchestration.engine.changes.by_code import by_code
from orchestration.engine.changes.differences import first_difference
from orchestration.engine.engines.engine import Engine, MakeEngine
from orchestration.engine.exclusive import RunListener, locked, new_run_id
from orchestration.engine.executor import prepare
from orchestration.engine.session import engine_session
from orchestration.engine.workspace import Workspace
from resources.delta.pending import Pending
from resources.delta.warehouse import condition
from resources.machine.package import package_version

SAMPLE = 20


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What is to be accepted for an asset."""

    asset: str
    equal: tuple[Equal, ...]
    """Pairs of code versions that are to count as equal."""
    behind: PartitionSet
    """All partitions with another code version than today's."""
    sample: PartitionSet
    """Those of ``behind`` that are made again to prove it."""

    def in_words(self) -> str:
        return (
            f"{self.asset}: {len(self.sample)} of {len(self.behind)} partitions that lie behind its code are made anew "
            f"and compared ({self.sample})"
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "asset": self.asset,
            "equal": [{"location": one.location, "one": one.one, "other": one.other} for one in self.equal],
            "partitions": len(self.behind),
            "sample": self.sample.keys(),
        }


def materialize_call(asset: Asset) -> str:
    """The command that makes an asset."""
    return f"aqi materialize {asset.key}{' --partitions RANGE' if asset.partitions is not None else ''}"


def planned_acceptance(workspace: Workspace, key: str, sample: int = SAMPLE) -> Acceptance:
    """What `aqi accept` would prove. Raises UsageError if there is nothing to accept, or nothing that could prove
    it.
    """
    Pending(workspace.warehouse.uri).check(frozenset([key]))
    return acceptance(workspace.catalog[key], workspace.states((key,)), workspace.current(), sample)


def acceptance(asset: Asset, tables: Mapping[str, TableState], current: Current, sample: int) -> Acceptance:
    """What is to be accepted for ``asset``, with a sample of ``sample`` partitions, spread evenly over the versions.

    tables: the states of the asset's table and of those upstream. Raises UsageError as ``planned_acceptance`` does.
    """
    key, own = asset.key, tables.get(asset.key, TableState())
    records, by_location = own.records, asset.partitions is not None and "locations" in asset.parameters
    there = records.partitions
    there = there.restrict(locations=[one for one in there.locations if current.is_configured(one)])
    stale = PartitionSet.union_of(
        alike.partitions
        for alike in judged(Judge(asset, tables, current), there)
        if alike.judgement.state is State.STALE and alike.judgement.way is not Way.REFETCH
    )
    behind: dict[tuple[str | None, str], list[int]] = {}  # positions among the records
    for (location, code), at in by_code(records, stale).items():
        if not current.same(asset, location, code, own):
            behind.setdefault((location if by_location else None, code), []).extend(at.tolist())
    if not behind:
        raise UsageError(
            f"{key}: nothing lies behind its code",
            "There is nothing to accept; `aqi status` says what each partition is.",
        )
    found = records.set_of(np.array(sorted(one for of in behind.values() for one in of)))
    sound = _fresh_if_accepted(asset, tables, current, found)
    chosen: list[PartitionKey] = []
    for pair, of in behind.items():
        full, empty = _with_and_without_rows(records, np.intersect1d(of, records.index(sound)))
        if not (len(full) or len(empty)):
            raise UsageError(
                f"{key}: no proof can be had for what version {pair[1]} made"
                + (f" at {pair[0]}" if pair[0] else "")
                + ": what is upstream of it has changed since, or its columns are others",
                f"Materialize it instead: {materialize_call(asset)}.",
            )
        number = max(1, round(sample * len(of) / len(found)))
        chosen += map(records.key, _sample(full, empty, number))
    equal = tuple(Equal(key, location, code, current.code(asset, location)) for (location, code) in behind)
    return Acceptance(key, equal, found, PartitionSet.from_keys(chosen))


@dataclass(frozen=True, slots=True)
class _AsIfAccepted:
    """A ``freshness.History`` in which every code version counts as equal to today's."""

    history: History

    def same(self, asset: Asset, location: str | None, recorded: str, own: TableState) -> bool:
        return True

    def lacking(self, asset: str, recorded: str, own: TableState) -> tuple[str, ...] | None:
        return self.history.lacking(asset, recorded, own)

    def absent(self, asset: str, recorded: str, own: TableState) -> tuple[str, ...]:
        return self.history.absent(asset, recorded, own)

    def outdated(self, asset: Asset, key: PartitionKey, record: PartitionRecord, own: TableState) -> str:
        return self.history.outdated(asset, key, record, own)


def _fresh_if_accepted(
    asset: Asset, tables: Mapping[str, TableState], current: Current, partitions: PartitionSet
) -> PartitionSet:
    """Those of ``partitions`` that are stale for no other reason than their code version."""
    assert current.history is not None
    todays = Judge(asset, tables, replace(current, history=_AsIfAccepted(current.history)))
    return PartitionSet.union_of(alike.partitions for alike in judged(todays, partitions) if alike.judgement.fresh)


def _with_and_without_rows(records: Records, at: Numbers) -> tuple[list[int], list[int]]:
    """The positions of records with rows, and of those without; each by day, then by location."""
    ordered = at[np.lexsort((records.location[at], records.day[at]))]
    return ordered[records.rows[ordered] > 0].tolist(), ordered[records.rows[ordered] == 0].tolist()


def _sample(full: Sequence[int], empty: Sequence[int], number: int) -> list[int]:
    """``number`` positions: half of them with rows and half without, as far as there are enough."""
    of_empty = min(len(empty), max(number // 2, number - len(full)))
    return _spread(full, number - of_empty) + _spread(empty, of_empty)


def _spread(keys: Sequence[int], number: int) -> list[int]:
    """``number`` of ``keys``, evenly spread from the first to the last."""
    if number >= len(keys):
        return list(keys)
    if number < 1:
        return []
    if number == 1:
        return [keys[len(keys) // 2]]
    return [keys[round(at * (len(keys) - 1) / (number - 1))] for at in range(number)]


def accept(
    workspace: Workspace, key: str, sample: int, listener: RunListener, make_engine: MakeEngine | None = None
) -> Acceptance:
    """Prove it, and record it in one commit without files.

    Raises UsageError as ``planned_acceptance`` does, and CheckFailed that names the first row that differs.
    """
    run_id, asset = new_run_id(), workspace.catalog[key]
    planned_acceptance(workspace, key, sample)
    with locked(workspace, run_id, listener) as inherited:
        Pending(workspace.warehouse.uri).check(frozenset([key]))
        tables = workspace.states((key,))
        found = acceptance(asset, tables, workspace.current(), sample)
        with (
            engine_session(workspace, run_id, len(found.sample) * 24, inherited, listener, make_engine) as engine,
            engine.working(key),
        ):
            prove(workspace, found, tables, run_id, engine)
        said = Provenance(run_id, key, iso(datetime.now(UTC)), {}, equal=found.equal, by=package_version())
        workspace.warehouse.record(asset, said, tables[key])
    return found


def prove(
    workspace: Workspace, found: Acceptance, tables: Mapping[str, TableState], run_id: str, engine: Engine
) -> None:
    """Make the sample again and compare. Raises CheckFailed that names the first row that differs."""
    asset, own = workspace.catalog[found.asset], tables[found.asset]
    version = own.version
    assert version is not None, "there are records"
    step = Step.alone(asset, found.sample, own.version, "accept")
    runner, _ = prepare(workspace, Plan((step,), ()), tables, run_id, lambda: engine)
    rows = engine.evaluate(runner.transform(step, asset, found.sample, tables))
    try:
        facts = runner.facts(asset, rows.frame(), tables)
        for key in otherwise(workspace, engine, asset, own, rows.frame(), facts, found.sample):
            only = PartitionSet.from_keys([key])
            table = engine.table(asset, version, only)
            contract = workspace.contracts[asset.key]
            names = [one for one in contract.column_names if one in table.columns and not one.startswith("_")]
            made = rows.frame().where(condition(asset.partition_columns, only))
            why = first_difference(table, made, contract.key, names)
            raise CheckFailed(
                f"{found.asset} {key} comes out otherwise: {why}",
                f"Nothing was accepted. Materialize it: {materialize_call(asset)}.",
            )
    finally:
        rows.let_go()
