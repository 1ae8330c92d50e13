"""What all tests share: a home of their own, real data beside the project, one Spark session, one Prefect server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ["tests.support.examples", "tests.support.fixtures", "tests.support.garbage", "tests.support.workers"]

CONNECT_MODE = "SPARK_CONNECT_MODE_ENABLED"
ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


@pytest.fixture(autouse=True, scope="session")
def _no_settings_of_this_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Settings in the environment of whoever runs the tests do not reach them, nor does what they do their Prefect."""
    from resources.machine.proxies import settle

    kept = {"AQI_REQUIRE_SHARED", "AQI_REQUIRE_BROWSER", "AQI_IVY_SETTINGS"}
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            ours = name.startswith(("AQI_", "OPENLINEAGE_")) and name not in kept
            if ours or name.startswith("PREFECT_"):
                patch.delenv(name)
        patch.setenv("PREFECT_HOME", str(tmp_path_factory.mktemp("prefect-home")))
        for name in ("no_proxy", "NO_PROXY"):  # as it is, afterwards
            patch.setenv(name, os.environ.get(name, ""))
        settle()
        yield


def in_shared(name: str, what: str) -> Path:
    """A folder beside the project; required in CI, elsewhere whoever asks for it is skipped without it."""
    folder = SHARED / name
    if not folder.is_dir():
        message = f"{what} are not at {folder}"
        if os.environ.get("CI") or os.environ.get("AQI_REQUIRE_SHARED"):
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture(scope="session")
def recorded() -> Path:
    """The folder with recorded answers and their expected results; required in CI, elsewhere tests skip without it."""
    return in_shared("open_meteo", "the recorded answers")


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The Spark session that all Spark tests of a process share, configured as a run's own.

    It lives longer than that of any run: what Spark has compiled for one test serves the next ones too. A run compiles
    nearly 180 classes, and Spark remembers 100.
    """
    from orchestration.project import load
    from resources.spark.driver import SparkDriver, spark_conf

    conf = spark_conf(load(environment={}), "tests", 1) | {"spark.sql.codegen.cache.maxEntries": "5000"}
    driver = SparkDriver(conf, tmp_path_factory.mktemp("spark") / "spark.log")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(CONNECT_MODE, raising=False)
        session = driver.start()
    yield session
    driver.stop()


@pytest.fixture(autouse=True)
def _functions_of_spark(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that uses Spark's session itself makes expressions for it, whatever engine the test before it used."""
    if "spark" in request.fixturenames:
        monkeypatch.delenv(CONNECT_MODE, raising=False)


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The embedded engine that all tests of a process share."""
    from tests.support.engines import SharedEmbedded

    shared = SharedEmbedded(tmp_path_factory.mktemp("embedded"))
    yield shared
    shared.process.end()


@pytest.fixture(scope="session")
def on_spark(spark: Any) -> Any:
    """Spark as the engine that all tests of a process share."""
    from tests.support.engines import SharedSpark

    return SharedSpark(spark)


@pytest.fixture(scope="module", params=["embedded", pytest.param("spark", marks=pytest.mark.spark)])
def either(request: pytest.FixtureRequest) -> Any:
    """Each engine in turn: for what both have to do alike."""
    return request.getfixturevalue("embedded" if request.param == "embedded" else "on_spark")


@pytest.fixture(scope="module", params=["embedded", pytest.param("spark", marks=[pytest.mark.spark, pytest.mark.slow])])
def either_slowly(request: pytest.FixtureRequest) -> Any:
    """Each engine in turn, where what Spark would show is shown by another test on it: on Spark it is slow."""
    return request.getfixturevalue("embedded" if request.param == "embedded" else "on_spark")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Prefect server that outlives the runs, with a database of its own."""
    from resources.prefect.server import EmbeddedServer

    home = tmp_path_factory.mktemp("prefect")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(home))
        started = EmbeddedServer(home / "server.log")
    with started:
        started.wait()
        yield started.api_url
