"""The client over real HTTP: what it sends, what it asks again, and what a failed fetch means."""

from __future__ import annotations

import threading
from datetime import datetime
from typing import Any

import pytest

from orchestration.core.errors import (
    ConfigurationError,
    FetchCancelled,
    SourceError,
    SourceKeyRefused,
    SourceLimited,
    SourceNonsense,
    SourceRefused,
    SourceUnreachable,
)
from resources.open_meteo.client import OpenMeteoClient
from resources.open_meteo.settings import OpenMeteoSettings
from resources.settings.secret import Address
from resources.simulator.faults import Fault
from resources.simulator.server import Simulator
from tests.support.api_answers import MINUTELY, NOW, ONE_DAY, TWO_CITIES, VARIABLES, bad, document, good, now
from tests.support.clocks import SleepingClock
from tests.support.scripted_api import CannedApi, Reply

pytestmark = pytest.mark.costly  # servers, or waits


def test_what_is_sent(client: Any) -> None:
    with CannedApi(good([document(48)] * 2)) as server:
        client(server.url + "/", api_key="k&y").fetch(TWO_CITIES, now)
    assert server.asked == [
        "/v1/air-quality?latitude=21.0278%2C10.8231&longitude=105.8342%2C106.6297&hourly="
        + "%2C".join(VARIABLES)
        + "&domains=auto&start_date=2025-08-08&end_date=2025-08-09&timezone=UTC&apikey=k%26y"
    ]
    assert server.agents == ["air-quality-lakehouse"]


def test_fetches_from_the_simulator(client: Any) -> None:
    with Simulator(now=lambda: NOW) as server:
        answers = client(server.url).fetch(TWO_CITIES, now).answers
    assert [(a.location_key, a.table.num_rows) for a in answers] == [("hanoi", 48), ("hcmc", 48)]
    assert answers[0].digests != answers[1].digests


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        (
            "error",
            SourceError,
            r"answered HTTP 500 \(Internal server error\); asked 3 times for hanoi on 2025-08-08",
        ),
        (
            "overload",
            SourceError,
            r"answered HTTP 503 \(The service is overloaded\); asked 3 times for hanoi",
        ),
        ("limit", SourceLimited, r"HTTP 429 \(Minutely API request limit .*\); asked 3 times for hanoi"),
        (
            "drop",
            SourceUnreachable,
            r"refused or broke the connection \(RemoteDisconnected\); asked 3 times for hanoi",
        ),
        ("truncate", SourceUnreachable, "cut its answer short; asked 3 times for hanoi"),
        ("slow", SourceUnreachable, r"did not answer within 0\.1 s; asked 3 times for hanoi"),
    ],
)
def test_passing_faults_are_retried(
    client: Any, clock: SleepingClock, fault: str, kind: type[SourceError], message: str
) -> None:
    with Simulator(now=lambda: NOW, faults=[Fault(fault)]) as server:
        with pytest.raises(SourceError, match=message) as caught:
            client(server.url, read_timeout_seconds=0.1 if fault == "slow" else 5.0).fetch(ONE_DAY, now)
        if fault != "slow":
            assert server.requests_served == {fault: 3}
    assert type(caught.value) is kind
    assert "127.0.0.1" in caught.value.message
    assert "Ask again later" in caught.value.remedy
    if fault == "limit":
        assert clock.waited == 2.0  # Retry-After: 1, twice
    else:  # 1 and 2 seconds, each from half to one and a half times as long
        assert 1.5 <= clock.waited <= 4.5


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        ("refuse", SourceRefused, "refused hanoi on 2025-08-08: No data is available for this location"),
        ("html", SourceNonsense, "answered hanoi on 2025-08-08 with an HTML page instead of JSON"),
        ("nonsense", SourceNonsense, r"the keys \['data'\] instead of an object 'hourly'"),
        (
            "conflict",
            SourceNonsense,
            "hanoi on 2025-08-08 with two different values for the hour 2025-08-08T00:00Z",
        ),
    ],
)
def test_lasting_faults_are_not_retried(
    client: Any, clock: SleepingClock, fault: str, kind: type[SourceError], message: str
) -> None:
    with Simulator(now=lambda: NOW, faults=[Fault(fault)]) as server:
        with pytest.raises(SourceError, match=message) as caught:
            client(server.url).fetch(ONE_DAY, now)
        assert server.requests_served.total() == 1
    assert type(caught.value) is kind
    assert clock.waited == 0


def test_duplicates_are_harmless_and_bad_values_pass_through(client: Any) -> None:
    def fetch(*faults: Fault) -> Any:
        with Simulator(now=lambda: NOW, faults=faults) as server:
            return client(server.url).fetch(ONE_DAY, now).answers[0].table

    assert fetch(Fault("duplicate", 0.5)) == fetch()
    assert fetch(Fault("nulls"))["pm2_5"].null_count == 24
    assert max(fetch(Fault("negative"))["us_aqi"].to_pylist()) < 0


def test_a_fault_that_passes(client: Any, clock: SleepingClock) -> None:
    short = document()
    with CannedApi(bad(502, "Bad gateway"), bad(503, "busy", Retry_After="7"), good(short)) as server:
        (answer,) = client(server.url).fetch(ONE_DAY, now).answers
    assert answer.table.num_rows == 24
    assert 7.5 <= clock.waited <= 8.5  # a back-off of 0.5 to 1.5 s, then the 7 s asked for
    assert max(clock.slept) <= 1.0


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, SourceNonsense),
        (400, SourceNonsense),
        (401, SourceKeyRefused),
        (404, SourceNonsense),
    ],
)
def test_other_answers_are_final(client: Any, status: int, kind: type[SourceError]) -> None:
    with CannedApi((status, {"Location": "/"}, b"<html>")) as server:
        with pytest.raises(SourceError, match=f"answered HTTP {status} to hanoi on 2025-08-08") as caught:
            client(server.url).fetch(ONE_DAY, now)
        assert len(server.asked) == 1
    assert type(caught.value) is kind
    assert "base_url" in caught.value.remedy


def test_nobody_listens(client: Any) -> None:
    with CannedApi() as server:
        url = server.url
    with pytest.raises(
        SourceUnreachable, match=r"127\.0\.0\.1:\d+ refused or broke the connection .Connection refused.; "
    ):
        client(url).fetch(ONE_DAY, now)


@pytest.mark.parametrize("url", ["air-quality-api.open-meteo.com", "ftp://x", "http://", ""])
def test_a_base_url_is_checked(url: str) -> None:
    with pytest.raises(ConfigurationError, match="must be like https://air-quality-api"):
        OpenMeteoClient(OpenMeteoSettings.model_construct(base_url=Address(url)))


KEY = "se/cret=1"


@pytest.mark.parametrize(
    "answer",
    [
        bad(400, f"apikey={KEY} has no access; apikey=se%2Fcret%3D1"),
        bad(500, f"apikey={KEY}"),
        bad(401, KEY),
        (200, {}, f"<html>{KEY}".encode()),
        (200, {"Content-Length": "10"}, b"{}"),
        None,
    ],
)
def test_the_key_is_never_told(client: Any, answer: Reply | None) -> None:
    with CannedApi(*[answer] * 3 if answer else []) as server:
        url = server.url
        if answer:
            with pytest.raises(SourceError) as caught:
                client(url, api_key=KEY).fetch(ONE_DAY, now)
            assert "apikey=se%2Fcret%3D1" in server.asked[0]
    if not answer:
        with pytest.raises(SourceError) as caught:
            client(url, api_key=KEY).fetch(ONE_DAY, now)
    error = caught.value
    assert not error.__cause__ and (error.__suppress_context__ or not error.__context__)
    assert not any(secret in str(error) for secret in (KEY, "se%2Fcret%3D1"))


def test_cancelling_while_it_waits(client: Any, clock: SleepingClock) -> None:
    with CannedApi(bad(429, MINUTELY)) as server:
        with pytest.raises(FetchCancelled, match=r"hanoi on 2025-08-08 from 127\.0\.0\.1:\d+ was cancelled"):
            client(server.url).fetch(ONE_DAY, now, cancelled=lambda: clock.waited >= 5)
        assert len(server.asked) == 1
    assert clock.waited == 5


def test_one_request_at_a_time() -> None:
    """Four threads share a client; the server's clock is read while a request is in it, and waits there."""
    guard, pause, at_once = threading.Lock(), threading.Event(), [0, 0]  # now, at most

    def read_slowly() -> datetime:
        with guard:
            at_once[0] += 1
            at_once[1] = max(at_once)
        pause.wait(0.03)
        with guard:
            at_once[0] -= 1
        return NOW

    with Simulator(now=read_slowly) as server:
        shared = OpenMeteoClient(OpenMeteoSettings(base_url=server.url))
        threads = [threading.Thread(target=shared.fetch, args=(ONE_DAY, now)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.requests_served == {"ok": 4}
    assert at_once[1] == 1
