"""Settings of Spark that decide which values come out: they are ours, and nobody else may say them.

Must not know: profiles, sessions, where a setting was said.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

VALUE_SETTINGS = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.caseSensitive": "false",
    "spark.sql.timestampType": "TIMESTAMP_LTZ",
}
"""Of every session on every engine: other values of them would make other rows."""
SPARK_VALUE_SETTINGS = {
    # Instants as UTC microseconds, as every other writer does; Spark's own default is INT96, which is going away.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
}
"""Of every session on Spark besides; the embedded engine's are not told."""
UNTRACED = {"spark.python.sql.dataFrameDebugging.enabled": "false"}
"""Of every session: else pyspark looks at each call of its functions for the caller, and for IPython.

That is a fifth of the time in which plans are made, for a line that no error of ours tells.
"""
ALLOWED = {name: (value,) for name, value in (VALUE_SETTINGS | SPARK_VALUE_SETTINGS).items()} | {
    "spark.sql.legacy.timeParserPolicy": ("CORRECTED", "EXCEPTION"),
    "spark.sql.catalog.spark_catalog": ("org.apache.spark.sql.delta.catalog.DeltaCatalog",),
    "spark.sql.storeAssignmentPolicy": ("ANSI",),
    "spark.sql.mapKeyDedupPolicy": ("EXCEPTION",),
}
"""By setting, what may be said, which changes nothing."""
OTHER_VALUES = (
    "spark.sql.ansi.*",
    "spark.sql.legacy.*",
    "spark.sql.pyspark.legacy.*",
    "spark.sql.session.*",
    "spark.sql.*[Rr]ebase*",
    "spark.sql.parquet.int96*",
    "spark.sql.parquet.binaryAsString",
    "spark.sql.parquet.inferTimestampNTZ.*",
    "spark.sql.parquet.writeLegacyFormat",
    "spark.sql.parquet.fieldId.*",
    "spark.sql.decimalOperations.*",
    "spark.sql.datetime.*",
    "spark.sql.collation.*",
    "spark.sql.parser.*",
    "spark.sql.groupBy*",
    "spark.sql.orderBy*",
    "spark.sql.execution.pandas.*",
    "spark.sql.json*",
    "spark.sql.sources.partitionColumnTypeInference.*",
    "spark.sql.files.ignore*",
    "spark.files.ignore*",
    "spark.remote",
    "spark.api.mode",
)
"""Patterns of settings that are left at Spark's own defaults: other arithmetic, other instants, rows left out."""
DELTAS_EXTENSION = "io.delta.sql.DeltaSparkSessionExtension"


def wrong_with(name: str, value: str) -> str:
    """Why a setting must not be said so, as the end of a sentence that begins with it; empty where it may."""
    if allowed := ALLOWED.get(name):
        if value.lower() in (one.lower() for one in allowed):
            return ""
        return f"must stay {' or '.join(allowed)}: another value would make other rows"
    if name == "spark.sql.extensions" and DELTAS_EXTENSION not in [one.strip() for one in value.split(",")]:
        return f"must have {DELTAS_EXTENSION} in it: there would be no tables"
    if any(fnmatchcase(name, pattern) for pattern in OTHER_VALUES):
        return "must not be set: another value than Spark's own would make other rows"
    return ""


def first_wrong(settings: Iterable[tuple[str, str]]) -> str:
    """The first of some settings that must not be said so, by name, and why; empty where there is none."""
    found = (f"{name} {wrong}" for name, value in sorted(settings) if (wrong := wrong_with(name, value)))
    return next(found, "")
