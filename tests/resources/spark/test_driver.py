"""What is said of a session before it starts. Without a JVM."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from orchestration.cli.progress import Quiet
from orchestration.core.errors import MachineError
from orchestration.engine.session import own_engine
from orchestration.project import load
from resources.delta.warehouse import Warehouse
from resources.spark import java as java_module
from resources.spark.driver import SparkDriver, spark_conf
from resources.spark.java import check_java
from tests.support.given_settings import given
from tests.support.this_machine import fake_java


def test_each_java_is_asked_its_own_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that comes after another in the same process."""
    monkeypatch.setenv("JAVA_HOME", fake_java(tmp_path, "17.0.1"))
    assert check_java() == "17.0.1"
    old = fake_java(tmp_path, "11.0.2")
    monkeypatch.setenv("JAVA_HOME", old)
    with pytest.raises(MachineError, match=rf"Java 11\.0\.2 \({old}/bin/java\) is too old"):
        check_java()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "java-17.0.1"))
    assert check_java() == "17.0.1"


def test_a_java_that_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the right to, of another machine, or that never answers."""
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setattr(java_module, "VERSION_SECONDS", 0.2)
    for text, mode, why in (
        ("#!/bin/sh\n", 0o644, "Permission denied"),
        ("\x7fELF", 0o755, "Exec format error"),
        ("#!/bin/sh\nexec sleep 60\n", 0o755, "nothing within 0.2 s"),
    ):
        java.write_text(text)
        java.chmod(mode)
        java_module._version_text.cache_clear()
        with pytest.raises(MachineError, match=rf"/bin/java says no version of Java \(but {why}"):
            check_java()


def test_instants_are_written_as_microseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resources.spark.driver.check_java_libraries", list)
    monkeypatch.setattr("resources.spark.driver._archive_option", str)
    conf = spark_conf(given({"spark": {"conf": {"spark.x": "3"}}}), "r1", 1)
    assert conf["spark.sql.parquet.outputTimestampType"] == "TIMESTAMP_MICROS"
    assert conf["spark.sql.session.timeZone"] == "UTC"
    assert conf["spark.x"] == "3"
    assert "spark.sql.legacy.timeParserPolicy" not in conf


class Submitted:
    """A gateway to a JVM that spark-submit started, and its configuration."""

    def __init__(self, **told: str) -> None:
        self.jvm, self._told = self, told

    def SparkConf(self, load_defaults: bool) -> Submitted:
        assert load_defaults
        return self

    def contains(self, name: str) -> bool:
        return name in self._told

    def set(self, name: str, value: str) -> None:
        self._told[name] = value

    def get(self, name: str, default: str = "") -> str:
        return self._told.get(name, default)


def test_where_driver_and_libraries_are_is_for_spark_submit_to_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A driver at 127.0.0.1 is one that no executor on another node finds; and nodes have no libraries of ours."""
    told = {"spark.driver.host": "node7", "spark.app.name": "theirs", "spark.jars": "local:/their.jar"}
    session = Submitted(**told)
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
    monkeypatch.setenv("HADOOP_CONF_DIR", str(tmp_path))
    monkeypatch.setattr("resources.spark.driver.JARS_FOLDER", tmp_path)
    monkeypatch.setattr("pyspark.java_gateway.launch_gateway", lambda *_: session)
    monkeypatch.setattr("pyspark.SparkContext", lambda **_: SimpleNamespace(applicationId="application_1"))
    monkeypatch.setattr("pyspark.sql.SparkSession", lambda context: context)
    settings = load("yarn", environment={"AQI_WAREHOUSE__URI": "hdfs://127.0.0.1:1/warehouse"})
    monkeypatch.setattr("orchestration.engine.session.log_folder", lambda: tmp_path)
    monkeypatch.setattr("orchestration.engine.session.SparkEngine", lambda _warehouse, driver, _rows: driver)
    own_engine(settings, Quiet(Console(quiet=True)))(Warehouse(settings.warehouse.uri or ""), "r1", 1, []).start()
    assert session._told.items() >= told.items()
    for name in ("spark.driver.bindAddress", "spark.hadoop.fs.defaultFS"):
        assert name not in session._told
    assert session._told["spark.sql.session.timeZone"] == "UTC"
    assert session._told["spark.sql.shuffle.partitions"] == "1"


def test_an_executor_is_told_by_what_spark_submit_was_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own configuration has nothing of executors then."""
    told = {"spark.driver.memory": "3g", "spark.executor.memory": "2g", "spark.executor.memoryOverhead": "512m"}
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
    monkeypatch.setattr("pyspark.java_gateway.launch_gateway", lambda *_: Submitted(**told))
    monkeypatch.setattr("pyspark.SparkContext", lambda **_: SimpleNamespace(applicationId="application_1"))
    monkeypatch.setattr("pyspark.sql.SparkSession", lambda context: context)
    driver = SparkDriver({"spark.driver.memory": "1g"}, tmp_path / "spark.log")
    driver.start()
    of_a_task = "Lost task 1.3 in stage 7.0 (TID 12) (node1 executor 2): java.lang.OutOfMemoryError: Java heap space"
    for text, words in {
        of_a_task: "an executor of Spark ran out of memory (Java heap space): yarn.executor_memory is 2g.",
        "java.lang.OutOfMemoryError": "Spark's driver ran out of memory: spark.driver_memory is 3g.",
    }.items():
        found = driver.explained(ValueError(text))
        assert found is not None
        assert found.message == words
