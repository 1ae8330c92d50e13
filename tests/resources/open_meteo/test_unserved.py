"""Variables that are refused by name: left out if they are optional, and asked for once."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from orchestration.core.errors import (
    FetchCancelled,
    SourceRefused,
    SourceUnreachable,
    SourceVariableRefused,
)
from resources.open_meteo.requests import Request
from resources.open_meteo.settings import OpenMeteoSettings
from resources.open_meteo.source import OpenMeteo
from resources.open_meteo.unserved import Unserved
from tests.support.api_answers import DAY, HANOI, ONE_DAY, VARIABLES, bad, document, good, now
from tests.support.scripted_api import CannedApi, Reply

pytestmark = pytest.mark.costly  # servers, or waits

ESSENTIAL = {"us_aqi", "pm2_5"}
ASKED = replace(ONE_DAY, optional=frozenset(VARIABLES) - ESSENTIAL)
WHAT = "Data corrupted at path ''. Cannot initialize VariableOrDerived<CamsVariable, CamsVariableDerived> from invalid"


def never() -> bool:
    return False


class Picky(CannedApi):
    """Refuses whoever asks for one of ``unserved``, by the name of the first. named: the variables of each request."""

    def __init__(self, *unserved: str) -> None:
        super().__init__()
        self.unserved, self.named = unserved, list[list[str]]()

    def reply(self, path: str) -> Reply:
        query = parse_qs(urlsplit(path).query)
        (names,) = (query["hourly"][0].split(","),)
        self.named.append(names)
        for name in self.unserved:
            if name in names:
                return bad(400, f"{WHAT} String value {name}.")
        content = document()
        content["hourly"] = {name: content["hourly"][name] for name in ("time", *names)}
        return good(content)


def source(url: str) -> OpenMeteo:
    columns = {name: name for name in VARIABLES}
    return OpenMeteo(OpenMeteoSettings(base_url=url), columns, injected_clock=True, essential=ESSENTIAL)


def test_an_optional_one_is_left_out_and_not_asked_for_again() -> None:
    with Picky("carbon_dioxide", "dust") as server:
        asks = source(server.url)
        for _ in range(3):
            reply = asks.fetch(ASKED, now, never)
    assert [len(names) for names in server.named] == [17, 16, 15, 15, 15]
    sent = replace(ASKED, refused=frozenset({"carbon_dioxide", "dust"}))
    assert (ASKED.weight, sent.weight) == (1.7, 1.5), "which is what the provider counts"
    (answer,) = reply.answers
    assert answer.lacking == {"dust": "dust was refused", "carbon_dioxide": "carbon_dioxide was refused"}
    assert answer.rows["dust"].null_count == answer.rows["carbon_dioxide"].null_count == answer.rows.num_rows == 24
    assert answer.rows["pm10"].null_count == 0
    assert asks.described(ASKED)["variables"] == list(VARIABLES), "the question is what is configured"
    (read,) = asks.read(json.loads(json.dumps(asks.described(ASKED))), reply.body, reply.asked)
    assert (read.rows, dict(read.digests)) == (answer.rows, dict(answer.digests))


def test_an_essential_one_is_named() -> None:
    with Picky("carbon_dioxide", "pm2_5") as server, pytest.raises(SourceVariableRefused) as refused:
        source(server.url).fetch(ASKED, now, never)
    assert refused.value.variables == ("pm2_5",)
    assert "String value pm2_5" in refused.value.message
    assert "does not serve pm2_5" in refused.value.remedy and "essential" in refused.value.remedy
    assert [len(names) for names in server.named] == [17, 16]


def test_one_that_is_refused_also_when_nobody_asks_for_it() -> None:
    with (
        CannedApi(*[bad(400, f"{WHAT} String value dust.")] * 2) as server,
        pytest.raises(SourceVariableRefused) as refused,
    ):
        source(server.url).fetch(ASKED, now, never)
    assert "goes on to refuse" in refused.value.remedy
    assert len(server.asked) == 2


def test_another_refusal_is_told_as_it_is() -> None:
    with CannedApi(bad(400, "No data is available for this location")) as server, pytest.raises(SourceRefused) as told:
        source(server.url).fetch(replace(ASKED, domain="cams_europe"), now, never)
    assert "hanoi on 2025-08-08 (domain cams_europe)" in told.value.message
    assert "No data is available for this location" in told.value.message
    assert "open_meteo.model_domain" in told.value.remedy
    assert told.value.of_location


def test_many_that_ask_at_once_find_it_once() -> None:
    requests = [Request((HANOI,), DAY + timedelta(n), DAY + timedelta(n), VARIABLES) for n in range(8)]
    unserved, asked, together = Unserved(), list[frozenset[str]](), threading.Barrier(8, timeout=10)

    def ask(request: Request) -> Request:
        asked.append(request.refused)
        if "dust" in request.sent:
            raise SourceVariableRefused("no dust", "", ("dust",))
        return request

    def fetch(request: Request) -> Request:
        together.wait()
        return unserved.fetch(replace(request, optional=frozenset({"dust"})), ask, never)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(fetch, requests))
    assert [one.first for one in found] == [one.first for one in requests]
    assert asked == [frozenset(), *[frozenset({"dust"})] * 8]


def test_who_waits_for_the_first_can_be_cancelled_and_its_failure_is_its_own() -> None:
    unserved, asking, let_go = Unserved(), threading.Event(), threading.Event()

    def fails(_: Request) -> Iterator[None]:
        asking.set()
        assert let_go.wait(10)
        raise SourceUnreachable("nobody is there")

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(unserved.fetch, ASKED, fails, never)
        assert asking.wait(10)
        with pytest.raises(FetchCancelled):
            unserved.fetch(ASKED, fails, lambda: True)
        let_go.set()
        with pytest.raises(SourceUnreachable):
            first.result(10)
    assert unserved.fetch(ASKED, lambda request: request.sent, never) == VARIABLES
