"""The client of Open-Meteo: planning, reading answers, and real HTTP over the loopback."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.errors import (
    ConfigurationError,
    FetchCancelled,
    SourceError,
    SourceLimited,
    SourceNonsense,
    SourceRefused,
    SourceUnreachable,
    UsageError,
)
from orchestration.core.partitions.location import Location
from resources.open_meteo.answers import SCHEMA, read_answers
from resources.open_meteo.client import OpenMeteoClient
from resources.open_meteo.requests import VARIABLES, Request, plan_requests
from resources.simulator.faults import Fault
from resources.simulator.server import Simulator

NOW = datetime(2025, 10, 13, 10, 30, tzinfo=UTC)
HANOI = Location("hanoi", "Hà Nội", 21.0278, 105.8342, "Asia/Ho_Chi_Minh")
HCMC = Location("hcmc", "TP.HCM", 10.8231, 106.6297, "Asia/Ho_Chi_Minh")
DANANG = Location("danang", "Đà Nẵng", 16.0544, 108.2022, "Asia/Ho_Chi_Minh")
CITIES = (HANOI, HCMC, DANANG)
KEYS = ("hanoi", "hcmc", "danang")
DAY = date(2025, 8, 8)
ONE_DAY = Request((HANOI,), DAY, DAY)
TWO_CITIES = Request((HANOI, HCMC), DAY, DAY + timedelta(days=1))


# Variables and weights --------------------------------------------------------------------------------------


def test_variables_are_those_of_the_data_model() -> None:
    assert {name: variable.column for name, variable in VARIABLES.items()} == {
        "pm2_5": "pm25",
        "pm10": "pm10",
        "ozone": "o3",
        "nitrogen_dioxide": "no2",
        "sulphur_dioxide": "so2",
        "carbon_monoxide": "co",
        "aerosol_optical_depth": "aod",
        "dust": "dust",
        "uv_index": "uv_index",
        "carbon_dioxide": "co2",
        "us_aqi": "aqi",
        "us_aqi_pm2_5": "aqi_pm25",
        "us_aqi_pm10": "aqi_pm10",
        "us_aqi_nitrogen_dioxide": "aqi_no2",
        "us_aqi_ozone": "aqi_o3",
        "us_aqi_sulphur_dioxide": "aqi_so2",
        "us_aqi_carbon_monoxide": "aqi_co",
    }
    kinds = {field.name: field.type for field in SCHEMA}
    assert all((kinds[v.column] == pa.int32()) == v.column.startswith("aqi") for v in VARIABLES.values())
    assert kinds["ts_utc"] == pa.timestamp("us", tz="UTC")


@pytest.mark.parametrize(("days", "weight"), [(1, 5.1), (14, 5.1), (28, 10.2), (365, 132.96)])
def test_weight_of_three_cities(days: int, weight: float) -> None:
    request = Request(CITIES, DAY, DAY + timedelta(days=days - 1))
    assert round(request.weight, 2) == weight


def test_a_request_is_checked() -> None:
    with pytest.raises(UsageError, match=r"not before the first \(got 1 locations, 2025-08-08"):
        Request((HANOI,), DAY, DAY - timedelta(days=1))
    with pytest.raises(UsageError, match="needs a location"):
        Request((), DAY, DAY)


def test_a_request_of_many_places_is_named_shortly() -> None:
    places = tuple(Location(f"p{n}", "", float(n), 0.0, "UTC") for n in range(9))
    assert str(Request(places, DAY, DAY)) == "p0, p1, p2, p3, p4, 4 more on 2025-08-08"


# Planning ---------------------------------------------------------------------------------------------------


def plan(wanted: Mapping[str, Sequence[tuple[int, int]]], **limits: Any) -> list[str]:
    """Plans with days counted from 2025-08-08; a request as ``hanoi+hcmc 0..3``."""
    pieces = {key: [(DAY + timedelta(a), DAY + timedelta(b)) for a, b in spans] for key, spans in wanted.items()}
    limits = {"max_weight": 1000.0, "max_days": 1000} | limits
    return [
        f"{'+'.join(p.key for p in r.locations)} {(r.first - DAY).days}..{(r.last - DAY).days}"
        for r in plan_requests(pieces, CITIES, **limits)
    ]


@pytest.mark.parametrize(
    ("wanted", "limits", "planned"),
    [
        ({}, {}, []),
        ({"hanoi": []}, {}, []),
        # Those who want the same days share a request, in the order of the configuration.
        ({"hcmc": [(0, 3)], "hanoi": [(0, 3)]}, {}, ["hanoi+hcmc 0..3"]),
        ({"hcmc": [(0, 1), (2, 3)], "hanoi": [(0, 3)]}, {}, ["hanoi+hcmc 0..3"]),
        ({"hanoi": [(0, 3)], "hcmc": [(2, 3)]}, {}, ["hanoi 0..3", "hcmc 2..3"]),
        # By the first day, whatever the order in which it was asked.
        ({"hanoi": [(9, 9), (1, 1)], "hcmc": [(5, 5)]}, {}, ["hanoi 1..1", "hcmc 5..5", "hanoi 9..9"]),
        ({"hanoi": [(0, 9), (5, 12)]}, {"max_days": 10}, ["hanoi 0..9", "hanoi 10..12"]),
        # Three cities weigh 10.2 for 28 days: cut by days. They weigh 5.1 for one: below that, by places.
        (
            {key: [(0, 27)] for key in KEYS},
            {"max_weight": 10.2},
            ["hanoi+hcmc+danang 0..27"],
        ),
        (
            {key: [(0, 27)] for key in KEYS},
            {"max_weight": 10.1},
            ["hanoi+hcmc+danang 0..26", "hanoi+hcmc+danang 27..27"],
        ),
        (
            {key: [(0, 0)] for key in KEYS},
            {"max_weight": 5.0},
            ["hanoi+hcmc 0..0", "danang 0..0"],
        ),
        ({"hanoi": [(0, 1)]}, {"max_weight": 0.1}, ["hanoi 0..0", "hanoi 1..1"]),
        ({"hanoi": [(0, 0)], "hcmc": [(0, 0)]}, {"max_locations": 1}, ["hanoi 0..0", "hcmc 0..0"]),
    ],
)
def test_planned_requests(wanted: Any, limits: dict[str, Any], planned: list[str]) -> None:
    assert plan(wanted, **limits) == planned


def test_planning_refuses_what_it_cannot_do() -> None:
    with pytest.raises(UsageError, match="no location is configured with the key 'hue'"):
        plan({"hue": [(0, 0)]})
    with pytest.raises(UsageError, match=r"at least 1 day and 1 location \(got 0 and 1000"):
        plan({"hanoi": [(0, 0)]}, max_days=0)
    with pytest.raises(ValueError, match="must not end before it starts"):
        plan({"hanoi": [(3, 0)]})


SPANS = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 60)).map(lambda s: (s[0], s[0] + s[1])), max_size=4)


@given(
    wanted=st.dictionaries(st.integers(0, 11), SPANS),
    max_weight=st.floats(0.5, 60),
    max_days=st.integers(1, 100),
    max_locations=st.integers(1, 12),
)
@settings(max_examples=60, deadline=None)
def test_every_wanted_day_is_asked_once_and_within_the_limits(
    wanted: dict[int, list[tuple[int, int]]], max_weight: float, max_days: int, max_locations: int
) -> None:
    places = [Location(f"p{n}", "", float(n), 0.0, "UTC") for n in range(12)]
    pieces = {f"p{n}": [(DAY + timedelta(a), DAY + timedelta(b)) for a, b in spans] for n, spans in wanted.items()}
    requests = plan_requests(pieces, places, max_weight, max_days, max_locations)
    asked = [(place.key, day) for request in requests for place in request.locations for day in request.days]
    due = {(key, a + timedelta(n)) for key, spans in pieces.items() for a, b in spans for n in range((b - a).days + 1)}
    assert sorted(asked) == sorted(due)
    for request in requests:
        assert request.weight <= max_weight or (len(request.locations) == 1 and request.first == request.last)
        assert len(request.days) <= max_days
        assert len(request.locations) <= max_locations
    assert [r.first for r in requests] == sorted(r.first for r in requests)
    shuffled = {key: pieces[key][::-1] for key in reversed(pieces)}
    assert requests == plan_requests(shuffled, places, max_weight, max_days, max_locations)


# Reading answers --------------------------------------------------------------------------------------------

UNITS = {"time": "iso8601", "carbon_dioxide": "ppm", "aerosol_optical_depth": "", "uv_index": ""}


def document(hours: int = 24, first: date = DAY) -> dict[str, Any]:
    """An answer as the API writes it (its µ is U+03BC): whole numbers that differ by variable and hour."""
    midnight = datetime(first.year, first.month, first.day)
    times = [(midnight + timedelta(hours=n)).strftime("%Y-%m-%dT%H:%M") for n in range(hours)]
    values = {name: [float(100 * k + n) for n in range(hours)] for k, name in enumerate(VARIABLES)}
    units = {name: UNITS.get(name, "USAQI" if "aqi" in name else "\u03bcg/m³") for name in ("time", *VARIABLES)}
    return {
        "latitude": 21.2,
        "longitude": 106.0,
        "utc_offset_seconds": 0,
        "hourly_units": units,
        "hourly": {"time": times, **values},
    }


def read(content: Any, request: Request = ONE_DAY, now: datetime = NOW) -> Any:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return read_answers(body, request, now, "api.example")


def change(path: str, value: Any) -> dict[str, Any]:
    """A document of one day with one thing changed: ``hourly.pm10.3`` for the fourth value of pm10."""
    result = document()
    *parents, last = path.split(".")
    place: Any = result
    for name in parents:
        place = place[name]
    if isinstance(place, list):
        place[int(last)] = value
    elif value is ...:
        del place[last]
    else:
        place[last] = value
    return result


def test_an_answer_becomes_a_table_of_bronze_columns() -> None:
    content = change("hourly.pm10.3", None)
    content["hourly"]["us_aqi"][0] = None
    (answer,) = read(content)
    table = answer.table
    assert (answer.location_key, answer.first, answer.last) == ("hanoi", DAY, DAY)
    assert table.schema == SCHEMA
    assert table.column_names[:4] == ["location_key", "ts_utc", "aqi", "aqi_pm25"]
    assert table["ts_utc"].to_pylist() == [datetime(2025, 8, 8, hour, tzinfo=UTC) for hour in range(24)]
    assert table["pm10"].to_pylist()[2:5] == [802.0, None, 804.0]
    assert table["aqi"].to_pylist()[:2] == [None, 1]
    assert table["aqi_co"].to_pylist()[5] == 605
    assert set(table["location_key"].to_pylist()) == {"hanoi"}


def test_answers_match_the_request_by_position() -> None:
    second = document(48)
    second["hourly"]["pm10"] = [7.0] * 48
    answers = read([document(48), second], TWO_CITIES)
    assert [answer.location_key for answer in answers] == ["hanoi", "hcmc"]
    assert set(answers[1].table["pm10"].to_pylist()) == {7.0}


def test_hours_after_now_are_forecasts() -> None:
    (answer,) = read(document(), now=datetime(2025, 8, 8, 10, 59, 59, tzinfo=UTC))
    assert answer.table["ts_utc"].to_pylist()[-1] == datetime(2025, 8, 8, 10, tzinfo=UTC)
    (answer,) = read(document(), now=datetime(2025, 8, 7, tzinfo=UTC))
    assert answer.table.num_rows == 0
    assert answer.table.schema == SCHEMA
    with pytest.raises(ValueError, match="aware"):
        read(document(), now=datetime(2025, 8, 8))


def test_nulls_are_rows_and_not_finite_values_are_kept() -> None:
    content = document()
    for name in VARIABLES:
        content["hourly"][name][5] = None
    content["hourly"]["pm10"][:3] = [math.nan, math.inf, -math.inf]
    (answer,) = read(content)
    assert answer.table.num_rows == 24
    assert all(answer.table[v.column][5].as_py() is None for v in VARIABLES.values())
    nan, above, below = answer.table["pm10"].to_pylist()[:3]
    assert math.isnan(nan)
    assert (above, below) == (math.inf, -math.inf)


def test_hours_in_disorder_are_sorted() -> None:
    content = document()
    content["hourly"] = {name: values[::-1] for name, values in content["hourly"].items()}
    assert read(content)[0].table == read(document())[0].table


def doubled(change_last: float = 0.0) -> dict[str, Any]:
    """Hour 5 comes twice; its second dust differs by ``change_last``."""
    content = document()
    for values in content["hourly"].values():
        values.append(values[5])
    content["hourly"]["dust"][-1] += change_last
    return content


def test_an_hour_that_comes_twice_is_taken_once() -> None:
    assert read(doubled())[0].table == read(document())[0].table
    assert read(doubled())[0].digests == read(document())[0].digests


def test_an_hour_with_two_different_values_is_refused() -> None:
    with pytest.raises(SourceNonsense, match=r"hanoi on 2025-08-08 with two different .* hour 2025-08-08T05:00Z"):
        read(doubled(0.5))
    content = doubled()
    content["hourly"]["dust"][-1] = None  # null and a value differ, too
    with pytest.raises(SourceNonsense, match="two different"):
        read(content)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("hourly.time.1", "2025-08-08T01:30", "the time 2025-08-08T01:30, which is not on the full hour"),
        (
            "hourly.time.1",
            "yesterday",
            "the time 'yesterday', which is not a timestamp like 2025-08-08T06:00",
        ),
        ("hourly.time.1", 1754611200, "the time 1754611200, which is not a timestamp"),
        ("hourly.time.1", "2025-02-30T01:00", "the time '2025-02-30T01:00', which is not a timestamp"),
        ("hourly.time.1", "2025-08-08T01:00+07:00", "which is not a timestamp"),
        ("hourly.time.1", "2025-08-09T00:00", "the hour 2025-08-09T00:00, which was not asked for"),
        ("hourly.time.1", "2025-08-07T23:00", "the hour 2025-08-07T23:00, which was not asked for"),
        ("hourly.pm10", [1.0] * 23, "23 values of pm10 for 24 hours"),
        ("hourly.pm10", ..., r"instead of a list 'pm10'"),
        ("hourly.pm10", "none", "'none' instead of a list 'pm10'"),
        ("hourly.pm10.3", "12.5", "'12.5' as pm10 at 2025-08-08T03:00, which is no number"),
        ("hourly.pm10.3", True, "True as pm10 at 2025-08-08T03:00, which is no number"),
        ("hourly.pm10.3", [1], r"\[1\] as pm10 at 2025-08-08T03:00, which is no number"),
        ("hourly.pm10.3", 10**400, "a pm10 that is too large for a number"),
        ("hourly.us_aqi.3", 51.5, "51.5 as us_aqi at 2025-08-08T03:00, which is no whole number"),
        ("hourly.us_aqi.3", math.nan, "nan as us_aqi at 2025-08-08T03:00, which is no whole number"),
        ("hourly.us_aqi.3", math.inf, "inf as us_aqi at 2025-08-08T03:00, which is no whole number"),
        ("hourly.us_aqi.3", 2**40, "1099511627776 as us_aqi at"),
        ("hourly_units.pm10", "mg/m³", "pm10 in 'mg/m³' instead of 'µg/m³'"),
        ("hourly_units.pm10", ..., "pm10 in None instead of 'µg/m³'"),
        ("hourly_units.us_aqi", "EAQI", "us_aqi in 'EAQI' instead of 'US AQI'"),
        ("hourly_units.carbon_dioxide", "", "carbon_dioxide in '' instead of 'ppm'"),
        ("hourly_units.uv_index", "%", "uv_index in '%' instead of '1'"),
        ("hourly", ..., "the keys .* instead of an object 'hourly'"),
        ("hourly_units", None, "None instead of an object 'hourly_units'"),
        ("utc_offset_seconds", 25200, r"local time \(25200 seconds from UTC\) instead of UTC"),
    ],
)
def test_nonsense_is_refused_with_its_place(path: str, value: Any, message: str) -> None:
    with pytest.raises(SourceNonsense, match=message) as caught:
        read(change(path, value))
    assert caught.value.message.startswith("api.example answered hanoi on 2025-08-08 with ")
    assert "compare with its documentation" in caught.value.remedy


@pytest.mark.parametrize(
    ("path", "unit"),
    [("hourly_units.pm10", "\u00b5g/m³"), ("hourly_units.uv_index", "1"), ("hourly_units.us_aqi", "US AQI")],
)
def test_units_may_be_written_in_two_ways(path: str, unit: str) -> None:
    assert read(change(path, unit))[0].table.num_rows == 24


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "something that is not JSON .''"),
        (b'{"hourly": ', "something that is not JSON"),
        (b"\xff\xfe", "something that is not JSON"),
        (b"[" * 100_000, "something that is not JSON"),
        (b"<html><title>Log in</title>", "an HTML page instead of JSON ..<html><title>Log in"),
        (b"[]", "0 places instead of 1"),
        (b"[{}, {}]", "2 places instead of 1"),
        (b"12", "12 instead of an object with 'hourly'"),
        (b"null", "None instead of an object with 'hourly'"),
        (b'{"hourly": {}, "hourly_units": {}}', "instead of a list 'time'"),
    ],
)
def test_bodies_that_are_no_answer(body: bytes, message: str) -> None:
    with pytest.raises(SourceNonsense, match=message) as caught:
        read(body)
    assert "hanoi on 2025-08-08" in caught.value.message
    assert caught.value.remedy


# Digests ----------------------------------------------------------------------------------------------------


def test_a_digest_depends_on_the_values_of_its_day_alone() -> None:
    both = read([document(48), document(48)], TWO_CITIES)[0].digests
    (alone,) = read(document())
    assert list(both) == [DAY, DAY + timedelta(days=1)]
    assert both[DAY] == alone.digests[DAY]
    assert len(both[DAY]) == 32
    changed = document(48)
    changed["hourly"]["dust"][30] += 0.1
    again = read([changed, document(48)], TWO_CITIES)[0].digests
    assert again[DAY] == both[DAY]
    assert again[DAY + timedelta(days=1)] != both[DAY + timedelta(days=1)]


def test_a_digest_does_not_depend_on_how_a_number_is_written() -> None:
    def digest(text: str) -> str:
        body = json.dumps(change("hourly.dust.0", "HERE")).replace('"HERE"', text)
        return str(read(body.encode())[0].digests[DAY])

    assert digest("0.0") == digest("0") == digest("-0.0") == digest("0e5")
    assert digest("1e2") == digest("100") == digest("100.00")
    assert len({digest(text) for text in ("0", "null", "NaN", "Infinity", "0.1")}) == 5


def test_a_digest_counts_rows() -> None:
    noon = read(document(), now=datetime(2025, 8, 8, 12, tzinfo=UTC))[0].digests
    assert noon != read(document())[0].digests
    assert list(read(document(0))[0].digests) == [DAY]


# The client, over real HTTP ---------------------------------------------------------------------------------

Canned = tuple[int, dict[str, str], bytes]


class Script:
    """A server that gives canned answers in turn, and keeps what it was asked."""

    def __init__(self, *answers: Canned) -> None:
        self.asked: list[str] = []
        self.agents: list[str] = []
        script, left = self, iter(answers)

        class Handler(BaseHTTPRequestHandler):
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                script.asked.append(self.path)
                script.agents.append(self.headers["User-Agent"])
                status, headers, body = next(left)
                self.send_response_only(status)
                for name, value in ({"Content-Length": str(len(body))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Script:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class Clock:
    """Time that passes by sleeping only."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    @property
    def waited(self) -> float:
        return sum(self.slept)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(clock: Clock) -> Callable[..., OpenMeteoClient]:
    def make(url: str, **options: Any) -> OpenMeteoClient:
        options = {"attempts": 3, "read_timeout_seconds": 5.0, "backoff_seconds": 1.0} | options
        return OpenMeteoClient(url, sleep=clock.sleep, monotonic=lambda: clock.time, **options)

    return make


def good(content: Any = None) -> Canned:
    return 200, {}, json.dumps(content or document()).encode()


def bad(status: int, reason: str, **headers: str) -> Canned:
    text = json.dumps({"error": True, "reason": reason})
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, text.encode()


MINUTELY = "Minutely API request limit exceeded. Please try again in one minute."
DATE = "Mon, 13 Oct 2025 10:30:42 GMT"


def test_what_is_sent(client: Any) -> None:
    with Script(good([document(48)] * 2)) as server:
        client(server.url + "/", api_key="k&y").fetch(TWO_CITIES, NOW)
    assert server.asked == [
        "/v1/air-quality?latitude=21.0278%2C10.8231&longitude=105.8342%2C106.6297&hourly="
        + "%2C".join(VARIABLES)
        + "&start_date=2025-08-08&end_date=2025-08-09&timezone=UTC&apikey=k%26y"
    ]
    assert server.agents == ["air-quality-lakehouse"]


def test_fetches_from_the_simulator(client: Any) -> None:
    with Simulator(now=lambda: NOW) as server:
        answers = client(server.url).fetch(TWO_CITIES, NOW)
    assert [(a.location_key, a.table.num_rows) for a in answers] == [("hanoi", 48), ("hcmc", 48)]
    assert answers[0].digests != answers[1].digests


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        (
            "error",
            SourceError,
            r"answered HTTP 500 \(Internal server error\); asked 3 times for hanoi on 2025-08-08",
        ),
        (
            "overload",
            SourceError,
            r"answered HTTP 503 \(The service is overloaded\); asked 3 times for hanoi",
        ),
        ("limit", SourceLimited, r"HTTP 429 \(Minutely API request limit .*\); asked 3 times for hanoi"),
        (
            "drop",
            SourceUnreachable,
            r"refused or broke the connection \(RemoteDisconnected\); asked 3 times for hanoi",
        ),
        ("truncate", SourceUnreachable, "cut its answer short; asked 3 times for hanoi"),
        ("slow", SourceUnreachable, r"did not answer within 0\.1 s; asked 3 times for hanoi"),
    ],
)
def test_passing_faults_are_retried(
    client: Any, clock: Clock, fault: str, kind: type[SourceError], message: str
) -> None:
    with Simulator(now=lambda: NOW, faults=[Fault(fault)]) as server:
        with pytest.raises(SourceError, match=message) as caught:
            client(server.url, read_timeout_seconds=0.1 if fault == "slow" else 5.0).fetch(ONE_DAY, NOW)
        if fault != "slow":
            assert server.requests_served == {fault: 3}
    assert type(caught.value) is kind
    assert "127.0.0.1" in caught.value.message
    assert "Ask again later" in caught.value.remedy
    if fault == "limit":
        assert clock.waited == 2.0  # Retry-After: 1, twice
    else:  # 1 and 2 seconds, each from half to one and a half times as long
        assert 1.5 <= clock.waited <= 4.5


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        ("refuse", SourceRefused, "refused hanoi on 2025-08-08: No data is available for this location"),
        ("html", SourceNonsense, "answered hanoi on 2025-08-08 with an HTML page instead of JSON"),
        ("nonsense", SourceNonsense, r"the keys \['data'\] instead of an object 'hourly'"),
        (
            "conflict",
            SourceNonsense,
            "hanoi on 2025-08-08 with two different values for the hour 2025-08-08T00:00Z",
        ),
    ],
)
def test_lasting_faults_are_not_retried(
    client: Any, clock: Clock, fault: str, kind: type[SourceError], message: str
) -> None:
    with Simulator(now=lambda: NOW, faults=[Fault(fault)]) as server:
        with pytest.raises(SourceError, match=message) as caught:
            client(server.url).fetch(ONE_DAY, NOW)
        assert server.requests_served.total() == 1
    assert type(caught.value) is kind
    assert clock.waited == 0


def test_duplicates_are_harmless_and_bad_values_pass_through(client: Any) -> None:
    def fetch(*faults: Fault) -> Any:
        with Simulator(now=lambda: NOW, faults=faults) as server:
            return client(server.url).fetch(ONE_DAY, NOW)[0].table

    assert fetch(Fault("duplicate", 0.5)) == fetch()
    assert fetch(Fault("nulls"))["pm25"].null_count == 24
    assert max(fetch(Fault("negative"))["aqi"].to_pylist()) < 0


def test_a_fault_that_passes(client: Any, clock: Clock) -> None:
    short = document()
    with Script(bad(502, "Bad gateway"), bad(503, "busy", Retry_After="7"), good(short)) as server:
        (answer,) = client(server.url).fetch(ONE_DAY, NOW)
    assert answer.table.num_rows == 24
    assert 7.5 <= clock.waited <= 8.5  # a back-off of 0.5 to 1.5 s, then the 7 s asked for
    assert max(clock.slept) <= 1.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "3", "Date": DATE}, 3.0),
        ({"Retry_After": "Mon, 13 Oct 2025 10:31:00 GMT", "Date": DATE}, 18.0),
        ({"Retry_After": "Mon, 13 Oct 2025 10:00:00 GMT", "Date": DATE}, 0.0),
        ({"Date": DATE}, 18.0),  # to the next minute of the server's clock
        ({"Retry_After": "soon", "Date": DATE}, 18.0),
        ({}, 60.0),
    ],
)
def test_the_minutes_limit_is_waited_out(client: Any, clock: Clock, headers: dict[str, str], seconds: float) -> None:
    with Script(bad(429, MINUTELY, **headers), good()) as server:
        client(server.url).fetch(ONE_DAY, NOW)
    assert clock.waited == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("answer", "remedy"),
    [
        (bad(429, "Hourly API request limit exceeded. …", Date=DATE), "Go on after 2025-10-13T11:00Z."),
        (bad(429, "Hourly API request limit exceeded. …"), "Go on in the next full hour."),
        (bad(429, "Daily API request limit exceeded. …", Date=DATE), "Go on after 2025-10-14T00:00Z."),
        (bad(429, "Daily API request limit exceeded. …"), "Go on tomorrow (UTC)."),
        (bad(503, "busy", Retry_After="3600"), "It asks to be left alone for 3600 s. Go on after that."),
    ],
)
def test_long_limits_fail_at_once(client: Any, clock: Clock, answer: Canned, remedy: str) -> None:
    with Script(answer) as server, pytest.raises(SourceLimited, match="to hanoi on 2025-08-08") as caught:
        client(server.url).fetch(ONE_DAY, NOW)
    assert caught.value.remedy.endswith(remedy)
    assert clock.waited == 0


def test_too_many_concurrent_requests_backs_off(client: Any, clock: Clock) -> None:
    with Script(bad(429, "Too many concurrent requests"), good()) as server:
        client(server.url).fetch(ONE_DAY, NOW)
    assert 0.5 <= clock.waited <= 1.5


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, SourceNonsense),
        (400, SourceNonsense),
        (401, SourceNonsense),
        (404, SourceNonsense),
        (501, SourceError),
    ],
)
def test_other_answers_are_final(client: Any, status: int, kind: type[SourceError]) -> None:
    with Script((status, {"Location": "/"}, b"<html>")) as server:
        with pytest.raises(SourceError, match=f"answered HTTP {status} to hanoi on 2025-08-08") as caught:
            client(server.url).fetch(ONE_DAY, NOW)
        assert len(server.asked) == 1
    assert type(caught.value) is kind
    assert "base_url" in caught.value.remedy


def test_nobody_listens(client: Any) -> None:
    with Script() as server:
        url = server.url
    with pytest.raises(
        SourceUnreachable, match=r"127\.0\.0\.1:\d+ refused or broke the connection .Connection refused.; "
    ):
        client(url).fetch(ONE_DAY, NOW)


@pytest.mark.parametrize("url", ["air-quality-api.open-meteo.com", "ftp://x", "http://", ""])
def test_a_base_url_is_checked(url: str) -> None:
    with pytest.raises(ConfigurationError, match="must be like https://air-quality-api"):
        OpenMeteoClient(url)


KEY = "se/cret=1"


@pytest.mark.parametrize(
    "answer",
    [
        bad(400, f"apikey={KEY} has no access; apikey=se%2Fcret%3D1"),
        bad(500, f"apikey={KEY}"),
        bad(401, KEY),
        (200, {}, f"<html>{KEY}".encode()),
        (200, {"Content-Length": "10"}, b"{}"),
        None,
    ],
)
def test_the_key_is_never_told(client: Any, answer: Canned | None) -> None:
    with Script(*[answer] * 3 if answer else []) as server:
        url = server.url
        if answer:
            with pytest.raises(SourceError) as caught:
                client(url, api_key=KEY).fetch(ONE_DAY, NOW)
            assert "apikey=se%2Fcret%3D1" in server.asked[0]
    if not answer:
        with pytest.raises(SourceError) as caught:
            client(url, api_key=KEY).fetch(ONE_DAY, NOW)
    error = caught.value
    assert not error.__cause__ and (error.__suppress_context__ or not error.__context__)
    assert not any(secret in str(error) for secret in (KEY, "se%2Fcret%3D1"))


def test_cancelling_while_it_waits(client: Any, clock: Clock) -> None:
    with Script(bad(429, MINUTELY)) as server:
        with pytest.raises(FetchCancelled, match=r"hanoi on 2025-08-08 from 127\.0\.0\.1:\d+ was cancelled"):
            client(server.url).fetch(ONE_DAY, NOW, cancelled=lambda: clock.waited >= 5)
        assert len(server.asked) == 1
    assert clock.waited == 5


# Pace -------------------------------------------------------------------------------------------------------


def test_the_pace_stays_under_the_minutes_limit(client: Any, clock: Clock) -> None:
    moments: list[float] = []
    with Simulator(now=lambda: NOW, log=lambda _: moments.append(clock.time)) as server:
        paced = client(server.url, calls_per_minute=4)  # of 1.7 calls each: two a minute
        for _ in range(5):
            paced.fetch(ONE_DAY, NOW)
    assert moments == [1000, 1000, 1060, 1060, 1120]


@pytest.mark.parametrize(("limit", "remedy"), [("hour", "Go on in 60 minutes"), ("day", "Go on in 1440 minutes")])
def test_the_hours_and_days_limits_are_refused(client: Any, clock: Clock, limit: str, remedy: str) -> None:
    with Simulator(now=lambda: NOW) as server:
        limited = client(server.url, **{f"calls_per_{limit}": 4})
        limited.fetch(ONE_DAY, NOW)
        limited.fetch(ONE_DAY, NOW)
        with pytest.raises(SourceLimited, match=f"hanoi on 2025-08-08 would exceed the 4 calls a {limit}") as caught:
            limited.fetch(ONE_DAY, NOW)
        assert server.requests_served.total() == 2
        clock.time += 86400 if limit == "day" else 3600
        limited.fetch(ONE_DAY, NOW)
    assert remedy in caught.value.remedy


def test_a_request_heavier_than_a_limit_is_refused(client: Any) -> None:
    with Simulator(now=lambda: NOW) as server:
        with pytest.raises(SourceLimited, match=r"weighs 1\.7 calls, more than the 1 calls a minute"):
            client(server.url, calls_per_minute=1).fetch(ONE_DAY, NOW)
        assert not server.requests_served


def test_refused_connections_cost_nothing(client: Any, clock: Clock) -> None:
    with Script() as server:
        url = server.url
    with pytest.raises(SourceError, match="asked 9 times"):
        client(url, attempts=9, backoff_seconds=0, calls_per_minute=2).fetch(ONE_DAY, NOW)
    assert clock.waited == 0


def test_one_request_at_a_time() -> None:
    """Four threads share a client; the server's clock is read while a request is in it, and waits there."""
    guard, pause, at_once = threading.Lock(), threading.Event(), [0, 0]  # now, at most

    def now() -> datetime:
        with guard:
            at_once[0] += 1
            at_once[1] = max(at_once)
        pause.wait(0.03)
        with guard:
            at_once[0] -= 1
        return NOW

    with Simulator(now=now) as server:
        shared = OpenMeteoClient(server.url)
        threads = [threading.Thread(target=shared.fetch, args=(ONE_DAY, NOW)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.requests_served == {"ok": 4}
    assert at_once[1] == 1
