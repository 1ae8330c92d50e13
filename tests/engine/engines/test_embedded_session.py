"""How long a session of the embedded engine lives."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from resources.embedded import server

pytestmark = pytest.mark.engine

IDLE = """
import os, sys, time
os.environ |= {"SAIL_SPARK__SESSION_TIMEOUT_SECS": sys.argv[1], "RUST_LOG": "off", "SPARK_CONNECT_MODE_ENABLED": "1"}
from pysail.spark import SparkConnectServer
from pyspark.sql.connect.session import SparkSession
served = SparkConnectServer(ip="127.0.0.1", port=0)
served.start(background=True)
spark = SparkSession.builder.remote(f"sc://127.0.0.1:{served.listening_address[1]}").create()
assert spark.range(3).count() == 3
time.sleep(3)
try:
    print(spark.range(3).count(), flush=True)
except Exception as error:
    print(error, flush=True)
os._exit(0)
"""


def test_a_session_outlives_any_wait(tmp_path: Path) -> None:
    """A provider's limit can hold a run up for a day, in which the engine has nothing to do."""
    said = server.options(tmp_path, 1 << 30)["SAIL_SPARK__SESSION_TIMEOUT_SECS"]
    assert int(said) > 366 * 24 * 3600
    for seconds, words in ((said, "3"), ("1", "is not running")):  # the second one: that it is this setting
        done = subprocess.run([sys.executable, "-c", IDLE, seconds], capture_output=True, text=True, check=True)
        assert words in done.stdout
