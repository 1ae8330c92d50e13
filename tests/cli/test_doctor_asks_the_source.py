"""`aqi doctor` asks the source one small question, and says what it answered, how long it took and what applies."""

from __future__ import annotations

import re
import time
from datetime import UTC, date, datetime
from typing import Any

import pytest

from resources.simulator.faults import Fault
from resources.simulator.server import Simulator
from tests.support.api_answers import bad, document, good
from tests.support.cli_calls import Aqi, tree
from tests.support.raw_api import RawApi, silent
from tests.support.scripted_api import CannedApi

pytestmark = pytest.mark.costly  # servers, or waits

NOW = datetime(2025, 8, 20, 6, tzinfo=UTC)
KEY = "k3y-of-mine"


def asked(aqi: Aqi, *args: str, status: int = 0, **env: str) -> dict[str, dict[str, Any]]:
    """Findings about the source, by what they are about."""
    found = {item["what"]: item for item in aqi.json("doctor", *args, status=status, **env)}
    return {what: found[what] for what in ("source", "limits of the source")}


def test_a_source_in_good_health(aqi: Aqi) -> None:
    before = tree(aqi.folder)
    with Simulator(now=lambda: NOW) as server:
        found = asked(aqi, AQI_OPEN_METEO__BASE_URL=server.url, AQI_OPEN_METEO__API_KEY=KEY)
        assert server.requests_served == {"ok": 1}
    text = found["source"]["found"]
    expected = rf"{server.url} answered hanoi on 2025-08-19 in \d\.\d s: 24 hours, 17 of 17 variables have values"
    assert re.fullmatch(expected, text)
    assert found["limits of the source"]["found"] == (
        "600 calls a minute, 5000 an hour and 10000 a day (open_meteo.calls_per_…); with the key open_meteo.api_key"
    )
    assert tree(aqi.folder) == before
    assert KEY not in str(found)


def test_a_source_without_values(aqi: Aqi) -> None:
    with Simulator(now=lambda: NOW, faults=[Fault("nulls")]) as server:
        found = asked(aqi, AQI_OPEN_METEO__BASE_URL=server.url)
    assert found["source"]["found"].endswith("24 hours, 0 of 17 variables have values")
    assert found["limits of the source"]["found"].endswith("; no key (open_meteo.api_key)")


@pytest.mark.parametrize(
    ("reply", "told", "remedy"),
    [
        (bad(400, "The supplied API key is invalid."), "open_meteo.api_key", "open_meteo.api_key"),
        (bad(429, "Daily API request limit exceeded."), "Daily API request limit exceeded.", "Go on tomorrow"),
        (bad(503, "busy"), "answered HTTP 503 (busy); asked once for hanoi on 2025-08-19", "Ask again later"),
        ((200, {}, b"<html>Log in</html>"), "an HTML page instead of JSON", "open the address in a browser"),
    ],
)
def test_a_source_in_trouble(aqi: Aqi, reply: Any, told: str, remedy: str) -> None:
    with CannedApi(reply) as server:
        found = asked(aqi, status=1, AQI_OPEN_METEO__BASE_URL=server.url)
        assert len(server.asked) == 1
    assert (found["source"]["ok"], found["limits of the source"]["ok"]) == (False, True)
    assert told in found["source"]["found"]
    assert remedy in found["source"]["remedy"]


def test_nobody_is_there(aqi: Aqi) -> None:
    found = asked(aqi, status=1)
    assert "127.0.0.1:9 refused or broke the connection (Connection refused); asked once" in found["source"]["found"]
    assert "open_meteo.base_url" in found["source"]["remedy"]


def test_a_source_that_says_nothing_is_not_waited_for(aqi: Aqi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resources.open_meteo.examination.SECONDS", 0.3)
    with RawApi(silent) as server:
        began = time.monotonic()
        found = asked(aqi, status=1, AQI_OPEN_METEO__BASE_URL=server.url)
        assert time.monotonic() - began < 5
    assert "did not answer within 0.3 s; asked once" in found["source"]["found"]
    monkeypatch.setattr("orchestration.reports.source_health.SOURCE_SECONDS", 0.3)
    monkeypatch.setattr("resources.open_meteo.examination.SECONDS", 5.0)
    with RawApi(silent) as server:
        found = asked(aqi, status=1, AQI_OPEN_METEO__BASE_URL=server.url)
    assert found["source"]["found"] == f"{server.url} did not answer within 0.3 s"


def test_nobody_is_asked_where_nobody_wants_that(aqi: Aqi) -> None:
    with Simulator(now=lambda: NOW) as server:
        found = asked(aqi, "--offline", AQI_OPEN_METEO__BASE_URL=server.url)
        assert not server.requests_served
    assert found["source"] == {"what": "source", "ok": True, "found": f"{server.url} (not asked)", "remedy": ""}


def test_a_variable_that_an_answer_may_be_without_is_no_fault(aqi: Aqi) -> None:
    day = date(2025, 8, 19)
    answer = document(first=day)
    del answer["hourly"]["carbon_dioxide"], answer["hourly_units"]["carbon_dioxide"]
    refusal = "Data corrupted at path ''. Cannot initialize VariableOrDerived<A, B> from invalid String value {}."
    with CannedApi(bad(400, refusal.format("carbon_dioxide")), good(answer)) as server:
        found = asked(aqi, AQI_OPEN_METEO__BASE_URL=server.url)
    assert found["source"]["found"].endswith("24 hours, 16 of 17 variables have values (not carbon_dioxide)")
    with CannedApi(bad(400, refusal.format("pm2_5"))) as server:
        found = asked(aqi, status=1, AQI_OPEN_METEO__BASE_URL=server.url)
    assert "the variable pm2_5" in found["source"]["found"]
