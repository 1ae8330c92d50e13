"""Two clocks, the run's and the source's: which of them says when it was asked, and when they are too far apart."""

from __future__ import annotations

from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestration.core.errors import SourceClock, SourceNonsense
from resources.open_meteo.clocks import Exchange
from resources.open_meteo.requests import Request
from resources.open_meteo.settings import OpenMeteoSettings
from resources.simulator.faults import Fault
from resources.simulator.server import Simulator
from tests.support.api_answers import MINUTELY, NOW, ONE_DAY, bad, good, now
from tests.support.clocks import SleepingClock
from tests.support.scripted_api import CannedApi, Reply

TODAY = Request(ONE_DAY.locations, NOW.date(), NOW.date(), ONE_DAY.variables)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def dated(date: datetime, headers: dict[str, str]) -> Reply:
    status, others, body = good()
    return status, others | {"Date": format_datetime(date, usegmt=True)} | headers, body


# --- too far apart --------------------------------------------------------------------------------


@pytest.mark.parametrize("off", [timedelta(days=1), HOUR, 6 * MINUTE])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("is_injected", [False, True])
def test_a_source_by_another_clock_is_refused(client: Any, off: timedelta, sign: int, is_injected: bool) -> None:
    with Simulator(now=now, injected=is_injected, date_offset=sign * off) as server:
        with pytest.raises(SourceClock) as caught:
            client(server.url, injected_clock=is_injected).fetch(ONE_DAY, now)
        assert server.requests_served == {"ok": 1}, "asking again is no use"
    told = (NOW + sign * off).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert f"its clock says {told}, the run's 2025-10-13T10:30:00Z: more than 5 min apart" in caught.value.message
    assert "hanoi on 2025-08-08" in caught.value.message
    assert ("AQI_CLOCK__NOW" if is_injected else "date -u") in caught.value.remedy


@pytest.mark.parametrize("off", [5 * MINUTE, -5 * MINUTE, timedelta(0), -HOUR])
def test_within_the_setting_it_is_not(client: Any, off: timedelta) -> None:
    with Simulator(now=now, injected=False, date_offset=off) as server:
        sent = client(server.url, max_clock_difference_minutes=60 if off == -HOUR else 5).fetch(ONE_DAY, now)
    assert sent.asked == NOW + off
    assert sent.answers[0].table.num_rows == 24


def test_a_date_while_it_was_asked_is_not_off() -> None:
    """The answer takes half an hour, and its Date may lie anywhere within."""
    for minutes, apart in ((-5, 5), (0, 0), (20, 0), (30, 0), (33, 3)):
        assert Exchange(NOW, NOW + 30 * MINUTE, NOW + minutes * MINUTE).apart == apart * MINUTE


def test_a_clock_that_is_set_back_meanwhile() -> None:
    assert Exchange(NOW, NOW - HOUR, NOW - HOUR).apart == timedelta(0)
    assert Exchange(NOW, NOW - HOUR, NOW + HOUR).apart == HOUR


def test_an_answer_that_is_none_is_told_first(client: Any) -> None:
    """The clock of whoever answers in its place does not matter."""
    with Simulator(now=now, date_offset=HOUR, faults=[Fault("html")]) as server, pytest.raises(SourceNonsense):
        client(server.url).fetch(ONE_DAY, now)


@pytest.mark.parametrize("minutes", [0, -5, "soon"])
def test_a_setting_that_is_none(minutes: Any) -> None:
    with pytest.raises(ValidationError, match="max_clock_difference_minutes"):
        OpenMeteoSettings(max_clock_difference_minutes=minutes)


# --- which are compared ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("injected_clock", "headers", "is_compared"),
    [
        (False, {}, True),
        (False, {"X-AQI-Clock": "injected"}, True),
        (True, {}, False),
        (True, {"X-AQI-Clock": "injected"}, True),
        (True, {"X-AQI-Clock": "system"}, False),
    ],
)
def test_clocks_of_one_kind_are_compared(
    client: Any, injected_clock: bool, headers: dict[str, str], is_compared: bool
) -> None:
    with CannedApi(dated(NOW - 2 * MINUTE, headers), dated(NOW - HOUR, headers)) as server:
        asks = client(server.url, injected_clock=injected_clock)
        assert asks.fetch(ONE_DAY, now).asked == (NOW - 2 * MINUTE if is_compared else NOW)
        if is_compared:
            with pytest.raises(SourceClock):
                asks.fetch(ONE_DAY, now)
        else:
            assert asks.fetch(ONE_DAY, now).asked == NOW


@pytest.mark.parametrize("date", [None, "yesterday", "Mon, 99 Oct 2025 10:30:42 GMT", ""])
def test_without_a_date_the_runs_clock_counts(client: Any, date: str | None) -> None:
    status, headers, body = good()
    with CannedApi((status, headers | ({} if date is None else {"Date": date}), body)) as server:
        assert client(server.url).fetch(ONE_DAY, now).asked == NOW


def test_a_date_without_a_zone_is_utc(client: Any) -> None:
    status, headers, body = good()
    with CannedApi((status, headers | {"Date": "Mon, 13 Oct 2025 10:31:00 -0000"}, body)) as server:
        assert client(server.url).fetch(ONE_DAY, now).asked == NOW + MINUTE


# --- the moment of asking -------------------------------------------------------------------------


def test_it_is_that_of_the_attempt_that_succeeds(client: Any, clock: SleepingClock) -> None:
    """A minute's limit is waited out, and an hour begins meanwhile."""
    late = NOW.replace(minute=59, second=30)

    def goes_on() -> datetime:
        return late + timedelta(seconds=clock.waited)

    with CannedApi(bad(429, MINUTELY, Retry_After="60"), good()) as server:
        sent = client(server.url).fetch(ONE_DAY, goes_on)
    assert sent.asked == late + MINUTE


@pytest.mark.parametrize(
    ("ours", "date", "asked", "hours"),
    [
        ("10:58:00", "10:57:00", "10:57:00", 11),
        ("10:58:00", "10:59:30", "10:59:30", 11),
        ("10:58:00", "11:01:00", "10:58:00", 11),
        ("11:02:00", "10:58:00", "10:58:00", 11),
        ("11:02:00", "11:00:00", "11:00:00", 12),
    ],
)
def test_an_hour_that_has_not_begun_by_both_never_enters(
    client: Any, ours: str, date: str, asked: str, hours: int
) -> None:
    def at(text: str) -> datetime:
        return datetime.fromisoformat(f"{NOW.date()}T{text}+00:00")

    with Simulator(now=lambda: at(ours), date_offset=at(date) - at(ours)) as server:
        sent = client(server.url).fetch(TODAY, lambda: at(ours))
    assert sent.asked == at(asked)
    assert sent.answers[0].table.num_rows == hours


instants = st.integers(-7200, 7200).map(lambda seconds: NOW + timedelta(seconds=seconds))


@given(instants, instants, st.none() | instants)
def test_no_hour_later_than_by_either_clock(before: datetime, after: datetime, date: datetime | None) -> None:
    exchange = Exchange(before, after, date)
    assert exchange.asked in (before, date)
    assert int(exchange.asked.timestamp() // 3600) == min(int(it.timestamp() // 3600) for it in (before, date) if it)
    assert (exchange.apart == timedelta(0)) == (date is None or min(before, after) <= date <= max(before, after))
