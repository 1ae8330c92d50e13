"""Writes every asset's frame in a plain Spark session that OpenLineage's own listener looks at; a process of its own.

Called with a file of JSON: ``conf`` of the session, ``warehouse``, whose tables are read, and ``into``, the folder that
is written to. What the listener tells goes where ``conf`` says. Of the engine nothing is used: a listener sees what
Spark is told to do, and that is the assets' functions alone.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from assets import CATALOG
from orchestration.core.source import INGESTED_AT
from orchestration.engine.frames import conform
from orchestration.project import load, open_workspace

SENT = "sent"
"""The folder below ``into`` of what sources sent, by the name of the source."""


def main(said: dict[str, Any]) -> None:
    from pyspark.sql import SparkSession

    workspace = open_workspace(load(environment={}, flags={"warehouse": {"uri": said["warehouse"]}}))
    into = Path(said["into"])
    builder = SparkSession.builder
    for name, value in said["conf"].items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()

    def table(key: str) -> Any:
        return spark.read.format("delta").load(workspace.warehouse.table_uri(key))

    for asset in CATALOG:
        if asset.source is None:
            frames = [table(key) for key in asset.upstream_keys]
        else:
            source = workspace.sources[asset.source]
            folder = str(into / SENT / asset.source)
            columns = [name for name, _ in source.columns]
            table(asset.key).select(*columns, INGESTED_AT).write.parquet(folder)
            frames = [spark.read.parquet(folder)]
        made = asset.function(*frames, **workspace.code.arguments(asset))
        frame = conform(made, asset, workspace.contracts[asset.key])
        frame.write.parquet(str(into / asset.key))
    spark.stop()


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
