"""Column lineage of frames: what an asset's function made of the frames that it was given, by the plan that it built.

The frames given have to be marked (``marks``). On Spark with a JVM the analyzed plan is read, of a Connect session
(the embedded engine) the plan as it was sent; nothing is evaluated.
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
    """What an argument of a function is. columns: all of its frame's, in their order. origins: where its rows are
    from."""

    columns: tuple[str, ...]
    origins: tuple[Origin, ...]


def given_to(asset: Asset, contracts: Mapping[str, Contract], source: Source[Any] | None) -> tuple[Given, ...]:
    """What the function of an asset is given, argument by argument. source: the asset's, where it has one.

    A fetched asset's rows are its source's, by the source's own names; where it keeps hours also those that its own
    table has of them. Without: what is stored is what its source sent, and goes through the function as that.
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
    """Column lineage of an asset, from what its function makes of frames without rows. arguments: by keyword.

    To be called within the engine's ``working``. Raises what the function raises, and CheckFailed as ``conform`` does.
    """
    contract = contracts[asset.key]
    if asset.engine is not None and asset.engine != engine.name:  # made by a child, which hands back files
        return not_known(ELSEWHERE, contract)
    given = given_to(asset, contracts, source)
    tables = [_empty(contracts[of]) for of in asset.upstream_keys] if source is None else [_sent_by(source)]
    made = engine.call(asset, all_marked([engine.rows(table) for table in tables], given), arguments)
    return lineage_of_frame(conform(made, asset, contract), given)


def not_known(why: str, contract: Contract) -> ColumnLineage:
    """The lineage of a table of whose plan nothing can be read."""
    outputs = tuple(Output(number, name) for number, name in enumerate(contract.column_names))
    return column_lineage(Opaque(why, (), outputs))


def all_marked(frames: Sequence[DataFrame], given: Sequence[Given]) -> list[DataFrame]:
    """The frames that a function is given, as inputs; rows and columns are the same."""
    return [marked(frame, at, one.columns) for at, (frame, one) in enumerate(zip(frames, given, strict=True))]


def lineage_of_frame(frame: DataFrame, given: Sequence[Given]) -> ColumnLineage:
    """Column lineage of a frame that was made of marked ones. given: these, by their numbers."""
    return column_lineage(plan_of(frame, [one.origins for one in given]))


def plan_of(frame: DataFrame, inputs: Sequence[tuple[Origin, ...]]) -> Relation:
    """The plan of a frame of either kind of session. inputs: by number, where rows of marked frames come from."""
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
    """Of an analyzed plan's leaves that read something which is no input: what, as far as they tell."""
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
