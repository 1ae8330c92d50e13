"""What is said of a session before it starts. Without a JVM."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.core.errors import EnvironmentError_
from resources.spark.driver import check_java, spark_conf
from tests.support.given_settings import given
from tests.support.this_machine import fake_java


def test_each_java_is_asked_its_own_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that comes after another in the same process."""
    monkeypatch.setenv("JAVA_HOME", fake_java(tmp_path, "17.0.1"))
    assert check_java() == "17.0.1"
    old = fake_java(tmp_path, "11.0.2")
    monkeypatch.setenv("JAVA_HOME", old)
    with pytest.raises(EnvironmentError_, match=rf"Java 11\.0\.2 \({old}/bin/java\) is too old"):
        check_java()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "java-17.0.1"))
    assert check_java() == "17.0.1"


def test_instants_are_written_as_microseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resources.spark.driver.check_java_libraries", list)
    monkeypatch.setattr("resources.spark.driver._archive_option", str)
    conf = spark_conf(given({"spark": {"conf": {"spark.x": "3"}}}), "r1", 1)
    assert conf["spark.sql.parquet.outputTimestampType"] == "TIMESTAMP_MICROS"
    assert conf["spark.sql.session.timeZone"] == "UTC"
    assert conf["spark.x"] == "3"
    assert "spark.sql.legacy.timeParserPolicy" not in conf
