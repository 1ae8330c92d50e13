"""Fetching for a run: one request for many places, an answer or an error per place, for each step; over real HTTP."""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pyarrow as pa
import pytest

from orchestration.core.errors import (
    FetchCancelled,
    SourceError,
    SourceLimited,
    SourceNonsense,
    SourceRefused,
    SourceUnreachable,
)
from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet
from orchestration.core.runs.decisions import Sourced
from orchestration.engine.fetching import FetchTask, OpenMeteoSource
from resources.open_meteo.answers import SCHEMA
from resources.open_meteo.client import OpenMeteoClient, never
from resources.open_meteo.requests import VARIABLES
from resources.settings.load import load
from resources.simulator.faults import Fault
from resources.simulator.server import HourValues, Simulator

NOW = datetime(2025, 8, 9, 10, 30, tzinfo=UTC)
ENDED, UNFINISHED = date(2025, 8, 8), date(2025, 8, 9)
HCMC = (10.8231, 106.6297)
LATITUDES = {"hanoi": "21.0278", "hcmc": "10.8231", "danang": "16.0544"}
KEYS = tuple(LATITUDES)
TWO_DAYS = PartitionSet.of(Days.of(ENDED, UNFINISHED), KEYS)
STEP = "bronze.feed"


def source(
    url: str,
    partitions: PartitionSet | Mapping[str, PartitionSet] = TWO_DAYS,
    cancelled: Callable[[], bool] = never,
    max_days: int = 92,
    **options: Any,
) -> OpenMeteoSource:
    """The three cities of the configuration, a clock that stands at NOW, a client that gives up soon.

    partitions: of the one step STEP, or by step.
    """
    flags = {
        "clock": {"now": NOW.isoformat()},
        "open_meteo": {"base_url": url, "max_days_per_request": max_days},
    }
    settings = load(flags=flags, environment={})
    client = OpenMeteoClient(url, **{"attempts": 2, "backoff_seconds": 0.0} | options)
    wanted = {STEP: partitions} if isinstance(partitions, PartitionSet) else partitions
    return OpenMeteoSource(settings, wanted, client, cancelled)


def simulator(**options: Any) -> Simulator:
    return Simulator(now=lambda: NOW, **options)


def outcomes(asked: OpenMeteoSource) -> dict[str, int | SourceError]:
    """Fetch every task: the number of hours that it brought or its error, by location."""
    found: dict[str, int | SourceError] = {}
    for task in asked.tasks:
        try:
            found[task.location] = asked.fetch(task)
        except SourceError as error:
            found[task.location] = error
    return found


class Scripted:
    """A server whose ``answer`` gives status and body for the latitudes of a request; counts the requests."""

    def __init__(self, answer: Callable[[list[str], int], tuple[int, bytes]]) -> None:
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                latitudes = self.path.partition("latitude=")[2].partition("&")[0].split("%2C")
                outer.asked.append("+".join(latitudes))
                status, body = answer(latitudes, len(outer.asked))
                self.send_response_only(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator[Scripted]:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()


def refusal(status: int, reason: str) -> tuple[int, bytes]:
    return status, json.dumps({"error": True, "reason": reason}).encode()


def good_answer(latitudes: list[str]) -> tuple[int, bytes]:
    """What the simulator says of these places, without the network; their longitudes do not matter."""
    places = ",".join(latitudes)
    query = f"latitude={places}&longitude={places}&hourly={','.join(VARIABLES)}"
    query += f"&start_date={ENDED}&end_date={UNFINISHED}"
    quiet = simulator()
    try:
        status, payload = quiet.answer(query)
    finally:
        quiet.stop()
    return status, json.dumps(payload).encode()


# What is asked for ------------------------------------------------------------------------------------------


def test_a_task_is_one_place_of_one_request() -> None:
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


def test_one_request_brings_every_place() -> None:
    with simulator() as server:
        asked = source(server.url)
        assert outcomes(asked) == {"hanoi": 35, "hcmc": 35, "danang": 35}  # 24 hours, then 0:00 to 10:00
        assert server.requests_served == {"ok": 1}
    assert asked.fetched(STEP) == TWO_DAYS
    assert asked.errors(STEP) == {}


def test_a_request_is_sent_once_though_many_threads_ask() -> None:
    """Eight threads ask for every place at once, and again; the server is slow to answer."""
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


def test_a_failed_request_is_not_sent_again_for_its_other_places() -> None:
    with simulator(faults=[Fault("limit")]) as server:
        asked = source(server.url, attempts=1)
        assert {type(error) for error in outcomes(asked).values()} == {SourceLimited}
        assert {type(error) for error in outcomes(asked).values()} == {SourceLimited}
        assert server.requests_served == {"limit": 1}


# One bad place fails alone ----------------------------------------------------------------------------------


def test_a_refused_place_fails_alone_with_its_reason() -> None:
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
            "HTTP 500 (Internal server error); asked 2 times",
        ),
        ((200, b"<html>"), SourceNonsense, "answered hcmc on 2025-08-08..2025-08-09 with an HTML page"),
        ((200, b"{}"), SourceNonsense, "answered hcmc on 2025-08-08..2025-08-09 with JSON of another shape"),
        ((404, b""), SourceNonsense, "answered HTTP 404 to hcmc on 2025-08-08..2025-08-09"),
    ],
)
def test_a_place_that_upsets_the_server_fails_alone(
    bad: tuple[int, bytes], kind: type[SourceError], message: str
) -> None:
    def answer(latitudes: list[str], number: int) -> tuple[int, bytes]:
        return bad if LATITUDES["hcmc"] in latitudes else good_answer(latitudes)

    with Scripted(answer).running() as server:
        found = outcomes(source(server.url))
        together = "+".join(LATITUDES.values())
        times = 2 if kind is SourceError else 1  # 5xx may pass
        assert server.asked == [together] * times + [
            LATITUDES["hanoi"],
            *[LATITUDES["hcmc"]] * times,
            LATITUDES["danang"],
        ]
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


# What is no place's fault -----------------------------------------------------------------------------------


def test_an_unreachable_server_is_not_asked_place_by_place() -> None:
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
def test_what_every_place_would_meet_is_not_asked_place_by_place(fault: str, kind: type[SourceError]) -> None:
    with simulator(faults=[Fault(fault)]) as server:
        found = outcomes(source(server.url, attempts=1))
        assert server.requests_served == {fault: 1}
    assert {type(error) for error in found.values()} == {kind}


def test_a_cancelled_fetch_asks_for_nothing_more() -> None:
    with simulator() as server:
        found = outcomes(source(server.url, cancelled=lambda: True))
        assert not server.requests_served
    assert {type(error) for error in found.values()} == {FetchCancelled}


def test_places_left_are_not_asked_where_a_limit_is_met_on_the_way() -> None:
    """All together is refused, Hà Nội comes, then the hour's limit is used up: Đà Nẵng is not tried."""

    def answer(latitudes: list[str], number: int) -> tuple[int, bytes]:
        if number == 1:
            return refusal(400, "No data is available for this location")
        return good_answer(latitudes) if number == 2 else refusal(429, "Hourly API request limit exceeded.")

    with Scripted(answer).running() as server:
        found = outcomes(source(server.url))
        assert len(server.asked) == 3
    assert found["hanoi"] == 35
    assert isinstance(found["hcmc"], SourceLimited)
    assert found["danang"] is found["hcmc"]


# What came --------------------------------------------------------------------------------------------------


def test_the_table_has_the_columns_of_bronze_and_when_it_was_made() -> None:
    with simulator() as server:
        asked = source(server.url, max_days=1)
        for task in reversed(asked.tasks):
            asked.fetch(task)
    table = asked.table(STEP)
    assert table is not None
    assert table.schema == SCHEMA.append(pa.field("_ingested_at", pa.timestamp("us", tz="UTC")))
    assert set(table["_ingested_at"].to_pylist()) == {NOW}
    assert table.num_rows == 3 * 35
    assert {column.num_chunks for column in table.columns} == {1}  # Spark takes a first chunk without rows for the end
    assert max(table["ts_utc"].to_pylist()) == datetime(2025, 8, 9, 10, tzinfo=UTC)
    rows = zip(table["ts_utc"].to_pylist(), table["location_key"].to_pylist(), strict=True)
    blocks = list(dict.fromkeys((hour.date(), key) for hour, key in rows))
    assert blocks == [(day, key) for day in (ENDED, UNFINISHED) for key in ("danang", "hanoi", "hcmc")]


def test_digests_stand_for_what_the_source_sent() -> None:
    def digests(revised: str, max_days: int = 92) -> dict[PartitionKey, str]:
        def revise(latitude: float, longitude: float, values: HourValues) -> HourValues:
            is_it = (latitude, longitude) == HCMC and values["time"] == revised
            return values | {"dust": 99.5} if is_it else values

        with simulator(override=revise) as server:
            asked = source(server.url, max_days=max_days)
            outcomes(asked)
        return {key: sent.digest for key, sent in asked.sourced(STEP).items()}

    before, after = digests("never"), digests("2025-08-08T05:00")
    assert set(before) == {PartitionKey(day, key) for day in (ENDED, UNFINISHED) for key in KEYS}
    assert len(set(before.values())) == 6
    assert {key for key in before if before[key] != after[key]} == {PartitionKey(ENDED, "hcmc")}
    assert digests("never", max_days=1) == before  # however it was asked for


def test_a_day_without_an_hour_was_brought_too() -> None:
    tomorrow = PartitionSet.of(Days.of(date(2025, 8, 10)), ["hanoi"])
    with simulator() as server:
        asked = source(server.url, tomorrow)
        assert outcomes(asked) == {"hanoi": 0}
    assert asked.fetched(STEP) == tomorrow
    assert list(asked.sourced(STEP)) == [PartitionKey(date(2025, 8, 10), "hanoi")]
    table = asked.table(STEP)
    assert table is not None
    assert table.num_rows == 0


# When it was asked ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "as_of"),
    [
        (date(2025, 8, 8), ""),
        (date(2025, 8, 9), "2025-08-09T10:30:00Z"),
        (date(2025, 8, 10), "2025-08-09T10:30:00Z"),
    ],
)
def test_only_a_day_that_is_not_over_has_an_as_of(day: date, as_of: str) -> None:
    with simulator() as server:
        asked = source(server.url, PartitionSet.of(Days.of(day), ["hanoi"]))
        outcomes(asked)
    assert [sent.as_of for sent in asked.sourced(STEP).values()] == [as_of]


class MovingClock:
    """A clock that the test moves; counts from NOW."""

    def __init__(self, start: datetime = NOW) -> None:
        self.instant = start

    def __call__(self) -> datetime:
        return self.instant

    def pass_(self, **time: float) -> None:
        self.instant += timedelta(**time)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> MovingClock:
    """The clock of sources that are made in a test."""
    moving = MovingClock()
    monkeypatch.setattr("resources.settings.load.fixed_clock", lambda _now: moving)
    return moving


def as_ofs(asked: OpenMeteoSource, step: str = STEP) -> dict[str, set[str]]:
    """The moments that are recorded, by day."""
    found: dict[str, set[str]] = {}
    for key, sent in asked.sourced(step).items():
        found.setdefault(str(key.day), set()).add(sent.as_of)
    return found


def test_as_of_is_when_it_was_asked_and_not_when_it_is_read(clock: MovingClock) -> None:
    """Between the answer and the step that reads it, the day ends."""
    with Simulator(now=clock) as server:
        asked = source(server.url)
        outcomes(asked)
        before = asked.sourced(STEP)
    clock.pass_(days=2)
    assert as_ofs(asked) == {"2025-08-08": {""}, "2025-08-09": {"2025-08-09T10:30:00Z"}}
    assert asked.sourced(STEP) == before
    table = asked.table(STEP)
    assert table is not None
    assert set(table["_ingested_at"].to_pylist()) == {NOW + timedelta(days=2)}


def test_a_day_ends_with_its_last_instant(clock: MovingClock) -> None:
    for asked_at, as_of in (
        (datetime(2025, 8, 9, 23, 59, 59, tzinfo=UTC), "2025-08-09T23:59:59Z"),
        (datetime(2025, 8, 10, tzinfo=UTC), ""),
    ):
        clock.instant = asked_at
        with Simulator(now=clock) as server:
            asked = source(server.url, PartitionSet.of(Days.of(UNFINISHED), ["hanoi"]))
            outcomes(asked)
        assert as_ofs(asked) == {"2025-08-09": {as_of}}


def test_as_of_is_before_the_request_was_sent(clock: MovingClock) -> None:
    """While the server answers, hours pass and the day ends: what came may lack what was said meanwhile."""

    def slowly(latitude: float, longitude: float, values: HourValues) -> HourValues:
        clock.pass_(hours=1)
        return values

    with Simulator(now=clock, override=slowly) as server:
        asked = source(server.url)
        outcomes(asked)
    assert clock() > NOW + timedelta(days=1)
    assert as_ofs(asked)["2025-08-09"] == {"2025-08-09T10:30:00Z"}


def test_places_of_one_request_have_one_as_of_and_requests_each_their_own(clock: MovingClock) -> None:
    """The clock moves by half an hour with every task; a request for each day, sent when its first task begins."""
    with Simulator(now=lambda: NOW + timedelta(days=3)) as server:
        asked = source(server.url, PartitionSet.of(Days.of(UNFINISHED, date(2025, 8, 10)), KEYS), max_days=1)
        for task in asked.tasks:
            asked.fetch(task)
            clock.pass_(minutes=30)
    assert as_ofs(asked) == {"2025-08-09": {"2025-08-09T10:30:00Z"}, "2025-08-10": {"2025-08-09T12:00:00Z"}}


def test_places_that_are_asked_again_one_by_one_keep_the_first_moment(clock: MovingClock) -> None:
    """Not later than it was: a day is rather fetched once too often."""

    def answer(latitudes: list[str], number: int) -> tuple[int, bytes]:
        clock.pass_(minutes=40)
        return refusal(400, "No data is available for this location") if number == 1 else good_answer(latitudes)

    with Scripted(answer).running() as server:
        asked = source(server.url)
        assert outcomes(asked) == {"hanoi": 35, "hcmc": 35, "danang": 35}
        assert len(server.asked) == 4
    assert as_ofs(asked)["2025-08-09"] == {"2025-08-09T10:30:00Z"}


# For each step ----------------------------------------------------------------------------------------------

FIRST, SECOND = "bronze.feed#c1", "bronze.feed#c2"
BY_STEP = {
    FIRST: PartitionSet.of(Days.of(ENDED), KEYS),
    SECOND: PartitionSet.of(Days.of(UNFINISHED), ["hanoi", "hcmc"]),
}


def test_tasks_stand_in_the_order_of_their_steps_and_share_no_request() -> None:
    asked = source("http://127.0.0.1:9", BY_STEP | {"bronze.feed#c3": PartitionSet.empty()})
    assert [(task.step, task.request, str(task)) for task in asked.tasks] == [
        (FIRST, 0, "hanoi 2025-08-08"),
        (FIRST, 0, "hcmc 2025-08-08"),
        (FIRST, 0, "danang 2025-08-08"),
        (SECOND, 1, "hanoi 2025-08-09"),
        (SECOND, 1, "hcmc 2025-08-09"),
    ]
    assert asked.tasks_of(FIRST) + asked.tasks_of(SECOND) == asked.tasks
    assert asked.tasks_of("bronze.feed#c3") == ()
    assert asked.tasks_of("silver.clean") == ()


def test_each_step_has_what_was_brought_for_it() -> None:
    with simulator() as server:
        asked = source(server.url, BY_STEP)
        for task in asked.tasks_of(FIRST):
            asked.fetch(task)
        assert server.requests_served == {"ok": 1}
        assert asked.fetched(FIRST) == BY_STEP[FIRST]
        assert asked.fetched(SECOND) == PartitionSet.empty()
        assert asked.table(SECOND) is None
        for task in asked.tasks_of(SECOND):
            asked.fetch(task)
        assert server.requests_served == {"ok": 2}
    first, second = asked.table(FIRST), asked.table(SECOND)
    assert first is not None
    assert second is not None
    assert {hour.date() for hour in first["ts_utc"].to_pylist()} == {ENDED}
    assert {hour.date() for hour in second["ts_utc"].to_pylist()} == {UNFINISHED}
    assert (first.num_rows, second.num_rows) == (3 * 24, 2 * 11)
    assert set(asked.sourced(FIRST)) == set(BY_STEP[FIRST])
    assert set(asked.sourced(SECOND)) == set(BY_STEP[SECOND])
    assert all(isinstance(sent, Sourced) and sent.digest for sent in asked.sourced(SECOND).values())
    assert asked.fetched("silver.clean") == PartitionSet.empty()
    assert asked.sourced("silver.clean") == {}


def test_what_goes_wrong_for_one_step_is_not_told_of_another() -> None:
    def answer(latitudes: list[str], number: int) -> tuple[int, bytes]:
        return refusal(429, "Hourly API request limit exceeded.") if number > 1 else good_answer(latitudes)

    with Scripted(answer).running() as server:
        asked = source(server.url, {"a": TWO_DAYS, "b": TWO_DAYS}, attempts=1)
        for task in asked.tasks_of("a"):
            asked.fetch(task)
        for task in asked.tasks_of("b"):
            with pytest.raises(SourceLimited):
                asked.fetch(task)
    assert asked.errors("a") == {}
    assert set(asked.errors("b")) == set(asked.tasks_of("b"))
    assert asked.fetched("a") == TWO_DAYS
    assert asked.fetched("b") == PartitionSet.empty()


def test_what_is_forgotten_is_gone_and_other_steps_keep_theirs() -> None:
    with simulator(refuse_locations={HCMC}) as server:
        asked = source(server.url, BY_STEP)
        outcomes(asked)
        served = dict(server.requests_served)
        errors = asked.errors(FIRST)
        asked.forget(FIRST)
        asked.forget(FIRST)
        asked.forget("silver.clean")
        assert server.requests_served == served
    assert asked.table(FIRST) is None
    assert asked.sourced(FIRST) == {}
    assert asked.fetched(FIRST) == PartitionSet.empty()
    assert errors
    assert asked.errors(FIRST) == errors
    kept = asked.table(SECOND)
    assert kept is not None
    assert set(kept["location_key"].to_pylist()) == {"hanoi"}


def test_forgotten_answers_are_not_kept_anywhere() -> None:
    """A backfill of years must not hold all that it fetched."""
    with simulator() as server:
        asked = source(server.url, BY_STEP)
        tables = [weakref.ref(table) for table in brought(asked)]
        assert len(tables) == 5
        asked.forget(FIRST)
        gc.collect()
        assert [ref() is None for ref in tables] == [True] * 3 + [False] * 2


def brought(asked: OpenMeteoSource) -> Iterator[pa.Table]:
    """The tables of all answers, as the source holds them."""
    for task in asked.tasks:
        asked.fetch(task)
        yield asked._answers[task].table


# What was looked at before ---------------------------------------------------------------------------


def test_what_was_looked_at_is_not_asked_for_again() -> None:
    with simulator() as api:
        before = source(api.url)
        before.fetch_all()
        asked = api.requests_served.total()
        sent = before.sent(STEP)
        assert sent.keys() == set(TWO_DAYS) and all(len(digest) == 32 for digest in sent.values())
        one_day = PartitionSet.of(Days.of(UNFINISHED), ["hanoi"])
        settings = load(flags={"clock": {"now": NOW.isoformat()}, "open_meteo": {"base_url": api.url}}, environment={})
        then = OpenMeteoSource(settings, {"step": one_day}, OpenMeteoClient(api.url), looked=before)
        assert [(task.location, task.step) for task in then.tasks] == [("hanoi", "step")]
        outcomes(then)
        assert api.requests_served.total() == asked
        assert then.fetched("step") == one_day
        table = then.table("step", one_day)
        assert table is not None and set(table["ts_utc"].cast(pa.date32()).to_pylist()) == {UNFINISHED}
        (key,) = one_day
        assert then.sourced("step")[key] == Sourced(sent[key], "2025-08-09T10:30:00Z", "2025-08-09T10:30:00Z")


def test_what_was_not_looked_at_is_asked_for() -> None:
    earlier = PartitionSet.of(Days.of(ENDED - timedelta(1), UNFINISHED), ["hanoi"])
    with simulator() as api:
        before = source(api.url)
        before.fetch_all()
        settings = load(flags={"clock": {"now": NOW.isoformat()}, "open_meteo": {"base_url": api.url}}, environment={})
        then = OpenMeteoSource(settings, {"step": earlier}, OpenMeteoClient(api.url), looked=before)
        outcomes(then)
        assert then.fetched("step") == earlier


def test_what_goes_wrong_in_any_other_way_is_an_error_of_the_task() -> None:
    """Else its days would be passed over in silence."""
    with simulator() as api:
        asked = source(api.url)

    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    for fetch in asked._fetches:
        fetch._client.fetch = broken  # type: ignore[method-assign]
    found = outcomes(asked)
    assert all(isinstance(error, SourceError) and "a bug" in str(error) for error in found.values())
    assert len(asked.errors(STEP)) == len(KEYS)


def test_a_source_that_is_unreachable_is_asked_once() -> None:
    """Four requests and more, of which those that have not been sent when the first gives up are not."""
    with simulator() as api:
        url = api.url
    many = PartitionSet.of(Days.of(ENDED - timedelta(60), UNFINISHED), KEYS)
    asked = source(url, many, max_days=1, attempts=1)
    sent = 0

    def counted(*arguments: Any, **named: Any) -> Any:
        nonlocal sent
        sent += 1
        return ask(*arguments, **named)

    client = asked._fetches[0]._client
    ask, client.fetch = client.fetch, counted  # type: ignore[method-assign]
    asked.fetch_all()
    assert 1 <= sent <= 4
    assert set(asked.sent(STEP).values()) == {""} and len(asked.sent(STEP)) == len(many)
    assert len(asked.errors(STEP)) == len(asked.tasks) > 60


def test_an_interrupted_look_ends_at_once() -> None:
    """The API accepts and does not answer; nobody asks it again."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        asked = source(url, read_timeout_seconds=2, connect_timeout_seconds=2, attempts=9)
        threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        began = time.perf_counter()
        with pytest.raises(KeyboardInterrupt):
            asked.fetch_all()
        assert time.perf_counter() - began < 8
        time.sleep(3)
        silent.setblocking(False)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()


def test_a_place_that_does_not_answer_is_told_and_not_asked_again() -> None:
    with simulator() as api:
        url = api.url
    before = source(url)  # nobody is there any more
    before.fetch_all()
    assert set(before.sent(STEP).values()) == {""}
    settings = load(flags={"clock": {"now": NOW.isoformat()}, "open_meteo": {"base_url": url}}, environment={})
    then = OpenMeteoSource(settings, {"step": TWO_DAYS}, OpenMeteoClient(url), looked=before)
    found = outcomes(then)
    assert found.keys() == set(KEYS) and all(isinstance(error, SourceUnreachable) for error in found.values())
    assert not then.fetched("step")
