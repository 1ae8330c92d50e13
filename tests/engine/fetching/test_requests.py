"""Fetching for a run: one request for many locations, of which a bad one fails alone; over real HTTP."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest

from orchestration.core.errors import (
    FetchCancelled,
    SourceError,
    SourceLimited,
    SourceNonsense,
    SourceNotAsked,
    SourceRefused,
    SourceUnreachable,
)
from orchestration.core.partitions.keys import Days, PartitionSet
from orchestration.engine.fetching import FetchTask
from resources.simulator.faults import Fault
from resources.simulator.server import HourValues
from tests.support.fetches import (
    ENDED,
    HCMC,
    LATITUDES,
    STEP,
    TWO_DAYS,
    UNFINISHED,
    good_answer,
    outcomes,
    refusal,
    simulator,
    source,
)
from tests.support.scripted_api import ScriptedApi

pytestmark = pytest.mark.costly  # servers, or waits

# --- what is asked for ----------------------------------------------------------------------------


def test_a_task_is_one_location_of_one_request() -> None:
    asked = source("http://127.0.0.1:9", TWO_DAYS - PartitionSet.of(Days.of(ENDED), ["danang"]), max_days=1)
    assert [(task.request, str(task)) for task in asked.tasks] == [
        (0, "hanoi 2025-08-08"),
        (0, "hcmc 2025-08-08"),
        (1, "hanoi 2025-08-09"),
        (1, "hcmc 2025-08-09"),
        (2, "danang 2025-08-09"),  # who wants other days is asked for apart
    ]
    assert asked.tasks[0].partitions == PartitionSet.of(Days.of(ENDED), ["hanoi"])
    assert asked.tasks_of(STEP) == asked.tasks
    assert {task.step for task in asked.tasks} == {STEP}


def test_one_request_brings_every_location() -> None:
    with simulator() as server:
        asked = source(server.url)
        assert outcomes(asked) == {"hanoi": 35, "hcmc": 35, "danang": 35}  # 24 hours, then 0:00 to 10:00
        assert server.requests_served == {"ok": 1}
    assert asked.fetched(STEP) == TWO_DAYS
    assert asked.errors(STEP) == {}


def test_a_request_is_sent_once_though_many_threads_ask() -> None:
    """Eight threads ask for every location at once, and again; the server is slow to answer."""
    start, pause = threading.Barrier(8), threading.Event()

    def slowly(latitude: float, longitude: float, values: HourValues) -> HourValues:
        if values["time"].endswith("T00:00"):
            pause.wait(0.03)
        return values

    with simulator(override=slowly) as server:
        asked = source(server.url)

        def fetch(number: int) -> int:
            start.wait(5)
            return sum(asked.fetch(task) for task in asked.tasks[number % 3 :] + asked.tasks)

        with ThreadPoolExecutor(8) as pool:
            sums = list(pool.map(fetch, range(8)))
        assert server.requests_served == {"ok": 1}
    assert set(sums) == {35 * 4, 35 * 5, 35 * 6}


def test_a_failed_request_is_not_sent_again_for_its_other_locations() -> None:
    with simulator(faults=[Fault("limit")]) as server:
        asked = source(server.url, attempts=1)
        assert {type(error) for error in outcomes(asked).values()} == {SourceLimited}
        assert {type(error) for error in outcomes(asked).values()} == {SourceLimited}
        assert server.requests_served == {"limit": 1}


# --- one bad location fails alone -----------------------------------------------------------------


def test_a_refused_location_fails_alone_with_its_reason() -> None:
    with simulator(refuse_locations={HCMC}) as server:
        asked = source(server.url)
        found = outcomes(asked)
        assert server.requests_served == {"refused": 2, "ok": 2}  # all together, then one by one
    refused = found.pop("hcmc")
    assert found == {"hanoi": 35, "danang": 35}
    assert isinstance(refused, SourceRefused)
    assert "refused hcmc on 2025-08-08..2025-08-09: No data is available for this location" in str(refused)
    task = FetchTask(0, "hcmc", Days.of(ENDED, UNFINISHED), STEP)
    assert asked.errors(STEP) == {task: refused}
    assert asked.fetched(STEP) == TWO_DAYS - task.partitions
    assert {key.location for key in asked.sourced(STEP)} == {"hanoi", "danang"}
    table = asked.table(STEP)
    assert table is not None
    assert set(table["location_key"].to_pylist()) == {"hanoi", "danang"}


@pytest.mark.parametrize(
    ("bad", "kind", "message"),
    [
        (
            refusal(500, "Internal server error"),
            SourceError,
            "HTTP 500 (Internal server error); asked once for hcmc",
        ),
        ((200, b"<html>"), SourceNonsense, "answered hcmc on 2025-08-08..2025-08-09 with an HTML page"),
        ((200, b"{}"), SourceNonsense, "answered hcmc on 2025-08-08..2025-08-09 with JSON of another shape"),
        ((404, b""), SourceNonsense, "answered HTTP 404 to hcmc on 2025-08-08..2025-08-09"),
    ],
)
def test_a_location_that_upsets_the_server_fails_alone(
    bad: tuple[int, bytes], kind: type[SourceError], message: str
) -> None:
    def answer(latitudes: list[str], number: int) -> tuple[int, bytes]:
        return bad if LATITUDES["hcmc"] in latitudes else good_answer(latitudes)

    with ScriptedApi(answer) as server:
        found = outcomes(source(server.url))
        together = "+".join(LATITUDES.values())
        times = 2 if kind is SourceError else 1  # 5xx may pass
        # By itself each is asked with what is left of the attempts, and one a location.
        assert server.asked == [together] * times + [LATITUDES["hanoi"], LATITUDES["hcmc"], LATITUDES["danang"]]
    failed = found.pop("hcmc")
    assert found == {"hanoi": 35, "danang": 35}
    assert isinstance(failed, SourceError)
    assert type(failed) is kind
    assert message in failed.message


def test_a_bad_request_leaves_the_other_requests_alone() -> None:
    """A request for each of three days; the earliest lies before the feed begins."""
    days = TWO_DAYS | PartitionSet.of(Days.of(date(2012, 12, 31)), ["hanoi"])
    with simulator() as server:
        asked = source(server.url, days, max_days=1)
        first = asked.tasks[0]
        assert first.days == Days.of(date(2012, 12, 31))
        with pytest.raises(SourceRefused, match="out of allowed range from 2013-01-01"):
            asked.fetch(first)
        assert [asked.fetch(task) for task in asked.tasks[1:]] == [24] * 3 + [11] * 3
    assert asked.fetched(STEP) == TWO_DAYS
    assert list(asked.errors(STEP)) == [first]


# --- what is no location's fault ------------------------------------------------------------------


def test_an_unreachable_server_is_not_asked_location_by_location() -> None:
    with simulator() as server:
        url = server.url
    asked = source(url)
    found = outcomes(asked)
    assert {type(error) for error in found.values()} == {SourceUnreachable}
    assert len({id(error) for error in found.values()}) == 1
    assert "asked 2 times for hanoi, hcmc, danang on 2025-08-08..2025-08-09" in str(found["danang"])
    assert asked.table(STEP) is None
    assert asked.sourced(STEP) == {}
    assert asked.fetched(STEP) == PartitionSet.empty()


@pytest.mark.parametrize(
    ("fault", "kind"),
    [("drop", SourceUnreachable), ("truncate", SourceUnreachable), ("limit", SourceLimited)],
)
def test_what_every_location_would_meet_is_not_asked_location_by_location(fault: str, kind: type[SourceError]) -> None:
    with simulator(faults=[Fault(fault)]) as server:
        found = outcomes(source(server.url, attempts=1))
        assert server.requests_served == {fault: 1}
    assert {type(error) for error in found.values()} == {kind}


def test_a_cancelled_fetch_asks_for_nothing_more() -> None:
    with simulator() as server:
        found = outcomes(source(server.url, cancelled=lambda: True))
        assert not server.requests_served
    assert {type(error) for error in found.values()} == {FetchCancelled}


def test_locations_left_are_not_asked_where_a_limit_is_met_on_the_way() -> None:
    """All together is refused, Hà Nội comes, then the hour's limit is used up: Đà Nẵng is not tried."""

    def answer(latitudes: list[str], number: int) -> tuple[int, bytes]:
        if number == 1:
            return refusal(400, "No data is available for this location")
        return good_answer(latitudes) if number == 2 else refusal(429, "Hourly API request limit exceeded.")

    with ScriptedApi(answer) as server:
        found = outcomes(source(server.url))
        assert len(server.asked) == 3
    assert found["hanoi"] == 35
    assert isinstance(found["hcmc"], SourceLimited)
    assert isinstance(found["danang"], SourceNotAsked)
    assert found["danang"].because is found["hcmc"]
