"""Evaluated rows in Parquet files: memory does not grow with them, and they outlive a dead engine.

Both engines write them. On a local warehouse, whose lock keeps other runs out, this process commits them with
deltalake.
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
    """Rows in the Parquet files of one folder."""

    folder: str
    paths: tuple[str, ...]
    """What an engine reads to get the rows; on a local warehouse, the files."""
    partitions: PartitionSet | None = None
    """The partitions of which there can be rows; None where that is not known."""

    def may_have(self, wanted: PartitionSet | None) -> bool:
        """Whether it can have rows of ``wanted`` (None: of anything)."""
        return wanted is None or self.partitions is None or bool(self.partitions & wanted)


Read = Callable[["StructType", Sequence[str]], "DataFrame"]
"""(schema, paths) → the rows of Parquet files in that schema, in the session that there is now."""


class ParquetRows:
    """The ``KeptRows`` of both engines. remove: removes a folder; never fails."""

    def __init__(self, parts: Sequence[Part], schema: StructType, read: Read, remove: Callable[[str], None]) -> None:
        self.parts, self.schema = tuple(parts), schema
        self._read, self._remove = read, remove

    @property
    def files(self) -> list[Path]:
        """The files, on a local warehouse."""
        return self.files_of(None)

    def files_of(self, partitions: PartitionSet | None) -> list[Path]:
        """The files that can have rows of ``partitions`` (None: all files)."""
        return [Path(path) for part in self.parts if part.may_have(partitions) for path in part.paths]

    def frame(self, partitions: PartitionSet | None = None) -> DataFrame:
        parts = [part for part in self.parts if part.may_have(partitions)]
        return self._read(self.schema, [path for part in parts or self.parts[:1] for path in part.paths])

    def let_go(self) -> None:
        for part in self.parts:
            self._remove(part.folder)

    @classmethod
    def together(cls, parts: Sequence[tuple[PartitionSet, KeptRows]]) -> ParquetRows:
        """Rows that were evaluated in several parts, with the partitions of each part, as one."""
        rows = [one for _, one in parts if isinstance(one, ParquetRows)]
        first = rows[0]
        made = [part._replace(partitions=of) for (of, _), one in zip(parts, rows, strict=True) for part in one.parts]
        return cls(made, first.schema, first._read, first._remove)


class LocalCommits:
    """Commits such rows to tables of a local warehouse."""

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
