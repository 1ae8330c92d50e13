"""Times a backfill in chunks against the same days as one range, in turn, and the same call again, which does nothing.

    .venv/bin/python scripts/bench_backfill.py [--from D] [--to D] [--mode monthly|weekly|daily] [--times N]

Whole commands into empty warehouses, from the bundled simulator, with a Prefect server that is running. One warm-up of
each is not counted. Says how many Spark applications a backfill was, by the logs of its drivers.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from resources.simulator.server import Simulator
from scripts.benchmark import prefect_server, timed


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="first", default="2024-01-01")
    parser.add_argument("--to", dest="last", default="2024-12-31")
    parser.add_argument("--mode", choices=["monthly", "weekly", "daily"], default="monthly")
    parser.add_argument("--times", type=int, default=3)
    options = parser.parse_args()
    aqi = str(Path(sys.executable).parent / "aqi")
    chunks = [aqi, "backfill", "--start-date", options.first, "--end-date", options.last, "--chunk-mode", options.mode]
    one = [aqi, "materialize", "*", "--partitions", f"{options.first}..{options.last}"]
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AQI_", "PREFECT_"))},
            "PREFECT_HOME": str(home / "prefect"),
            "XDG_STATE_HOME": str(home / "state"),
            "AQI_WAREHOUSE__URI": str(home / "warehouse"),
            "AQI_CLOCK__NOW": now.isoformat(),
        }
        logs = home / "state" / "aqi" / "logs"
        with Simulator(now=lambda: now) as simulator, prefect_server(True, home / "server.log", environment):
            environment["AQI_OPEN_METEO__BASE_URL"] = simulator.url
            ratios = []
            for number in range(options.times + 1):
                seconds = {}
                for name, command in (("one", one), ("chunks", chunks)):
                    shutil.rmtree(home / "warehouse", ignore_errors=True)
                    shutil.rmtree(logs, ignore_errors=True)
                    seconds[name], peak = timed(command, environment)
                applications = len(list(logs.glob("*-spark.log")))
                again, _ = timed(chunks, environment)
                if len(list(logs.glob("*-spark.log"))) != applications:
                    raise SystemExit("the same backfill again started a Spark session")
                if number:
                    ratios.append(seconds["chunks"] / seconds["one"])
                    print(
                        f"{options.mode} {seconds['chunks']:6.1f} s / one range {seconds['one']:6.1f} s"
                        f" = {ratios[-1]:.2f}; {applications} Spark application(s), JVM {peak:.0f} MiB;"
                        f" again {again:.1f} s, without Spark",
                        flush=True,
                    )
            print(f"median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
