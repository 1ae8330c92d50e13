"""Whole commands in other people's shells: what runs is what set-up pinned, and the tables are the same."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from resources.simulator.server import Simulator
from tests.support.aqi_process import Commands
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


@pytest.mark.parametrize("engine", ["embedded", pytest.param("spark", marks=pytest.mark.spark)])
def test_thirty_hostile_variables_at_once_make_the_same_tables(
    tmp_path: Path, provider: Simulator, server: str, clean: Any, hostile: HostileShell, engine: str
) -> None:
    assert len(hostile.variables) >= 28
    assert made(tmp_path, provider, server, engine, hostile.variables) == clean
    assert not hostile.ran.exists()
