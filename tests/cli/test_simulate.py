"""The simulated API on the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest
import requests

from resources.machine.clock import fixed_clock
from resources.simulator.faults import Fault
from resources.simulator.server import Simulator
from tests.support.alert_sinks import free_port
from tests.support.aqi_process import AQI
from tests.support.cli_calls import Aqi
from tests.support.raw_bronze import BRONZE, RawBronze, ago
from tests.support.this_machine import taken_port

pytestmark = pytest.mark.engine  # processes of their own


@pytest.mark.parametrize(
    ("faults", "place", "remedy"),
    [
        ("nonsens", "unknown fault 'nonsens'", "Did you mean 'nonsense'?"),
        ("slow,dorp:0.5", "unknown fault 'dorp'", "Did you mean 'drop'?"),
        ("drop@hanoy", "unknown word 'hanoy' of fault drop", "Did you mean 'hanoi'?"),
        ("drop@dust", "fault drop has no use for 'dust'", "What it can be confined to: hours, locations, times."),
    ],
)
def test_an_unknown_fault(aqi: Aqi, faults: str, place: str, remedy: str) -> None:
    told = aqi.refusal("simulate", "--fault", faults, "--port", "0")
    assert told[0] == place
    assert told[1].startswith(remedy)


def test_all_faults(aqi: Aqi) -> None:
    told = aqi.text("simulate", "--fault", "help")
    assert "\nslow: the answer comes late\n" in told
    assert told.startswith("NAME[:RATE][@ONLY]…,…\n")


def test_all_faults_as_json(aqi: Aqi) -> None:
    told = aqi.json("simulate", "--fault", "help")
    assert told["faults"]["slow"] == "the answer comes late"
    assert told["grammar"].startswith("NAME[:RATE]")


def test_where_it_serves_as_json(aqi: Aqi) -> None:
    command = [str(AQI), "simulate", "--port", "0", "--fault", "slow", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            assert requests.get(f"{told['url']}/faults", timeout=10).ok
            assert (told["replay"], told["record"], told["faults"]) == (None, None, "slow")
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=10)[0] == ""
        finally:
            process.kill()


def test_impossible_limits(aqi: Aqi) -> None:
    place, remedy = aqi.refusal("simulate", "--limits", "600", "--port", "0")
    assert place == "limits are three numbers above 0, of calls a minute, an hour and a day (got '600')"
    assert "600,5000,10000" in remedy
    place, _ = aqi.refusal("simulate", "--record", "kept", "--limits", "free")
    assert place == "--record goes without --limits"


def test_a_port_that_is_taken(aqi: Aqi) -> None:
    with taken_port() as port:
        place, remedy = aqi.refusal("simulate", "--port", str(port))
    assert place.startswith(f"cannot listen on 127.0.0.1:{port} (")
    assert "--port" in remedy


def test_broken_raw_answers_are_said_at_the_start(aqi: Aqi) -> None:
    bronze = RawBronze(aqi.folder / "lake")
    bronze.keep(ago(1))
    (file,) = bronze.raw.all(BRONZE).files
    (bronze.folder / "_aqi/raw" / file.path).write_bytes(b"")
    done = aqi("simulate", "--replay", str(bronze.folder / "_aqi/raw" / BRONZE), "--port", "0")
    assert done.exit_code == 2, "there is no other"
    assert done.stderr.startswith(f"note: the raw answer {file.path} (")
    assert "is broken: it is not replayed" in done.stderr.splitlines()[0]


def test_a_folder_without_recordings(aqi: Aqi) -> None:
    assert "no *.json to replay" in aqi.refusal("simulate", "--replay", ".", "--port", "0")[0]


def recording(hours: int = 24, value: float = 30.0, **more: object) -> str:
    """An answer about Hà Nội on 2025-08-19 that says no units."""
    hourly = {"time": [f"2025-08-19T{hour:02}:00" for hour in range(hours)], "pm2_5": [value] * 24}
    return json.dumps({"latitude": 21.0278, "longitude": 105.8342, "hourly": hourly} | more)


def test_recordings_that_cannot_be_served_are_refused_at_the_start(aqi: Aqi) -> None:
    folder = aqi.folder / "kept"
    folder.mkdir()
    (folder / "a.json").write_text(recording(hours=23))
    place, remedy = aqi.refusal("simulate", "--replay", "kept", "--port", "0")
    what = "is not a recorded answer of the API that can be served"
    assert place == f"kept/a.json {what}: pm2_5 has not a value for each hour: 24 for 23, more after 2025-08-19T22:00"
    assert remedy == "Ask the API for it again, or take it out of the folder."


def test_recordings_that_disagree(aqi: Aqi) -> None:
    folder = aqi.folder / "kept"
    folder.mkdir()
    (folder / "a.json").write_text(recording())
    (folder / "b.json").write_text(json.dumps({"data": recording(value=40.0)}))
    place, remedy = aqi.refusal("simulate", "--replay", "kept", "--port", "0")
    assert place.startswith("a.json and b.json disagree: pm2_5 at 2025-08-19T00:00Z of 21.0278, 105.8342 is 30 in")
    assert remedy == "Take one of them out; or with --newest-wins the last by name counts, here b.json."
    with served("--replay", "kept", "--newest-wins", notes=4) as (url, said):
        assert answer(url).json()["hourly"]["pm2_5"] == [40.0] * 24
    assert said[0] == "note: a.json, b.json: no unit of pm2_5 is said, taken as the API's"
    assert said[1] == "note: where answers disagree the last by name counts: 24 values, as of b.json instead of a.json"
    assert said[2].startswith("note: us_aqi, us_aqi_pm2_5, ")
    assert said[2].endswith(", carbon_dioxide never asked for at 21.0278, 105.8342: served as null")
    assert said[3] == "There are recorded answers about 2025-08-19 (UTC)."


def test_the_newest_wins_of_recordings_only(aqi: Aqi) -> None:
    place, _ = aqi.refusal("simulate", "--newest-wins", "--port", "0")
    assert place == "--newest-wins goes with --replay"


@pytest.mark.parametrize("more", [("--replay", "."), ("--fault", "drop")])
def test_recording_goes_alone(aqi: Aqi, more: tuple[str, str]) -> None:
    place, _ = aqi.refusal("simulate", "--record", "kept", *more)
    assert place == "--record goes with neither --replay nor --fault"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_recorder_before_itself(aqi: Aqi, host: str) -> None:
    """As where the address of the recorder is exported in the same shell."""
    port = free_port()
    url = f"http://{host}:{port}"
    place, remedy = aqi.refusal("simulate", "--record", "kept", "--port", str(port), AQI_OPEN_METEO__BASE_URL=url)
    assert place == f"open_meteo.base_url is {url}, which is where the requests are recorded"
    assert "name the source" in remedy


def test_a_folder_that_cannot_be_recorded_into(aqi: Aqi) -> None:
    (aqi.folder / "taken" / "x.json").parent.mkdir()
    (aqi.folder / "taken" / "x.json").write_text("{}")
    place, _ = aqi.refusal("simulate", "--record", "taken", "--port", "0")
    assert place == "taken has other files (*.json) than those that are recorded"


@contextmanager
def served(*arguments: str, notes: int = 0, **env: str) -> Iterator[tuple[str, list[str]]]:
    """Where `aqi simulate` serves, until the end; and what it said on standard error, after so many notes."""
    command = [str(AQI), "simulate", "--port", "0", *arguments]
    environment = {**os.environ, **env}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment) as process:
        said: list[str] = []
        try:
            assert process.stderr is not None
            said += [process.stderr.readline().strip() for _ in range(notes + 2)]
            yield said[-1].partition("AQI_OPEN_METEO__BASE_URL=")[2], said
            process.send_signal(signal.SIGINT)
            out, rest = process.communicate(timeout=10)
            said += rest.splitlines()
            assert out == ""
        finally:
            process.kill()
    assert process.returncode == 0


QUERY = "latitude=21.0278&longitude=105.8342&hourly=pm2_5&start_date=2025-08-19&end_date=2025-08-19"


def answer(url: str) -> requests.Response:
    return requests.get(f"{url}/v1/air-quality?{QUERY}", timeout=10)


def test_the_simulator_serves_until_it_is_interrupted(aqi: Aqi) -> None:
    with served() as (url, said):
        assert url.startswith("http://127.0.0.1:")
        assert len(answer(url).json()["hourly"]["time"]) == 24
    assert len(said) == 2


def test_it_says_whose_clock_it_has(aqi: Aqi, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only one that was set is said to be."""
    with served() as (url, _):
        reply = answer(url)
        assert (reply.headers["Date"], reply.headers["X-AQI-Clock"]) == ("Wed, 20 Aug 2025 06:00:00 GMT", "injected")
    monkeypatch.delenv("AQI_CLOCK__NOW")
    with served() as (url, _):
        reply = answer(url)
        assert "X-AQI-Clock" not in reply.headers
        date = parsedate_to_datetime(reply.headers["Date"])
        assert abs(date - datetime.now(UTC)) < timedelta(minutes=1)


def test_faults_of_one_location_a_seed_and_limits() -> None:
    faults = ("--fault", "overload:0.5,refuse@hanoi@1x", "--seed", "3", "--limits", "6,600,6000")
    with served(*faults, AQI_CLOCK__NOW="2025-08-20T06:00:00Z") as (url, _):
        statuses = [answer(url).status_code for _ in range(8)]
        counted = requests.get(f"{url}/faults", timeout=5).json()
    assert statuses[-1] == 429, "six calls were used up"
    assert counted["used"]["minute"] >= 6
    assert counted["faults"]["refuse"]["served"] == 1
    assert 400 in statuses or 503 in statuses
    assert statuses.count(503) == counted["outcomes"]["overload"]
    assert counted["requests"] == 8


def test_what_was_recorded_is_replayed_by_its_moments(aqi: Aqi) -> None:
    """Two mornings of a source that revises; then what it said on either of them, and before the first."""
    morning = datetime(2025, 8, 20, 6, tzinfo=UTC)
    values = []
    for day in (0, 1):
        with Simulator(now=fixed_clock(morning + timedelta(day)), faults=[Fault("revise")]) as source:
            with served("--record", "kept", AQI_OPEN_METEO__BASE_URL=source.url) as (url, said):
                values.append(answer(url).json()["hourly"]["pm2_5"])
            assert said[0].startswith(f"Requests to {url} are passed on to {source.url}; its answers are kept in kept")
            assert said[2] == f"kept {morning + timedelta(day):%Y-%m-%dT%H-%M-%SZ}_000{day + 1}.json"
    assert values[0] != values[1]
    for clock, wanted in (
        ("2025-08-20T05:59:59Z", None),
        ("2025-08-20T06:00:00Z", values[0]),
        ("2025-08-21T05:59:59Z", values[0]),
        ("2025-08-21T06:00:00Z", values[1]),
    ):
        with served("--replay", "kept", notes=1, AQI_CLOCK__NOW=clock) as (url, said):
            reply = answer(url)
        assert said[0] == "There are recorded answers about 2025-08-19 (UTC)."
        if wanted is None:
            assert (reply.status_code, reply.json()["reason"]) == (400, "No data is available for this location")
        else:
            assert reply.json()["hourly"]["pm2_5"] == wanted
