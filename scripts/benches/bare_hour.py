"""What an hour costs at the least: a Spark session like ours, and a bare commit of a day's rows to each of some tables.

    python -m scripts.benches.bare_hour append|replace DAY TABLE …

A TABLE is a folder. append: the rows of DAY in the table once more. replace: instead of themselves.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import date
from pathlib import Path

from orchestration.project import load
from resources.spark.driver import SparkDriver, spark_conf
from scripts.benches.graph_shape import Splits


def main() -> None:
    """The command."""
    from deltalake import DeltaTable
    from pyspark.sql import functions as F

    way, day, *tables = sys.argv[1:]
    splits = Splits()
    with tempfile.TemporaryDirectory() as scratch:
        driver = SparkDriver(spark_conf(load(), "bare hour", 1), Path(scratch) / "spark.log")
        with splits.part("session"):
            spark = driver.start()
        with splits.part("commits"):
            for table in tables:
                stored = DeltaTable(table)
                column = next(field.name for field in stored.schema().fields if field.name.endswith("date_utc"))
                rows = stored.to_pyarrow_table(filters=[(column, "=", date.fromisoformat(day))])
                frame = spark.createDataFrame(rows).coalesce(1)
                writer = frame.writeTo(f"delta.`{table}`")
                writer.overwrite(F.col(column) == F.lit(day)) if way == "replace" else writer.append()
        driver.stop()
    splits.say(commits=len(tables))


if __name__ == "__main__":
    main()
