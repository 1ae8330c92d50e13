"""Answers with their moments, played back as they were at the clock."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.variables import VARIABLES
from orchestration.core.calendar import iso
from orchestration.core.errors import UsageError
from orchestration.core.source import RawAnswer
from resources.raw.answers import RawAnswers
from resources.simulator.replies import LocationReply, Replies, kept_reply, read_kept_reply
from resources.simulator.requests import AskedLocation, Refused
from resources.simulator.series import AirSeries
from resources.simulator.server import Simulator
from tests.support.simulated_api import DANANG, HANOI, HCMC, ask

DAY = date(2025, 9, 10)
CELL = (21.2, 106.0)


def at(hour: int, day: int = 10, minute: int = 0) -> datetime:
    return datetime(2025, 9, day, hour, minute, tzinfo=UTC)


def document(values: dict[str, Any], cell: tuple[float, float] = CELL, variables: Any = VARIABLES) -> dict[str, Any]:
    """An answer of these hours, all variables alike."""
    hourly = {"time": list(values)} | {name: list(values.values()) for name in variables}
    return {"latitude": cell[0], "longitude": cell[1], "utc_offset_seconds": 0, "hourly_units": {}, "hourly": hourly}


def day_of(value: float | None, day: date = DAY, hours: Any = range(24)) -> dict[str, Any]:
    return {f"{day}T{hour:02}:00": value for hour in hours}


def kept(
    asked: datetime, *documents: dict[str, Any], locations: Any = (HANOI,), days: Any = (DAY, DAY)
) -> dict[str, Any]:
    query = {
        "latitude": ",".join(str(latitude) for latitude, _ in locations),
        "longitude": ",".join(str(longitude) for _, longitude in locations),
        "hourly": ",".join(VARIABLES),
        "start_date": str(days[0]),
        "end_date": str(days[1]),
        "timezone": "UTC",
    }
    body = documents[0] if len(documents) == 1 else list(documents)
    return {"asked": iso(asked), "query": query, "status": 200, "body": body}


Replay = Callable[..., Simulator]


@pytest.fixture
def replay(tmp_path: Path) -> Replay:
    """A simulator of these replies; its clock is ``server.now``."""

    def make(*replies: Any) -> Simulator:
        for number, content in enumerate(replies):
            (tmp_path / f"{number}.json").write_text(json.dumps(content))
        return Simulator(now=lambda: at(0), replay=tmp_path)

    return make


def told_at(server: Simulator, clock: datetime, *locations: tuple[float, float], **more: str) -> Any:
    """The times and values of an answer at that clock; the reason of a refusal."""
    server.now = lambda: clock
    answer = ask(server, *locations, **({"first": str(DAY)} | more)).json()
    if isinstance(answer, dict) and answer.get("error"):
        return answer["reason"]
    return dict(zip(answer["hourly"]["time"], answer["hourly"]["dust"], strict=True))


def test_the_newest_answer_by_then_counts_as_it_was(replay: Replay) -> None:
    """A good day, nulls, hours left out, then the whole day again: each from its own moment on."""
    good, filled = day_of(1.0), day_of(4.0)
    half = day_of(3.0, hours=range(0, 24, 2))
    with replay(
        kept(at(1, 11), document(good)),
        kept(at(6, 11), document(day_of(None))),
        kept(at(9, 11), document(half)),
        kept(at(6, 14), document(filled)),
    ) as server:
        for clock, want in (
            (at(0, 11, 59), "No data is available for this location"),
            (at(1, 11), good),
            (at(5, 11, 59), good),
            (at(6, 11), day_of(None)),
            (at(9, 11), half),
            (at(5, 14), half),
            (at(6, 14), filled),
            (at(6, 10), "No data is available for this location"),
        ):
            assert told_at(server, clock) == want, clock


def test_what_was_still_to_come_was_a_forecast(replay: Replay) -> None:
    """Neither at its own moment nor later is it a value."""
    with replay(kept(at(6), document(day_of(1.0))), kept(at(9), document(day_of(2.0)))) as server:
        assert told_at(server, at(6, minute=30)) == day_of(1.0, hours=range(7))
        assert told_at(server, at(8)) == day_of(1.0, hours=range(7))
        assert told_at(server, at(9)) == day_of(2.0, hours=range(10))
        assert told_at(server, at(0, 12)) == day_of(2.0, hours=range(10))


def test_days_go_each_by_its_own_answer(replay: Replay) -> None:
    """Asked for together or apart then: what counts is who was about the day last."""
    next_day = DAY + timedelta(1)
    both = document(day_of(1.0) | day_of(1.0, next_day))
    with replay(
        kept(at(6, 12), both, days=(DAY, next_day)),
        kept(at(7, 12), document(day_of(2.0, next_day)), days=(next_day, next_day)),
    ) as server:
        assert told_at(server, at(8, 12), end_date=str(next_day)) == day_of(1.0) | day_of(2.0, next_day)
        assert told_at(server, at(6, 12), end_date=str(next_day)) == day_of(1.0) | day_of(1.0, next_day)


def test_a_day_that_was_not_asked_about_by_then_is_refused(replay: Replay) -> None:
    """It would be hours that the provider withdrew."""
    later = DAY + timedelta(2)
    with replay(
        kept(at(6, 13), document(day_of(1.0))),
        kept(at(7, 13), document(day_of(1.0, later)), days=(later, later)),
    ) as server:
        outside = f"Parameter 'end_date' is out of allowed range from {DAY} to {DAY}"
        assert told_at(server, at(6, 13), end_date=str(later)) == outside
        between = told_at(server, at(7, 13), end_date=str(later))
        assert between == "No answer about 2025-09-11 was recorded by 2025-09-13T07:00:00Z"
        assert told_at(server, at(7, 13)) == day_of(1.0)


def test_locations_go_by_where_was_asked_and_not_by_the_cell(replay: Replay) -> None:
    """Two locations in one cell; and a third that is near the first."""
    two = (document(day_of(1.0)), document(day_of(2.0)))
    near = (HANOI[0] + 0.004, HANOI[1] - 0.009)
    with replay(kept(at(6, 11), *two, locations=(HANOI, HCMC))) as server:
        assert told_at(server, at(7, 11), HANOI) == told_at(server, at(7, 11), near) == day_of(1.0)
        assert told_at(server, at(7, 11), HCMC) == day_of(2.0)
        assert told_at(server, at(7, 11), DANANG) == "No data is available for this location"
        answer = ask(server, HCMC, first=str(DAY)).json()
        assert (answer["latitude"], answer["longitude"]) == CELL
        assert len(ask(server, HANOI, HCMC, first=str(DAY)).json()) == 2


def test_a_variable_that_was_not_asked_for_then(replay: Replay) -> None:
    """The newest answer that has all; where there is none, it is refused."""
    with replay(
        kept(at(6, 11), document(day_of(1.0))), kept(at(7, 11), document(day_of(2.0), variables=["dust", "pm10"]))
    ) as server:
        assert told_at(server, at(8, 11)) == day_of(1.0)
        assert told_at(server, at(8, 11), hourly="pm10,dust") == day_of(2.0)
        assert told_at(server, at(8, 11), hourly="methane,dust") == "No data is available for methane"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"asked": "yesterday"}, "Invalid isoformat"),
        ({"asked": 3}, "lacks something"),
        ({"query": None}, "lacks something"),
        ({"query": {"latitude": "1"}}, "its query would be refused: Value of type 'String' required for key"),
        ({"body": ...}, "lacks something .KeyError.'body'"),
        ({"body": []}, "0 answers to a request for 1 locations"),
        ({"body": {"error": True, "reason": "busy"}}, "it is an error: busy"),
        ({"body": "Unexpected error while streaming data"}, "lacks something"),
        ({"body": {**document(day_of(1.0)), "utc_offset_seconds": 25200}}, "not in UTC"),
        ({"body": {**document(day_of(1.0)), "hourly": {"time": ["2025-09-10T00:00"], "dust": []}}}, "not a value for"),
        ({"body": {**document(day_of(1.0)), "hourly": {"time": ["2025-09-10T00:30"], "dust": [1]}}}, "full hour"),
        ({"body": {**document(day_of(1.0)), "hourly": {"time": ["now?"], "dust": [1]}}}, "now"),
        ({"body": {**document(day_of(1.0)), "hourly": {"time": ["2025-09-10T00:00"], "dust": ["x"]}}}, "x"),
    ],
)
def test_files_that_are_no_kept_replies(replay: Replay, change: dict[str, Any], message: str) -> None:
    content = {**kept(at(6, 11), document(day_of(1.0))), **change}
    content = {name: value for name, value in content.items() if value is not ...}
    with pytest.raises(UsageError, match=rf"0\.json is not an answer that was kept \(.*{message}"):
        replay(content)


def test_with_and_without_moments_in_one_folder(replay: Replay) -> None:
    with pytest.raises(UsageError, match=r"1\.json does not say when it was asked for, and others in its folder do"):
        replay(kept(at(6, 11), document(day_of(1.0))), document(day_of(2.0)))


def test_the_raw_answers_of_a_warehouse(tmp_path: Path) -> None:
    """They are of the same kind: what was asked, when, and the body."""
    raw = RawAnswers(str(tmp_path / "warehouse"))
    for clock, value in ((at(6, 11), 1.0), (at(9, 11), None)):
        request = {
            "locations": [{"key": "hanoi", "latitude": HANOI[0], "longitude": HANOI[1]}],
            "first": str(DAY),
            "last": str(DAY),
            "variables": list(VARIABLES),
            "domain": "cams_global",
        }
        body = json.dumps(document(day_of(value))).encode()
        raw.keep(RawAnswer("bronze.a", "open_meteo", iso(clock), "run", False, DAY, DAY, ("hanoi",), request, body))
    with Simulator(now=lambda: at(0), replay=tmp_path / "warehouse/_aqi/raw/bronze.a") as server:
        assert told_at(server, at(8, 11)) == day_of(1.0)
        assert told_at(server, at(9, 11)) == day_of(None)
    with pytest.raises(UsageError, match=r"no raw answers of bronze\.b are kept"):
        Simulator(now=lambda: at(0), replay=tmp_path / "warehouse/_aqi/raw/bronze.b")
    raw.keep(RawAnswer("bronze.c", "gauges", iso(at(6)), "run", False, DAY, DAY, ("alder",), {"gauges": {}}, b"{}"))
    with pytest.raises(UsageError, match="raw answers of another source"):
        Simulator(now=lambda: at(0), replay=tmp_path / "warehouse/_aqi/raw/bronze.c")


def test_broken_raw_answers_are_passed_over_and_said(tmp_path: Path) -> None:
    raw = RawAnswers(str(tmp_path / "warehouse"))
    request = {
        "locations": [{"key": "hanoi", "latitude": HANOI[0], "longitude": HANOI[1]}],
        "first": str(DAY),
        "last": str(DAY),
    }
    for clock, value in ((at(6, 11), 1.0), (at(9, 11), 2.0)):
        body = json.dumps(document(day_of(value))).encode()
        raw.keep(RawAnswer("bronze.a", "open_meteo", iso(clock), "run", False, DAY, DAY, ("hanoi",), request, body))
    folder, said = tmp_path / "warehouse/_aqi/raw/bronze.a", list[str]()
    first, second = (folder.parent / file.path for file in raw.all("bronze.a").files)
    second.write_bytes(b"")
    with Simulator(now=lambda: at(0), replay=folder, warn=said.append) as server:
        assert told_at(server, at(9, 11)) == day_of(1.0)
    (line,) = said
    assert line.startswith(f"the raw answer bronze.a/2025-09-11/{second.name} (")
    assert line.endswith(" is broken: it is not replayed")
    first.write_bytes(b"")
    with pytest.raises(UsageError, match=r"no raw answers of bronze\.a are kept"):
        Simulator(now=lambda: at(0), replay=folder, warn=said.append)
    assert len(said) == 3


def test_what_is_kept_stands_as_it_was_sent() -> None:
    query = kept(at(6, 11), document({}))["query"]
    body = b'\n{ "latitude":21.20, "longitude":1.06e2,\t"hourly": {"time":["2025-09-10T00:00"], "dust":[ 1.50 ]}}'
    text = kept_reply(at(6, 11, 30), query, 200, body)
    assert body in text
    (said,) = read_kept_reply(json.loads(text))
    assert (said.asked, said.location, said.cell) == (at(6, 11, 30), AskedLocation(*HANOI, DAY, DAY), (21.2, 106.0))
    assert said.series.values["dust"].tolist() == [1.5]


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[" * 100_000, b'{"a": 1}, "query": {}', b"{}", b"[]"])
def test_what_is_no_answer_is_not_kept(body: bytes) -> None:
    query = kept(at(6, 11), document({}))["query"]
    with pytest.raises(ValueError, match=r"."):
        kept_reply(at(6, 11), query, 200, body)


# Any sequence -------------------------------------------------------------------------------------

BEGIN = int(at(0).timestamp()) // 3600
moments = st.integers(0, 30).map(lambda hour: at(0) + timedelta(hours=hour))
pieces = st.tuples(st.integers(0, 2), st.integers(0, 2)).map(sorted)
said = st.tuples(moments, pieces, st.sets(st.integers(0, 71)))
"""When it was asked about which days (from the first on), and the hours that it had (since that began)."""


def had(moment: datetime, days: list[int], there: set[int]) -> list[int]:
    """The hours of an answer that had happened when it was asked for."""
    hours = [hour for hour in there if days[0] <= hour // 24 <= days[1]]
    return sorted(hour for hour in hours if at(0) + timedelta(hours=hour) <= moment)


def location(days: list[int]) -> AskedLocation:
    return AskedLocation(*HANOI, DAY + timedelta(days[0]), DAY + timedelta(days[1]))


@given(st.lists(said, max_size=6), moments, pieces)
def test_any_sequence(sequence: list[Any], clock: datetime, asked: list[int]) -> None:
    """Day by day: the last that was asked by then about the day, with the hours that it had."""
    told = []
    for number, (moment, days, there) in enumerate(sequence):
        hours = np.array(had(moment, days, there), dtype=np.int64)
        series = AirSeries(BEGIN + hours, {"dust": np.full(len(hours), float(number))})
        told.append(LocationReply(moment, location(days), CELL, series))
    want: dict[int, float] = {}
    is_refused = False
    for day in range(asked[0], asked[1] + 1):
        by_then = [
            (moment, number)
            for number, (moment, days, _) in enumerate(sequence)
            if days[0] <= day <= days[1] and moment <= clock
        ]
        if by_then:
            _, newest = max(by_then)
            want |= {BEGIN + hour: float(newest) for hour in had(*sequence[newest]) if hour // 24 == day}
        is_refused = is_refused or not by_then
    if is_refused:
        with pytest.raises(Refused):
            Replies(told).answer(location(asked), ["dust"], clock)
        return
    found, _ = Replies(told).answer(location(asked), ["dust"], clock)
    assert dict(zip(found.hours.tolist(), found.values["dust"].tolist(), strict=True)) == want
