"""Recordings of a bad day, beside the project: each is served as it has to be, or refused by name at the start."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from assets.variables import VARIABLES
from orchestration.core.errors import UsageError
from resources.simulator.recordings import load_recordings
from resources.simulator.server import Simulator
from tests.conftest import SHARED
from tests.support.simulated_api import HANOI, NOW, ask, hours

DAY = "2025-09-01"
AS_THE_DAY = [float(30 + hour) for hour in range(24)]


@pytest.fixture
def replay(tmp_path: Path) -> Path:
    """An empty folder for recordings; required in CI, elsewhere tests skip without those beside the project."""
    if not (SHARED / "field").is_dir():
        message = f"the answers of a bad day are not at {SHARED / 'field'}"
        if os.environ.get("CI") or os.environ.get("AQI_REQUIRE_SHARED"):
            pytest.fail(message)
        pytest.skip(message)
    return tmp_path


def served(folder: Path, name: str, said: list[str] | None = None) -> Simulator:
    shutil.copy(SHARED / "field" / name, folder)
    recorded = load_recordings(folder, (said if said is not None else []).append, wanted=VARIABLES)
    return Simulator(now=lambda: NOW, replay=recorded)


def test_local_time(replay: Path) -> None:
    said: list[str] = []
    with served(replay, "03_local_time.json", said) as server:
        got = hours(server, first="2025-08-31", end_date=DAY)
    assert (got["time"][0], got["time"][-1]) == ("2025-08-31T17:00", "2025-09-01T16:00")
    assert got["pm2_5"] == AS_THE_DAY
    assert said == ["03_local_time.json: in Asia/Ho_Chi_Minh (UTC+07:00), moved to UTC"]


@pytest.mark.parametrize("name", ["03_unixtime.json", "07_cell_coordinates.json", "00_good_day.json"])
def test_the_day_itself(replay: Path, name: str) -> None:
    said: list[str] = []
    with served(replay, name, said) as server:
        got = hours(server, HANOI, first=DAY)
    assert (got["time"][0], got["pm2_5"], said) == (f"{DAY}T00:00", AS_THE_DAY, [])


@pytest.mark.parametrize("name", ["07_a_variable_was_not_asked_for.json", "10_unit_undefined_and_nulls.json"])
def test_a_variable_without_values(replay: Path, name: str) -> None:
    said: list[str] = []
    with served(replay, name, said) as server:
        got = hours(server, HANOI, first=DAY)
    assert got["carbon_dioxide"] == [None] * 24
    assert got["pm2_5"] == AS_THE_DAY
    never = ["carbon_dioxide never asked for at 21.0278, 105.8342: served as null"]
    assert said == (never if name.startswith("07") else [])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("07_one_value_too_few.json", "pm2_5 has not a value for each hour: 23 for 24, none for 2025-09-01T23:00"),
        ("07_one_value_too_many.json", "pm2_5 has not a value for each hour: 25 for 24, more after 2025-09-01T23:00"),
        ("07_text_among_numbers.json", "'n/a' as pm2_5 at 2025-09-01T05:00 is no number"),
        ("07_no_hours.json", "it has no hours (hourly.time is empty)"),
        ("07_an_error_was_saved.json", "it is an error of the API: Minutely API request limit exceeded."),
        ("01_error_in_a_200.json", "it is an error of the API: Something went wrong."),
        ("05_daily_limit_429.json", "it is an error of the API: Daily API request limit exceeded."),
    ],
)
def test_what_is_refused_at_the_start(replay: Path, name: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        served(replay, name)
    assert caught.value.message.startswith(f"{replay / name} is not a recorded answer of the API")
    assert said in caught.value.message
    assert caught.value.remedy


def test_a_stream_error_that_was_saved(replay: Path) -> None:
    shutil.copy(SHARED / "field" / "01_stream_error.txt", replay / "a.json")
    with pytest.raises(UsageError, match="it is an error of the API: Unexpected error while streaming data: "):
        load_recordings(replay)


def test_an_overlap(replay: Path) -> None:
    folder = SHARED / "field" / "07_overlap"
    with pytest.raises(UsageError) as caught:
        load_recordings(folder)
    said = "a_fetched_first.json and b_fetched_later.json disagree: pm2_5 at 2025-09-01T00:00Z"
    assert caught.value.message.startswith(said)
    assert "--newest-wins" in caught.value.remedy
    with Simulator(now=lambda: NOW, replay=load_recordings(folder, newest_wins=True)) as server:
        assert hours(server, first=DAY)["pm2_5"] == [100 + value for value in AS_THE_DAY]
        assert ask(server, first="2025-09-02").status_code == 400
