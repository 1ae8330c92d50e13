"""Between a run and the source: what is passed on, what is passed back, what is kept, and what is in none of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assets.variables import VARIABLES
from orchestration.core.errors import UsageError
from resources.machine.clock import system_clock
from resources.open_meteo.requests import Request
from resources.open_meteo.settings import OpenMeteoSettings
from resources.open_meteo.source import OpenMeteo
from resources.simulator.faults import Fault
from resources.simulator.recorder import Recorder
from resources.simulator.server import Simulator
from tests.support.api_answers import CITIES, ONE_DAY, bad, document, good
from tests.support.clocks import MovingClock
from tests.support.scripted_api import CannedApi
from tests.support.simulated_api import HANOI, NOW, ask

pytestmark = pytest.mark.costly  # servers, or waits

DATE = {"Date": "Mon, 13 Oct 2025 10:31:05 GMT"}
KEY = "se/cret=1"


class Chain:
    """A recorder before a source. log: its lines."""

    def __init__(self, folder: Path, url: str, **settings: Any) -> None:
        self.folder, self.log = folder, list[str]()
        self.recorder = Recorder(folder, OpenMeteoSettings(base_url=url, **settings), lambda: NOW, self.log.append)
        self.recorder.open()
        self.server = Simulator(now=lambda: NOW, pass_on=self.recorder)

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    @property
    def kept(self) -> list[Any]:
        return [json.loads((self.folder / name).read_bytes()) for name in self.names]


@contextmanager
def recording(folder: Path, url: str, **settings: Any) -> Iterator[Chain]:
    chain = Chain(folder, url, **settings)
    with chain.server:
        yield chain


def test_what_is_kept(tmp_path: Path) -> None:
    """The moment is the source's; the body stands as it was sent."""
    body = json.dumps(document(), indent=1).replace("2300.0", "23e2").encode()
    with CannedApi((200, DATE, body)) as source, recording(tmp_path / "a" / "b", source.url) as chain:
        answer = ask(chain.server, HANOI, apikey="")
        assert source.agents[0].startswith("python-requests/"), "as who asks"
        assert source.asked[0].startswith("/v1/air-quality?latitude=21.0278&longitude=105.8342&hourly=us_aqi")
    assert (answer.status_code, answer.content, answer.headers["Date"]) == (200, body, DATE["Date"])
    assert chain.names == ["2025-10-13T10-31-05Z_0001.json"]
    assert body in (chain.folder / chain.names[0]).read_bytes()
    (kept,) = chain.kept
    assert kept == {
        "asked": "2025-10-13T10:31:05Z",
        "query": {
            "latitude": "21.0278",
            "longitude": "105.8342",
            "hourly": ",".join(VARIABLES),
            "start_date": "2025-08-08",
            "end_date": "2025-08-08",
            "timezone": "UTC",
        },
        "status": 200,
        "body": json.loads(body),
    }
    assert chain.log == ["kept 2025-10-13T10-31-05Z_0001.json"]


def test_without_a_date_the_clock_of_the_recorder_counts(tmp_path: Path) -> None:
    with CannedApi(good()) as source, recording(tmp_path, source.url) as chain:
        assert "Date" not in ask(chain.server).headers
    assert chain.kept[0]["asked"] == "2025-10-13T10:30:00Z"


def test_numbers_go_on(tmp_path: Path) -> None:
    """Also those of an earlier recording; nothing of it is lost."""
    for wanted in (2, 3):
        with CannedApi(*[good()] * 2) as source, recording(tmp_path, source.url) as chain:
            ask(chain.server)
            if wanted == 2:
                ask(chain.server)
        assert len(chain.names) == wanted
    assert [name.partition("_")[2] for name in chain.names] == ["0001.json", "0002.json", "0003.json"]


@pytest.mark.parametrize(
    ("settings", "given"),
    [({"api_key": KEY}, {}), ({"api_key": KEY}, {"apikey": "another"}), ({}, {"apikey": KEY})],
)
def test_the_key_is_passed_on_and_nowhere_else(tmp_path: Path, settings: dict[str, str], given: dict[str, str]) -> None:
    """The source repeats it, in an answer and in an error."""
    told = json.dumps(document())[:-1] + f', "url": "?apikey=se%2Fcret%3D1 {KEY} another"}}'
    with (
        CannedApi((200, DATE, told.encode()), bad(400, f"apikey={KEY} has no access")) as source,
        recording(tmp_path, source.url, **settings) as chain,
    ):
        answers = [ask(chain.server, **given) for _ in range(2)]
        assert all("apikey=se%2Fcret%3D1" in asked and "another" not in asked for asked in source.asked)
    seen = [*(answer.text for answer in answers), *(path.read_text() for path in tmp_path.iterdir()), *chain.log]
    assert len(seen) == 2 + 1 + 2
    for text in seen:
        assert not any(secret in text for secret in (KEY, "se%2Fcret%3D1"))
    assert "apikey" not in chain.kept[0]["query"]


def test_errors_are_passed_on_and_not_kept(tmp_path: Path) -> None:
    late = {"Retry_After": "7", "Date": DATE["Date"], "X_AQI_Clock": "injected"}
    replies = (
        bad(429, "Minutely API request limit exceeded.", **late),
        bad(503, "busy"),
        (303, {"Location": "x"}, b""),
    )
    with CannedApi(*replies) as source, recording(tmp_path, source.url) as chain:
        answers = [ask(chain.server) for _ in replies]
    assert [answer.status_code for answer in answers] == [429, 503, 303]
    assert answers[0].json()["reason"] == "Minutely API request limit exceeded."
    assert {name: answers[0].headers[name] for name in ("Retry-After", "Date", "X-AQI-Clock")} == {
        "Retry-After": "7",
        "Date": DATE["Date"],
        "X-AQI-Clock": "injected",
    }
    assert chain.names == []
    assert chain.log[1] == "HTTP 503 (busy) was passed on, and is not kept"


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b'{"error": true, "reason": "x"}',
        b"Unexpected error while streaming data: x",
        b"[]",
        b'{"latitude": 21, "longitude": 105, "hourly": {"time": ["2025-08-08T00:00"], "us_aqi": [101.5]}}',
        b'{"latitude": 21, "longitude": 105, "hourly": {"time": ["2025-08-08T00:00"], "pm2_5": ["n/a"]}}',
    ],
)
def test_what_is_no_answer_is_passed_on_and_not_kept(tmp_path: Path, body: bytes) -> None:
    with CannedApi((200, {}, body)) as source, recording(tmp_path, source.url) as chain:
        answer = ask(chain.server)
    assert (answer.status_code, answer.content) == (200, body)
    assert chain.names == []
    assert chain.log[0].startswith("what is no answer was passed on, and is not kept (")


def test_a_source_that_does_not_answer(tmp_path: Path) -> None:
    with CannedApi() as source:
        url = source.url
    with recording(tmp_path, url.replace("//", "//user:password@"), api_key=KEY) as chain:
        answer = ask(chain.server)
    assert (answer.status_code, answer.json()) == (502, {"error": True, "reason": f"{url} did not answer"})
    assert chain.log == [f"{url} did not answer (ConnectionError); nothing is kept"]


def test_an_answer_that_cannot_be_kept_is_an_error(tmp_path: Path) -> None:
    """Or a run would go on, and its recording would lack something."""
    folder = tmp_path / "gone"
    with CannedApi(*[good()] * 2) as source, recording(folder, source.url) as chain:
        folder.rmdir()
        folder.write_text("a file")
        answer = ask(chain.server)
        assert answer.status_code == 507
        assert answer.json()["reason"].startswith("the answer cannot be kept")
        folder.unlink()
        assert ask(chain.server).status_code == 200
    assert len(chain.names) == 1


def test_folders_that_cannot_be_recorded_into(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "other.json").write_text("{}")
    for folder, message in ((tmp_path / "file", "cannot be recorded into"), (tmp_path, "has other files")):
        recorder = Recorder(folder, OpenMeteoSettings(), lambda: NOW, print)
        with pytest.raises(UsageError, match=message):
            recorder.open()


@pytest.mark.parametrize(
    ("base_url", "is_itself"),
    [
        ("http://127.0.0.1:{}", True),
        ("http://localhost:{}/", True),
        ("http://user:password@127.0.0.1:{}/api", True),
        ("http://127.0.0.1:1", False),
        ("http://127.0.0.1", False),
        ("https://nowhere.invalid:{}", False),
        ("https://air-quality-api.open-meteo.com", False),
    ],
)
def test_it_knows_itself(tmp_path: Path, base_url: str, is_itself: bool) -> None:
    with Simulator(now=lambda: NOW) as server:
        port = server.url.rpartition(":")[2]
        settings = OpenMeteoSettings(base_url=base_url.format(port))
        assert Recorder(tmp_path, settings, lambda: NOW, print).leads_to(server.url) == is_itself


def test_many_at_once_are_all_kept(tmp_path: Path) -> None:
    with Simulator(now=lambda: NOW) as source, recording(tmp_path, source.url) as chain:
        threads = [threading.Thread(target=ask, args=(chain.server,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(chain.kept) == len(chain.log) == 8


def test_a_client_sees_no_difference_and_the_replay_none_either(tmp_path: Path) -> None:
    """Hour after hour, with revisions and a failure: recorded, then asked again at the same moments."""
    evening = datetime(2025, 10, 13, 21, 30, tzinfo=UTC)
    clock = MovingClock(evening)
    wanted = [Request((location,), evening.date(), evening.date(), tuple(VARIABLES)) for location in CITIES[:2]]

    def replies(url: str) -> list[Any]:
        asks = OpenMeteo(OpenMeteoSettings(base_url=url), {name: name for name in VARIABLES}, injected_clock=True)
        found = []
        for hour in range(6):
            clock.instant = evening + timedelta(hours=hour)
            for request in wanted:
                reply = asks.fetch(request, clock, lambda: False)
                (answer,) = reply.answers
                found.append((reply.asked, answer.location, dict(answer.digests), answer.rows.to_pydict()))
        return found

    with Simulator(now=clock, faults=[Fault("revise", 0.5), Fault("nulls", 0.1)]) as source:
        direct = replies(source.url)
        chain = Chain(tmp_path, source.url)
        with chain.server:
            assert replies(chain.server.url) == direct
    assert len(chain.names) == 12
    with Simulator(now=clock, replay=tmp_path) as replay:
        assert replies(replay.url) == direct


def test_the_real_clock_is_passed_through(tmp_path: Path) -> None:
    """A source with the time of day, a recorder, and a run with the time of day: nothing is refused."""
    with Simulator(now=system_clock, injected=False) as source, recording(tmp_path, source.url) as chain:
        asks = OpenMeteo(OpenMeteoSettings(base_url=chain.server.url), {"dust": "dust"})
        request = Request(CITIES[:1], ONE_DAY.first, ONE_DAY.last, ("dust",))
        reply = asks.fetch(request, system_clock, lambda: False)
    assert abs(reply.asked - system_clock()) < timedelta(minutes=1)
    assert chain.kept[0]["asked"] == reply.asked.strftime("%Y-%m-%dT%H:%M:%SZ")
