"""Times our session on YARN against a bare pyspark session with the same archive and default settings, in turn.

    eval "$(scripts/cluster.sh env)"; .venv/bin/python -m scripts.bench_yarn [--times N] [--run]

A session is ready when its first job has run on an executor; processes of their own. Beside them our local session, and
with --run the whole command for 30 days, on YARN and locally, from the bundled simulator.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from orchestration.project import load, open_workspace
from resources.prefect.server import EmbeddedServer
from resources.simulator.server import Simulator
from resources.spark.driver import SparkDriver, spark_archive, spark_conf
from resources.spark.on_yarn import yarn_conf

BARE = """
import sys
from pyspark.sql import SparkSession
spark = (SparkSession.builder.master("yarn").config("spark.yarn.archive", sys.argv[1])
    .config("spark.executor.instances", "1").config("spark.executor.memory", "1g").config("spark.ui.enabled", "false")
    .getOrCreate())
spark.range(1).count()
print("ready", flush=True)
spark.stop()
"""
SIZE = {"AQI_YARN__EXECUTORS": "1", "AQI_YARN__EXECUTOR_MEMORY": "1g"}


def ours(profile: str) -> None:
    """Open our session, run a job, say so, and end."""
    settings = load(profile)
    on_yarn = None
    if settings.on_yarn:
        uri = open_workspace(settings).warehouse.uri
        on_yarn = yarn_conf(settings, "bench", uri, spark_archive(settings, uri, print))
    with tempfile.TemporaryDirectory() as scratch:
        driver = SparkDriver(spark_conf(settings, "bench", 1, on_yarn), Path(scratch) / "spark.log")
        driver.start().range(1).count()
        print("ready", flush=True)
        driver.stop()


def until_ready(*command: str) -> float:
    """Seconds from the start of a process to its line ``ready``."""
    started = time.perf_counter()
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        seconds = next((time.perf_counter() - started for line in process.stdout if line == b"ready\n"), None)
    if seconds is None:
        raise SystemExit(f"{command[:2]} did not get ready")
    return seconds


def whole(profile: str, base_url: str, now: datetime) -> float:
    """Seconds of the whole command for 30 days into a new warehouse."""
    environment = {**os.environ, "AQI_OPEN_METEO__BASE_URL": base_url, "AQI_CLOCK__NOW": now.isoformat()}
    with tempfile.TemporaryDirectory() as scratch:
        fs = open_workspace(load("yarn")).warehouse.uri if profile == "yarn" else ""
        environment["AQI_WAREHOUSE__URI"] = f"{fs}-{Path(scratch).name}" if fs else f"{scratch}/warehouse"
        call = [str(Path(sys.executable).parent / "aqi"), "materialize", "*", "--partitions", "2025-11-01..2025-11-30"]
        started = time.perf_counter()
        subprocess.run([*call, "--profile", profile], env=environment, check=True, capture_output=True)
        return time.perf_counter() - started


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--run", action="store_true", help="also the whole command")
    parser.add_argument("--session", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.session:
        ours(options.session)
        return
    os.environ.update(SIZE)
    settings = load("yarn")
    archive = spark_archive(settings, open_workspace(settings).warehouse.uri, print)
    ratios = []
    for number in range(options.times + 1):
        bare = until_ready("-c", BARE, archive)
        mine = until_ready("-m", "scripts.bench_yarn", "--session", "yarn")
        local = until_ready("-m", "scripts.bench_yarn", "--session", "local")
        if number:  # the first ones bring the archive to the nodes
            ratios.append(mine / bare)
            print(f"ours {mine:.1f} s / bare {bare:.1f} s = {ratios[-1]:.2f}; local {local:.1f} s", flush=True)
    print(f"median ratio {statistics.median(ratios):.2f}")
    if options.run:
        now = datetime(2026, 1, 1, tzinfo=UTC)
        with tempfile.TemporaryDirectory() as scratch, Simulator(now=lambda: now) as simulator:
            os.environ["PREFECT_HOME"] = scratch
            with EmbeddedServer(Path(scratch) / "server.log") as server:
                server.wait()
                os.environ["PREFECT_API_URL"] = server.api_url
                for _ in range(options.times):
                    yarn, local = (whole(profile, simulator.url, now) for profile in ("yarn", "local"))
                    print(f"30 days: yarn {yarn:.1f} s / local {local:.1f} s = {yarn / local:.2f}", flush=True)


if __name__ == "__main__":
    main()
