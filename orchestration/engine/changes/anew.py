"""Compares rows that were made again with the records: finds the partitions that differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from orchestration.core.declarations.asset import Asset
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.runs.decisions import PartitionFacts, comes_out_as
from orchestration.core.state.table_state import TableState
from orchestration.engine.engines.engine import Engine
from orchestration.engine.fingerprints import contents
from orchestration.engine.workspace import Workspace
from resources.delta.warehouse import condition

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def otherwise(
    workspace: Workspace,
    engine: Engine,
    asset: Asset,
    own: TableState,
    rows: DataFrame,
    facts: Mapping[PartitionKey, PartitionFacts],
    partitions: Iterable[PartitionKey],
) -> list[PartitionKey]:
    """Those of ``partitions``, all with records, for which ``rows`` with these ``facts`` differ from the record.

    For records of another code version, columns that have another meaning today (``Past.retold``) are left out.
    """
    found = [key for key in partitions if not comes_out_as(own.records[key], facts.get(key, PartitionFacts()))]
    retold, current = workspace.history.retold(asset), workspace.current()
    old = [key for key in found if retold and own.records[key].code != current.code(asset, key.location)]
    if not old:
        return found
    assert own.version is not None, "there are records"
    some = PartitionSet.from_keys(old)
    there = engine.table(asset, own.version, some)
    names = [name for name in workspace.contracts[asset.key].column_names if name in there.columns]
    names = [name for name in names if name not in retold and not name.startswith("_")]
    then = contents(there, asset, names)
    now = contents(rows.where(condition(asset.partition_columns, some)), asset, names)
    same = {key for key in old if then.get(key) == now.get(key)}
    return [key for key in found if key not in same]
