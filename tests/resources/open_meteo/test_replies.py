"""Every kind of reply that is no answer, over real HTTP: what it becomes, how often it was asked, and what is told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest

from orchestration.core.errors import (
    SourceError,
    SourceKeyRefused,
    SourceLimited,
    SourceNonsense,
    SourceRefused,
    SourceTooMuch,
    SourceUnreachable,
    SourceVariableRefused,
)
from resources.open_meteo.limits import free_again, used_up
from tests.support.api_answers import MINUTELY, NOW, ONE_DAY, TWO_CITIES, bad, document, good, now
from tests.support.clocks import SleepingClock
from tests.support.scripted_api import CannedApi, Reply

DATE = "Mon, 13 Oct 2025 10:30:42 GMT"
STREAM_ERROR = "Unexpected error while streaming data: timeoutReached"
HALF = json.dumps(document()).encode()[:900]
DAILY = "Daily API request limit exceeded. Please try again tomorrow."
HOURLY = "Hourly API request limit exceeded. Please try again in the next hour."
MONTHLY = "Monthly API request limit exceeded."
UNKNOWN = "Data corrupted at path ''. Cannot initialize {} from invalid String value {}."
NO_SMOG = UNKNOWN.format("VariableOrDerived<CamsVariable, CamsVariableDerived>", "carbon_dioxide")
OUTSIDE = "Parameter 'start_date' is out of allowed range from 2013-01-01 to 2025-10-20"
TOO_MUCH = (
    "Your API call requests too much data. Please reduce the number of variables, locations and/or weather models."
)
TOO_LONG = (
    "Your API URL is too long for automatic redirection from the open-access API to the commercial endpoints. Instead, "
    "use the 'customer-' prefixed URLs directly."
)
DAYS, LOCATION, DOMAIN, KEY = "--partitions", "(locations)", "open_meteo.model_domain", "open_meteo.api_key"
SIZE, LATER, GO_ON = "open_meteo.max_days_per_request", "Ask again later", "Go on"


def plain(status: int, text: str | bytes, **headers: str) -> Reply:
    return status, headers, text.encode() if isinstance(text, str) else text


class Row(NamedTuple):
    """A reply to every attempt, and how the request ends: with which error, after how many, with which words."""

    reply: Reply
    kind: type[SourceError]
    attempts: int
    message: str
    remedy: str


ROWS = {
    # --- errors under status 200 ---
    "sentence": Row(plain(200, STREAM_ERROR), SourceError, 3, STREAM_ERROR, LATER),
    "sentence after JSON": Row(plain(200, HALF + STREAM_ERROR.encode()), SourceError, 3, f"({STREAM_ERROR})", LATER),
    "other sentence": Row(plain(200, "Something is wrong.\n"), SourceError, 3, "(Something is wrong.)", LATER),
    "error": Row(bad(200, "Something went wrong."), SourceError, 3, "(Something went wrong.)", LATER),
    "error without a reason": Row(plain(200, '{"error": true}'), SourceError, 3, "no reason is given", LATER),
    "error as text": Row(plain(200, '{"error": "It broke."}'), SourceError, 3, "(It broke.)", LATER),
    "nothing": Row(plain(200, ""), SourceUnreachable, 3, "with nothing", LATER),
    "half": Row(plain(200, HALF), SourceUnreachable, 3, "JSON that breaks off", LATER),
    "daily limit in 200": Row(bad(200, DAILY), SourceLimited, 1, DAILY, GO_ON),
    "key in 200": Row(bad(200, "The supplied API key is invalid."), SourceKeyRefused, 1, "API key is invalid", KEY),
    "variable in 200": Row(bad(200, NO_SMOG), SourceVariableRefused, 1, "the variable carbon_dioxide", LATER),
    # --- statuses that pass ---
    **{f"{n}": Row(plain(n, "x"), SourceError, 3, f"answered HTTP {n} (x); asked 3 times", LATER) for n in (408, 500)},
    **{f"{n}": Row(plain(n, "<html>"), SourceError, 3, f"answered HTTP {n};", LATER) for n in (501, 502, 504, 507)},
    **{f"{n}": Row(plain(n, "<html>"), SourceError, 3, f"answered HTTP {n};", LATER) for n in range(520, 525)},
    "503": Row(bad(503, "The service is overloaded"), SourceError, 3, "(The service is overloaded)", LATER),
    "concurrency": Row(bad(429, "Too many concurrent requests"), SourceLimited, 3, "concurrent", LATER),
    "concurrency as 400": Row(bad(400, "Too many concurrent requests"), SourceLimited, 3, "concurrent", LATER),
    "429 of no name": Row(plain(429, ""), SourceLimited, 3, "HTTP 429; asked 3 times", LATER),
    # --- limits ---
    **{f"daily limit as {n}": Row(bad(n, DAILY), SourceLimited, 1, DAILY, GO_ON) for n in (400, 403, 429, 500, 503)},
    **{f"daily limit as plain {n}": Row(plain(n, DAILY), SourceLimited, 1, DAILY, GO_ON) for n in (200, 400, 429, 503)},
    "anybody's limit": Row(plain(503, "Rate limit exceeded"), SourceError, 3, "HTTP 503 (Rate limit exceeded)", LATER),
    "hourly limit": Row(bad(429, HOURLY), SourceLimited, 1, HOURLY, GO_ON),
    "hourly limit as 400": Row(bad(400, HOURLY), SourceLimited, 1, HOURLY, GO_ON),
    "monthly limit": Row(bad(429, MONTHLY), SourceLimited, 1, MONTHLY, GO_ON),
    "a limit of no name": Row(bad(400, "API request limit reached."), SourceLimited, 1, "limit reached", "Go on later"),
    "a key's limit": Row(bad(403, "Your API key has exceeded its monthly limit."), SourceLimited, 1, "monthly", GO_ON),
    # --- what will not pass ---
    "wrong key": Row(bad(400, "The supplied API key is invalid."), SourceKeyRefused, 1, KEY, KEY),
    "wrong key as plain text": Row(plain(400, "The supplied API key is invalid."), SourceKeyRefused, 1, KEY, KEY),
    "no key": Row(bad(401, "API key required. Please add &apikey= to the URL."), SourceKeyRefused, 1, KEY, KEY),
    "plan": Row(bad(403, "This API endpoint requires the API Professional plan"), SourceKeyRefused, 1, KEY, KEY),
    "key with a long address": Row(bad(400, TOO_LONG), SourceKeyRefused, 1, "customer-", KEY),
    "403": Row(plain(403, "<html>"), SourceKeyRefused, 1, "answered HTTP 403", "open_meteo.base_url"),
    "too much": Row(bad(400, TOO_MUCH), SourceTooMuch, 1, TOO_MUCH, SIZE),
    "locations": Row(bad(400, "Only up to 1000 locations can be requested at once"), SourceTooMuch, 1, "1000", SIZE),
    "414": Row(plain(414, "<html>"), SourceTooMuch, 1, "HTTP 414", "open_meteo.max_weight_per_request"),
    "variable": Row(bad(400, NO_SMOG), SourceVariableRefused, 1, NO_SMOG, "carbon_dioxide"),
    "domain": Row(bad(400, UNKNOWN.format("CamsDomain", "cams_mars")), SourceRefused, 1, "cams_mars", DOMAIN),
    "no data": Row(
        bad(400, "No data is available for this location"), SourceRefused, 1, "hanoi on 2025-08-08", LOCATION
    ),
    "day": Row(bad(400, OUTSIDE), SourceRefused, 1, OUTSIDE, DAYS),
    "latitude": Row(
        bad(400, "Latitude must be in range of -90 to 90°. Given: 91.0."), SourceRefused, 1, "91", LOCATION
    ),
    "another reason": Row(bad(400, "Invalid timezone"), SourceRefused, 1, "Invalid timezone", "Change the days"),
    "400 without a reason": Row(plain(400, "{}"), SourceNonsense, 1, "answered HTTP 400 to", "open_meteo.base_url"),
    "404": Row(bad(404, "Not Found"), SourceNonsense, 1, "(Not Found)", "open_meteo.base_url"),
}


@pytest.mark.costly
@pytest.mark.parametrize("name", ROWS)
def test_how_it_ends(client: Any, name: str) -> None:
    row = ROWS[name]
    with CannedApi(*[row.reply] * row.attempts) as server:
        with pytest.raises(SourceError) as caught:
            client(server.url).fetch(ONE_DAY, now)
        assert len(server.asked) == row.attempts
    error = caught.value
    assert (type(error), row.message in error.message, row.remedy in error.remedy) == (row.kind, True, True), error
    assert "127.0.0.1" in error.message


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.attempts > 1])
def test_what_passes_is_asked_again(client: Any, clock: SleepingClock, name: str) -> None:
    with CannedApi(ROWS[name].reply, good()) as server:
        (answer,) = client(server.url).fetch(ONE_DAY, now).answers
    assert answer.table.num_rows == 24
    assert 0.5 <= clock.waited <= 1.5


def test_an_error_in_one_of_several_documents(client: Any) -> None:
    mixed = json.dumps([document(48), {"error": True, "reason": "Could not read."}]).encode()
    with CannedApi((200, {}, mixed), good([document(48)] * 2)) as server:
        answers = client(server.url).fetch(TWO_CITIES, now).answers
        assert len(server.asked) == 2
    assert [answer.table.num_rows for answer in answers] == [48, 48]
    with CannedApi(*[(200, {}, mixed)] * 3) as server, pytest.raises(SourceError, match=r"\(Could not read\.\)"):
        client(server.url).fetch(TWO_CITIES, now)


def test_a_refused_variable_is_named(client: Any) -> None:
    for named in ("pm10", "us_aqi_pm10", "carbon_dioxide"):
        reply = bad(400, UNKNOWN.format("VariableOrDerived<A, B>", named))
        with CannedApi(reply) as server, pytest.raises(SourceVariableRefused) as caught:
            client(server.url).fetch(ONE_DAY, now)
        assert caught.value.variables == (named,)


@pytest.mark.parametrize(
    ("name", "of_location"),
    [("no data", True), ("day", True), ("domain", False), ("wrong key", False), ("too much", False), ("503", True)],
)
def test_what_may_be_of_one_location(client: Any, name: str, of_location: bool) -> None:
    with CannedApi(*[ROWS[name].reply] * 3) as server, pytest.raises(SourceError) as caught:
        client(server.url).fetch(ONE_DAY, now)
    assert caught.value.of_location is of_location


# --- limits: until when ---------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 400, 429])
@pytest.mark.parametrize(
    ("said", "until"),
    [
        (HOURLY, datetime(2025, 10, 13, 11, tzinfo=UTC)),
        (DAILY, datetime(2025, 10, 14, tzinfo=UTC)),
        (MONTHLY, datetime(2025, 11, 1, tzinfo=UTC)),
    ],
)
def test_a_limit_says_until_when(client: Any, status: int, said: str, until: datetime) -> None:
    for headers in ({"Date": DATE}, {}):  # by the source's clock, else by the run's
        with CannedApi(bad(status, said, **headers)) as server, pytest.raises(SourceLimited) as caught:
            client(server.url).fetch(ONE_DAY, now)
        assert caught.value.until == until


@pytest.mark.parametrize("said", [MINUTELY, HOURLY, DAILY])
@pytest.mark.parametrize("asked", ["200000", "Wed, 15 Oct 2025 18:04:02 GMT"])
def test_a_limit_lasts_as_long_as_the_source_asks_to_be_left_alone(client: Any, said: str, asked: str) -> None:
    """By its own clock, also where its words name an end that is earlier. A date that has passed says nothing."""
    for headers in ({"Date": DATE}, {"Date": DATE, "Retry_After": "Mon, 13 Oct 2025 09:00:00 GMT"}):
        with CannedApi(bad(429, said, **headers)) as server, pytest.raises(SourceLimited) as caught:
            client(server.url, attempts=1).fetch(ONE_DAY, now)
        assert caught.value.until == free_again(used_up(said) or "", NOW + timedelta(seconds=20))
    with CannedApi(bad(429, said, Date=DATE, Retry_After=asked)) as server, pytest.raises(SourceLimited) as caught:
        client(server.url, attempts=1).fetch(ONE_DAY, now)
    assert caught.value.until == datetime(2025, 10, 15, 18, 4, 2, tzinfo=UTC)
    assert caught.value.wait_seconds == 200_000


@pytest.mark.parametrize(
    ("user", "status", "headers", "message"),
    [
        ("anna:secret@", 401, {}, "does not take the user and password of open_meteo.base_url"),
        ("anna:secret@", 403, {}, "does not take the user and password of open_meteo.base_url"),
        ("anna:secret@", 401, {"WWW_Authenticate": "Basic realm=x"}, "does not take the user and password"),
        ("", 401, {"WWW_Authenticate": 'Basic realm="proxy"'}, "wants a user and a password"),
        ("", 401, {"WWW_Authenticate": "Bearer"}, "wants a key"),
        ("", 401, {}, "wants a key"),
    ],
)
def test_a_user_and_a_password_are_no_key(
    client: Any, user: str, status: int, headers: dict[str, str], message: str
) -> None:
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    with CannedApi((status, headers, b"<html>")) as server, pytest.raises(SourceKeyRefused, match=message) as caught:
        client(server.url.replace("//", f"//{user}")).fetch(ONE_DAY, now)
    assert len(server.asked) == 1
    assert ("open_meteo.api_key" in str(caught.value)) is (message == "wants a key")
    assert "secret" not in str(caught.value)
    assert "open_meteo.base_url" in caught.value.remedy


def test_a_pause_beyond_the_deadline_is_a_limit(client: Any, clock: SleepingClock) -> None:
    for seconds in ("700", "Mon, 13 Oct 2025 10:42:22 GMT"):
        with CannedApi(bad(503, "busy", Retry_After=seconds, Date=DATE)) as server:
            with pytest.raises(SourceLimited, match=r"HTTP 503 \(busy\) to hanoi") as caught:
                client(server.url).fetch(ONE_DAY, now)
            assert len(server.asked) == 1
        assert caught.value.until == NOW + timedelta(seconds=700)
    assert clock.waited == 0


@pytest.mark.parametrize(
    ("said", "period"),
    [
        (MINUTELY, "minute"),
        (HOURLY, "hour"),
        (DAILY, "day"),
        ("The monthly quota of this key is used up", "month"),
        ("You have exceeded your limit", ""),
        ("Too many concurrent requests", None),
        ("Latitude must be in range of -90 to 90°. Given: 91.0.", None),
        ("", None),
    ],
)
def test_which_limit(said: str, period: str | None) -> None:
    assert used_up(said) == period


def test_when_a_limit_begins_anew() -> None:
    at = datetime(2025, 12, 31, 23, 59, 30, tzinfo=UTC)
    new_year = datetime(2026, 1, 1, tzinfo=UTC)
    assert [free_again(period, at) for period in ("minute", "hour", "day", "month", "")] == [new_year] * 4 + [None]


# --- redirects ------------------------------------------------------------------------------------

CUSTOMER = "https://customer-air-quality-api.open-meteo.com"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("location", "kind", "told", "remedy"),
    [
        (CUSTOMER + "//v1/air-quality?apikey=s3cret", SourceKeyRefused, CUSTOMER, f"base_url to {CUSTOMER}"),
        ("https://127.0.0.1/v1", SourceNonsense, "https://127.0.0.1/v1", "base_url to https://127.0.0.1."),
        ("http://u:s3cret@login.example/?a", SourceNonsense, "http://login.example/", "login page"),
        ("/s3cret/login", SourceNonsense, "/***/login", "login page"),
        ("https://customer-login.example/v1", SourceNonsense, "https://customer-login.example/v1", "login page"),
        ("", SourceNonsense, "no address", "open_meteo.base_url"),
        ("http://[s3cret", SourceNonsense, "no address", "open_meteo.base_url"),
        ("http://[::1", SourceNonsense, "no address", "open_meteo.base_url"),
        (
            "https://127.0.0.1:8443/v1",
            SourceNonsense,
            "https://127.0.0.1:8443/v1",
            "base_url to https://127.0.0.1:8443.",
        ),
    ],
)
def test_a_redirect_is_told_and_not_followed(
    client: Any, status: int, location: str, kind: type[SourceError], told: str, remedy: str
) -> None:
    with CannedApi((status, {"Location": location}, b"")) as server:
        with pytest.raises(SourceError) as caught:
            client(server.url, api_key="s3cret").fetch(ONE_DAY, now)
        assert len(server.asked) == 1
    error = caught.value
    assert (type(error), error.of_location) == (kind, False)
    assert f"HTTP {status} to hanoi on 2025-08-08: it sends us on to" in error.message
    assert told in error.message
    assert "not followed" in error.message
    assert remedy in error.remedy
    assert "s3cret" not in str(error)
