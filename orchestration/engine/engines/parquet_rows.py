"""Rows that were evaluated, in Parquet files: what is in memory does not grow with them, and a dead engine keeps them.

Both engines write them so. On a local warehouse, whose lock keeps others out, deltalake commits them in this process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from orchestration.core.declarations.asset import Asset
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.state.provenance import Provenance
from orchestration.core.state.table_state import TableState
from orchestration.engine.engines.engine import KeptRows
from resources.delta.rows import batches_of
from resources.delta.warehouse import Warehouse

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType


class Part(NamedTuple):
    """Rows in the Parquet files of a folder. paths: what an engine reads to have them, on a local warehouse its files.

    partitions: that they can be of; None where nobody knows.
    """

    folder: str
    paths: tuple[str, ...]
    partitions: PartitionSet | None = None

    def may_have(self, wanted: PartitionSet | None) -> bool:
        """Whether it can have rows of what is wanted (None: anything)."""
        return wanted is None or self.partitions is None or bool(self.partitions & wanted)


Read = Callable[["StructType", Sequence[str]], "DataFrame"]
"""(schema, paths) → the rows of Parquet files in that schema, in the session that there is now."""


class ParquetRows:
    """See ``engine.KeptRows``. remove: removes a folder, and never fails."""

    def __init__(self, parts: Sequence[Part], schema: StructType, read: Read, remove: Callable[[str], None]) -> None:
        self.parts, self.schema = tuple(parts), schema
        self._read, self._remove = read, remove

    @property
    def files(self) -> list[Path]:
        """Those of a local warehouse, as they were written."""
        return self.files_of(None)

    def files_of(self, partitions: PartitionSet | None) -> list[Path]:
        """Those of them that can have rows of ``partitions`` (None: all)."""
        return [Path(path) for part in self.parts if part.may_have(partitions) for path in part.paths]

    def frame(self, partitions: PartitionSet | None = None) -> DataFrame:
        parts = [part for part in self.parts if part.may_have(partitions)]
        return self._read(self.schema, [path for part in parts or self.parts[:1] for path in part.paths])

    def let_go(self) -> None:
        for part in self.parts:
            self._remove(part.folder)

    @classmethod
    def together(cls, parts: Sequence[tuple[PartitionSet, KeptRows]]) -> ParquetRows:
        """Rows that were evaluated in parts, as one; each with its partitions."""
        rows = [one for _, one in parts if isinstance(one, ParquetRows)]
        first = rows[0]
        made = [part._replace(partitions=of) for (of, _), one in zip(parts, rows, strict=True) for part in one.parts]
        return cls(made, first.schema, first._read, first._remove)


class LocalCommits:
    """Commits of such rows to the tables of a local warehouse."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self.one_at_a_time = threading.Lock()
        """Held while rows are committed: each takes what it needs of memory and processors."""

    def replace(
        self,
        rows: KeptRows,
        only: PartitionSet | None,
        asset: Asset,
        partitions: PartitionSet,
        number: int,
        provenance: Provenance,
        base: TableState,
    ) -> None:
        """See ``engine.Engine``."""
        assert isinstance(rows, ParquetRows)
        taken = batches_of(rows.files_of(only), number, asset.partition_columns, only)
        with self.one_at_a_time:
            self._warehouse.replace_rows(taken, asset, partitions, provenance, base)
