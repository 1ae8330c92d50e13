"""Settings of Spark that change the values in rows. This project sets them, and refuses other values.

Must not know: profiles, sessions, the origin of a setting.
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
"""Spark's name of a setting → the value that it has in every session, on both engines. Other values would make other
rows."""
SPARK_VALUE_SETTINGS = {
    # Instants as UTC microseconds, as every other writer does; Spark's own default is INT96, which is going away.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
}
"""The further settings of every session of Spark. The embedded engine does not get them."""
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
"""Spark's name of a setting → the values that a user may set: those that make the same rows."""
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
"""Patterns of settings that must stay at Spark's own defaults. Other values would change arithmetic or instants, or
drop rows."""
DELTAS_EXTENSION = "io.delta.sql.DeltaSparkSessionExtension"


def wrong_with(name: str, value: str) -> str:
    """Why a setting of Spark must not have a value; empty where it may have it. The text is the end of a sentence that
    begins with the setting's name, for instance ``must stay true: another value would make other rows``."""
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
    """A sentence about the first setting, by name, that must not have its value; empty where all may.

    settings: (Spark's name, value).
    """
    found = (f"{name} {wrong}" for name, value in sorted(settings) if (wrong := wrong_with(name, value)))
    return next(found, "")
