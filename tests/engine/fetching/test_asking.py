"""How a run asks a source, over real HTTP: once open nothing more is asked; ``--wait`` waits, and ends when told to."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from orchestration.core.errors import (
    FetchCancelled,
    SourceError,
    SourceKeyRefused,
    SourceLimited,
    SourceNotAsked,
    SourceRefused,
    SourceUnreachable,
)
from orchestration.core.partitions.keys import Days, PartitionSet
from orchestration.core.source import Reply
from orchestration.engine.asking import Askings
from orchestration.engine.fetching import Fetching
from resources.open_meteo.source import OpenMeteo
from resources.simulator.server import Fault
from tests.support.clocks import SleepingClock
from tests.support.fetches import (
    ENDED,
    HCMC,
    KEYS,
    LATITUDES,
    STEP,
    TWO_DAYS,
    good_answer,
    outcomes,
    refusal,
    simulator,
    source,
)
from tests.support.scripted_api import CannedApi, ScriptedApi

pytestmark = pytest.mark.costly  # servers, or waits

MONTH = PartitionSet.of(Days.of(date(2025, 7, 1), date(2025, 7, 30)), KEYS)
DAILY = "Daily API request limit exceeded. Please try again tomorrow."
HOURLY = "Hourly API request limit exceeded. Please try again in the next hour."


def errors(asked: Fetching, step: str = STEP) -> list[SourceError]:
    return list(asked.errors(step).values())


# --- nothing more is asked ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (refusal(429, DAILY), SourceLimited),
        (refusal(400, DAILY), SourceLimited),
        (refusal(200, DAILY), SourceLimited),
        (refusal(400, "The supplied API key is invalid."), SourceKeyRefused),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_what_is_of_no_location_is_asked_once_in_a_run(
    reply: tuple[int, bytes], kind: type[SourceError], at_once: bool
) -> None:
    """Thirty requests, by several threads or one after the other."""
    with ScriptedApi(lambda latitudes, number: reply) as server:
        asked = source(server.url, MONTH, max_days=1)
        if at_once:
            asked.fetch_all()
        else:
            outcomes(asked)
        assert len(server.asked) == 1
    found = errors(asked)
    assert len(found) == 90
    assert sum(isinstance(error, SourceNotAsked) for error in found) == 87
    (because,) = {error.because for error in found if isinstance(error, SourceNotAsked)}
    assert type(because) is kind


def test_it_is_for_the_whole_run() -> None:
    """What a look met, the run does not ask for, nor any other of its steps."""
    with ScriptedApi(lambda latitudes, number: refusal(429, DAILY)) as server:
        looked = source(server.url)
        looked.fetch_all()
        asked = source(server.url, {"a": TWO_DAYS, "b": MONTH}, looked=looked)
        outcomes(asked)
        assert len(server.asked) == 1
    assert {type(error) for error in errors(asked, "a")} == {SourceLimited}
    assert {type(error) for error in errors(asked, "b")} == {SourceNotAsked}


def test_each_source_has_its_own() -> None:
    askings = Askings()
    with simulator(faults=[Fault("limit")]) as limited, simulator() as good:
        outcomes(source(limited.url, askings=askings, attempts=1))
        assert askings.of("feed").breaker.opened is not None
        assert askings.of("other").breaker.opened is None
        assert outcomes(source(good.url)) == dict.fromkeys(KEYS, 35)


def test_an_unreachable_host_is_asked_for_one_request() -> None:
    with simulator() as server:
        url = server.url
    asked = source(url, MONTH, max_days=1)
    asked.fetch_all()
    kinds = [type(error) for error in errors(asked)]
    assert kinds.count(SourceUnreachable) == 3
    assert kinds.count(SourceNotAsked) == 87


def test_a_server_that_fails_is_left_alone_after_several_requests() -> None:
    with ScriptedApi(lambda latitudes, number: refusal(503, "overloaded")) as server:
        asked = source(server.url, MONTH, max_days=1)
        asked.fetch_all()
        assert len(server.asked) == 3 * 2 + 3
    kinds = [type(error) for error in errors(asked)]
    assert (kinds.count(SourceError), kinds.count(SourceNotAsked)) == (9, 81)


def test_what_came_before_is_kept_and_what_comes_after_is_not_asked() -> None:
    def answer(latitudes: list[str], number: int) -> tuple[int, bytes]:
        return refusal(429, DAILY) if number > 1 else good_answer(latitudes)

    with ScriptedApi(answer) as server:
        asked = source(server.url, {"a": TWO_DAYS, "b": TWO_DAYS, "c": TWO_DAYS})
        outcomes(asked)
        assert len(server.asked) == 2
    assert asked.fetched("a") == TWO_DAYS
    assert {type(error) for error in errors(asked, "c")} == {SourceNotAsked}


def test_for_any_replies_no_more_is_sent_than_is_allowed() -> None:
    """(Requests without faults) × attempts + one a location."""
    replies = [refusal(400, "No data is available for this location"), refusal(500, "?"), refusal(503, "?")]
    replies += [(200, b"{}"), (200, b"stream error"), (404, b""), (502, b"<html>"), refusal(429, "Minutely")]
    for seed in range(25):
        chance = random.Random(seed)
        share = chance.choice([0.2, 0.5, 0.8, 1.0])
        bad = [latitude for latitude in LATITUDES.values() if chance.random() < 0.3]

        def answer(
            latitudes: list[str], number: int, chance: random.Random = chance, share: float = share, bad: Any = bad
        ) -> tuple[int, bytes]:
            if set(bad) & set(latitudes) or chance.random() < share:
                return chance.choice(replies)
            return good_answer(latitudes)

        with ScriptedApi(answer) as server:
            asked = source(server.url, TWO_DAYS, max_days=1, request_deadline_seconds=0.5)
            asked.fetch_all()
            assert len(server.asked) <= 2 * 2 + 3, seed
        brought = asked.fetched(STEP)
        failed = PartitionSet.union_of(task.partitions for task in asked.errors(STEP))
        assert brought | failed == TWO_DAYS and not brought & failed


# --- --wait -------------------------------------------------------------------------------------------------------


@pytest.fixture
def told() -> list[str]:
    return []


def waiting(told: list[str], clock: SleepingClock) -> Askings:
    return Askings(wait=True, tell=told.append, sleep=clock.sleep)


GOOD = good_answer(list(LATITUDES.values()))[1]


@pytest.mark.parametrize("status", [429, 400])
@pytest.mark.parametrize(
    ("reason", "until", "seconds"),
    [(HOURLY, "2025-08-09T11:00:00Z", 1800 - 20), (DAILY, "2025-08-10T00:00:00Z", 13.5 * 3600 - 20)],
)
def test_a_limit_is_waited_for_by_the_clock_of_the_source(
    told: list[str], status: int, reason: str, until: str, seconds: float
) -> None:
    clock = SleepingClock()
    dated = {"Date": "Sat, 09 Aug 2025 10:30:20 GMT"}
    limited = (status, dated, refusal(status, reason)[1])
    with CannedApi(limited, limited, (200, dated, GOOD)) as server:
        asked = source(server.url, askings=waiting(told, clock), attempts=1)
        outcomes(asked)
        assert len(server.asked) == 3
    assert clock.waited == pytest.approx(2 * (seconds + 1))
    assert len(told) == 2
    assert told[0].startswith(f"waiting for the source's limit until {until}: 127.0.0.1")
    assert reason in told[0]
    assert asked.errors(STEP) == {}
    assert asked.fetched(STEP) == TWO_DAYS


class Limited(OpenMeteo):
    """Our own pace, or another source's limit: it begins anew in ``seconds``, and it may be that nothing was sent."""

    seconds: float | None = 90.0
    left = 0
    times = 1

    def fetch(self, request: Any, now: Any, cancelled: Any, attempts: int | None = None) -> Reply:
        if self.times:
            self.times -= 1
            error = SourceLimited("used up", wait_seconds=self.seconds)
            error.attempts_left = self.left if attempts is None or self.left == 0 else attempts
            raise error
        return super().fetch(request, now, cancelled, attempts)


def test_our_own_pace_is_waited_for(told: list[str]) -> None:
    clock = SleepingClock()
    with simulator() as server:
        asked = source(server.url, askings=waiting(told, clock), kind=Limited)
        assert outcomes(asked) == dict.fromkeys(KEYS, 35)
    assert told == ["waiting for the source's limit until 2025-08-09T10:31:31Z: used up"]
    assert clock.waited == 91


def test_a_limit_without_an_end_is_looked_at_every_minute(told: list[str]) -> None:
    class Vague(Limited):
        seconds = None
        times = 3

    clock = SleepingClock()
    with simulator() as server:
        asked = source(server.url, askings=waiting(told, clock), kind=Vague)
        assert outcomes(asked) == dict.fromkeys(KEYS, 35)
    assert clock.waited == 3 * 61


class Endless(Limited):
    """A limit that is told to last a minute, and never ends."""

    seconds = 59.0
    times = 10_000
    left = 1


def test_a_limit_that_does_not_end_is_asked_about_less_and_less_and_given_up(told: list[str]) -> None:
    clock = SleepingClock()
    askings = Askings(wait=True, tell=told.append, sleep=clock.sleep, most_seconds=25 * 3600)
    with simulator() as server:
        asked = source(server.url, askings=askings, kind=Endless)
        outcomes(asked)
        assert not server.requests_served
    (limited,) = (error for error in set(errors(asked)) if isinstance(error, SourceLimited))
    assert re.search(r"waited 1[34]\d\d min for it, \d\d times in a row, and longer than", limited.message), limited
    assert "sources.limit_wait_minutes (1500)" in limited.message
    assert "The same command goes on after 2025-08-0" in limited.remedy
    assert "aqi doctor" in limited.remedy
    assert clock.waited <= 25 * 3600
    assert len(told) < 40, "a day of it, and not one request a minute"


def test_a_limit_that_lasts_longer_than_a_run_may_wait_is_told_at_once(told: list[str]) -> None:
    clock = SleepingClock()
    with simulator() as server:
        asked = source(
            server.url,
            askings=Askings(wait=True, tell=told.append, sleep=clock.sleep, most_seconds=60),
            kind=Limited,
        )
        outcomes(asked)
    (limited,) = (error for error in set(errors(asked)) if isinstance(error, SourceLimited))
    assert "it lasts until 2025-08-09T10:31:31Z, and longer than sources.limit_wait_minutes (1)" in limited.message
    assert not told
    assert not clock.slept


def test_an_answer_begins_the_waiting_anew(told: list[str]) -> None:
    class Slow(Limited):
        """Each request waits a minute and a half once."""

        def fetch(self, request: Any, now: Any, cancelled: Any, attempts: int | None = None) -> Reply:
            if attempts is None:
                self.times = 1
            return super().fetch(request, now, cancelled, attempts)

    clock = SleepingClock()
    with simulator() as server:
        askings = Askings(wait=True, tell=told.append, sleep=clock.sleep, most_seconds=100)
        asked = source(server.url, MONTH, max_days=5, askings=askings, kind=Slow)
        outcomes(asked)
    assert asked.errors(STEP) == {}
    assert clock.waited == 6 * 91


def test_what_no_waiting_mends_is_not_waited_for(told: list[str]) -> None:
    """A request that is larger than the whole limit, which nobody was asked."""
    clock = SleepingClock()
    with simulator() as server:
        asked = source(server.url, askings=waiting(told, clock), calls_per_hour=1, max_weight_per_request=0.1)
        outcomes(asked)
        assert not server.requests_served
    assert {type(error) for error in errors(asked)} == {SourceLimited, SourceNotAsked}
    assert not told


def test_without_it_nothing_is_waited_for(told: list[str]) -> None:
    clock = SleepingClock()
    with simulator() as server:
        asked = source(server.url, askings=Askings(tell=told.append, sleep=clock.sleep), kind=Limited)
        assert {type(error) for error in outcomes(asked).values()} == {SourceLimited}
        assert not server.requests_served
    assert not told
    assert not clock.slept


@pytest.fixture
def waits(told: list[str]) -> Iterator[tuple[Fetching, threading.Thread, threading.Event]]:
    """Fetches of which one waits for the limit, and the others for their turn; in real time."""
    begun = threading.Event()

    def tell(text: str) -> None:
        told.append(text)
        begun.set()

    with simulator() as server:
        days = TWO_DAYS | PartitionSet.of(Days.of(ENDED - timedelta(days=9)), KEYS)
        asked = source(server.url, days, max_days=1, askings=Askings(wait=True, tell=tell), kind=Limited)
        thread = threading.Thread(target=asked.fetch_all)
        thread.start()
        yield asked, thread, begun
        asked.cancel()
        thread.join(10)
        assert not server.requests_served


def test_who_waits_ends_when_the_run_is_cancelled(
    waits: tuple[Fetching, threading.Thread, threading.Event], told: list[str]
) -> None:
    asked, thread, begun = waits
    assert begun.wait(10)
    asked.cancel()
    thread.join(3)
    assert not thread.is_alive()
    assert {type(error) for error in errors(asked)} == {FetchCancelled}
    assert len(told) == 1


def test_a_source_that_is_given_no_number_of_attempts_is_asked_as_it_is_set_to() -> None:
    """One of a project of before there were any."""

    class Old(OpenMeteo):
        def fetch(self, request: Any, now: Any, cancelled: Any) -> Reply:  # type: ignore[override]
            return super().fetch(request, now, cancelled)

    with simulator(refuse_locations={HCMC}) as server:
        found = outcomes(source(server.url, kind=Old))
        assert server.requests_served == {"refused": 2, "ok": 2}
    assert isinstance(found.pop("hcmc"), SourceRefused)
    assert found == {"hanoi": 35, "danang": 35}
