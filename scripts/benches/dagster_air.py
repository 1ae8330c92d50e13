"""Dagster: the same graph with the same Spark functions. Each writes its table whole, without checks and provenance.

    python -m scripts.benches.dagster_air                               in one process, with one Spark session
    dagster asset materialize -f …/dagster_air.py --select '*'          a process, and so a session, for every asset

Runs in an environment of its own, which has Dagster, and behind it the packages of this project. Variables:
BENCH_ANSWERS (a folder of recorded answers), BENCH_TABLES, BENCH_DAYS (FIRST..LAST), BENCH_PROFILE (of the project),
BENCH_JARS (the folder of Delta's Java libraries), BENCH_IN_PROCESS (the second call in one process too).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import dagster as dg  # type: ignore[import-not-found]

from orchestration.core.declarations.asset import Asset
from orchestration.project import load, open_workspace
from scripts.benches.graph_shape import Splits
from scripts.plain_spark import raw, session

WORKSPACE = open_workspace(load(os.environ.get("BENCH_PROFILE")))
TABLES = os.environ.get("BENCH_TABLES", "")
HEAP = "2g"


def sent(spark: Any) -> Any:
    """What the source sent, as a frame that bronze takes."""
    from pyspark.sql import functions as F

    first, _, last = os.environ["BENCH_DAYS"].partition("..")
    rows = spark.createDataFrame(raw(Path(os.environ["BENCH_ANSWERS"]), first, last)).drop("latitude", "longitude")
    instant = F.to_timestamp("ts", "yyyy-MM-dd'T'HH:mm")
    return rows.withColumn("ts_utc", instant).withColumn("_ingested_at", F.current_timestamp()).drop("ts")


def made(ours: Asset) -> Any:
    """Dagster's asset with the function of one of ours."""

    def table() -> None:
        spark = session(Path(os.environ["BENCH_JARS"]), HEAP)
        read = [spark.read.format("delta").load(f"{TABLES}/{key}") for key in ours.upstream_keys]
        frames = read if ours.source is None else [sent(spark)]
        frame = ours.function(*frames, **WORKSPACE.code.arguments(ours))
        frame.write.format("delta").mode("overwrite").save(f"{TABLES}/{ours.key}")

    keys = [dg.AssetKey(key.split(".")) for key in (ours.key, *ours.upstream_keys)]
    return dg.asset(key=keys[0], deps=keys[1:])(table)


ASSETS = [made(one) for one in WORKSPACE.catalog]
EXECUTOR = dg.in_process_executor if os.environ.get("BENCH_IN_PROCESS") else None
defs = dg.Definitions(assets=ASSETS, executor=EXECUTOR)


def main() -> None:
    """The command."""
    splits = Splits()
    with splits.part("materialize"):
        assert dg.materialize(ASSETS).success
    splits.say()


if __name__ == "__main__":
    main()
