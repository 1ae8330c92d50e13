"""What a run's record says its rows were made with."""

from __future__ import annotations

import platform
from importlib.metadata import version

import pytest

from orchestration.engine import made_with as module
from orchestration.engine.made_with import made_with
from resources.machine.environment import LEFT_OUT
from resources.settings.spark_values import SPARK_VALUE_SETTINGS, VALUE_SETTINGS
from tests.support.given_settings import given


@pytest.mark.parametrize(
    ("engine", "package", "settings"),
    [("embedded", "pysail", VALUE_SETTINGS), ("spark", "pyspark", VALUE_SETTINGS | SPARK_VALUE_SETTINGS)],
)
def test_engine_versions_and_settings_that_decide_values(
    monkeypatch: pytest.MonkeyPatch, engine: str, package: str, settings: dict[str, str]
) -> None:
    monkeypatch.delenv(LEFT_OUT, raising=False)
    known = {"engine": engine, package: version(package), "python": platform.python_version()}
    assert made_with(given(AQI_ENGINE=engine)) == known | settings


def test_names_of_variables_that_were_left_out_and_not_their_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_HOME", "s3cret")
    monkeypatch.setenv(LEFT_OUT, '{"SPARK_HOME": "left out", "JAVA_OPTS": "left out"}')
    assert made_with(given(AQI_ENGINE="embedded"))["left out of the environment"] == "JAVA_OPTS, SPARK_HOME"


def test_an_engine_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PACKAGES", {"embedded": "no-such-package-of-anybody"})
    assert made_with(given(AQI_ENGINE="embedded"))["no-such-package-of-anybody"] == ""
