"""The limits of the simulated API, counted as the provider counts them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest
import requests

from assets.variables import VARIABLES
from orchestration.core.errors import UsageError
from resources.simulator.faults import Fault
from resources.simulator.quota import Limits, Quota, parse_limits
from resources.simulator.requests import Asked, AskedLocation
from resources.simulator.server import Simulator
from tests.support.clocks import MovingClock
from tests.support.simulated_api import DANANG, HANOI, HCMC, ask

START = datetime(2025, 10, 13, 10, 59, 30, tzinfo=UTC)


def asked(locations: int, days: int, variables: int = 17) -> Asked:
    last = date(2025, 1, 1) + timedelta(days - 1)
    return Asked(
        [AskedLocation(1.0, 1.0, date(2025, 1, 1), last)] * locations, [str(number) for number in range(variables)]
    )


@pytest.mark.parametrize(
    ("request_", "weight"),
    [(asked(3, 14), 5.1), (asked(3, 365), 132.96), (asked(1, 1), 1.7), (asked(2, 1, 5), 2.0), (Asked(), 0.0)],
)
def test_what_a_request_weighs(request_: Asked, weight: float) -> None:
    assert request_.weight == pytest.approx(weight, abs=0.01)


def test_limits_as_they_are_written() -> None:
    assert parse_limits("free") == Limits() == Limits(600, 5000, 10000)
    assert parse_limits("1,2.5,3") == Limits(1, 2.5, 3)
    for text in ("", "1,2", "1,2,x", "0,1,2", "-1,1,1"):
        with pytest.raises(UsageError, match="three numbers above 0"):
            parse_limits(text)


def test_windows_are_those_of_the_calendar() -> None:
    clock = MovingClock(START)
    quota = Quota(Limits(2, 3, 5), clock)

    def call(weight: float = 1.0) -> str:
        refused = quota.enter(Asked())
        if refused is None:
            quota.count(weight)
            quota.leave()
        return "" if refused is None else json.loads(refused.body)["reason"].split()[0]

    assert [call(), call(), call()] == ["", "", "Minutely"]
    clock.pass_(seconds=30)  # a new minute, and a new hour
    assert quota.used == {"minute": 0, "hour": 0, "day": 2}
    assert [call(1.5), call(1.5)] == ["", ""], "what is not used up is exceeded by the last"
    assert call() == "Minutely"
    clock.pass_(minutes=1)
    assert call() == "Hourly"
    clock.pass_(hours=1)
    assert call() == "Daily"
    assert quota.used == {"minute": 0, "hour": 0, "day": 5}
    clock.pass_(hours=13)
    assert call() == ""


def test_the_server_refuses_what_exceeds_its_limits_and_counts_errors_once() -> None:
    clock = MovingClock(START)
    faults = [Fault("overload")]
    with Simulator(now=clock, limits=Limits(10, 50, 100), faults=faults) as server:
        assert ask(server, HANOI, HCMC, DANANG).status_code == 503
        server.faults = ()
        assert server.quota is not None
        assert server.quota.used["minute"] == 1
        assert ask(server, HANOI, HCMC, DANANG).status_code == 200
        assert server.quota.used["minute"] == pytest.approx(1 + 3 * len(VARIABLES) / 10)
        assert ask(server, latitude="91").status_code == 400
        assert ask(server, HANOI, HCMC, DANANG).status_code == 200
        refused = ask(server)
        assert (refused.status_code, refused.json()["reason"]) == (
            429,
            "Minutely API request limit exceeded. Please try again in one minute.",
        )
        assert server.requests_served == {"overload": 1, "ok": 2, "refused": 1, "exceeded": 1}
        assert requests.get(f"{server.url}/faults", timeout=5).json()["used"]["day"] == pytest.approx(12.2)
        clock.pass_(minutes=1)
        assert ask(server).status_code == 200
        heavy = ask(server, first="2023-01-01", end_date="2025-01-01")
        assert (heavy.status_code, "too much data" in heavy.json()["reason"]) == (400, True)


@pytest.mark.costly
def test_more_than_five_at_once_are_refused() -> None:
    with Simulator(now=MovingClock(START), limits=Limits(), faults=[Fault("slow")], slow_seconds=0.5) as server:
        with ThreadPoolExecutor(7) as pool:
            statuses = [answer.status_code for answer in pool.map(lambda _: ask(server), range(7))]
        assert sorted(statuses) == [200] * 5 + [429] * 2
        assert ask(server).status_code == 200
