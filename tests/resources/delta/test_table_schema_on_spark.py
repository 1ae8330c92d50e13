"""Spark and a table that has grown without it; and a table that is rewritten with another schema, in one commit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from deltalake import CommitProperties, DeltaTable
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F
from pyspark.sql import types as T

from orchestration.core.declarations.contract import Column, Contract
from orchestration.core.errors import CommitConflict, WarehouseError
from resources.delta import table_schema
from resources.delta.log import DeltaLog
from resources.delta.table_schema import grow, lossy_values, rewrite
from resources.delta.warehouse import TABLE_PROPERTIES, is_conflict, no_hooks

pytestmark = pytest.mark.spark

LOCATION = Column("location", "string", False, "", "Location")
DAY = Column("day", "date", False, "", "Day")
AQI = Column("aqi", "integer", True, "US AQI", "Index")
OLD = Contract("Hourly", "Hours.", (LOCATION, DAY, AQI), ("location", "day"))
GROWN = Contract(
    "Hourly",
    "Hours of a location.",
    (
        Column("location", "string", False, "", "Location, a key"),
        Column("local", "timestamp", True, "", "Local hour"),
        DAY,
        AQI,
        Column("rules", "array<string>", True, "", "Rules"),
    ),
    ("location", "day"),
)
MOVED = Contract(
    "Hourly",
    "Hours, moved.",
    (Column("day", "date", False, "", "Another day"), LOCATION, Column("index", "long", False, "US AQI", "Index")),
    ("location", "day"),
)


@pytest.fixture(scope="module")
def _made(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A table as a run makes it: two rows at version 1."""
    from delta.tables import DeltaTable as SparkTable

    uri = str(tmp_path_factory.mktemp("made") / "table")
    schema = T.StructType.fromJson(OLD.delta_schema())
    builder = SparkTable.createIfNotExists(spark).location(uri).addColumns(schema).comment(OLD.description)
    for name, value in TABLE_PROPERTIES.items():
        builder = builder.property(name, value)
    builder.execute()
    rows(spark, [("hanoi", date(2025, 1, 1), 7), ("hue", date(2025, 1, 2), 8)]).write.format("delta").mode(
        "append"
    ).save(uri)
    return uri


@pytest.fixture
def uri(spark: Any, tmp_path: Path, _made: str) -> str:
    """A copy of it, which the session has read."""
    uri = str(tmp_path / "table")
    shutil.copytree(_made, uri)
    assert read(spark, uri).count() == 2
    return uri


def rows(spark: Any, values: list[tuple[str, date, int]]) -> DataFrame:
    frame: DataFrame = spark.createDataFrame(values, "location string, day date, aqi int").coalesce(1)
    return frame


def read(spark: Any, uri: str, version: int | None = None) -> DataFrame:
    reader = spark.read.format("delta")
    frame: DataFrame = (reader if version is None else reader.option("versionAsOf", version)).load(uri)
    return frame


def described(spark: Any, uri: str) -> dict[str, str]:
    return {
        row["col_name"]: row["comment"]
        for row in spark.sql(f"DESCRIBE TABLE delta.`{uri}`").collect()
        if row["comment"]
    }


def nullable(frame: DataFrame) -> dict[str, bool]:
    return {field.name: field.nullable for field in frame.schema.fields}


# --- a table that has grown ---------------------------------------------------------------------------


def test_a_session_that_knows_the_table_sees_what_it_has_grown(spark: Any, uri: str) -> None:
    assert grow(uri, GROWN.delta_schema()["fields"], GROWN.description, "ours") == 2
    now = read(spark, uri)
    assert now.columns == ["location", "day", "aqi", "local", "rules"]
    assert nullable(now) == {"location": False, "day": False, "aqi": True, "local": True, "rules": True}
    assert [row.asDict() for row in now.orderBy("day").collect()] == [
        {"location": "hanoi", "day": date(2025, 1, 1), "aqi": 7, "local": None, "rules": None},
        {"location": "hue", "day": date(2025, 1, 2), "aqi": 8, "local": None, "rules": None},
    ]
    comments = {column.name: column.comment for column in GROWN.columns}
    assert described(spark, uri) == comments
    assert read(spark, uri, 1).columns == ["location", "day", "aqi"]
    assert read(spark, uri, 2).where("local is null").count() == 2
    detail = spark.sql(f"DESCRIBE DETAIL delta.`{uri}`").head()
    assert (detail["description"], detail["properties"]) == (GROWN.description, TABLE_PROPERTIES)
    last = spark.sql(f"DESCRIBE HISTORY delta.`{uri}` LIMIT 1").head()
    assert (last["version"], last["operation"], last["userMetadata"]) == (2, "UPDATE SCHEMA", "ours")


def test_frames_in_the_contracts_order_are_appended_and_replace_rows(spark: Any, uri: str) -> None:
    """The table has the new columns last, the contract has them in between: Delta goes by name."""
    grow(uri, GROWN.delta_schema()["fields"], GROWN.description, "")
    schema = "location string, local timestamp, day date, aqi int, rules array<string>"
    local = datetime(2025, 1, 3, 7)
    more = spark.createDataFrame([("vinh", local, date(2025, 1, 3), 9, ["key"])], schema).coalesce(1)
    more.write.format("delta").mode("append").save(uri)
    other = spark.createDataFrame([("hue", local, date(2025, 1, 2), 1, None)], schema).coalesce(1)
    other.writeTo(f"delta.`{uri}`").overwrite((F.col("day") == F.lit(date(2025, 1, 2))) & (F.col("location") == "hue"))
    assert [tuple(row) for row in read(spark, uri).orderBy("day").collect()] == [
        ("hanoi", date(2025, 1, 1), 7, None, None),
        ("hue", date(2025, 1, 2), 1, local, None),
        ("vinh", date(2025, 1, 3), 9, local, ["key"]),
    ]
    table = DeltaTable(uri).to_pyarrow_table().to_pylist()
    assert sorted(row["location"] for row in table if row["local"] is None) == ["hanoi"]
    with pytest.raises(Exception, match="NOT_NULL_CONSTRAINT_VIOLATED"):
        other.withColumn("location", F.lit(None).cast("string")).write.format("delta").mode("append").save(uri)


def test_a_column_of_others_is_null_in_rows_of_ours(spark: Any, uri: str) -> None:
    spark.sql(f"ALTER TABLE delta.`{uri}` ADD COLUMNS (note STRING)")
    assert grow(uri, GROWN.delta_schema()["fields"], GROWN.description, "") == 3
    schema = "location string, local timestamp, day date, aqi int, rules array<string>"
    more = spark.createDataFrame([("vinh", None, date(2025, 1, 3), 9, None)], schema).coalesce(1)
    more.write.format("delta").mode("append").save(uri)
    more.writeTo(f"delta.`{uri}`").overwrite(F.col("location") == "vinh")
    assert read(spark, uri).where("location = 'vinh'").head()["note"] is None


def test_checkpoints_of_spark_and_of_deltalake_have_the_new_schema(spark: Any, uri: str) -> None:
    grow(uri, GROWN.delta_schema()["fields"], GROWN.description, "")
    spark.sql(f"ALTER TABLE delta.`{uri}` SET TBLPROPERTIES ('delta.checkpointInterval' = '1')")
    rows(spark, [("vinh", date(2025, 1, 3), 9)]).write.format("delta").mode("append").save(uri)
    assert list(Path(uri, "_delta_log").glob("*4.checkpoint*.parquet"))
    assert DeltaTable(uri).to_pyarrow_table(columns=["local"]).num_rows == 3
    wider = [*GROWN.delta_schema()["fields"], {"name": "o3", "type": "double", "nullable": True, "metadata": {}}]
    assert grow(uri, wider, GROWN.description, "") == 5
    DeltaTable(uri).create_checkpoint()
    for commit in sorted(Path(uri, "_delta_log").glob("*.json"))[:-1]:  # Spark wants the last one, and reads it not
        commit.unlink()
    copy = Path(uri).with_name("copy")  # no session knows it
    shutil.copytree(uri, copy, ignore=shutil.ignore_patterns("*.crc"))
    assert read(spark, str(copy)).columns == ["location", "day", "aqi", "local", "rules", "o3"]
    assert nullable(read(spark, str(copy)))["location"] is False
    assert read(spark, str(copy)).count() == 3
    assert described(spark, str(copy))["location"] == "Location, a key"


def test_a_write_that_was_planned_before_the_table_grew_is_refused(spark: Any, uri: str) -> None:
    """On HDFS, where no lock keeps two runs apart: a transaction that read the old schema cannot commit."""
    log = spark._jvm.org.apache.spark.sql.delta.DeltaLog.forTable(spark._jsparkSession, uri)
    transaction = log.startTransaction()
    added = transaction.writeFiles(rows(spark, [("vinh", date(2025, 1, 3), 9)])._jdf)
    grow(uri, GROWN.delta_schema()["fields"], GROWN.description, "")
    with pytest.raises(Exception, match=r"MetadataChanged|METADATA_CHANGED") as caught:
        transaction.commit(added, table_schema.overwrite_operation(spark, "theirs"))
    assert is_conflict(caught.value)


# --- a table that is rewritten ------------------------------------------------------------------------


def moved(spark: Any, uri: str, version: int = 1) -> DataFrame:
    return read(spark, uri, version).select("location", "day", F.col("aqi").cast("long").alias("index")).coalesce(1)


def test_all_rows_and_the_schema_are_one_commit(spark: Any, uri: str) -> None:
    before = DeltaTable(uri).metadata()
    assert rewrite(spark, uri, moved(spark, uri), MOVED, "ours", 1) == 2
    actions = DeltaLog(uri).actions(2)
    assert [next(iter(action)) for action in actions] == ["commitInfo", "metaData", "add", "remove"]
    assert actions[0]["commitInfo"]["userMetadata"] == "ours"
    assert json.loads(actions[1]["metaData"]["schemaString"]) == MOVED.delta_schema()
    after = DeltaTable(uri).metadata()
    assert (after.id, after.created_time, after.configuration) == (before.id, before.created_time, TABLE_PROPERTIES)
    assert after.description == MOVED.description
    expected = [(date(2025, 1, 1), "hanoi", 7), (date(2025, 1, 2), "hue", 8)]
    assert [tuple(row) for row in read(spark, uri).orderBy("day").collect()] == expected
    assert sorted(tuple(row.values()) for row in DeltaTable(uri).to_pyarrow_table().to_pylist()) == expected
    assert nullable(read(spark, uri)) == {"day": False, "location": False, "index": False}
    assert described(spark, uri) == {"day": "Another day", "location": "Location", "index": "Index [US AQI]"}
    assert [tuple(row) for row in read(spark, uri, 1).orderBy("day").collect()] == [
        ("hanoi", date(2025, 1, 1), 7),
        ("hue", date(2025, 1, 2), 8),
    ]
    files = DeltaTable(uri).get_add_actions(flatten=True)
    assert {"min.day", "max.location", "num_records"} <= set(files.schema.names)


def test_the_new_demands_hold_for_what_is_written_next(spark: Any, uri: str) -> None:
    rewrite(spark, uri, moved(spark, uri), MOVED, "", 1)
    nothing = read(spark, uri).withColumn("index", F.lit(None).cast("long"))
    with pytest.raises(Exception, match="NOT_NULL_CONSTRAINT_VIOLATED"):
        nothing.write.format("delta").mode("append").save(uri)


def test_a_null_that_must_not_be_is_refused_and_nothing_is_committed(spark: Any, uri: str) -> None:
    holed = moved(spark, uri).withColumn("index", F.when(F.col("location") == "hue", F.col("index")))
    with pytest.raises(WarehouseError) as caught:
        rewrite(spark, uri, holed, MOVED, "", 1)
    assert caught.value.message == f"{uri}: NOT NULL constraint violated for column: index."
    assert DeltaTable(uri).version() == 1


def test_columns_of_others_that_the_frame_has_stay(spark: Any, uri: str) -> None:
    spark.sql(f"ALTER TABLE delta.`{uri}` ADD COLUMNS (note STRING COMMENT 'Theirs')")
    frame = read(spark, uri, 2).select("note", "location", "day", F.col("aqi").cast("long").alias("index"))
    rewrite(spark, uri, frame.coalesce(1), MOVED, "", 2)
    fields = json.loads(DeltaTable(uri).schema().to_json())["fields"]
    assert fields[-1] == {"name": "note", "type": "string", "nullable": True, "metadata": {"comment": "Theirs"}}
    assert len(fields) == 4


@pytest.mark.parametrize(
    ("column", "kind", "says"), [("index", "int", "index must be long (got integer)"), ("location", "", "got nothing")]
)
def test_a_frame_that_does_not_fit_is_refused(spark: Any, uri: str, column: str, kind: str, says: str) -> None:
    frame = moved(spark, uri)
    frame = frame.withColumn(column, F.col(column).cast(kind)) if kind else frame.drop(column)
    with pytest.raises(WarehouseError) as caught:
        rewrite(spark, uri, frame, MOVED, "", 1)
    assert says in caught.value.message
    assert DeltaTable(uri).version() == 1


def record(uri: str) -> None:
    """A commit without files, as another run makes it."""
    table = DeltaTable(uri)
    table.create_write_transaction(
        [],
        "append",
        table.schema(),
        commit_properties=CommitProperties(custom_metadata={"userMetadata": "theirs"}),
        post_commithook_properties=no_hooks(),
    )


@pytest.fixture
def kept_conf(spark: Any) -> Iterator[None]:
    """The session's settings are as before at the end."""
    yield
    assert spark.conf.get("spark.databricks.delta.maxCommitAttempts", None) is None


@pytest.mark.usefixtures("kept_conf")
def test_another_version_than_it_was_decided_on_is_refused(spark: Any, uri: str) -> None:
    record(uri)
    with pytest.raises(CommitConflict):
        rewrite(spark, uri, moved(spark, uri), MOVED, "", 1)
    assert rewrite(spark, uri, moved(spark, uri), MOVED, "", 2) == 3


@pytest.mark.usefixtures("kept_conf")
@pytest.mark.parametrize("rows_too", [False, True])
def test_whoever_commits_meanwhile_wins(spark: Any, uri: str, monkeypatch: pytest.MonkeyPatch, rows_too: bool) -> None:
    """Held when the files are written: another run records something, which Delta itself would let pass, or adds."""
    overwrite = table_schema.overwrite_operation

    def meanwhile(session: Any, commit_metadata: str) -> Any:
        if rows_too:
            rows(spark, [("vinh", date(2025, 1, 3), 9)]).write.format("delta").mode("append").save(uri)
        else:
            record(uri)
        return overwrite(session, commit_metadata)

    monkeypatch.setattr(table_schema, "overwrite_operation", meanwhile)
    with pytest.raises(CommitConflict):
        rewrite(spark, uri, moved(spark, uri), MOVED, "ours", 1)
    assert DeltaTable(uri).version() == 2
    assert read(spark, uri).count() == (3 if rows_too else 2)
    assert read(spark, uri).columns == ["location", "day", "aqi"]


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("'delta.columnMapping.mode' = 'name'", "columnMapping"),
        ("'delta.enableInCommitTimestamps' = 'true'", "inCommitTimestamp"),
        ("'delta.enableRowTracking' = 'true'", "rowTracking"),
    ],
)
def test_features_that_are_not_known_are_refused_by_name(spark: Any, uri: str, setting: str, named: str) -> None:
    spark.sql(f"ALTER TABLE delta.`{uri}` SET TBLPROPERTIES ({setting})")
    version = DeltaLog(uri).newest()
    assert version is not None
    for change in (
        lambda: grow(uri, GROWN.delta_schema()["fields"], GROWN.description, ""),
        lambda: rewrite(spark, uri, moved(spark, uri), MOVED, "", version),
    ):
        with pytest.raises(WarehouseError, match=f"has features that others gave it: {named}"):
            change()
    assert DeltaLog(uri).newest() == version


def test_deletion_vectors_and_constraints_of_others_are_kept(spark: Any, uri: str) -> None:
    spark.sql(f"ALTER TABLE delta.`{uri}` SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")
    spark.sql(f"ALTER TABLE delta.`{uri}` ADD CONSTRAINT low CHECK (aqi < 100)")
    spark.sql(f"DELETE FROM delta.`{uri}` WHERE location = 'hue'")
    version = grow(uri, GROWN.delta_schema()["fields"], GROWN.description, "")
    assert version is not None
    assert [row["location"] for row in read(spark, uri).collect()] == ["hanoi"]
    frame = read(spark, uri, version).select(*GROWN.column_names).coalesce(1)
    rewrite(spark, uri, frame, GROWN, "", version)
    assert [row["location"] for row in read(spark, uri).collect()] == ["hanoi"]
    assert DeltaTable(uri).metadata().configuration["delta.constraints.low"] == "aqi < 100"


# --- types --------------------------------------------------------------------------------------------

NAN = float("nan")


@pytest.mark.parametrize(
    ("before", "after", "values", "lost"),
    [
        ("integer", "long", [2**31 - 1, None], 0),
        ("date", "timestamp", [date(2025, 1, 1), None], 0),
        ("long", "integer", [2**31 - 1, -(2**31), None], 0),
        ("long", "integer", [2**31, -(2**31) - 1, 1], 2),
        ("double", "integer", [1.0, -0.0, 2e9, None], 0),
        ("double", "integer", [1.5, 3e9, NAN, float("inf")], 4),
        ("double", "long", [2.0**53, 1e19, 0.1], 2),
        ("double", "float", [0.5, NAN, float("-inf"), 1e300, 0.1], 2),
        ("long", "double", [2**53, 2**53 + 1, 2**60, 2**63 - 1, -(2**63)], 2),
        ("integer", "float", [2**24, 2**24 + 1, 2**31 - 1], 2),
        ("timestamp", "date", [datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, 1, tzinfo=UTC), None], 1),
    ],
)
def test_values_that_a_change_of_type_would_lose(
    spark: Any, before: str, after: str, values: list[Any], lost: int
) -> None:
    frame = spark.createDataFrame([Row(value=value) for value in values], f"value {table_schema.sql_type(before)}")
    assert frame.agg(lossy_values(frame, "value", after)).head()[0] == lost


def test_a_change_that_is_no_change_of_type_is_refused(spark: Any) -> None:
    frame = spark.createDataFrame([("1",)], "value string")
    with pytest.raises(WarehouseError, match=r"value cannot become integer \(it is string\)"):
        lossy_values(frame, "value", "integer")
