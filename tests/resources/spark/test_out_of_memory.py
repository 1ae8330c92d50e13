"""A driver that really runs out of memory, in a process of its own: each step after that is told the same reason."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.spark

RUN = """
import sys
from pathlib import Path
from orchestration.core.errors import RunError
from orchestration.engine.engines.spark import SparkEngine
from orchestration.engine.steps import explain
from resources.delta.warehouse import Warehouse
from resources.settings.load import Settings
from resources.spark.driver import SparkDriver, spark_conf

folder = Path(sys.argv[1])
town = {"key": "hue", "name": "Hue", "latitude": 0, "longitude": 0, "timezone": "UTC"}
settings = Settings.model_validate({"engine": "spark", "locations": [town]})
less = {"spark.driver.memory": "100m", "spark.testing.reservedMemory": "0", "spark.master": "local[1]"}
engine = SparkEngine(Warehouse(str(folder)), SparkDriver(spark_conf(settings, "r", 1) | less, folder / "spark.log"))
engine.start()
rows = engine._session.sql("select max(length(x)) from (select repeat(cast(id as string), 60000000) x from range(4))")
try:
    for step in range(2):
        try:
            with engine.working(f"step {step}"):
                engine.evaluate(rows)
        except RunError as error:
            print(explain(error))
finally:
    engine.stop()
"""


def test_a_driver_that_runs_out_of_memory(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path)], capture_output=True, text=True, timeout=120, check=False
    )
    told = (
        "Spark's driver ran out of memory (Java heap space): spark.driver_memory is 100m. Set spark.driver_memory to "
        "200m, or spark.max_parallel_steps lower. Ask for the same days again: what is committed stays."
    )
    assert done.stdout.splitlines() == [told, told], done.stderr
