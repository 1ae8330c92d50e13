"""Changes the schema of a table in one commit: ``grow`` by metadata alone and without a JVM, ``rewrite`` with all rows
by Spark.

deltalake 1.6 has no commit that adds columns, changes comments and describes the table at once, so ``grow`` writes the
commit's file itself. Spark's own ways to overwrite a table with its schema (``overwriteSchema``, ``createOrReplace``,
``REPLACE TABLE … AS``) make every column nullable, so ``rewrite`` uses the transaction below them.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.core.declarations.contract import Contract
from orchestration.core.declarations.contract_changes import grown, type_change, type_name
from orchestration.core.errors import CommitConflict, WarehouseError
from resources.delta.opening import open_table
from resources.delta.warehouse import is_conflict
from resources.machine import failpoints
from resources.storage.files import open_files

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

HARMLESS = frozenset(
    {
        "appendOnly",
        "changeDataFeed",
        "checkConstraints",
        "deletionVectors",
        "domainMetadata",
        "invariants",
        "timestampNtz",
        "v2Checkpoint",
        "vacuumProtocol",
    }
)
"""Features that ask nothing of a commit that changes the schema (Delta's protocol, Table Features)."""
_BY_SETTING = {"columnMapping": "delta.columnMapping.mode", "inCommitTimestamp": "delta.enableInCommitTimestamps"}
_BY_FIELD = {"generatedColumns": "delta.generationExpression", "identityColumns": "delta.identity.start"}
"""Features that a table can have without using them, and what shows that it uses them."""
_ATTEMPTS = "spark.databricks.delta.maxCommitAttempts"
_NULL = "DELTA_NOT_NULL_CONSTRAINT_VIOLATED"
_TAKEN = "DELTA_MAX_COMMIT_RETRIES_EXCEEDED"
_FIRST_BEYOND_LONG = float(2**63)


# Growing: metadata only ---------------------------------------------------------------------------------------------


def grow(
    uri: str,
    fields: Sequence[Mapping[str, Any]],
    description: str,
    commit_metadata: str,
    base_version: int | None = None,
) -> int | None:
    """One commit of metadata: new nullable columns, comments, what may be null, the table's description. No JVM.

    fields: those of the contract, as Delta's schema JSON has them. The table's order stays, what is new comes last;
    columns that others added, the table's id and its properties stay. base_version: on which this was decided.
    Gives the version of the commit; None where there was nothing to change, and no commit was made.

    Raises CommitConflict where another commit came first, WarehouseError where the change takes more than metadata, or
    the table has features that this cannot answer for; nothing is committed then.
    """

    table = open_table(uri)
    _check_version(uri, table.version(), base_version)
    there, metadata = json.loads(table.schema().to_json())["fields"], table.metadata()
    _check_features(uri, table, there)
    try:
        new = grown(there, fields)
    except ValueError as error:
        raise WarehouseError(f"{uri}: {error}", "This takes `aqi migrate`.") from error
    if new == there and description == (metadata.description or ""):
        return None
    version, now = table.version() + 1, time.time_ns() // 1_000_000
    before = {field["name"]: field for field in there}
    changed = [field for field in new if field != before.get(field["name"])]
    commit = {
        "timestamp": now,
        "operation": "UPDATE SCHEMA",
        "operationParameters": {"columns": json.dumps(changed)},
        "readVersion": table.version(),
        "isBlindAppend": False,
        "operationMetrics": {},
        "engineInfo": "aqi",
        "userMetadata": commit_metadata,
    }
    action = {
        "id": metadata.id,
        "name": metadata.name,
        "description": description,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps({"type": "struct", "fields": new}),
        "partitionColumns": metadata.partition_columns,
        "createdTime": metadata.created_time,
        "configuration": metadata.configuration,
    }
    action = {name: value for name, value in action.items() if value is not None}
    lines = [json.dumps(line) for line in ({"commitInfo": commit}, {"metaData": action})]
    failpoints.reach("before-commit")
    files, root = open_files(uri)
    if not write_new(files, f"{root}/_delta_log/{version:020d}.json", "".join(f"{line}\n" for line in lines).encode()):
        raise _conflict(uri)
    return version


def cannot_grow(uri: str) -> str:
    """Why ``grow`` cannot change the schema of a table, a sentence; empty if it can."""
    try:
        check_features(uri)
    except WarehouseError as error:
        return f"{error.message}. {error.remedy}"
    return ""


def check_features(uri: str) -> None:
    """Raises WarehouseError if a table has features that a change of its schema would violate."""

    table = open_table(uri)
    _check_features(uri, table, json.loads(table.schema().to_json())["fields"])


def write_new(files: Any, path: str, content: bytes) -> bool:
    """Write ``content`` completely or not at all. False if a file exists at ``path``; it stays.

    Only on file systems that can promise this: a local disk (by a hard link), HDFS (by a rename). Raises OSError.
    """
    folder, _, name = path.rpartition("/")
    temporary = f"{folder}/.{name}.{uuid.uuid4().hex}.tmp"
    try:
        if _is_local(files):
            with Path(temporary).open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.link(temporary, path)
        elif hasattr(files, "client"):  # HDFS
            files.pipe_file(temporary, content)
            files.client.rename(temporary, path, False)
        else:
            raise WarehouseError(f"{path}: no file system on which two commits cannot replace each other")
    except FileExistsError:
        return not files.exists(temporary)  # it was renamed after all, and the answer was lost
    except RuntimeError as error:  # hdfs-native
        raise OSError(str(error).splitlines()[0][:300]) from error
    finally:
        with contextlib.suppress(OSError):
            files.rm_file(temporary)
    return True


def _is_local(files: Any) -> bool:
    return "file" in ([files.protocol] if isinstance(files.protocol, str) else files.protocol)


def _check_version(uri: str, version: int, base_version: int | None) -> None:
    if base_version is not None and version != base_version:
        raise _conflict(uri)


def _conflict(uri: str) -> CommitConflict:
    return CommitConflict(f"{uri}: another run has committed to the table", "Call the command again.")


def _check_features(uri: str, table: Any, fields: Sequence[Mapping[str, Any]]) -> None:
    """Raises WarehouseError that names what the table has and a change of its schema would have to heed."""
    protocol, configuration = table.protocol(), table.metadata().configuration
    listed = {*(protocol.writer_features or ()), *(protocol.reader_features or ())}
    found = listed - HARMLESS - _BY_SETTING.keys() - _BY_FIELD.keys()
    found |= {name for name, key in _BY_SETTING.items() if configuration.get(key, "").lower() not in _OFF}
    found |= {name for name, key in _BY_FIELD.items() if any(key in field.get("metadata", {}) for field in fields)}
    if found:
        raise WarehouseError(
            f"{uri}: the table has features that others gave it: {', '.join(sorted(found))}",
            "Its schema can be changed only by who knows them: do it there, or materialize the table anew elsewhere.",
        )


_OFF = ("", "none", "false")


# Rewriting: all rows ------------------------------------------------------------------------------------------------


def rewrite(
    spark: SparkSession, uri: str, frame: DataFrame, contract: Contract, commit_metadata: str, base_version: int
) -> int:
    """One commit: all rows become those of ``frame``, and the schema that of ``contract``; gives its version.

    frame: the contract's columns with their types, in any order; columns beyond them (which others added) come last,
    nullable. It is evaluated once, a file a partition of it; what it reads must be pinned to a version. The table's id,
    properties and history stay, so earlier versions can be read as they were.

    Raises CommitConflict where the table is not at ``base_version`` any more, WarehouseError where the frame does not
    fit or a value is null that must not be. Nothing is committed then; files without a commit may be left, for vacuum.
    """
    fields = fields_of(uri, frame, contract)
    check_features(uri)
    failpoints.reach("before-commit")
    folder = Path(uri.removeprefix("file://")) if "://" not in uri or uri.startswith("file://") else None
    with _as_errors_of_ours(uri), _one_attempt(spark), failpoints.watching(folder):
        delta = spark._jvm.org.apache.spark.sql.delta  # type: ignore[union-attr]
        transaction = delta.DeltaLog.forTable(spark._jsparkSession, uri).startTransaction()
        _check_version(uri, transaction.snapshot().version(), base_version)
        old = transaction.metadata()
        schema = json.dumps({"type": "struct", "fields": fields})
        transaction.updateMetadataForTableOverwrite(
            old.copy(
                old.id(),
                old.name(),
                contract.description,
                old.format(),
                schema,
                old.partitionColumns(),
                old.configuration(),
                old.createdTime(),
            )
        )
        removed = transaction.filterFiles()  # also says that all of the table was read: whoever adds to it conflicts
        added = transaction.writeFiles(frame.select(*[field["name"] for field in fields])._jdf)
        return int(transaction.commit(_and_removed(spark, added, removed), overwrite_operation(spark, commit_metadata)))


def fields_of(uri: str, frame: DataFrame, contract: Contract) -> list[dict[str, Any]]:
    """The fields that the table will have. Raises WarehouseError where the frame has not what the contract says."""
    made = {field["name"]: field for field in json.loads(frame.schema.json())["fields"]}
    fields: list[dict[str, Any]] = list(contract.delta_schema()["fields"])
    for field in fields:
        found = type_name(made[field["name"]]["type"]) if field["name"] in made else "nothing"
        if found != type_name(field["type"]):
            raise WarehouseError(f"{uri}: {field['name']} must be {type_name(field['type'])} (got {found})")
    names = set(contract.column_names)
    return fields + [{**field, "nullable": True} for name, field in made.items() if name not in names]


def _and_removed(spark: SparkSession, added: Any, removed: Any) -> Any:
    """Delta's actions: the files ``added``, and that those ``removed`` are no longer the table's. Scala's sequences."""
    jvm: Any = spark._jvm
    now, actions = time.time_ns() // 1_000_000, jvm.java.util.ArrayList()
    for index in range(removed.size()):
        actions.add(removed.apply(index).removeWithTimestamp(now, True))
    return added.appendedAll(jvm.scala.jdk.javaapi.CollectionConverters.asScala(actions))


def overwrite_operation(spark: SparkSession, commit_metadata: str) -> Any:
    """What the commit says that it did: as Spark's own overwrite with ``overwriteSchema``."""
    jvm: Any = spark._jvm
    some, nothing = jvm.scala.Option.apply, jvm.scala.Option.empty()
    mode = jvm.org.apache.spark.sql.SaveMode.valueOf("Overwrite")
    write = getattr(jvm.org.apache.spark.sql.delta, "DeltaOperations$Write")
    # partitionBy, predicate, userMetadata, isDynamicPartitionOverwrite, canOverwriteSchema, and four more
    return write(mode, nothing, nothing, some(commit_metadata), nothing, some(True), nothing, nothing, nothing)


@contextlib.contextmanager
def _one_attempt(spark: SparkSession) -> Iterator[None]:
    """Lets Delta try a commit only once. Otherwise it would commit on top of records of another run that this one has
    not seen."""
    before = spark.conf.get(_ATTEMPTS, None)
    spark.conf.set(_ATTEMPTS, "0")
    try:
        yield
    finally:
        if before is None:
            spark.conf.unset(_ATTEMPTS)
        else:
            spark.conf.set(_ATTEMPTS, before)


@contextlib.contextmanager
def _as_errors_of_ours(uri: str) -> Iterator[None]:
    try:
        yield
    except WarehouseError:
        raise
    except Exception as error:  # Delta's come under several names
        said = str(error)
        if _NULL in said:
            line = next(line for line in said.splitlines() if _NULL in line)
            raise WarehouseError(f"{uri}: {line.rpartition(f'[{_NULL}] ')[2]}") from error
        if _TAKEN in said or is_conflict(error):
            raise _conflict(uri) from error
        raise


# Types --------------------------------------------------------------------------------------------------------------


def lossy_values(frame: DataFrame, column: str, to_type: str) -> Column:
    """An aggregate expression that counts the values of ``column`` that would change by conversion to ``to_type``.

    A value survives if it is the same after conversion and back; instants and days by the session's time zone, which is
    UTC in runs. to_type: Delta's name. Raises WarehouseError for a change that is refused whatever the values are.
    """
    from pyspark.sql import functions as F

    before = type_name(json.loads(frame.schema[column].json())["type"])
    match type_change(before, to_type):
        case "same" | "lossless":
            return F.count_if(F.lit(False))
        case "refused":
            raise WarehouseError(
                f"{column} cannot become {to_type} (it is {before})",
                "Add a column of another name, and remove this one.",
            )
    value = F.col(column)
    there = value.try_cast(sql_type(to_type))
    lost = ~there.try_cast(sql_type(before)).eqNullSafe(value)
    if before == "long":  # 2^63 - 1 rounds up to 2^63, and a cast back cuts that off
        lost = lost | (there.cast("double") >= F.lit(_FIRST_BEYOND_LONG))
    return F.count_if(F.coalesce(lost, F.lit(False)))


def sql_type(kind: str) -> str:
    """What SQL calls a type of Delta's."""
    return {"byte": "tinyint", "short": "smallint", "integer": "int", "long": "bigint"}.get(kind, kind)
