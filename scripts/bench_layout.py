"""Measures how rows should lie in files: Delta partition folders, or none with statistics only.

    .venv/bin/python scripts/bench_layout.py [DAYS]

For each layout, in one warm session and in turn: write DAYS × 3 locations at once, replace one day of all, and find
one location's day without a JVM. Prints medians of three, and ratios to the layout without folders.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from orchestration.project import load
from resources.spark.driver import SparkDriver, spark_conf

LAYOUTS: dict[str, list[str]] = {
    "no folders": [],
    "a folder per day": ["date_utc"],
    "a folder per day and location": ["date_utc", "location_key"],
}
FIRST = date(2025, 1, 1)
LOCATIONS = ("danang", "hanoi", "hcmc")


def rows(days: int) -> Any:
    """Hourly rows of all locations with ten value columns."""
    import pyarrow as pa

    hours = [
        (location, FIRST + timedelta(days=day), hour)
        for day in range(days)
        for location in LOCATIONS
        for hour in range(24)
    ]
    columns: dict[str, Any] = {
        "location_key": [location for location, _, _ in hours],
        "date_utc": [day for _, day, _ in hours],
        "ts_utc": [datetime(day.year, day.month, day.day, hour) for _, day, hour in hours],
    }
    return pa.table(columns | {f"v{number}": [float(hour * number) for _, _, hour in hours] for number in range(10)})


def seconds(work: Callable[[], Any]) -> float:
    """How long ``work`` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    """The command."""
    from deltalake import DeltaTable
    from pyspark.sql import functions as F

    days = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    scratch = Path(tempfile.mkdtemp())
    driver = SparkDriver(spark_conf(load(environment={}), "layout", 1), scratch / "spark.log")
    spark = driver.start()
    frame = spark.createDataFrame(rows(days)).persist()
    one_day = frame.where(F.col("date_utc") == F.lit(FIRST + timedelta(days=days // 2)))
    found: dict[str, list[tuple[float, float, float, int]]] = {name: [] for name in LAYOUTS}
    for number in range(4):
        for name, folders in LAYOUTS.items():
            location = str(scratch / f"{number}-{len(folders)}")

            def write(folders: list[str] = folders, location: str = location) -> None:
                writer = frame.coalesce(1).write.format("delta").partitionBy(*folders)
                writer.save(location)

            def replace(location: str = location) -> None:
                condition = F.col("date_utc") == F.lit(FIRST + timedelta(days=days // 2))
                one_day.coalesce(1).writeTo(f"delta.`{location}`").overwrite(condition)

            def find(location: str = location) -> None:
                day = FIRST + timedelta(days=3)
                DeltaTable(location).to_pyarrow_table(filters=[("date_utc", "=", day), ("location_key", "=", "hanoi")])

            took = (seconds(write), seconds(replace), seconds(find), len(DeltaTable(location).file_uris()))
            if number:  # the first round warms the JVM up
                found[name].append(took)
    driver.stop()
    shutil.rmtree(scratch)
    base = [statistics.median(took[part] for took in found["no folders"]) for part in range(3)]
    print(f"{days} days x {len(LOCATIONS)} locations, medians of 3 (ratio to no folders)")
    for name, runs in found.items():
        middle = [statistics.median(took[part] for took in runs) for part in range(3)]
        parts = [f"{what} {value:.2f} s ({value / least:.1f})" for what, value, least in
                 zip(("write", "replace a day", "find a day"), middle, base, strict=True)]  # fmt: skip
        print(f"{name:28s}{', '.join(parts)}, {runs[0][3]} files")


if __name__ == "__main__":
    main()
