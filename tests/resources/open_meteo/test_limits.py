"""Limits of the API: the client waits for the minute's, and fails at once for longer ones."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest

from orchestration.core.errors import SourceError, SourceLimited
from resources.open_meteo.requests import Request
from resources.simulator.faults import parse_faults
from resources.simulator.quota import Limits
from resources.simulator.server import Simulator
from tests.support.api_answers import CITIES, DAY, MINUTELY, NOW, ONE_DAY, VARIABLES, bad, good, now
from tests.support.clocks import SleepingClock
from tests.support.scripted_api import CannedApi, Reply

# --- what the source says -------------------------------------------------------------------------

DATE = "Mon, 13 Oct 2025 10:30:42 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "3", "Date": DATE}, 3.0),
        ({"Retry_After": "Mon, 13 Oct 2025 10:31:00 GMT", "Date": DATE}, 18.0),
        ({"Date": DATE}, 18.0),  # to the next minute of the server's clock
        ({"Retry_After": "soon", "Date": DATE}, 18.0),
        ({"Retry_After": "Fri, 31 Dec 9999 23:59:59 GMT", "Date": DATE}, 18.0),
        ({"Retry_After": "9999999999", "Date": DATE}, 18.0),
        ({}, 60.0),
    ],
)
def test_the_minutes_limit_is_waited_out(
    client: Any, clock: SleepingClock, headers: dict[str, str], seconds: float
) -> None:
    with CannedApi(bad(429, MINUTELY, **headers), good()) as server:
        client(server.url).fetch(ONE_DAY, now)
    assert clock.waited == pytest.approx(seconds)


@pytest.mark.parametrize("at_once", ["0", "Mon, 13 Oct 2025 10:00:00 GMT"])
def test_nobody_is_asked_again_without_a_pause(client: Any, clock: SleepingClock, at_once: str) -> None:
    with CannedApi(bad(429, MINUTELY, Retry_After=at_once, Date=DATE), good()) as server:
        client(server.url).fetch(ONE_DAY, now)
    assert 0.5 <= clock.waited <= 1.5, "backs off"


@pytest.mark.parametrize(
    ("answer", "remedy"),
    [
        (bad(429, "Hourly API request limit exceeded. …", Date=DATE), "Go on after 2025-10-13T11:00Z."),
        (bad(429, "Hourly API request limit exceeded. …"), "Go on in the next full hour."),
        (bad(429, "Daily API request limit exceeded. …", Date=DATE), "Go on after 2025-10-14T00:00Z."),
        (bad(429, "Daily API request limit exceeded. …"), "Go on tomorrow (UTC)."),
        (bad(503, "busy", Retry_After="3600"), "It asks to be left alone for 3600 s. Go on after that."),
    ],
)
def test_long_limits_fail_at_once(client: Any, clock: SleepingClock, answer: Reply, remedy: str) -> None:
    with CannedApi(answer) as server, pytest.raises(SourceLimited, match="to hanoi on 2025-08-08") as caught:
        client(server.url).fetch(ONE_DAY, now)
    assert caught.value.remedy.endswith(remedy)
    assert clock.waited == 0


def test_too_many_concurrent_requests_backs_off(client: Any, clock: SleepingClock) -> None:
    with CannedApi(bad(429, "Too many concurrent requests"), good()) as server:
        client(server.url).fetch(ONE_DAY, now)
    assert 0.5 <= clock.waited <= 1.5


# --- the client's own pace ------------------------------------------------------------------------


def test_the_pace_stays_under_the_minutes_limit(client: Any, clock: SleepingClock) -> None:
    moments: list[float] = []
    with Simulator(now=lambda: NOW, log=lambda _: moments.append(clock.time)) as server:
        paced = client(server.url, calls_per_minute=4)  # of 1.7 calls each: two a minute
        for _ in range(5):
            paced.fetch(ONE_DAY, now)
    assert moments == [1000, 1000, 1060, 1060, 1120]


@pytest.mark.parametrize(("limit", "remedy"), [("hour", "Go on in 60 minutes"), ("day", "Go on in 1440 minutes")])
def test_the_hours_and_days_limits_are_refused(client: Any, clock: SleepingClock, limit: str, remedy: str) -> None:
    with Simulator(now=lambda: NOW) as server:
        limited = client(server.url, **{f"calls_per_{limit}": 4})
        limited.fetch(ONE_DAY, now)
        limited.fetch(ONE_DAY, now)
        with pytest.raises(SourceLimited, match=f"hanoi on 2025-08-08 would exceed the 4 calls a {limit}") as caught:
            limited.fetch(ONE_DAY, now)
        assert server.requests_served.total() == 2
        clock.time += 86400 if limit == "day" else 3600
        limited.fetch(ONE_DAY, now)
    assert remedy in caught.value.remedy


def test_a_request_heavier_than_a_limit_is_refused(client: Any) -> None:
    with Simulator(now=lambda: NOW) as server:
        with pytest.raises(SourceLimited, match=r"weighs 1\.7 calls, more than the 1 calls a minute"):
            client(server.url, calls_per_minute=1).fetch(ONE_DAY, now)
        assert not server.requests_served


def test_refused_connections_cost_nothing(client: Any, clock: SleepingClock) -> None:
    with CannedApi() as server:
        url = server.url
    with pytest.raises(SourceError, match="asked 9 times"):
        client(url, attempts=9, backoff_seconds=0, calls_per_minute=2).fetch(ONE_DAY, now)
    assert clock.waited == 0


@pytest.mark.costly
@pytest.mark.parametrize("faults", ["", "stream_error:0.2,error_in_200:0.1,overload:0.2,timeout:0.1", "truncate:0.3"])
def test_the_source_never_has_to_say_that_its_limits_are_used_up(
    client: Any, clock: SleepingClock, faults: str
) -> None:
    """Requests of 1.7 to 11 calls, by limits that are as many times smaller, as the provider counts them."""
    free = Limits(30, 100, 220)

    def provider() -> datetime:
        return NOW + timedelta(seconds=clock.waited)

    with Simulator(now=provider, faults=parse_faults(faults), seed=7, limits=free) as server:
        calls = {"calls_per_minute": 30, "calls_per_hour": 100, "calls_per_day": 220}
        asks, ends = client(server.url, attempts=4, backoff_seconds=0.1, **calls), Counter[str]()
        for number in range(60):
            last = DAY + timedelta(days=7 * number % 30)
            try:
                asks.fetch(Request(CITIES[: 1 + number % 3], DAY, last, VARIABLES), provider)
                ends["answered"] += 1
            except SourceLimited as error:
                assert "would exceed" in error.message
                assert error.until is not None
                ends["an hour's" if "hour" in error.message else "a day's"] += 1
                clock.sleep((error.until - provider()).total_seconds() + 1)
            except SourceError:
                ends["failed"] += 1
        outcomes = server.requests_served
    assert "exceeded" not in outcomes
    assert ends["answered"] >= 25
    assert ends["an hour's"] >= 1
    assert ends["a day's"] >= 1
