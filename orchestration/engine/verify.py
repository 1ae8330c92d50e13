"""Verifies partitions (`aqi verify`): makes them again on an engine, from their present inputs, and compares them with
the records.

Nothing is written and no lock is taken: tables are read at fixed versions. Partitions that are not fresh are left out,
since their inputs have changed.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.core.declarations.asset import Asset
from orchestration.core.errors import RunError
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.planning.plan import Plan, Step
from orchestration.core.state.freshness import Current, Judge
from orchestration.core.state.table_state import TableState
from orchestration.engine.changes.anew import otherwise
from orchestration.engine.changes.differences import first_difference
from orchestration.engine.engines.engine import Engine, KeptRows, MakeEngine
from orchestration.engine.exclusive import RunListener, new_run_id
from orchestration.engine.executor import prepare
from orchestration.engine.session import engine_session
from orchestration.engine.steps import ROWS_A_PARTITION, StepRunner
from orchestration.engine.workspace import Workspace
from resources.delta.warehouse import condition


@dataclass(frozen=True)
class Verified:
    """The result for one asset."""

    asset: str
    engine: str
    """The engine on which the rows were made again."""
    equal: PartitionSet
    """The partitions that came out as recorded."""
    different: PartitionSet
    """The partitions that came out otherwise."""
    left_out: Mapping[PartitionKey, str]
    """The partitions that were not compared → why."""
    why: str = ""
    """The first row that differs; empty where none does."""

    def to_json(self) -> dict[str, Any]:
        return {
            "asset": self.asset,
            "engine": self.engine,
            "equal": self.equal.keys(),
            "different": self.different.keys(),
            "left_out": [{"partition": str(key), "reason": why} for key, why in self.left_out.items()],
            "why": self.why or None,
        }


def verify(
    workspace: Workspace,
    keys: Sequence[str],
    partitions: PartitionSet,
    listener: RunListener,
    make_engine: MakeEngine | None = None,
) -> Generator[Verified, None, None]:
    """Make ``partitions`` of the assets ``keys`` again on the engine of the settings, and compare. One asset after the
    other.

    Raises RunError if no partition can be compared.
    """
    tables, current, run_id = workspace.states(keys), workspace.current(), new_run_id()
    work = [_work(workspace.catalog[key], partitions, tables, current) for key in keys]
    if not any(step.partitions for step, _ in work):
        raise RunError(
            "nothing can be compared: no partition of these is fresh", "`aqi status` says what each of them is."
        )
    steps = tuple(step for step, _ in work)
    largest = max(len(step.partitions) for step in steps) * ROWS_A_PARTITION
    with engine_session(workspace, run_id, largest, [], listener, make_engine) as engine:
        runner, _ = prepare(workspace, Plan(steps, ()), tables, run_id, lambda: engine, current)
        for step, left_out in work:
            yield _verified(workspace, runner, engine, step, tables, left_out)


def _work(
    asset: Asset, partitions: PartitionSet, tables: Mapping[str, TableState], current: Current
) -> tuple[Step, dict[PartitionKey, str]]:
    """The step that makes the comparable partitions again; and the other partitions with the reason."""
    own, judge = tables.get(asset.key, TableState()), Judge(asset, tables, current)
    judged = {key: judge(key) for key in asset.asked_by(partitions)}
    left_out = {key: f"{one.state}: {one.reason}" for key, one in judged.items() if not one.fresh}
    fresh = PartitionSet.from_keys(key for key in judged if key not in left_out)
    return Step.alone(asset, fresh, own.version, "verify"), left_out


def _verified(
    workspace: Workspace,
    runner: StepRunner,
    engine: Engine,
    step: Step,
    tables: Mapping[str, TableState],
    left_out: Mapping[PartitionKey, str],
) -> Verified:
    asset, nothing = workspace.catalog[step.asset], PartitionSet.empty()
    if not step.partitions:
        return Verified(asset.key, engine.name, nothing, nothing, left_out)
    own = tables[asset.key]
    made = runner.make(step, asset, step.partitions, tables)
    try:
        with engine.working(asset.key):
            rows = made.frame.frame()
            different = otherwise(workspace, engine, asset, own, rows, made.facts, step.partitions)
        beyond = made.facts.keys() - set(step.partitions)
        bad = PartitionSet.from_keys([*different, *beyond])
        why = ""
        if different:
            with engine.working(asset.key):
                why = f"{different[0]}: {_difference(workspace, engine, asset, own, made.frame, different[0])}"
        elif beyond:
            why = f"{min(beyond)}: its rows are of a partition that nobody asked for"
    finally:
        made.frame.let_go()
    return Verified(asset.key, engine.name, step.partitions - bad, bad, left_out, why)


def _difference(
    workspace: Workspace, engine: Engine, asset: Asset, own: TableState, rows: KeptRows, key: PartitionKey
) -> str:
    """The first row of a partition that differs, with its columns."""
    assert own.version is not None, "there are records"
    only, contract = PartitionSet.from_keys([key]), workspace.contracts[asset.key]
    there = engine.table(asset, own.version, only)
    names = [name for name in contract.column_names if name in there.columns and not name.startswith("_")]
    return first_difference(there, rows.frame().where(condition(asset.partition_columns, only)), contract.key, names)
