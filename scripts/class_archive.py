"""Writes the driver JVM's class-data archive: a small run over the simulator loads the classes, the JVM keeps them.

    python scripts/class_archive.py      writes it if it is not there; about a minute, once per Java and libraries

Session start and the first use of everything are cheaper with it (README, Speed). Nothing depends on it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from orchestration.core.errors import LakehouseError
from orchestration.engine.engines.spark import SparkEngine
from orchestration.engine.executor import prepare, run_in_order
from orchestration.project import PROJECT, load, open_workspace
from resources.spark.driver import SparkDriver, archiving_conf, class_archive, spark_conf
from resources.spark.java import check_java

NOW = datetime(2025, 3, 1, 12, tzinfo=UTC)
RANGES = ("2025-02-20..2025-02-24", "2025-02-23..2025-02-26")
"""New partitions; then some that are there already beside new ones."""
WRITE_SECONDS = 180


def write_archive(archive: Path) -> None:
    """Run the pipeline twice in one session, and let its JVM write ``archive`` when it ends."""
    assert PROJECT.simulated is not None
    with tempfile.TemporaryDirectory() as scratch, PROJECT.simulated(lambda: NOW) as simulated:
        flags = {**simulated, "engine": "spark", "warehouse": {"uri": f"{scratch}/warehouse"}, "clock": {"now": NOW}}
        settings = load(environment={}, flags=flags)
        part = archive.with_suffix(".part")
        conf = archiving_conf(spark_conf(settings, "class archive", 1), part)
        driver = SparkDriver(conf, Path(scratch) / "spark.log", end_seconds=WRITE_SECONDS)
        workspace = open_workspace(settings)
        engine = SparkEngine(workspace.warehouse, driver)
        engine.start()
        try:
            for number, days in enumerate(RANGES):
                workspace = open_workspace(settings)
                request = workspace.requested(workspace.catalog.keys, days)
                plan, tables = workspace.plan(request)
                runner, source = prepare(workspace, plan, tables, f"archive-{number}", lambda: engine)
                run_in_order(plan, runner, source)
        finally:
            engine.stop()
        part.replace(archive)


def main() -> int:
    """The command. An archive that could not be written is said, and is no failure."""
    try:
        check_java()
        archive = class_archive()
        if archive.exists():
            return 0
        started = time.monotonic()
        print("setup: writing the class-data archive of the Spark driver (about a minute, once)", file=sys.stderr)
        for old in archive.parent.glob("classes-*"):
            old.unlink()
        write_archive(archive)
        size = archive.stat().st_size / 2**20
        print(f"setup: wrote it ({size:.0f} MiB, {time.monotonic() - started:.0f} s)", file=sys.stderr)
    except (LakehouseError, OSError) as error:
        print(f"setup: no class-data archive ({error}); everything works without, a little slower", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
