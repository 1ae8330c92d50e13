"""What tests of the command line share.

Imported by every test: what a fixture needs of the project, it imports itself.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.support.cli_calls import Aqi
    from tests.support.field_server import FieldServer
    from tests.support.filled_tables import Tables


@pytest.fixture(autouse=True)
def _logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs and memories of unit tests go nowhere else."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def aqi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Aqi:
    from tests.support.cli_calls import Aqi

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "no-java"))
    monkeypatch.setenv("AQI_CLOCK__NOW", "2025-08-20T06:00:00Z")
    monkeypatch.setenv("AQI_OPEN_METEO__BASE_URL", "http://127.0.0.1:9")
    return Aqi(tmp_path)


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A warehouse with a few tables, written by deltalake."""
    from orchestration.project import load, open_workspace
    from tests.support.cli_calls import DAILY, EPISODE, QUARANTINE, episode, write

    uri = str(tmp_path_factory.mktemp("lake"))
    workspace = open_workspace(load(environment={}, flags={"warehouse": {"uri": uri}}))
    hours = [
        {"time_key": hour * 100, "time_value": f"{hour:02d}:00", "hour": hour, "work_shift": "night"}
        for hour in reversed(range(24))
    ]
    write(workspace, "gold.dim_time", hours, null=24)
    saturday = {
        "date_key": 20250816,
        "date_value": date(2025, 8, 16),
        "day_of_month": 16,
        "day_of_week": 6,
        "week_of_year": 33,
        "month": 8,
        "month_name": "August, hot [red]",
        "quarter": 3,
        "year": 2025,
        "is_weekend": True,
    }
    friday = {"date_key": 20250815, "date_value": date(2025, 8, 15), "is_weekend": False}
    write(workspace, "gold.dim_date", [saturday, saturday | friday], null=2)
    late = [episode("hanoi", 18, 9, dominant_pollutant=None), episode("hanoi", 18, 0, peak_aqi=500)]
    write(workspace, EPISODE, late, **{"2025-08-18/hanoi": 2, "2025-08-19/danang": 0})
    write(workspace, EPISODE, [episode("danang", 18, 7)], **{"2025-08-18/danang": 1})
    numbers = ("integer", "long", "double")
    day: dict[str, Any] = {column.name: 1 for column in workspace.contracts[DAILY].columns if column.type in numbers}
    day |= {"daily_record_id": "d", "location_key": "hanoi", "date_utc": date(2025, 8, 18), "aqi_daily_max": None}
    write(workspace, DAILY, [day], **{"2025-08-18/hanoi": 1})
    write(workspace, DAILY, [day])  # somebody else
    hour = {column.name: None for column in workspace.contracts[QUARANTINE].columns} | {
        "location_key": "hanoi",
        "ts_utc": datetime(2025, 8, 18, 6, tzinfo=UTC),
        "date_utc": date(2025, 8, 18),
        "latitude": 21.0278,
        "longitude": 105.8342,
        "pm25": -1.5,
        "pm10": float("nan"),
        "co": float("inf"),
        "model_domain": "cams_global",
        "request_timezone": "UTC",
        "_ingested_at": datetime(2025, 8, 20, 6, 0, 1, 999999, tzinfo=UTC),
        "broken_rules": ["negative", "not_finite"],
    }
    write(workspace, QUARANTINE, [hour], **{"2025-08-18/hanoi": 1})
    return uri


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.support.filled_tables import filled

    return filled(tmp_path_factory.mktemp("made") / "lake").folder


@pytest.fixture
def tables(_made: Path, tmp_path: Path) -> Tables:
    """Of a table with thirteen files, two of which have days that are still revised."""
    from tests.support.filled_tables import Tables

    shutil.copytree(_made, tmp_path / "lake")
    return Tables(tmp_path / "lake")


@pytest.fixture
def serve(tmp_path: Path) -> Callable[..., FieldServer]:
    """Serves answers of bad days, by the names of their files, one after the other."""
    from tests.conftest import in_shared
    from tests.support.field_server import FieldServer

    folder, numbers = in_shared("field", "the answers of a bad day"), count()
    return lambda *files: FieldServer(folder, tmp_path / f"served{next(numbers)}.log", *files)
