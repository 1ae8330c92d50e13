"""Recorded answers, played back."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assets.variables import VARIABLES
from orchestration.core.errors import UsageError
from resources.simulator.server import Simulator
from tests.support.simulated_api import HANOI, HCMC, NOW, ask, hours, simulator


def recording(place: tuple[float, float], day: date, value: float) -> dict[str, Any]:
    """A day of an answer as the API writes it, all variables alike."""
    times = [f"{day}T{hour:02}:00" for hour in range(24)]
    hourly = {"time": times} | {name: [value, None] * 12 for name in VARIABLES}
    return {"latitude": place[0], "longitude": place[1], "hourly_units": {}, "hourly": hourly}


@pytest.fixture
def replay(tmp_path: Path) -> Callable[..., Simulator]:
    def make(clock: datetime = NOW, **files: Any) -> Simulator:
        for name, content in files.items():
            (tmp_path / f"{name}.json").write_text(json.dumps(content))
        return Simulator(now=lambda: clock, replay=tmp_path)

    return make


DAY = date(2025, 8, 8)
OUTSIDE = "Parameter '{}' is out of allowed range from 2025-08-08 to 2025-08-09"


def test_replay_matches_by_coordinates_and_joins_files(replay: Callable[..., Simulator]) -> None:
    near = (HANOI[0] + 0.004, HANOI[1] - 0.009)
    files = {
        "b": recording(HANOI, DAY, 1.0),
        "a": recording(HANOI, DAY + timedelta(days=1), 2.0),
        "c": [recording(HCMC, DAY, 3.0), recording((HANOI[0], HANOI[1] + 0.011), DAY, 4.0)],
    }
    with replay(**files) as server:
        assert hours(server, near)["dust"] == [1.0, None] * 12
        assert hours(server, near)["us_aqi"] == [1, None] * 12
        assert hours(server, near, first="2025-08-09")["dust"] == [2.0, None] * 12
        assert len(hours(server, near, end_date="2025-08-09")["time"]) == 48
        assert hours(server, HCMC)["dust"][0] == 3.0
        for far in ((HANOI[0] + 0.02, HANOI[1]), (0.0, 0.0)):
            assert ask(server, far).json()["reason"] == "No data is available for this location"
        for change, name in (
            ({"start_date": "2025-08-07"}, "start_date"),
            ({"end_date": "2025-08-10"}, "end_date"),
        ):
            answer = ask(server, HANOI, **change)
            assert (answer.status_code, answer.json()["reason"]) == (400, OUTSIDE.format(name))


def test_replay_leaves_out_the_future(replay: Callable[..., Simulator]) -> None:
    clock = datetime(2025, 8, 8, 5, 59, tzinfo=UTC)
    with replay(clock, hanoi=recording(HANOI, DAY, 1.0)) as server:
        assert hours(server)["time"][-1] == "2025-08-08T05:00"
        assert {len(values) for values in hours(server).values()} == {6}
    with replay(clock - timedelta(days=1), hanoi=recording(HANOI, DAY, 1.0)) as server:
        assert hours(server)["time"] == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not a recorded answer"),
        ('{"latitude": 1, "longitude": 2}', "KeyError.'hourly'"),
        ("[3]", "TypeError"),
    ],
)
def test_what_cannot_be_replayed(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(UsageError, match=r"there is no \*.json to replay in"):
        simulator(replay=tmp_path)
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(UsageError, match=message):
        simulator(replay=tmp_path)


def test_replay_of_the_recorded_cities(recorded: Path) -> None:
    """The real answers come back as they were recorded, hour by hour, and the published maxima with them."""
    days = {"first": "2025-08-08", "end_date": "2025-09-20"}
    with simulator(replay=recorded) as server:
        for key in ("hanoi", "hcmc", "danang"):
            sent = json.loads((recorded / f"{key}.json").read_text())
            answer = ask(server, (sent["latitude"], sent["longitude"]), **days).json()
            assert {name: answer["hourly"][name] for name in sent["hourly"]} == sent["hourly"]
            assert answer["hourly_units"] == {name: sent["hourly_units"][name] for name in ("time", *VARIABLES)}
        hanoi = hours(server, HANOI, **days)
    highest: dict[str, int] = {}
    for at, aqi in zip(hanoi["time"], hanoi["us_aqi"], strict=True):
        highest[at[:10]] = max(aqi, highest.get(at[:10], 0))
    with (recorded / "expected_fact_city_daily.csv").open() as file:
        published = [row for row in csv.DictReader(file) if row["location_key"] == "hanoi"]
    assert {row["date_utc"]: int(row["aqi_daily_max"]) for row in published} == highest


def test_what_was_not_recorded_is_refused(replay: Callable[..., Simulator]) -> None:
    day = recording(HANOI, DAY, 1.0)
    del day["hourly"]["dust"]
    with replay(a=day) as server:
        answer = ask(server, HANOI)
        assert (answer.status_code, answer.json()["reason"]) == (400, "No data is available for dust")


def test_a_recording_without_variables_is_none(replay: Callable[..., Simulator]) -> None:
    day = recording(HANOI, DAY, 1.0)
    day["hourly"] = {"time": day["hourly"]["time"]}
    with pytest.raises(UsageError, match="is not a recorded answer of the API"):
        replay(a=day)
