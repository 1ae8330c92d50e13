"""Column lineage of frames, from the query plan that an asset's function built.

The frames that the function is given have to be marked (``marks``). On Spark with a JVM the analyzed plan is read; in a
Connect session (the embedded engine) the plan as it was sent. Nothing is evaluated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.contract import Contract
from orchestration.core.lineage.columns import ColumnLineage, column_lineage
from orchestration.core.lineage.plan import Opaque, Origin, Output, Relation
from orchestration.core.source import INGESTED_AT, Source
from orchestration.engine.engines.engine import Engine
from orchestration.engine.frames import conform
from orchestration.engine.lineage.connect_plan import ConnectPlan, Schema
from orchestration.engine.lineage.marks import marked
from orchestration.engine.lineage.spark_plan import SparkPlan

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

ELSEWHERE = "made in another process"


@dataclass(frozen=True, slots=True)
class Given:
    """An argument of a function."""

    columns: tuple[str, ...]
    """All columns of its frame, in their order."""
    origins: tuple[Origin, ...]
    """From where its rows come."""


def given_to(asset: Asset, contracts: Mapping[str, Contract], source: Source[Any] | None) -> tuple[Given, ...]:
    """The arguments of an asset's function. source: of a fetched asset.

    The rows of a fetched asset come from its source, under the source's names; if it keeps hours, also from its own
    table. If it does not, stored rows count as rows of the source.
    """
    if source is None:
        return tuple(_of_table(of, contracts[of]) for of in asset.upstream_keys)
    fetched = [name for name, _ in source.columns]
    sent = Origin(str(asset.source), {name: source.called.get(name, name) for name in fetched})
    columns = (*fetched, INGESTED_AT)
    kept = () if asset.hours is None else (Origin(asset.key, {name: name for name in columns}),)
    return (Given(columns, (sent, *kept)),)


def _of_table(key: str, contract: Contract) -> Given:
    return Given(contract.column_names, (Origin(key, {name: name for name in contract.column_names}),))


def lineage_of_asset(
    asset: Asset,
    engine: Engine,
    contracts: Mapping[str, Contract],
    arguments: Mapping[str, Any],
    source: Source[Any] | None,
) -> ColumnLineage:
    """The column lineage of an asset, found by calling its function with empty frames. arguments: its keyword
    arguments.

    Call it within the engine's ``working``. Raises what the function raises, and CheckFailed as ``conform`` does.
    """
    contract = contracts[asset.key]
    if asset.engine is not None and asset.engine != engine.name:  # made by a child, which hands back files
        return not_known(ELSEWHERE, contract)
    given = given_to(asset, contracts, source)
    tables = [_empty(contracts[of]) for of in asset.upstream_keys] if source is None else [_sent_by(source)]
    made = engine.call(asset, all_marked([engine.rows(table) for table in tables], given), arguments)
    return lineage_of_frame(conform(made, asset, contract), given)


def not_known(why: str, contract: Contract) -> ColumnLineage:
    """The column lineage of a table whose plan cannot be read."""
    outputs = tuple(Output(number, name) for number, name in enumerate(contract.column_names))
    return column_lineage(Opaque(why, (), outputs))


def all_marked(frames: Sequence[DataFrame], given: Sequence[Given]) -> list[DataFrame]:
    """The frames with their marks."""
    return [marked(frame, at, one.columns) for at, (frame, one) in enumerate(zip(frames, given, strict=True))]


def lineage_of_frame(frame: DataFrame, given: Sequence[Given]) -> ColumnLineage:
    """The column lineage of a frame that was made from marked frames. given: these, by their numbers."""
    return column_lineage(plan_of(frame, [one.origins for one in given]))


def plan_of(frame: DataFrame, inputs: Sequence[tuple[Origin, ...]]) -> Relation:
    """The plan of a frame, from either kind of session. inputs: for each marked frame the origins of its rows."""
    made: Any = frame
    if not hasattr(made, "_jdf"):
        return _connect_plan(made, inputs)
    import json

    analyzed = made._jdf.queryExecution().analyzed()
    return SparkPlan(inputs, _read_by(analyzed)).relation(json.loads(analyzed.toJSON()))


def _connect_plan(frame: Any, inputs: Sequence[tuple[Origin, ...]]) -> Relation:
    from pyspark.errors import PySparkException
    from pyspark.sql.connect.proto import Plan

    client = frame.sparkSession.client

    def schema(relation: Any) -> Schema:
        plan = Plan()
        plan.root.CopyFrom(relation)
        try:
            return [(field.name, field.dataType.simpleString()) for field in client.schema(plan).fields]
        except PySparkException:  # it could not be evaluated either
            return ()

    return ConnectPlan(inputs, schema).relation(frame._plan.plan(client))


def _read_by(analyzed: Any) -> list[str]:
    """For the leaves of an analyzed plan that are not inputs: what they read, as far as they tell."""
    leaves, names = analyzed.collectLeaves(), []
    for number in range(leaves.size()):
        leaf = leaves.apply(number)
        match leaf.getClass().getSimpleName():
            case "LogicalRelation":
                names.append(_files_of(leaf.relation()))
            case "DataSourceV2Relation" | "DataSourceV2ScanRelation" | "HiveTableRelation":
                names.append(str(leaf.simpleStringWithNodeId()))
    return names


def _files_of(relation: Any) -> str:
    if relation.getClass().getSimpleName() != "HadoopFsRelation":
        return str(relation.toString())
    paths = relation.location().rootPaths()
    bare = (str(paths.apply(number).toString()).removeprefix("file:") for number in range(paths.size()))
    return " ".join([str(relation.fileFormat().toString()).lower(), *bare])


def _empty(contract: Contract) -> pa.Table:
    from pyspark.sql.pandas.types import to_arrow_schema
    from pyspark.sql.types import StructField, StructType

    fields = StructType.fromJson(contract.delta_schema()).fields
    bare = StructType([StructField(field.name, field.dataType) for field in fields])
    return to_arrow_schema(bare, timezone="UTC").empty_table()


def _sent_by(source: Source[Any]) -> pa.Table:
    from orchestration.engine.hourly_rows import schema_of

    return schema_of(source).empty_table()
