"""The one aggregation of a step: rows, fingerprint of the content, and violations of checks for each partition, in a
single job.

The fingerprint is the sum of a 64-bit hash of each row, so it does not depend on the order of rows. Every column enters
the hash with a mark for null, so that a value cannot move to another column unnoticed. Columns that begin with ``_``
are left out.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.checks import NOT_NULL, UNIQUE
from orchestration.core.declarations.contract import Contract
from orchestration.core.declarations.parameters import Parameters
from orchestration.core.partitions.keys import NULL_KEY, PartitionKey
from orchestration.core.runs.decisions import PartitionFacts
from orchestration.core.state.partition_record import nothing

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


def aggregate(
    frame: DataFrame,
    asset: Asset,
    contract: Contract,
    parameters: Parameters,
    earlier: Mapping[str, Sequence[str]] | None = None,
) -> dict[PartitionKey, PartitionFacts]:
    """The facts of every partition of which ``frame`` has rows. One job of the engine.

    earlier: digest of an earlier contract → its columns; for each of them a further fingerprint is computed.
    """
    from pyspark.sql import functions as F

    doubles = _doubles(frame)
    required = [column.name for column in contract.columns if not column.nullable]
    counts: dict[str, Column] = {
        NOT_NULL: F.count_if(F.greatest(*[F.col(name).isNull() for name in [*required, required[0]]])),
        UNIQUE: F.count(F.lit(1)) - F.size(F.collect_set(row_hash(contract.key, doubles))),
    }
    counts |= {check.name: check.count(parameters) for check in asset.checks}
    columns = asset.partition_columns
    keys = [F.col(name) for name in columns or ()]
    hashed = {"": [name for name in contract.column_names if not name.startswith("_")], **(earlier or {})}
    counted = _counted(contract) if asset.source is not None else ()
    facts = (
        frame.groupBy(*[key.alias(name) for key, name in zip(keys, ("day", "location"), strict=False)])
        .agg(
            F.count(F.lit(1)).alias("rows"),
            *[F.sum(row_hash(of, doubles).cast("decimal(20,0)")).alias(f"hash:{name}") for name, of in hashed.items()],
            *[F.count(name).alias(f"values:{name}") for name in counted],
            *[count.alias(f"check:{name}") for name, count in counts.items()],
        )
        .toArrow()
    )
    return {
        (NULL_KEY if columns is None else PartitionKey(row["day"], row["location"])): _facts(
            row, counts, hashed, counted
        )
        for row in facts.to_pylist()
    }


def contents(frame: DataFrame, asset: Asset, columns: Sequence[str]) -> dict[PartitionKey, tuple[int, int]]:
    """For every partition of a dated asset, the number of rows and the sum of their hashes over ``columns``. One
    job.
    """
    from pyspark.sql import functions as F

    assert asset.partition_columns is not None
    day, location = (F.col(name) for name in asset.partition_columns)
    hashes = F.sum(row_hash(columns, _doubles(frame)).cast("decimal(20,0)"))
    rows = frame.groupBy(day.alias("day"), location.alias("location")).agg(
        F.count(F.lit(1)).alias("rows"), hashes.alias("hash")
    )
    return {
        PartitionKey(row["day"], row["location"]): (int(row["rows"]), int(row["hash"]))
        for row in rows.toArrow().to_pylist()
    }


def row_hash(columns: Sequence[str], doubles: Collection[str] = ()) -> Column:
    """A 64-bit hash of a row's columns, in which nulls count as values.

    doubles: the columns that can hold NaN. NaN has many bit patterns; Spark treats them as one, Sail does not.
    """
    from pyspark.sql import functions as F

    def value(name: str) -> Column:
        if name not in doubles:
            return F.col(name)
        return F.when(F.isnan(name), F.lit(math.nan)).otherwise(F.col(name))

    marked = [part for name in columns for part in (F.col(name).isNull(), value(name))]
    return F.xxhash64(*marked)


def _doubles(frame: DataFrame) -> frozenset[str]:
    return frozenset(field.name for field in frame.schema.fields if field.dataType.typeName() in ("double", "float"))


def _counted(contract: Contract) -> tuple[str, ...]:
    """The columns whose values are counted for the record: those that may be null."""
    return tuple(column.name for column in contract.columns if column.nullable)


def _facts(row: Any, counts: Mapping[str, Any], hashed: Mapping[str, Any], counted: Sequence[str]) -> PartitionFacts:
    if not row["rows"]:
        return PartitionFacts()
    prints = {name: f"{int(row[f'hash:{name}']) % (1 << 80):020x}" for name in hashed}
    return PartitionFacts(
        rows=int(row["rows"]),
        fingerprint=prints.pop(""),
        violations={name: int(row[f"check:{name}"]) for name in counts if row[f"check:{name}"]} or nothing(),
        also=prints or nothing(),
        values={name: int(row[f"values:{name}"]) for name in counted} or nothing(),
    )
