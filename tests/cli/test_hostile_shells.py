"""Whole commands in other people's shells: what runs is what set-up pinned, and the tables are the same."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from resources.settings.spark_values import VALUE_SETTINGS
from resources.simulator.server import Simulator
from resources.spark.driver import check_java_libraries, pyspark_folder
from tests.support.aqi_process import AQI, ROOT, Commands
from tests.support.hostile_shells import HostileShell, hostile_shell
from tests.support.stored_tables import there_of

pytestmark = [pytest.mark.engine, pytest.mark.prefect]

NOW = datetime(2025, 8, 20, 6, tzinfo=UTC)
FOLDER = "kho Hà Nội"
"""Of warehouses here; in a JVM whose locale is C it is another one, with question marks."""


@pytest.fixture(scope="module")
def provider() -> Iterator[Simulator]:
    with Simulator(now=lambda: NOW) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> HostileShell:
    return hostile_shell(tmp_path_factory.mktemp("cluster"))


def made(home: Path, provider: Simulator, server: str, engine: str, variables: dict[str, str]) -> Any:
    """What a run of two days makes in such a shell."""
    aqi = Commands(home, home / FOLDER, provider.url, {"AQI_CLOCK__NOW": NOW.isoformat(), "PREFECT_API_URL": server})
    aqi.environment |= variables
    run = aqi.json("materialize", "*", "--partitions", "2025-08-18..2025-08-19", "--engine", engine)
    assert {step["state"] for step in run["steps"]} == {"written"}
    assert sorted(path.name for path in home.iterdir()) == [FOLDER, "prefect", "state"]
    return there_of(home / FOLDER)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory, provider: Simulator, server: str) -> Any:
    return made(tmp_path_factory.mktemp("clean"), provider, server, "embedded", {})


@pytest.mark.parametrize(
    "engine", [pytest.param("embedded", marks=pytest.mark.slow), pytest.param("spark", marks=pytest.mark.spark)]
)
def test_thirty_hostile_variables_at_once_make_the_same_tables(
    tmp_path: Path, provider: Simulator, server: str, clean: Any, hostile: HostileShell, engine: str
) -> None:
    assert len(hostile.variables) >= 28
    assert made(tmp_path, provider, server, engine, hostile.variables) == clean
    assert not hostile.ran.exists()
    entry = json.loads(next((tmp_path / FOLDER / "_aqi" / "runs").glob("*.json")).read_text(encoding="utf-8"))
    made_with = entry["made_with"]
    assert made_with["engine"] == engine
    assert {name: made_with[name] for name in VALUE_SETTINGS} == VALUE_SETTINGS
    assert "SPARK_HOME" in made_with["left out of the environment"].split(", ")
    assert "s3cret" not in json.dumps(entry)


@pytest.mark.slow
def test_no_variables_at_all_make_the_same_tables(tmp_path: Path, provider: Simulator, server: str, clean: Any) -> None:
    """As a service manager, or `env -i`, starts a command: no PATH, no HOME, no locale."""
    kept = Commands(tmp_path, tmp_path / FOLDER, provider.url).env
    ours = {
        name: value for name, value in kept.items() if name.startswith(("AQI_", "PREFECT_", "XDG_STATE", "PYTHONPATH"))
    }
    env = ours | {"AQI_CLOCK__NOW": NOW.isoformat(), "PREFECT_API_URL": server, "PYTHONPATH": str(ROOT)}
    call = [str(AQI), "materialize", "*", "--partitions", "2025-08-18..2025-08-19"]
    done = subprocess.run(call, env=env, capture_output=True, encoding="utf-8", timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    assert there_of(tmp_path / FOLDER) == clean


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.parametrize("locale", ["C", "POSIX", "vi_VN.ISO-8859-1", "tr_TR.UTF-8", "th_TH.UTF-8"])
def test_a_folder_with_letters_of_vietnam_is_one_folder(
    tmp_path: Path, provider: Simulator, server: str, clean: Any, locale: str
) -> None:
    assert made(tmp_path, provider, server, "spark", {"LC_ALL": locale}) == clean


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.parametrize(("setting", "status"), [("spark.sql.ansi.enabled=false", 2), ("spark.ui.enabled=false", 0)])
def test_spark_submit_may_say_all_but_what_makes_other_values(
    tmp_path: Path, provider: Simulator, server: str, setting: str, status: int
) -> None:
    aqi = Commands(tmp_path, tmp_path / FOLDER, provider.url, {"PREFECT_API_URL": server, "AQI_ENGINE": "spark"})
    jars = ",".join(check_java_libraries())
    submit = [str(pyspark_folder() / "bin" / "spark-submit"), "--master", "local[2]", "--jars", jars]
    call = [*submit, "--conf", setting, str(ROOT / "scripts" / "submitted.py"), "materialize", "gold.dim_time"]
    env = aqi.env | {"PYSPARK_PYTHON": sys.executable, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(call, env=env, capture_output=True, encoding="utf-8", timeout=280, check=False)
    assert done.returncode == status, done.stderr
    if status:
        assert "error: spark-submit was told otherwise: spark.sql.ansi.enabled must stay true" in done.stdout
        assert not (tmp_path / FOLDER).exists()
