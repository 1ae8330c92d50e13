"""What is kept of a request and its reply: read again it gives the same answers, and no secret is in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.calendar import instant_of, iso
from orchestration.core.errors import SourceClock, SourceNonsense
from orchestration.core.partitions.keys import Days, PartitionSet
from orchestration.core.source import Answer
from orchestration.core.state.partition_record import Question
from orchestration.project import PROJECT, load
from resources.open_meteo.described import described_request
from resources.open_meteo.requests import Request
from resources.open_meteo.settings import OpenMeteoSettings
from resources.open_meteo.source import OpenMeteo
from resources.simulator.faults import Fault
from resources.simulator.server import Simulator
from tests.support.api_answers import CITIES, HANOI, HCMC, NOW, ONE_DAY, VARIABLES, document, good, now
from tests.support.scripted_api import CannedApi

COLUMNS = {name: f"column_{number}" for number, name in enumerate(VARIABLES)}
DAY = NOW.date()
SECRET = "sé/cret=1&+x"


def source(url: str, variables: Mapping[str, str] = COLUMNS, **options: Any) -> OpenMeteo:
    return OpenMeteo(OpenMeteoSettings(base_url=url, attempts=1, **options), variables, injected_clock=True)


def never() -> bool:
    return False


def alike(one: Sequence[Answer], other: Sequence[Answer]) -> bool:
    """Whether two sequences of answers are the same, rows and digests."""
    return [(it.location, dict(it.digests)) for it in one] == [(it.location, dict(it.digests)) for it in other] and all(
        a.rows.equals(b.rows) for a, b in zip(one, other, strict=True)
    )


@settings(max_examples=25, deadline=None)
@given(
    locations=st.lists(st.sampled_from(CITIES), min_size=1, max_size=3, unique=True),
    first=st.integers(-3, 1),
    days=st.integers(1, 3),
    at=st.datetimes(datetime(2025, 10, 13), datetime(2025, 10, 14), timezones=st.just(UTC)),
    off=st.integers(-290, 290),
    faults=st.lists(st.sampled_from(["nulls", "negative", "duplicate", "revise"]), unique=True),
)
def test_what_is_kept_reads_as_it_was_fetched(
    locations: list[Any], first: int, days: int, at: datetime, off: int, faults: list[str]
) -> None:
    begin = DAY + timedelta(first)
    with Simulator(
        now=lambda: at, date_offset=timedelta(seconds=off), faults=[Fault(name, 0.3) for name in faults]
    ) as server:
        asks = source(server.url)
        wanted = PartitionSet.of(Days.of(begin, begin + timedelta(days - 1)), [location.key for location in locations])
        (request,) = asks.requests(wanted, CITIES)
        reply = asks.fetch(request, lambda: at, never)
    described = json.loads(json.dumps(asks.described(request)))
    read = source("http://127.0.0.1:9").read(described, reply.body, instant_of(iso(reply.asked)))
    assert alike(read, reply.answers)
    for location in request.locations:
        assert asks.asked_then(described, location.key) == asks.question(location)


def test_a_request_in_words_of_json() -> None:
    asks = source("http://127.0.0.1:9", model_domain="cams_europe", api_key=SECRET)
    described = asks.described(Request((HANOI, HCMC), DAY, DAY + timedelta(1), ("us_aqi", "dust"), "cams_europe"))
    assert described == {
        "locations": [
            {"key": "hanoi", "latitude": 21.0278, "longitude": 105.8342},
            {"key": "hcmc", "latitude": 10.8231, "longitude": 106.6297},
        ],
        "first": "2025-10-13",
        "last": "2025-10-14",
        "variables": ["us_aqi", "dust"],
        "domain": "domains=cams_europe",
    }
    then = source("http://127.0.0.1:9", {"dust": "dust"}).asked_then(described, "hcmc")
    assert then == Question("open_meteo", "domains=cams_europe", ("dust", "us_aqi"), 10.8231, 106.6297)


@pytest.mark.parametrize("domain", ["auto", "cams_global", "cams_europe"])
def test_the_domain_is_sent_and_kept_as_it_was_sent(domain: str) -> None:
    with CannedApi(good()) as server:
        asks = source(server.url, model_domain=domain)
        (request,) = asks.requests(PartitionSet.of(Days.of(ONE_DAY.first), ["hanoi"]), CITIES)
        reply = asks.fetch(request, now, never)
    assert f"&domains={domain}&" in server.asked[0]
    described = json.loads(json.dumps(asks.described(request)))
    assert asks.asked_then(described, "hanoi") == asks.question(HANOI)
    other = source("http://127.0.0.1:9")
    assert alike(other.read(described, reply.body, reply.asked), reply.answers), "whatever is configured by now"


RECORDED = [  # in a record, and what it says was asked
    ("auto", "auto"),
    ("cams_global", "auto"),  # configured before it was sent, as the next two
    ("cams_europe", "auto"),
    ("what somebody wrote", "auto"),
    ("domains=cams_global", "cams_global"),
    ("domains=cams_europe", "cams_europe"),
]


@pytest.mark.parametrize(("recorded", "asked"), RECORDED)
@pytest.mark.parametrize("configured", ["auto", "cams_global", "cams_europe"])
def test_what_was_recorded_before_a_domain_was_sent_means_the_providers_choice(
    recorded: str, asked: str, configured: str
) -> None:
    asks = source("http://127.0.0.1:9", model_domain=configured)
    now_asked = asks.question(HANOI)
    then = replace(now_asked, domain=recorded)
    said = "" if asked == configured else f"asked for with the domain {asked}, configured is {configured}"
    assert asks.difference("hanoi", then, now_asked) == said
    described = {**asks.described(ONE_DAY), "domain": recorded}
    assert asks.asked_then(described, "hanoi").domain == recorded, "a record stays what it is"
    assert described_request(described).domain == asked


def test_an_optional_variable_that_is_not_there() -> None:
    """Its column is null and told of; the question stays the configured one, and what is kept reads the same."""
    content = document()
    del content["hourly"]["dust"]
    content["hourly"]["carbon_dioxide"], content["hourly_units"]["carbon_dioxide"] = [None] * 24, "undefined"
    essential = {COLUMNS["pm2_5"], COLUMNS["us_aqi"]}
    with CannedApi(good(content)) as server:
        asks = OpenMeteo(OpenMeteoSettings(base_url=server.url), COLUMNS, injected_clock=True, essential=essential)
        (request,) = asks.requests(PartitionSet.of(Days.of(ONE_DAY.first), ["hanoi"]), CITIES)
        reply = asks.fetch(request, now, never)
    (answer,) = reply.answers
    assert answer.lacking == {
        COLUMNS["dust"]: "dust was left out of the answer",
        COLUMNS["carbon_dioxide"]: "carbon_dioxide has the unit 'undefined'",
    }
    assert {answer.rows[name].null_count for name in answer.lacking} == {24}
    described = json.loads(json.dumps(asks.described(request)))
    assert asks.asked_then(described, "hanoi") == asks.question(HANOI)
    assert alike(source("http://127.0.0.1:9").read(described, reply.body, reply.asked), reply.answers)


@pytest.mark.parametrize("name", ["us_aqi", "pm2_5"])
def test_an_essential_variable_that_is_not_there(name: str) -> None:
    content = document()
    del content["hourly"][name]
    essential = {COLUMNS["pm2_5"], COLUMNS["us_aqi"]}
    with CannedApi(good(content)) as server, pytest.raises(SourceNonsense, match=f"instead of a list '{name}'"):
        asks = OpenMeteo(OpenMeteoSettings(base_url=server.url), COLUMNS, injected_clock=True, essential=essential)
        (request,) = asks.requests(PartitionSet.of(Days.of(ONE_DAY.first), ["hanoi"]), CITIES)
        asks.fetch(request, now, never)


def test_the_body_is_kept_word_for_word() -> None:
    body = json.dumps(document(), indent=3, ensure_ascii=False).replace("2300.0", "23e2").encode() + b"\n\n"
    with CannedApi((200, {}, body)) as server:
        reply = source(server.url).fetch(ONE_DAY, now, never)
    assert reply.body == body
    assert reply.answers[0].rows.num_rows == 24


@pytest.mark.parametrize(
    "repeated",
    [
        SECRET,
        "s%C3%A9%2Fcret%3D1%26%2Bx",
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET)[1:-1].replace("/", "\\/"),
        SECRET.replace("/", "\\/"),
        "pa ss",
        "pa%20ss",
        "pa+ss",
    ],
)
def test_no_secret_is_in_what_is_kept(repeated: str) -> None:
    body = json.dumps(document())[:-1] + f', "url": "/v1?apikey={repeated}"}}'
    with CannedApi((200, {}, body.encode())) as server:
        asks = source(server.url.replace("//", "//user:pa%20ss@"), api_key=SECRET)
        reply = asks.fetch(ONE_DAY, now, never)
        assert "apikey=s%C3%A9" in server.asked[0]
    assert repeated.encode() not in reply.body
    assert reply.body == body.replace(repeated, "***").encode()
    assert alike(asks.read(asks.described(ONE_DAY), reply.body, reply.asked), reply.answers)
    assert "cret" not in json.dumps(asks.described(ONE_DAY))


def test_a_key_that_any_answer_has_by_chance_leaves_it_readable() -> None:
    with Simulator(now=now) as server:
        reply = source(server.url, api_key="0").fetch(ONE_DAY, now, never)
    assert reply.answers[0].rows.num_rows == 24


def test_what_was_asked_for_then_in_todays_columns() -> None:
    """One variable more than then, and one less."""
    with Simulator(now=now) as server:
        before = source(server.url, {"us_aqi": "aqi", "dust": "dust"})
        request = Request((HANOI,), DAY, DAY, ("us_aqi", "dust"))
        reply = before.fetch(request, now, never)
    today = source("http://127.0.0.1:9", {"pm10": "pm10", "dust": "dusty"})
    (read,) = today.read(before.described(request), reply.body, reply.asked)
    assert read.rows.column_names == [name for name, _ in today.columns] == ["location_key", "ts_utc", "pm10", "dusty"]
    assert read.rows["pm10"].null_count == read.rows.num_rows == 11
    assert read.rows["dusty"].to_pylist() == reply.answers[0].rows["dust"].to_pylist()
    assert read.digests == reply.answers[0].digests


@pytest.mark.parametrize(
    "change",
    [
        {"locations": []},
        {"locations": ["hanoi"]},
        {"locations": [{"key": "hanoi"}]},
        {"first": "2025-10-14"},
        {"first": "October"},
        {"variables": ["smog"]},
        {"domain": ...},
    ],
)
def test_a_description_that_is_none(change: dict[str, Any]) -> None:
    asks = source("http://127.0.0.1:9")
    described = {**asks.described(Request((HANOI,), DAY, DAY, VARIABLES)), **change}
    described = {name: value for name, value in described.items() if value is not ...}
    with pytest.raises(SourceNonsense, match="kept request to Open-Meteo cannot be read"):
        asks.read(described, b"{}", NOW)


def test_a_body_that_is_no_answer_to_it() -> None:
    asks = source("http://127.0.0.1:9")
    described = asks.described(ONE_DAY)
    for body in (b"", b"{}", b"<html>", json.dumps([document()] * 2).encode()):
        with pytest.raises(SourceNonsense, match="Open-Meteo answered hanoi on 2025-08-08 with"):
            asks.read(described, body, NOW)
    with pytest.raises(SourceNonsense, match="did not ask about danang"):
        asks.asked_then(described, "danang")


def test_the_clock_of_the_settings() -> None:
    """A run whose clock is set does not mind the Date of a source whose clock is not."""
    body = json.dumps(document()).encode()
    date_of_then = {"Date": "Fri, 08 Aug 2025 10:30:42 GMT"}
    for environment, is_refused in (({}, True), ({"AQI_CLOCK__NOW": "2025-10-13T10:30:00Z"}, False)):
        with CannedApi((200, date_of_then, body)) as server:
            configured = load(environment={**environment, "AQI_OPEN_METEO__BASE_URL": server.url})
            asks = PROJECT.sources["open_meteo"](configured)
            if is_refused:
                with pytest.raises(SourceClock, match="its clock says 2025-08-08T10:30:42Z"):
                    asks.fetch(ONE_DAY, configured.now, never)
            else:
                assert asks.fetch(ONE_DAY, configured.now, never).asked == NOW
