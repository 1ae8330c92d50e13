"""Recorded answers, played back."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assets.variables import VARIABLES
from orchestration.core.errors import UsageError
from resources.simulator.recordings import by_name, load_recordings
from resources.simulator.requests import AskedLocation
from resources.simulator.server import Simulator
from tests.support.simulated_api import HANOI, HCMC, NOW, ask, hours, simulator


def recording(location: tuple[float, float], day: date, value: float) -> dict[str, Any]:
    """A day of an answer as the API writes it, all variables alike."""
    times = [f"{day}T{hour:02}:00" for hour in range(24)]
    hourly = {"time": times} | {name: [value, None] * 12 for name in VARIABLES}
    return {"latitude": location[0], "longitude": location[1], "hourly_units": {}, "hourly": hourly}


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
        ("{", r"what is in .* is not a recorded answer of the API: x\.json \(no JSON\)"),
        ('{"latitude": 1, "longitude": 2}', r"is not a recorded answer of the API: x\.json$"),
        ("[3]", r"is not a recorded answer of the API: x\.json$"),
        (
            '{"hourly": {"time": []}}',
            r"x\.json is not a recorded answer .* that can be served: it has no latitude",
        ),
    ],
)
def test_what_cannot_be_replayed(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(UsageError, match=r"there is no \*.json to replay in"):
        simulator(replay=tmp_path)
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(UsageError) as caught:
        simulator(replay=tmp_path)
    assert re.search(message, caught.value.message)
    assert caught.value.remedy


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


def test_what_was_not_asked_for_is_null_and_said(tmp_path: Path) -> None:
    day = recording(HANOI, DAY, 1.0)
    del day["hourly"]["dust"]
    (tmp_path / "a.json").write_text(json.dumps(day))
    said: list[str] = []
    with Simulator(now=lambda: NOW, replay=tmp_path, warn=said.append) as server:
        assert hours(server)["dust"] == [None] * 24
        assert hours(server)["pm10"] == [1.0, None] * 12
        assert len(hours(server, hourly="methane")["methane"]) == 24
    assert said == [
        "a.json: no unit of us_aqi, us_aqi_pm2_5, us_aqi_pm10 and 13 more is said, taken as the API's",
        "dust, uv_index_clear_sky, ammonia, methane never asked for at 21.0278, 105.8342: served as null",
    ]


def test_a_recording_without_variables_is_none(replay: Callable[..., Simulator]) -> None:
    day = recording(HANOI, DAY, 1.0)
    day["hourly"] = {"time": day["hourly"]["time"]}
    with pytest.raises(UsageError, match="is not a recorded answer of the API"):
        replay(a=day)


def write(folder: Path, **files: Any) -> Path:
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def test_what_is_no_answer_is_passed_over_and_named(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("recorded in September")
    (tmp_path / "older").mkdir()
    (tmp_path / ".DS_Store").write_bytes(b"")
    (tmp_path / "half.json").write_text("{")
    weather = recording(HANOI, DAY, 1.0) | {"hourly": {"time": ["2025-08-08T00:00"], "temperature_2m": [20]}}
    write(tmp_path, package={"name": "app", "scripts": {"hourly": "x"}}, weather=weather, a=recording(HANOI, DAY, 1.0))
    said: list[str] = []
    load_recordings(tmp_path, said.append, wanted=VARIABLES)
    others = "half.json (no JSON), older (a folder), package.json, README.md"
    weathers = "weather.json: none of its variables is served here (temperature_2m)"
    passed = said[0].removeprefix("passed over, as no answers of the API: ")
    assert sorted(passed.split(", ")) == sorted([*others.split(", "), weathers])
    assert len(said) == 2


def test_a_file_that_is_near_an_answer_is_refused_with_the_others_that_are(tmp_path: Path) -> None:
    short, error = recording(HANOI, DAY, 1.0), {"error": True, "reason": "busy"}
    short["hourly"]["dust"].pop()
    write(tmp_path, a=recording(HANOI, DAY, 1.0), b=[recording(HCMC, DAY, 1.0), short], c={"data": error}, d=error)
    with pytest.raises(UsageError) as caught:
        load_recordings(tmp_path)
    what = "is not a recorded answer of the API that can be served: dust has not a value for each hour"
    assert f"b.json ([1]) {what}: 23 for 24, none for 2025-08-08T23:00; refused too: c.json, d.json" in str(
        caught.value
    )


def test_the_newest_by_name_wins_where_it_is_told_so(tmp_path: Path) -> None:
    write(
        tmp_path, day_9=recording(HANOI, DAY, 9.0), day_10=recording(HANOI, DAY, 10.0), day_8=recording(HANOI, DAY, 8.0)
    )
    with pytest.raises(UsageError) as caught:
        load_recordings(tmp_path)
    assert caught.value.message.startswith("day_8.json and day_9.json disagree: us_aqi at 2025-08-08T00:00Z of 21")
    assert "--newest-wins" in caught.value.remedy
    said: list[str] = []
    series, _ = load_recordings(tmp_path, said.append, newest_wins=True).answer(
        AskedLocation(*HANOI, DAY, DAY), ["dust"], NOW
    )
    assert series.values["dust"][0] == 10.0
    assert "where answers disagree the last by name counts: 408 values, as of day_9.json instead of day_8.json" in said


def test_answers_with_moments_know_what_is_new(tmp_path: Path) -> None:
    (tmp_path / "x/_aqi/raw/bronze.a").mkdir(parents=True)
    with pytest.raises(UsageError, match="--newest-wins is for answers without moments"):
        load_recordings(tmp_path / "x/_aqi/raw/bronze.a", newest_wins=True)


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"a.json is not .* that can be served: it cannot be read \(No such file"):
        load_recordings(tmp_path)


@pytest.mark.parametrize("files", [["b9", "b10", "a"], ["2025-09-02", "2025-09-10"], ["x", "x1", "xa"]])
def test_files_in_the_order_of_their_names(files: list[str]) -> None:
    wanted = {"b9": ["a", "b9", "b10"]}.get(files[0], files)
    assert sorted((Path(name) for name in reversed(files)), key=by_name) == [Path(name) for name in wanted]
