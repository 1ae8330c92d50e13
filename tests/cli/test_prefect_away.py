"""A Prefect server that cannot be worked with ends every command that needs one: in a sentence, before any work."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support.alert_sinks import free_port
from tests.support.cli_calls import Aqi
from tests.support.prefect_stub import PrefectStub, html, listening, of_prefect, pool

DIMENSION = "gold.dim_location"
COMMANDS = (
    ["materialize", DIMENSION],
    ["materialize", "*", "--partitions", "2025-08-18"],
    ["backfill", "--start-date", "2025-08-18", "--end-date", "2025-08-18"],
    ["demo"],
    ["deploy", "--all"],
    ["worker", "start"],
)
NEED_ONE = ("deploy", "worker")
"""What cannot be done without a server."""


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server at which nobody is."""
    url = f"http://user:hunter2@127.0.0.1:{free_port()}/api"
    monkeypatch.setenv("PREFECT_API_URL", url)
    monkeypatch.setattr("os.execv", lambda *_: pytest.fail("a worker was started"))
    yield url.replace("user:hunter2@", "")


@pytest.mark.costly
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_server_that_is_away(aqi: Aqi, away: str, command: list[str]) -> None:
    error, remedy = aqi.refusal(*command)
    assert error == f"Prefect's server at {away} does not answer (ConnectionError)"
    other = "name another in PREFECT_API_URL" if command[0] in NEED_ONE else "unset PREFECT_API_URL to run without"
    assert remedy == f"Start it (prefect server start), or {other}."


def test_it_is_told_in_json_too(aqi: Aqi, away: str) -> None:
    assert away in aqi.refusal("materialize", DIMENSION, "--json")[0]


def test_what_needs_no_server_does_not_ask_for_it(aqi: Aqi, away: str, lake: str) -> None:
    for call in (["status"], ["plan", DIMENSION], ["materialize", DIMENSION, "--dry-run"], ["show", "gold.dim_time"]):
        assert aqi(*call, AQI_WAREHOUSE__URI=lake).exit_code == 0, call


def test_what_is_no_prefect_is_no_prefect_to_a_run(aqi: Aqi) -> None:
    with listening(PrefectStub(html("/api/admin/version", "/api/health"))) as page:
        error, _ = aqi.refusal("materialize", DIMENSION, PREFECT_API_URL=page.url)
    assert error == f"Prefect's server at {page.url} does not answer as Prefect's API does"


def test_a_worker_makes_no_pool_that_is_misspelt(aqi: Aqi, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr("os.execv", lambda _program, arguments: started.append(arguments))
    with listening(PrefectStub(of_prefect(pool("aqi"), pool("aqi-bronze")))) as server:
        error, remedy = aqi.refusal("worker", "start", "--pool", "aqi-bronce", PREFECT_API_URL=server.url)
        assert error == f"there is no work pool 'aqi-bronce' at {server.url}"
        assert remedy.startswith("Did you mean 'aqi-bronze'")
        assert started == []
        assert aqi("worker", "start", "--pool", "aqi-bronze", PREFECT_API_URL=server.url).exit_code == 0
    assert started[0][started[0].index("--pool") :][:2] == ["--pool", "aqi-bronze"]


def test_doctor_says_the_same(aqi: Aqi, away: str) -> None:
    found = {item["what"]: item for item in json.loads(aqi("doctor", "--offline", "--json").stdout)}
    assert found["Prefect"]["found"] == f"{away} does not answer (ConnectionError)"
    assert found["Prefect"]["remedy"].startswith("Start it (prefect server start)")
