"""Fetching for a run: one request for many places, an answer or an error per place; over real HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pyarrow as pa
import pytest

from orchestration.errors import (
    FetchCancelled,
    SourceError,
    SourceLimited,
    SourceNonsense,
    SourceRefused,
    SourceUnreachable,
)
from orchestration.partitions import Days, PartitionKey, PartitionSet
from orchestration.source import FetchTask, OpenMeteoSource
from resources.open_meteo import OpenMeteoClient, never
from resources.open_meteo_answers import SCHEMA
from resources.open_meteo_requests import VARIABLES
from resources.settings import load
from resources.simulator import HourValues, Simulator
from resources.simulator_faults import Fault

NOW = datetime(2025, 8, 9, 10, 30, tzinfo=UTC)
ENDED, UNFINISHED = date(2025, 8, 8), date(2025, 8, 9)
HCMC = (10.8231, 106.6297)
LATITUDES = {"hanoi": "21.0278", "hcmc": "10.8231", "danang": "16.0544"}
KEYS = tuple(LATITUDES)
TWO_DAYS = PartitionSet.of(Days.of(ENDED, UNFINISHED), KEYS)


def source(
    url: str,
    partitions: PartitionSet = TWO_DAYS,
    cancelled: Callable[[], bool] = never,
    max_days: int = 92,
    **options: Any,
) -> OpenMeteoSource:
    """The three cities of the configuration, a clock that stands at NOW, a client that gives up soon."""
    flags = {
        "clock": {"now": NOW.isoformat()},
        "open_meteo": {"base_url": url, "max_days_per_request": max_days},
    }
    settings = load(flags=flags, environment={})
    client = OpenMeteoClient(url, **{"attempts": 2, "backoff_seconds": 0.0} | options)
    return OpenMeteoSource(settings, partitions, client, cancelled)


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


def test_one_request_brings_every_place() -> None:
    with simulator() as server:
        asked = source(server.url)
        assert outcomes(asked) == {"hanoi": 35, "hcmc": 35, "danang": 35}  # 24 hours, then 0:00 to 10:00
        assert server.requests_served == {"ok": 1}
    assert asked.fetched == TWO_DAYS
    assert not asked.errors


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
    task = FetchTask(0, "hcmc", Days.of(ENDED, UNFINISHED))
    assert asked.errors == {task: refused}
    assert asked.fetched == TWO_DAYS - task.partitions
    assert {key.location for key in asked.digests()} == {"hanoi", "danang"}
    table = asked.table()
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
    assert asked.fetched == TWO_DAYS
    assert list(asked.errors) == [first]


# What is no place's fault -----------------------------------------------------------------------------------


def test_an_unreachable_server_is_not_asked_place_by_place() -> None:
    with simulator() as server:
        url = server.url
    asked = source(url)
    found = outcomes(asked)
    assert {type(error) for error in found.values()} == {SourceUnreachable}
    assert len({id(error) for error in found.values()}) == 1
    assert "asked 2 times for hanoi, hcmc, danang on 2025-08-08..2025-08-09" in str(found["danang"])
    assert asked.table() is None
    assert asked.digests() == {}
    assert asked.fetched == PartitionSet.empty()


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
    table = asked.table()
    assert table is not None
    assert table.schema == SCHEMA.append(pa.field("_ingested_at", pa.timestamp("us", tz="UTC")))
    assert set(table["_ingested_at"].to_pylist()) == {NOW}
    assert table.num_rows == 3 * 35
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
        return asked.digests()

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
    assert asked.fetched == tomorrow
    assert list(asked.digests()) == [PartitionKey(date(2025, 8, 10), "hanoi")]
    table = asked.table()
    assert table is not None
    assert table.num_rows == 0


@pytest.mark.parametrize(
    ("day", "as_of"),
    [
        (date(2025, 8, 8), ""),
        (date(2025, 8, 9), "2025-08-09T10:30:00Z"),
        (date(2025, 8, 10), "2025-08-09T10:30:00Z"),
    ],
)
def test_only_a_day_that_is_not_over_has_an_as_of(day: date, as_of: str) -> None:
    assert source("http://127.0.0.1:9").as_of(day) == as_of
