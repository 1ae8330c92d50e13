"""The frames of a step: what it reads, and what its asset's function makes of it, in the columns of the contracts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.contract import Contract
from orchestration.core.errors import CheckFailed
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.runs.step_world import Reading
from orchestration.core.state.table_state import TableState
from orchestration.engine.engines.engine import Engine, KeptRows
from resources.delta.warehouse import condition

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class Frames:
    """Rows of tables as frames of an engine. engine: gives the engine; waits until it is ready."""

    def __init__(
        self, assets: Mapping[str, Asset], contracts: Mapping[str, Contract], engine: Callable[[], Engine]
    ) -> None:
        self._assets = assets
        self._contracts = contracts
        self._engine = engine

    def stored(self, asset: Asset, partitions: PartitionSet, own: TableState) -> DataFrame:
        """The rows of ``partitions`` in an asset's table, with the state ``own``."""
        assert own.version is not None, "there are stored rows"
        return self._engine().table(asset, own.version, partitions)

    def as_fetched(self, asset: Asset, partitions: PartitionSet, own: TableState, columns: Sequence[str]) -> DataFrame:
        """The rows of a fetched asset's own table, in the columns that its source sends.

        Raises CheckFailed if the table does not have all of these: without them its function would not make what was
        fetched.
        """
        rows = self.stored(asset, partitions, own)
        lacking = [name for name in columns if name not in rows.columns]
        if lacking:
            raise CheckFailed(
                f"{asset.key}: its table has no column {', '.join(lacking)}, so its stored rows cannot go through its "
                "function again",
                "Keep these columns in its contract by the names that the source has for them.",
            )
        return rows.select(*columns)

    def read(self, reading: Reading[KeptRows]) -> DataFrame:
        """What a step reads of an upstream table. Rows that this run made come from what the engine kept."""
        upstream = self._assets[reading.of]
        frames = [
            rows.frame()
            if partitions is None
            else rows.frame(partitions).where(condition(upstream.partition_columns, partitions))
            for rows, partitions in reading.kept
        ]
        if reading.stored or not frames:
            assert reading.version is not None, "there is a table"
            table = self._engine().table(upstream, reading.version, reading.stored)
            # By its contract: without columns that others added, with null in those that it does not have yet.
            frames.append(conform(table, upstream, self._contracts[reading.of], missing_is_null=True))
        return self._engine().union(frames)


@dataclass(frozen=True)
class StoredRows:
    """Rows that are in a table, so that nothing has to be kept."""

    rows: DataFrame

    def frame(self, partitions: PartitionSet | None = None) -> DataFrame:
        return self.rows

    def let_go(self) -> None:
        pass


def conform(frame: DataFrame, asset: Asset, contract: Contract, *, missing_is_null: bool = False) -> DataFrame:
    """The columns of the contract, in its order. Raises CheckFailed for a column that is missing or has another type.

    missing_is_null: for stored rows: a nullable column that was added later is null.
    """
    from pyspark.sql import functions as F

    if not hasattr(frame, "schema"):
        raise CheckFailed(
            f"{asset.key}: its function must give a DataFrame (got {frame!r:.80})", "Return the rows that it makes."
        )
    types = {field.name: _delta_type(field.dataType) for field in frame.schema.fields}
    for column in contract.columns:
        if column.name not in types and missing_is_null and column.nullable:
            frame = frame.withColumn(column.name, F.lit(None).cast(column.type))
        elif column.name not in types:
            raise CheckFailed(
                f"{asset.key}: the transformation made no column {column.name!r}",
                f"Its contract {contract.name} declares it: make it, or take it out there. It made {', '.join(types)}.",
            )
        elif types[column.name] != column.type:
            raise CheckFailed(
                f"{asset.key}: {column.name}: function {types[column.name]}, contract {column.type}",
                f'Cast it in the asset\'s function (.cast("{column.type}")), or change the contract.',
            )
    return frame.select(*contract.column_names)


def _delta_type(kind: Any) -> str:
    element = getattr(kind, "elementType", None)
    return f"array<{element.typeName()}>" if element is not None else str(kind.typeName())
