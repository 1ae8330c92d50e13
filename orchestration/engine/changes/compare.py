"""`aqi repair --verify`: reads all rows of tables and compares them with the records, whatever the log says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from orchestration.core.counted import counted
from orchestration.core.declarations.asset import Asset
from orchestration.core.errors import LakehouseError
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.planning.plan import Plan
from orchestration.core.runs.batches import in_batches
from orchestration.core.runs.decisions import PartitionFacts, comes_out_as
from orchestration.core.state.damage import damaged_by
from orchestration.core.state.table_state import TableState
from orchestration.engine.engines.engine import Engine, MakeEngine
from orchestration.engine.exclusive import RunListener, new_run_id
from orchestration.engine.executor import prepare
from orchestration.engine.session import engine_session
from orchestration.engine.steps import ROWS_A_PARTITION, StepRunner, explain
from orchestration.engine.workspace import Workspace
from resources.delta.look import log_trouble, unreadable_files


class Compared(NamedTuple):
    """The result for one table, in words. whole: whether all of its rows could be compared."""

    in_words: str
    whole: bool = True


def compare_rows(
    workspace: Workspace,
    keys: Sequence[str],
    partitions: PartitionSet,
    listener: RunListener,
    make_engine: MakeEngine | None = None,
) -> Iterator[Compared]:
    """Compare ``partitions`` of the tables of ``keys``, one table after the other. A table that cannot be read does not
    stop the others.

    Afterwards ``workspace.compared`` has the partitions that differ.
    """
    from pyspark.errors import PySparkException

    tables = workspace.states(keys)
    sound = [key for key in keys if key in tables and not _in_trouble(tables[key])]
    wanted = {key: workspace.catalog[key].asked_by(partitions) for key in sound}
    most = max((len(wanted[key] & tables[key].records.partitions) for key in sound), default=0)
    if not most:
        yield Compared("No rows are recorded that could be compared.")
        return
    run_id = new_run_id()
    with engine_session(workspace, run_id, most * ROWS_A_PARTITION, [], listener, make_engine) as engine:
        runner, _ = prepare(workspace, Plan((), ()), tables, run_id, lambda: engine)
        for key in sound:
            try:
                yield _compared(workspace, runner, engine, workspace.catalog[key], wanted[key], tables[key])
            except (LakehouseError, PySparkException) as error:
                yield Compared(f"{key}: its rows could not be compared: {explain(error)}", whole=False)


def _in_trouble(state: TableState) -> bool:
    trouble = None if state.damage is None else state.damage.trouble
    return state.version is None or (trouble is not None and not trouble.readable)


def _compared(
    workspace: Workspace, runner: StepRunner, engine: Engine, asset: Asset, wanted: PartitionSet, own: TableState
) -> Compared:
    known = () if own.damage is None else own.damage.lost
    gone = {one.path for one in known}
    trouble = log_trouble(asset.key, workspace.warehouse.table_uri(asset.key))
    if trouble is not None:
        workspace.compared[asset.key] = (), PartitionSet.empty(), trouble
        return Compared(f"{asset.key}: {trouble.in_words}", whole=False)
    broken, refused = unreadable_files(workspace.warehouse.table_uri(asset.key), own.files, gone)
    there = (wanted & own.records.partitions) - own.unrecorded - damaged_by(own, (*broken, *refused))
    facts: dict[PartitionKey, PartitionFacts] = {}
    assert own.version is not None, "it is there"
    with engine.working(asset.key):
        for part in in_batches(there, max(1, engine.rows_at_once // ROWS_A_PARTITION)) if there else ():
            only = None if asset.partition_columns is None else part
            facts |= runner.facts(asset, engine.table(asset, own.version, only), {asset.key: own})
    differing = PartitionSet.from_keys(
        key for key in there if not comes_out_as(own.records[key], facts.get(key, PartitionFacts()))
    )
    workspace.compared[asset.key] = broken, differing, None
    text = f"{asset.key}: the rows of {counted(len(there) - len(differing), 'partition')} are those that were recorded"
    if differing:
        text += f"; {len(differing)} have others: {differing}"
    text += "".join(f"; {one.in_words}" for one in (*known, *broken, *refused))
    if refused:
        text += f". Give this user rights to read and write all that is in the folder of {asset.key}, and call again."
    return Compared(text, whole=not refused)
