"""What the simulated API says on its bad days, over real HTTP, and what it counts."""

from __future__ import annotations

import json
import threading
import time
from datetime import timedelta
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import Any

import pytest
import requests

from resources.simulator.faults import EXCHANGE_FAULTS, VALUE_FAULTS, Fault, parse_faults
from resources.simulator.server import Simulator
from tests.conftest import SHARED
from tests.support.simulated_api import DANANG, HANOI, HCMC, NOW, ask, hours, simulator

pytestmark = pytest.mark.costly  # servers, or waits

KEYS = {"hanoi": HANOI, "hcmc": HCMC, "danang": DANANG}


def faulty(text: str, **options: Any) -> Simulator:
    return simulator(*parse_faults(text, KEYS), **options)


@pytest.mark.parametrize(
    ("fault", "status", "reason"),
    [
        ("error_in_200", 200, "Something went wrong."),
        ("wrong_key", 400, "The supplied API key is invalid."),
        ("limit_429", 429, "Daily API request limit exceeded. Please try again tomorrow."),
        ("limit_429@minute", 429, "Minutely API request limit exceeded. Please try again in one minute."),
        ("limit_400@hour", 400, "Hourly API request limit exceeded. Please try again in the next hour."),
        ("limit_400@concurrent", 400, "Too many concurrent requests"),
        (
            "variable_refused",
            400,
            "Data corrupted at path ''. Cannot initialize VariableOrDerived<CamsVariable, CamsVariableDerived> "
            "from invalid String value carbon_dioxide.",
        ),
    ],
)
def test_errors_in_the_form_of_the_api(fault: str, status: int, reason: str) -> None:
    with faulty(fault) as server:
        answer = ask(server)
        assert (answer.status_code, answer.json()) == (status, {"error": True, "reason": reason})
        assert "Retry-After" not in answer.headers, "the provider sends none"
        assert server.requests_served == {fault.partition("@")[0]: 1}


@pytest.mark.parametrize(
    ("fault", "file"),
    [
        ("error_in_200", "01_error_in_a_200.json"),
        ("stream_error_alone", "01_stream_error.txt"),
        ("domain_refused", "04_no_data_for_this_domain_400.json"),
        ("limit_429", "05_daily_limit_429.json"),
        ("wrong_key", "06_invalid_key_400.json"),
        ("variable_refused", "10_variable_refused_400.json"),
    ],
)
def test_word_for_word(fault: str, file: str) -> None:
    path = SHARED / "field" / file
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    with faulty(fault) as server:
        assert ask(server, domains="cams_europe").text.strip() == path.read_text(encoding="utf-8").strip()


def test_a_stream_that_fails() -> None:
    with faulty("stream_error") as server:
        answer = ask(server)
        assert answer.status_code == 200
        body, found, rest = answer.content.partition(b"Unexpected error while streaming data: timeoutReached")
        assert (bool(found), rest) == (True, b"")
        with simulator() as good:
            whole = ask(good).content
        assert whole.startswith(body)
        assert len(body) == len(whole) // 2
        assert ask(server, latitude="91").json()["reason"].startswith("Latitude"), "a refusal is no stream"


def test_what_stands_between_has_its_own_pages() -> None:
    with faulty("timeout") as server:
        assert (ask(server).status_code, "Request Time-out" in ask(server).text) == (408, True)
    with faulty("proxy") as server, requests.Session() as session:
        statuses = [session.get(server.url, timeout=5).status_code for _ in range(5)]
    assert sorted(statuses) == [520, 521, 522, 523, 524]
    with faulty("proxy@523") as server:
        assert [ask(server).status_code for _ in range(2)] == [523, 523]


def test_a_redirect_repeats_the_query_and_leads_to_nothing() -> None:
    with faulty("redirect@1x") as server:
        url = f"{server.url}/v1/air-quality"
        answer = requests.get(url, params={"apikey": "k", "hourly": "dust"}, timeout=5, allow_redirects=False)
        assert (answer.status_code, answer.headers["Location"]) == (
            303,
            "/customer/v1/air-quality?apikey=k&hourly=dust",
        )
        assert requests.get(server.url + answer.headers["Location"], timeout=5).status_code == 404


def test_a_domain_is_refused_by_its_name_alone() -> None:
    with faulty("domain_refused@cams_europe@hcmc") as server:
        assert ask(server).status_code == 200
        assert ask(server, HCMC, domains="auto").status_code == 200
        assert ask(server, HANOI, domains="cams_europe").status_code == 200
        assert ask(server, HANOI, HCMC, domains="cams_europe").status_code == 400


def test_bytes_that_drip() -> None:
    with faulty("drip", drip_seconds=0.001) as server:
        slow = ask(server).content
        with simulator() as good:
            assert slow == ask(good).content
    server = faulty("drip", drip_seconds=30).start()
    began = time.perf_counter()
    threading.Timer(0.1, server.stop).start()
    with pytest.raises(requests.RequestException):
        ask(server)
    assert time.perf_counter() - began < 3, "the server that is stopped lets go"


def test_an_answer_that_never_ends_until_the_server_is_stopped() -> None:
    server = faulty("endless").start()
    answer = requests.get(f"{server.url}/v1/air-quality?{QUERY}", timeout=5, stream=True)
    assert "Content-Length" not in answer.headers
    pieces = answer.iter_content(16 * 1024)
    first = next(pieces)
    assert first.startswith(b'{"latitude"')
    for _ in range(3):
        next(pieces)
    threading.Timer(0.1, server.stop).start()
    rest = b"".join(pieces)
    assert not rest.strip()


QUERY = "latitude=21.0278&longitude=105.8342&hourly=dust,carbon_dioxide&start_date=2025-08-08&end_date=2025-08-08"


@pytest.mark.parametrize(("fault", "off"), [("clock", 60), ("clock@-90m", -90), ("clock@+2h", 120)])
def test_a_clock_that_is_off(fault: str, off: int) -> None:
    with faulty(f"{fault}@hanoi") as server:
        right, wrong = ask(server, HCMC), ask(server, HANOI)
        assert parsedate_to_datetime(right.headers["Date"]) == NOW
        assert parsedate_to_datetime(wrong.headers["Date"]) == NOW + timedelta(minutes=off)
        assert wrong.status_code == 200
        assert server.requests_served == {"ok": 1, "clock": 1}
        assert parsedate_to_datetime(ask(server, HCMC).headers["Date"]) == NOW


def test_a_fault_of_one_location_so_many_times() -> None:
    with faulty("overload@hcmc@2x,error@danang") as server:
        statuses = [ask(server, *at).status_code for at in ([HANOI], [HANOI, HCMC], [HCMC], [HCMC], [DANANG, HCMC])]
    assert statuses == [200, 503, 503, 200, 500]


def test_every_fault_of_an_exchange_counts_and_says_which_requests() -> None:
    for name in EXCHANGE_FAULTS:
        with faulty(f"{name}@hcmc", slow_seconds=0, drip_seconds=0) as server:
            threading.Timer(0.1, server.stop).start() if name == "endless" else None
            ask(server, HANOI)
            query = QUERY.replace("21.0278", "10.8231").replace("105.8342", "106.6297")
            try:
                url = f"{server.url}/v1/air-quality?{query}&domains=cams_europe"
                requests.get(url, timeout=5, allow_redirects=False)
            except requests.RequestException:
                assert name in ("drop", "truncate"), name
            assert server.counted() == {
                "requests": 2,
                "outcomes": {"ok": 1, name: 1},
                "faults": {name: {"served": 1, "requests": [2]}},
            }


def test_what_was_counted_can_be_asked_for() -> None:
    """And is no request itself: neither hit, nor counted."""
    with faulty("error:0.5,nulls@hcmc@pm2_5,die:9") as server:
        for _ in range(2):
            found = requests.get(f"{server.url}/faults", timeout=5).json()
            assert found == {"requests": 0, "outcomes": {}, "faults": {}}
        for _ in range(8):
            ask(server, HCMC)
        found = requests.get(f"{server.url}/faults", timeout=5).json()
        failed = found["faults"]["error"]["requests"]
        assert found["requests"] == 8
        assert 0 < len(failed) < 8
        assert found["outcomes"] == {"error": len(failed), "ok": 8 - len(failed)}
        assert found["faults"]["nulls"]["requests"] == [number for number in range(1, 9) if number not in failed]


def test_a_seed_draws_others() -> None:
    def failed(seed: int) -> list[int]:
        with faulty("error:0.5", seed=seed) as server, requests.Session() as session:
            for _ in range(30):
                session.get(server.url, timeout=5)
            return list(server.counted()["faults"]["error"]["requests"])

    assert failed(0) == failed(0) != failed(1) == failed(1)
    week = {"first": "2025-08-01", "end_date": "2025-08-07"}
    values = []
    for seed in (0, 1):
        with faulty("nulls:0.2", seed=seed) as server:
            values.append(hours(server, **week)["pm2_5"])
    assert values[0] != values[1]


# --- values ---------------------------------------------------------------------------------------


def answer(text: str, **more: str) -> dict[str, Any]:
    with faulty(text) as server:
        found: dict[str, Any] = json.loads(ask(server, **more).content)
        assert all(name in VALUE_FAULTS for name in server.counted()["faults"])
        return found


TRUE_DAY = {"first": "2025-08-08"}


def test_nulls_of_an_hour_of_a_day_and_of_a_variable(server: Simulator) -> None:
    days = {"first": "2025-08-07", "end_date": "2025-08-09"}
    true = hours(server, **days)
    hour = answer("nulls@2025-08-08T05", **days)["hourly"]
    day = answer("nulls@2025-08-08", **days)["hourly"]
    variable = answer("nulls@pm2_5@us_aqi", **days)["hourly"]
    for name, cells in true.items():
        if name != "time":
            assert hour[name] == [None if at == 29 else value for at, value in enumerate(cells)]
            assert day[name] == [None if 24 <= at < 48 else value for at, value in enumerate(cells)]
            assert variable[name] == (72 * [None] if name in ("pm2_5", "us_aqi") else cells)
    assert answer("nulls@hcmc", **days)["hourly"] == true


def test_hours_that_are_withdrawn(server: Simulator) -> None:
    true = hours(server)
    assert answer("withdrawn")["hourly"]["time"] == []
    some = answer("withdrawn@2025-08-08T05..2025-08-08T06")["hourly"]
    assert some["time"] == [*true["time"][:5], *true["time"][7:]]
    assert some["pm2_5"] == [*true["pm2_5"][:5], *true["pm2_5"][7:]]
    assert 5 < len(answer("withdrawn:0.5")["hourly"]["time"]) < 19


def test_values_that_are_frozen(server: Simulator) -> None:
    true = hours(server)
    daily = answer("frozen")["hourly"]
    assert daily["pm2_5"] == true["pm2_5"][:12] + 12 * [true["pm2_5"][12]]
    since = answer("frozen@2025-08-08T22")["hourly"]
    assert since["us_aqi"] == [*true["us_aqi"][:23], true["us_aqi"][22]]
    next_day = answer("frozen@2025-08-08T22", first="2025-08-09")["hourly"]
    assert next_day["dust"] == 24 * [true["dust"][22]], "as firm as other values: whatever days are asked for"
    assert answer("frozen@2025-08-09")["hourly"] == true


def test_a_variable_without_a_unit(server: Simulator) -> None:
    found = answer("undefined")
    assert found["hourly_units"]["carbon_dioxide"] == "undefined"
    assert found["hourly"]["carbon_dioxide"] == 24 * [None]
    true = json.loads(ask(server).content)
    assert found["hourly"]["pm2_5"] == true["hourly"]["pm2_5"]
    assert found["hourly_units"] | {"carbon_dioxide": "ppm"} == true["hourly_units"]
    other = answer("undefined@dust@hanoi@2025-08-08")
    assert (other["hourly_units"]["dust"], other["hourly_units"]["carbon_dioxide"]) == ("undefined", "ppm")
    assert answer("undefined@dust@2025-08-07")["hourly_units"] == true["hourly_units"]


def index_by(thresholds: list[tuple[float, float]], values: list[float]) -> int:
    """The provider's index of the hours before, by DATA_MODEL: in plain Python, a second time."""
    mean = sum(values) / len(values)
    for (low, low_index), (high, high_index) in pairwise(thresholds):
        if mean <= high:
            return int(low_index + (mean - low) * (high_index - low_index) / (high - low) + 0.5)
    raise AssertionError(mean)


OLD = [(0, 0), (12, 50), (35.5, 100), (55.5, 150), (150.5, 200), (250.5, 300)]
NEW = [(0, 0), (9, 50), (35.5, 100), (55.5, 150), (125.5, 200), (225.5, 300)]


def test_another_scale_from_a_day_on(server: Simulator) -> None:
    days = {"first": "2025-01-07", "end_date": "2025-01-10"}
    true, found = hours(server, **days), answer("scale@2025-01-09", **days)["hourly"]
    assert found["pm2_5"] == true["pm2_5"]
    old, new = ([index_by(scale, true["pm2_5"][at - 24 : at]) for at in range(24, 96)] for scale in (OLD, NEW))
    assert found["us_aqi_pm2_5"][24:48] == old[:24]
    assert found["us_aqi_pm2_5"][48:] == new[24:]
    assert old[24:] != new[24:]
    parts = [cells for name, cells in found.items() if name.startswith("us_aqi_")]
    assert found["us_aqi"] == [max(row) for row in zip(*parts, strict=True)]
    assert answer("scale@2025-01-09", first="2025-01-09")["hourly"]["us_aqi"] == found["us_aqi"][48:72]


def test_faults_of_values_count_where_they_change_something() -> None:
    for name in VALUE_FAULTS:
        now = {"first": NOW.strftime("%Y-%m-%d")} if name == "revise" else {}
        with simulator(Fault(name)) as server:
            ask(server, HANOI, HCMC, **now)
            assert server.counted()["faults"] == {name: {"served": 1, "requests": [1]}}, name
            assert server.requests_served == {"ok": 1}
    with faulty("nulls@2025-08-01") as server:
        ask(server)
        assert server.counted()["faults"] == {}
