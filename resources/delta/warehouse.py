"""The warehouse: Delta tables at a URI, read at pinned versions, changed by one commit a step.

Where the rows lie: no Delta partition columns, one file a commit (more where a commit is large), so that a day of a
location is found by the file's statistics; ``scripts/bench_layout.py`` has the measurements behind that.
What needs no JVM (states, versions, small reads, commits without files) is done by deltalake, and on a local warehouse
also rows are; Spark's reads and commits are in ``resources.spark.tables``.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.contract import Contract
from orchestration.core.errors import CommitConflict, MachineError
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.partitions.scheme import PartitionColumns
from orchestration.core.state.damage import LostFile
from orchestration.core.state.provenance import FORMAT, MARK, Provenance, dumps
from orchestration.core.state.table_state import TableState
from resources.delta.features import Features
from resources.delta.log import DeltaLog
from resources.delta.look import can_be_listed, linked, looked, not_looked
from resources.delta.mending import check_writable, not_committed, take_out, unreadable, without_files
from resources.delta.opening import open_table
from resources.delta.rows import few_terms, replace_rows
from resources.machine import failpoints
from resources.storage.patience import NoAnswer, each_answered

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import PostCommitHookProperties
    from pyspark.sql import Column

INLINE_METADATA_CHARACTERS = 65_536
ROWS_PER_FILE = 2_000_000
TABLE_PROPERTIES = {
    "delta.checkpointInterval": "100",
    "delta.enableDeletionVectors": "false",
}
"""A checkpoint costs seconds, reading 100 commits milliseconds. Other readers fail on deletion vectors. How long the
log is kept is left to Delta: ``keep_state`` outlives it."""

_CONFLICTS = ("Concurrent", "DELTA_CONCURRENT", "MetadataChangedException", "ProtocolChangedException")


class Warehouse:
    """The tables below ``uri``: a folder, or a URI like ``hdfs://…``. The table of an asset is at
    ``<uri>/<layer>/<name>``.

    locations: all possible locations, so that none is overlooked in files of others. inline_characters: longer
    provenance is put into a file beside the table, which its commit names. spark: whether Spark, which knows more
    features, reads and writes the tables.
    """

    def __init__(
        self,
        uri: str,
        locations: Iterable[str] = (),
        *,
        inline_characters: int = INLINE_METADATA_CHARACTERS,
        spark: bool = False,
    ) -> None:
        self._locations = tuple(locations)
        self._spark = spark
        self._inline_characters = inline_characters
        self._schemas: dict[tuple[str, int | None], tuple[list[dict[str, Any]], str | None]] = {}
        self.is_local = "://" not in uri or uri.startswith("file://")
        self.uri = str(Path(uri.removeprefix("file://")).expanduser().resolve()) if self.is_local else uri.rstrip("/")

    @cached_property
    def folder(self) -> Path | None:
        """The folder of a local warehouse."""
        return Path(self.uri) if self.is_local else None

    def table_uri(self, key: str) -> str:
        layer, _, name = key.partition(".")
        return f"{self.uri}/{layer}/{name}"

    def _log(self, asset: Asset) -> DeltaLog:
        columns = asset.partition_columns
        return DeltaLog(self.table_uri(asset.key), columns, () if columns is None else self._locations)

    def state(self, asset: Asset, start: TableState | None = None) -> TableState:
        """The state of an asset's table, from its log. start: an earlier state to go on from; its damage stays.

        Raises WarehouseError if the log cannot be read.
        """
        with self._readable():
            return self._log(asset).state(start)

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except NoAnswer:
            raise
        except OSError as error:
            raise MachineError(
                f"the warehouse {self.uri} cannot be read ({error})",
                "Check AQI_WAREHOUSE__URI and that this user may read it.",
            ) from error

    def states(self, assets: Iterable[Asset], known: Mapping[str, TableState] | None = None) -> dict[str, TableState]:
        """The states of several assets' tables, by key, with the damage that an inspection of each found.

        Assets without a table are left out. known: earlier states to go on from.
        """
        starts = {key: state for key, state in (known or {}).items() if state.version is not None}
        found = {asset.key: self._looked(asset, starts.get(asset.key)) for asset in assets}
        return {key: state for key, state in found.items() if state.version is not None or state.damage is not None}

    def _looked(self, asset: Asset, start: TableState | None) -> TableState:
        if start is not None and start.damage is not None and start.damage.trouble is not None:
            start = None  # as it was last known: its log has to be read again, or nobody would miss what is gone
        with self._readable():
            try:
                state = looked(asset.key, self._log(asset), start, spark=self._spark)
                there = state.version is not None or state.damage is not None or not self.is_local
                return state if there else linked(asset.key, self.table_uri(asset.key), state)
            except OSError as error:
                of_a_file = isinstance(error, PermissionError) or error.errno == errno.EIO
                if not can_be_listed(self.uri) or not (self.is_local or of_a_file):
                    raise  # it is not this table's trouble
                return not_looked(asset.key, self._log(asset), start, error)

    def keep_state(self, asset: Asset, state: TableState) -> TableState:
        """Keep the state of a table that a run changed as a snapshot, which outlives Delta's log.

        Writes a supplement, or a whole snapshot if one is due. Gives the state that knows of it. Raises OSError if
        nothing can be written; the table is right nevertheless, and its log has the state for some time.
        """
        return self._log(asset).keep_snapshot(state)

    def has_log(self, asset: Asset) -> bool:
        """Whether an asset's table has a log, even one without commits."""
        return self._log(asset).has_folder()

    def newest(self, asset: Asset) -> int | None:
        """The newest version of an asset's table; None without a table."""
        with self._readable():
            return self._log(asset).newest()

    def schema(self, key: str, state: TableState) -> tuple[list[dict[str, Any]], str | None]:
        """A table's fields, as Delta's schema JSON has them, and its description; None where that is not known.

        From the state, without opening the table, as far as its log was read.
        """
        if state.schema is not None:
            return list(json.loads(state.schema)["fields"]), state.description
        at = (key, state.version)
        if at not in self._schemas:
            table = open_table(self.table_uri(key))
            self._schemas[at] = (list(json.loads(table.schema().to_json())["fields"]), table.metadata().description)
        return self._schemas[at]

    def state_at(self, asset: Asset, version: int) -> TableState:
        """The state of an asset's table as it was at an earlier version, from its log."""
        return self._log(asset).state(until=version)

    def create(self, asset: Asset, contract: Contract) -> None:
        """Create an asset's table by one commit without data: schema, NOT NULL, comments, properties; no JVM."""
        from deltalake import DeltaTable, Schema

        DeltaTable.create(
            self.table_uri(asset.key),
            Schema.from_json(json.dumps(contract.delta_schema())),
            mode="ignore",
            description=contract.description,
            configuration=TABLE_PROPERTIES,
            post_commithook_properties=no_hooks(),
        )

    def read_arrow(
        self,
        key: str,
        version: int,
        columns: Sequence[str] | None = None,
        filters: list[tuple[str, str, Any]] | None = None,
        without: Collection[str] = (),
    ) -> pa.Table:
        """Rows of a table at a version, without a JVM. filters: conjunction, pyarrow's form; prunes files.

        without: files that are not read. Raises WarehouseError where the table cannot be read.
        """
        import pyarrow as pa
        from deltalake.exceptions import DeltaError
        from pyarrow.parquet import filters_to_expression

        try:
            uri = self.table_uri(key)
            dataset = open_table(uri, version).to_pyarrow_dataset()
            # Arrow would read sixteen batches of four files ahead of what it filters.
            scanner = (without_files(dataset, without) if without else dataset).scanner(
                columns=None if columns is None else list(columns),
                filter=None if filters is None else filters_to_expression(filters),
                batch_readahead=2,
                fragment_readahead=1,
            )
            if self.is_local:
                return scanner.to_table()
            return pa.Table.from_batches(each_answered(uri, uri, scanner.to_batches()), scanner.projected_schema)
        except (DeltaError, pa.ArrowException, OSError) as error:
            raise unreadable(key, version, error) from error

    def read_partitions(self, asset: Asset, version: int, partitions: PartitionSet) -> pa.Table:
        """The rows of some partitions of a dated table at a version, without a JVM.

        Files are chosen by days alone: what wrote some of them has no common type of text with what reads them.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        at, days = asset.partition_columns, partitions.days
        assert at is not None, "it has days"
        rows = self.read_arrow(asset.key, version, filters=[(at.day, ">=", days.first), (at.day, "<=", days.last)])
        locations = rows[at.location].cast(pa.string())
        wanted = None
        for of in {days for _, days in partitions.parts}:
            here = pa.array([location for location, its in partitions.parts if its == of], pa.string())
            mask = pc.and_(
                pc.is_in(locations, value_set=here),
                pc.is_in(rows[at.day], value_set=pa.array(list(of), pa.date32())),
            )
            wanted = mask if wanted is None else pc.or_(wanted, mask)
        return rows if wanted is None else rows.filter(wanted)

    def takes_rows(self, asset: Asset) -> bool:
        """Whether ``replace_rows`` can commit to an asset's table: a lock keeps other runs out, and deltalake knows all
        of the table's features."""
        from deltalake.exceptions import DeltaError

        if self.folder is None:
            return False
        try:
            return Features.of_table(open_table(self.table_uri(asset.key))).take_commits
        except DeltaError:  # a feature that it does not even know by name
            return False

    def replace_rows(
        self,
        batches: Callable[[pa.Schema], Iterable[pa.RecordBatch]],
        asset: Asset,
        partitions: PartitionSet,
        provenance: Provenance,
        base: TableState,
    ) -> None:
        """One commit: the rows of ``partitions`` become those of ``batches``, and ``provenance`` goes with them.

        Without a JVM, and only for a local warehouse, whose lock keeps others out. batches: only rows of
        ``partitions``, in the columns and types of a schema. base: the state of the table on which this was decided.
        Raises as ``rows.replace_rows``.
        """
        assert self.folder is not None, "elsewhere Spark commits"
        metadata = self.metadata(asset, provenance)
        failpoints.reach("before-commit")
        uri = self.table_uri(asset.key)
        append = not partitions & base.present
        replace_rows(uri, asset.partition_columns, partitions, batches, metadata, base.version, append=append)

    def wipe(self, asset: Asset, partitions: PartitionSet, provenance: Provenance) -> None:
        """One commit that removes all rows of ``partitions``, with ``provenance``. Needs no JVM."""
        from deltalake import CommitProperties

        metadata = self.metadata(asset, provenance)
        uri = self.table_uri(asset.key)
        table = open_table(uri)
        before = table.version()
        if self.is_local and not few_terms(partitions):
            replace_rows(uri, asset.partition_columns, partitions, lambda _schema: (), metadata, before)
            return
        if not self.is_local:
            check_writable(asset.key, uri)
        table.delete(
            predicate(asset.partition_columns, partitions),
            commit_properties=CommitProperties(custom_metadata={"userMetadata": metadata}),
            post_commithook_properties=no_hooks(),
        )
        if table.version() == before:  # it had no such rows, and made no commit
            self.record(asset, provenance)

    def record(self, asset: Asset, provenance: Provenance, base: TableState | None = None) -> None:
        """One commit of provenance without files. Needs no JVM.

        base: the state on which this was decided, None for the newest. If another run has committed since, the facts
        may be about other rows: then this raises CommitConflict, and nothing is committed.
        """
        from deltalake import CommitProperties
        from deltalake.exceptions import CommitFailedError

        if not self.is_local:
            check_writable(asset.key, self.table_uri(asset.key))
        table = open_table(self.table_uri(asset.key))
        metadata = {"userMetadata": self.metadata(asset, provenance)}
        conflict = CommitConflict(
            f"{asset.key}: another run has committed to the table", "Ask for the same days again."
        )
        if base is not None and table.version() != base.version:
            raise conflict
        try:
            table.create_write_transaction(
                actions=[],
                mode="append",
                schema=table.schema(),
                commit_properties=CommitProperties(custom_metadata=metadata, max_commit_retries=0),
                post_commithook_properties=no_hooks(),
            )
        except CommitFailedError as error:
            raise not_committed(self.table_uri(asset.key), table.version(), conflict, error) from error

    def tell_lost(self, asset: Asset, lost: Iterable[LostFile], provenance: Provenance, base: TableState) -> None:
        """One commit that takes lost files out of a table's log. base: the state on which this was decided.

        Raises as ``mending.take_out`` does.
        """
        logged = {unquote(path): path for path in base.files}
        paths = [logged[one.path] for one in lost]
        take_out(self.table_uri(asset.key), paths, self.metadata(asset, provenance), base.version)

    def metadata(self, asset: Asset, provenance: Provenance, uri: str = "") -> str:
        """What a commit has to say; where that is too large, it is written to a file first, which this names.

        uri: of the table, where it is not the asset's own location.
        """
        text = dumps(provenance.to_json())
        if len(text) <= self._inline_characters:
            return text
        digest = hashlib.sha256(text.encode()).hexdigest()
        DeltaLog(uri or self.table_uri(asset.key)).keep_provenance(digest, text)
        return dumps({MARK: FORMAT, "run": provenance.run_id, "asset": asset.key, "by": provenance.by, "file": digest})


def no_hooks() -> PostCommitHookProperties:
    """For commits by deltalake, which would otherwise write a checkpoint and remove expired commits at each 100th
    commit.

    Commits may be removed only if a snapshot has the state that follows from them; maintenance sees to that.
    """
    from deltalake import PostCommitHookProperties

    return PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)


def is_conflict(error: BaseException) -> bool:
    """Whether a commit was refused because of an earlier commit of another run. Delta's error classes have many
    names.
    """
    said = f"{type(error).__name__} {error}"
    return isinstance(error, CommitConflict) or any(mark in said for mark in _CONFLICTS)


def condition(columns: PartitionColumns | None, partitions: PartitionSet) -> Column:
    """The Spark condition that holds for the rows of ``partitions``; values go in as literals, never as SQL text."""
    from pyspark.sql import functions as F

    if columns is None:
        return F.lit(True)
    day, location = F.col(columns.day), F.col(columns.location)
    at: dict[tuple[date, date], list[str]] = {}
    for key, first, last in partitions.pieces():
        at.setdefault((first, last), []).append(key)
    terms = [(day >= F.lit(first)) & (day <= F.lit(last)) & location.isin(*keys) for (first, last), keys in at.items()]
    return _any(terms) if terms else F.lit(False)


def predicate(columns: PartitionColumns | None, partitions: PartitionSet) -> str | None:
    """The SQL condition that holds for the rows of ``partitions``; None for all rows.

    Days and location keys are the only values in it, and their form leaves no room for anything else.
    """
    if columns is None:
        return None
    at: dict[tuple[date, date], list[str]] = {}
    for location, first, last in partitions.pieces():
        at.setdefault((first, last), []).append(f"'{location}'")
    terms = [
        f"({columns.day} BETWEEN DATE '{first}' AND DATE '{last}' AND {columns.location} IN ({', '.join(locations)}))"
        for (first, last), locations in at.items()
    ]
    return " OR ".join(terms)


def _any(terms: list[Column]) -> Column:
    """The disjunction as a balanced tree: deep chains of OR overflow the planner's stack."""
    if len(terms) == 1:
        return terms[0]
    middle = len(terms) // 2
    return _any(terms[:middle]) | _any(terms[middle:])
