"""The simulated API's protocol, over real HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import requests

from assets.variables import VARIABLES
from orchestration.core.errors import MachineError
from resources.simulator.faults import Fault
from resources.simulator.server import HourValues, Simulator
from tests.support.simulated_api import HANOI, HCMC, ask, hours, simulator


def test_one_location_is_an_object_and_several_are_an_array(server: Simulator) -> None:
    one = ask(server, HANOI).json()
    several = ask(server, HCMC, HANOI).json()
    assert isinstance(one, dict)
    assert isinstance(several, list)
    assert [answer.get("location_id") for answer in several] == [None, 1]
    assert several[1]["hourly"] == one["hourly"] != several[0]["hourly"]


def test_an_answer_has_the_form_of_the_real_one(server: Simulator) -> None:
    answer = ask(server, HANOI).json()
    assert list(answer)[:2] == ["latitude", "longitude"]
    assert (answer["latitude"], answer["longitude"]) == (
        21.2,
        106.0,
    )  # the grid cell's, not what was asked for
    assert answer["utc_offset_seconds"] == 0
    assert list(answer["hourly"]) == list(answer["hourly_units"]) == ["time", *VARIABLES]
    assert answer["hourly_units"]["pm10"] == "\u03bcg/m³"
    assert answer["hourly_units"]["us_aqi_ozone"] == "USAQI"
    assert answer["hourly_units"]["uv_index"] == ""
    assert answer["hourly"]["time"] == [f"2025-08-08T{hour:02}:00" for hour in range(24)]
    assert all(type(value) is int for value in answer["hourly"]["us_aqi"])
    assert all(type(value) is float for value in answer["hourly"]["pm2_5"])


def test_only_what_was_asked_for(server: Simulator) -> None:
    assert list(hours(server, hourly="dust,us_aqi")) == ["time", "dust", "us_aqi"]


def test_a_list_of_days_has_one_for_each_location(server: Simulator) -> None:
    dates = {"start_date": "2025-08-08,2025-08-01", "end_date": "2025-08-08,2025-08-02"}
    first, second = ask(server, HANOI, HCMC, **dates).json()
    assert (len(first["hourly"]["time"]), len(second["hourly"]["time"])) == (24, 48)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"start_date": "2012-12-31"},
            "Parameter 'start_date' is out of allowed range from 2013-01-01 to 2025-10-20",
        ),
        (
            {"end_date": "2025-10-21"},
            "Parameter 'end_date' is out of allowed range from 2013-01-01 to 2025-10-20",
        ),
        ({"latitude": "91"}, "Latitude must be in range of -90 to 90°. Given: 91.0."),
        ({"longitude": "-180.5"}, "Longitude must be in range of -180 to 180°. Given: -180.5."),
        ({"end_date": "2025-08-07"}, "End-date must be larger or equals than start-date."),
        ({"end_date": "August"}, "Invalid date format. Make sure to use 'YYYY-MM-DD'"),
        ({"latitude": "north"}, "Invalid number in 'latitude'."),
        ({"latitude": "1,2"}, "Parameter 'latitude' and 'longitude' must have the same number of elements"),
        ({"timezone": "Asia/Ho_Chi_Minh"}, "Invalid timezone. This simulator knows UTC only."),
        ({"hourly": ""}, "Value of type 'String' required for key 'hourly'."),
        (
            {"hourly": "pm10,smog"},
            "Data corrupted at path ''. Cannot initialize VariableOrDerived<CamsVariable, "
            "CamsVariableDerived> from invalid String value smog.",
        ),
    ],
)
def test_refusals_in_the_words_of_the_api(server: Simulator, change: dict[str, str], reason: str) -> None:
    answer = ask(server, HANOI, **change)
    assert answer.status_code == 400
    assert answer.json() == {"error": True, "reason": reason}


def test_there_is_nothing_at_other_paths(server: Simulator) -> None:
    answer = requests.get(f"{server.url}/v1/forecast", timeout=5)
    assert (answer.status_code, answer.json()["reason"]) == (404, "Not Found")


def test_locations_without_data() -> None:
    with simulator(refuse_locations={HCMC}) as server:
        assert ask(server, HANOI).status_code == 200
        for locations in ([HCMC], [HANOI, HCMC]):
            answer = ask(server, *locations)
            assert answer.json() == {"error": True, "reason": "No data is available for this location"}
        assert server.requests_served == {"ok": 1, "refused": 2}


def test_it_logs_where_it_is_asked_to(capfd: pytest.CaptureFixture[str]) -> None:
    lines: list[str] = []
    with simulator(log=lines.append) as server:
        ask(server, HANOI)
        ask(server, HANOI, latitude="91")
    assert [line.split()[-1] for line in lines] == ["ok", "refused"]
    assert all(line.startswith("GET /v1/air-quality (python-requests/") for line in lines)
    with simulator(Fault("drop")) as server, pytest.raises(requests.ConnectionError):
        ask(server, HANOI)
    assert capfd.readouterr() == ("", "")


def test_a_taken_port(server: Simulator) -> None:
    port = int(server.url.rsplit(":", 1)[1])
    with pytest.raises(MachineError, match=rf"cannot listen on 127\.0\.0\.1:{port} \(Address already in use\)"):
        simulator(port=port)


def test_stopping_twice_and_without_a_start() -> None:
    for server in (simulator(), simulator().start()):
        server.stop()
        server.stop()
        with pytest.raises(requests.ConnectionError):
            ask(server)


def test_overriding_values() -> None:
    """A revision, and an hour that the provider withdrew."""

    def revise(latitude: float, longitude: float, values: HourValues) -> HourValues | None:
        if values["time"].endswith("T05:00"):
            return None
        return values | {"dust": 12.5} if (latitude, longitude) == HANOI else values

    with simulator(override=revise) as server:
        hanoi, hcmc = (answer["hourly"] for answer in ask(server, HANOI, HCMC).json())
    assert hanoi["dust"] == [12.5] * 23
    assert 12.5 not in hcmc["dust"]
    assert "2025-08-08T05:00" not in hanoi["time"]
    assert len(hanoi["pm10"]) == 23


@pytest.mark.parametrize(
    ("options", "date", "clock"),
    [
        ({}, "Mon, 13 Oct 2025 10:30:00 GMT", "injected"),
        ({"injected": False}, "Mon, 13 Oct 2025 10:30:00 GMT", None),
        ({"date_offset": timedelta(days=1, hours=-1)}, "Tue, 14 Oct 2025 09:30:00 GMT", "injected"),
    ],
)
def test_answers_say_by_which_clock_they_are_dated(options: dict[str, Any], date: str, clock: str | None) -> None:
    """Refusals and canned ones too."""
    with simulator(**options) as server, simulator(Fault("limit"), **options) as limited:
        for answer in (ask(server), ask(server, latitude="91"), ask(limited)):
            assert (answer.headers["Date"], answer.headers.get("X-AQI-Clock")) == (date, clock)
        assert ask(limited).headers["Retry-After"] == "1"
        assert ask(server).json()["hourly"]["time"][0] == "2025-08-08T00:00"
