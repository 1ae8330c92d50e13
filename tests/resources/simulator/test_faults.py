"""Every fault of the simulated API, over real HTTP."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
import requests

from assets.variables import VARIABLES
from orchestration.core.errors import UsageError
from resources.simulator.faults import FAULTS, Fault, parse_faults
from resources.simulator.server import Simulator
from tests.support.simulated_api import NOW, ask, hours, simulator

pytestmark = pytest.mark.costly  # servers, or waits


def test_faults_are_parsed() -> None:
    assert parse_faults("") == ()
    assert parse_faults(" error:0.25, slow,die:3 ") == (Fault("error", 0.25), Fault("slow"), Fault("die", 3))


def test_every_fault_says_what_it_does() -> None:
    assert all(FAULTS.values())
    assert {fault.name for fault in parse_faults(",".join(FAULTS))} == set(FAULTS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("eror", "unknown fault 'eror'\n  Did you mean 'error'?"),
        ("truncated:0.5", "Did you mean 'truncate'?"),
        ("error:often", "the rate of fault error must be a number (got 'often')"),
        ("error:", "the rate of fault error must be a number (got '')"),
        ("error:1.5", "the rate of fault error must be from 0 to 1 (got 1.5)"),
        ("error:nan", "the rate of fault error must be from 0 to 1 (got nan)"),
        ("error:-1", "the rate of fault error must be from 0 to 1 (got -1)"),
        ("die:0", "die needs a number of requests of at least 1 (got 0)"),
        ("die:1.5", "die needs a number of requests of at least 1 (got 1.5)"),
        ("die:inf", "die needs a number of requests of at least 1 (got inf)"),
    ],
)
def test_impossible_faults(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_faults(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("error", 500, "Internal server error"),
        ("overload", 503, "The service is overloaded"),
        ("limit", 429, "Minutely API request limit exceeded. Please try again in one minute."),
        ("refuse", 400, "No data is available for this location"),
    ],
)
def test_faults_with_a_reason(name: str, status: int, reason: str) -> None:
    with simulator(Fault(name)) as server:
        answer = ask(server)
        assert (answer.status_code, answer.json()) == (status, {"error": True, "reason": reason})
        assert answer.headers.get("Retry-After") == ("1" if name == "limit" else None)
        assert server.requests_served == {name: 1}


def test_faults_of_the_body() -> None:
    with simulator(Fault("html")) as server:
        answer = ask(server)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html")
        assert "Log in" in answer.text
    with simulator(Fault("nonsense")) as server:
        assert "hourly" not in ask(server).json()
    with simulator(Fault("truncate")) as server, pytest.raises(requests.exceptions.ChunkedEncodingError):
        ask(server)
    with (
        simulator(Fault("drop")) as server,
        pytest.raises(requests.ConnectionError, match="without response"),
    ):
        ask(server)


def test_slow() -> None:
    with simulator(Fault("slow"), slow_seconds=0.2) as server:
        began = time.perf_counter()
        assert ask(server).status_code == 200
        assert time.perf_counter() - began >= 0.2
        assert server.requests_served == {"slow": 1}


def test_a_rate_hits_its_share_and_the_same_requests_every_time() -> None:
    def statuses(rate: float) -> list[int]:
        with simulator(Fault("error", rate)) as server, requests.Session() as session:
            return [session.get(f"{server.url}/", timeout=5).status_code for _ in range(60)]

    some = statuses(0.3)
    assert some == statuses(0.3)
    assert 8 <= some.count(500) <= 28
    assert set(statuses(0)) == {404}


def with_faults(text: str, **more: str) -> dict[str, list[Any]]:
    with Simulator(now=lambda: NOW, faults=parse_faults(text)) as server:
        return hours(server, **more)


def test_nulls_and_negative_values(server: Simulator) -> None:
    week = {"first": "2025-08-01", "end_date": "2025-08-07"}
    true = hours(server, **week)
    for fault, is_hit in (("nulls:0.2", lambda v: v is None), ("negative:0.2", lambda v: v < 0)):
        values = with_faults(fault, **week)
        cells = [(value, true[name][at]) for name in VARIABLES for at, value in enumerate(values[name])]
        hit = [is_hit(value) for value, _ in cells]
        assert 0.15 < sum(hit) / len(hit) < 0.25
        assert all(bad or value == right for bad, (value, right) in zip(hit, cells, strict=True))
        # The same values are hit whatever the range, so that a repeated request gets the same answer.
        assert with_faults(fault, first="2025-08-03")["pm10"] == values["pm10"][48:72]
    every = with_faults("negative")
    assert all(value < 0 for name in VARIABLES for value in every[name])


def test_doubled_hours(server: Simulator) -> None:
    true = hours(server)
    same = with_faults("duplicate:0.5")
    assert 24 < len(same["time"]) < 48
    rows = list(zip(*same.values(), strict=True))
    assert list(dict.fromkeys(rows)) == list(zip(*true.values(), strict=True))
    different = with_faults("conflict")
    assert different["time"] == sorted(true["time"] * 2)
    assert different["pm2_5"][::2] == true["pm2_5"]
    assert all(a != b for a, b in zip(different["pm2_5"][::2], different["pm2_5"][1::2], strict=True))


def test_recent_days_are_revised(server: Simulator) -> None:
    days = {"first": "2025-10-09", "end_date": "2025-10-14"}
    true, revised = hours(server, **days), with_faults("revise", **days)
    assert revised["pm2_5"][:48] == true["pm2_5"][:48]  # the 9th and 10th are settled,
    assert revised["pm2_5"][48:120] != true["pm2_5"][48:120]  # the 11th to 13th are not,
    assert revised["pm2_5"][120:] == true["pm2_5"][120:]  # and the 14th is a forecast
    later = NOW + timedelta(days=1)
    with Simulator(now=lambda: later, faults=[Fault("revise")]) as server_later:
        assert hours(server_later, **days)["pm2_5"][72:120] != revised["pm2_5"][72:120]


def test_dying_after_some_requests() -> None:
    with simulator(Fault("die", 3)) as server, requests.Session() as session:
        assert [session.get(f"{server.url}/", timeout=5).status_code for _ in range(3)] == [404] * 3
        for _ in range(3):
            with pytest.raises(requests.ConnectionError):
                session.get(f"{server.url}/", timeout=5)
        assert server.requests_served.total() == 3
