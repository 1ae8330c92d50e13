"""Times the whole command against a plain script that writes the same tables, in turn, and prints the ratio.

    .venv/bin/python scripts/benchmark.py PLAIN_SCRIPT ANSWERS [--engine E] [--from D] [--to D] [--times N] [--server]

PLAIN_SCRIPT (one on Spark, or scripts/plain_duckdb.py) is called with ANSWERS (a folder of recorded answers), a folder
for its tables, the two days and the folder of the Java libraries. Both start with an empty warehouse every time.
--server: with a Prefect server that is running; without: with the server that the command brings along. One warm-up
each is not counted.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from resources.machine.clock import system_clock
from resources.prefect.server import EmbeddedServer
from resources.simulator.server import Simulator
from resources.spark.driver import JARS_FOLDER

POLL_SECONDS = 0.2


def timed(command: Sequence[str], environment: dict[str, str]) -> tuple[float, float]:
    """Seconds of a whole command, and the largest resident memory of it and all below it together, in MiB."""
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0.0
    while process.poll() is None:
        with contextlib.suppress(psutil.Error):
            top, together = psutil.Process(process.pid), 0.0
            for one in (top, *top.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    together += one.memory_info().rss / 2**20
            peak = max(peak, together)
        time.sleep(POLL_SECONDS)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return time.perf_counter() - started, peak


@contextlib.contextmanager
def prefect_server(wanted: bool, log: Path, environment: dict[str, str]) -> Iterator[None]:
    """A running server for the block, named in ``environment``, if it is wanted."""
    if not wanted:
        yield
        return
    os.environ["PREFECT_HOME"] = environment["PREFECT_HOME"]
    with EmbeddedServer(log) as server:
        server.wait()
        environment["PREFECT_API_URL"] = server.api_url
        yield


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plain_script", type=Path)
    parser.add_argument("answers", type=Path)
    parser.add_argument("--engine", default="embedded", choices=("embedded", "spark"))
    parser.add_argument("--from", dest="first", default="2025-08-08")
    parser.add_argument("--to", dest="last", default="2025-09-06")
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--server", action="store_true")
    options = parser.parse_args()
    aqi = Path(sys.executable).parent / "aqi"
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AQI_", "PREFECT_"))},
            "PREFECT_HOME": str(home / "prefect"),
            "XDG_STATE_HOME": str(home / "state"),
            "AQI_WAREHOUSE__URI": str(home / "ours"),
            "AQI_ENGINE": options.engine,
        }
        with (
            Simulator(now=system_clock, injected=False, replay=options.answers) as simulator,
            prefect_server(options.server, home / "server.log", environment),
        ):
            environment["AQI_OPEN_METEO__BASE_URL"] = simulator.url
            ours = [str(aqi), "materialize", "*", "--partitions", f"{options.first}..{options.last}"]
            plain = [sys.executable, str(options.plain_script), str(options.answers), str(home / "plain")]
            plain += [options.first, options.last, str(JARS_FOLDER)]
            figures: dict[str, list[float]] = {"ours": [], "plain": []}
            memory = 0.0
            for number in range(options.times + 1):
                for name, command in (("ours", ours), ("plain", plain)):
                    shutil.rmtree(home / name, ignore_errors=True)
                    seconds, peak = timed(command, environment)
                    if number:
                        figures[name].append(seconds)
                        memory = max(memory, peak) if name == "ours" else memory
                if number:
                    ratio = figures["ours"][-1] / figures["plain"][-1]
                    print(f"{figures['ours'][-1]:6.1f} s / {figures['plain'][-1]:6.1f} s = {ratio:.2f}", flush=True)
            ratios = [a / b for a, b in zip(figures["ours"], figures["plain"], strict=True)]
            print(f"median ratio {statistics.median(ratios):.2f} (of medians "
                  f"{statistics.median(figures['ours']) / statistics.median(figures['plain']):.2f}), "
                  f"all its processes at most {memory:.0f} MiB resident")  # fmt: skip


if __name__ == "__main__":
    main()
