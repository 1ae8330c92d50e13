"""Whole backfills on the default settings: what is resident is bounded, whatever the range."""

from __future__ import annotations

import subprocess
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from resources.simulator.server import Simulator
from tests.support.aqi_process import AQI, ROOT, Commands

pytestmark = [pytest.mark.spark, pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(1200)]

NOW = datetime(2026, 1, 10, tzinfo=UTC)
LAST = date(2025, 12, 31)
LOCATIONS = 200
MOST = {"java": 1.6e9, "python": 600e6}
"""Bytes that the driver's JVM and the run's own process may have resident."""


def profile(folder: Path) -> Path:
    """Settings of so many locations, without limits of the provider."""
    towns = [
        f"- {{key: town{n:03}, name: Town {n}, latitude: {n * 0.4 - 40:.1f}, longitude: {n * 0.8:.1f}, timezone: UTC}}"
        for n in range(LOCATIONS)
    ]
    limits = "open_meteo: {calls_per_minute: 1000000, calls_per_hour: 10000000, calls_per_day: 100000000}"
    file = folder / "towns.yml"
    file.write_text("\n".join(["locations:", *towns, limits, ""]), encoding="utf-8")
    return file


def most_resident(run: subprocess.Popen[str]) -> dict[str, float]:
    """The most bytes that a run's process and its JVM have resident until it has ended."""
    found = dict.fromkeys(MOST, 0.0)
    while run.poll() is None:
        try:
            of = psutil.Process(run.pid)
            found["python"] = max(found["python"], of.memory_info().rss)
            for child in of.children():
                if child.name() == "java":
                    found["java"] = max(found["java"], child.memory_info().rss)
        except psutil.NoSuchProcess:
            pass
        time.sleep(0.1)
    return found


@pytest.mark.parametrize("days", [92])
def test_two_hundred_locations_on_spark(server: str, tmp_path: Path, days: int) -> None:
    with Simulator(now=lambda: NOW) as simulator:
        environment = {"PREFECT_API_URL": server, "AQI_CLOCK__NOW": NOW.isoformat(), "AQI_ENGINE": "spark"}
        aqi = Commands(tmp_path, tmp_path / "warehouse", simulator.url, environment)
        first = LAST - timedelta(days=days - 1)
        call = ("backfill", "--start-date", str(first), "--end-date", str(LAST), "--chunk-mode", "monthly")
        with subprocess.Popen(
            [AQI, *call, "--profile", str(profile(tmp_path))],
            env=aqi.env,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=(tmp_path / "errors").open("w"),
            text=True,
        ) as run:
            found = most_resident(run)
    assert run.returncode == 0, (tmp_path / "errors").read_text()
    assert all(found.values())
    assert {name: of for name, of in found.items() if of > MOST[name]} == {}
