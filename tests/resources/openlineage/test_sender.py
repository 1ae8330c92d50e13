"""Events arrive in order; a receiver that is down, slow or broken costs events and a bounded wait, and nothing else."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestration.core.errors import UsageError
from resources.openlineage import sender as module
from resources.openlineage.facets import complete
from resources.openlineage.sender import Sender, Sent
from resources.openlineage.settings import OpenLineageSettings
from tests.support.alert_sinks import MailSink
from tests.support.counting_proxy import CountingProxy
from tests.support.lineage_receiver import Receiver
from tests.support.told_runs import all_events
from tests.support.watching import until

pytestmark = pytest.mark.costly  # servers, or waits

EVENTS = all_events()
KEY = "s3cret-of-the-receiver"
SLACK_SECONDS = 5
"""What a busy machine may add; all that is told apart by time here differs by more."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def _import_before_the_clock_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    import resources.openlineage.transports  # noqa: F401

    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0.02)


def settings(url: str, **more: Any) -> OpenLineageSettings:
    return OpenLineageSettings.model_validate({"url": url, "timeout_seconds": 60, **more})


def sent(of: OpenLineageSettings, *, seconds_before_the_end: float = 0) -> tuple[Sent, float]:
    """What became of all events of a run, and how long its end took."""
    sender = Sender(of)
    began = time.monotonic()
    for event in EVENTS:
        sender.send(event)
    assert time.monotonic() - began < SLACK_SECONDS, "whoever tells waits for nobody"
    time.sleep(seconds_before_the_end)
    began = time.monotonic()
    return sender.close(), time.monotonic() - began


def test_all_arrive_in_order_and_whole(receiver: Receiver) -> None:
    assert sent(settings(receiver.url))[0] == Sent(len(EVENTS), 0)
    assert receiver.events == json.loads(json.dumps([complete(event) for event in EVENTS]))
    assert set(receiver.asked) == {("POST", "/api/v1/lineage")}
    assert set(receiver.keys) == {None}


def test_a_key_a_location_below_an_address_and_an_endpoint(receiver: Receiver) -> None:
    sent(settings(f"{receiver.url}/below/", endpoint="/events", api_key=KEY))
    assert set(receiver.asked) == {("POST", "/below/events")}
    assert set(receiver.keys) == {f"Bearer {KEY}"}


def test_one_that_is_down() -> None:
    receiver = Receiver()  # never started
    outcome, seconds = sent(settings(receiver.url))
    assert (outcome.taken, outcome.lost) == (0, len(EVENTS))
    assert outcome.why == "it cannot be reached"
    assert seconds < SLACK_SECONDS


def test_one_that_comes_back_gets_all_of_them() -> None:
    receiver = Receiver()
    sender = Sender(settings(receiver.url))
    for event in EVENTS:
        sender.send(event)
    time.sleep(0.2)
    with receiver:
        until(lambda: len(receiver.events) == len(EVENTS))
        assert sender.close() == Sent(len(EVENTS), 0)
    assert [event["eventType"] for event in receiver.events] == [event["eventType"] for event in EVENTS]


def test_one_that_becomes_slow(receiver: Receiver) -> None:
    """It takes a minute for the third: the wait at the end is the time-out, not a minute for each."""
    receiver.delays, receiver.delay_seconds = iter((0, 0)), 60
    sender = Sender(settings(receiver.url, timeout_seconds=2))
    for event in EVENTS:
        sender.send(event)
    until(lambda: len(receiver.events) == 2)
    began = time.monotonic()
    assert sender.close() == Sent(2, len(EVENTS) - 2, "no answer within 2 s")
    assert time.monotonic() - began < 2 + SLACK_SECONDS


@pytest.mark.parametrize("seconds_before_the_end", [0, 1])
def test_one_that_answers_too_late(receiver: Receiver, seconds_before_the_end: float) -> None:
    receiver.delay_seconds = 30
    outcome, seconds = sent(settings(receiver.url, timeout_seconds=0.3), seconds_before_the_end=seconds_before_the_end)
    assert (outcome.taken, outcome.lost, outcome.why) == (0, len(EVENTS), "no answer within 0.3 s")
    assert seconds < 0.3 + SLACK_SECONDS


def test_one_that_never_ends_its_answer(receiver: Receiver) -> None:
    receiver.endless = True
    outcome, seconds = sent(settings(receiver.url, timeout_seconds=0.5))
    assert (outcome.taken, outcome.lost) == (0, len(EVENTS))
    assert seconds < 0.5 + SLACK_SECONDS


def test_one_that_answers_500(receiver: Receiver) -> None:
    receiver.status = 500
    outcome, seconds = sent(settings(receiver.url))
    assert (outcome.taken, outcome.lost, outcome.why) == (0, len(EVENTS), "it answers 500")
    assert seconds < SLACK_SECONDS


def test_500_now_and_then_loses_nothing(receiver: Receiver) -> None:
    receiver.statuses = iter([503, 201, 500, 429, 201])
    sender = Sender(settings(receiver.url))
    for event in EVENTS:
        sender.send(event)
    until(lambda: len(receiver.events) == len(EVENTS))
    assert sender.close() == Sent(len(EVENTS), 0)


@pytest.mark.parametrize("status", [400, 401, 404, 422])
def test_what_is_refused_is_not_sent_again(receiver: Receiver, status: int) -> None:
    receiver.status = status
    outcome, _ = sent(settings(receiver.url, api_key=KEY))
    assert (outcome.lost, outcome.why) == (len(EVENTS), f"it answers {status}")
    assert len(receiver.asked) == len(EVENTS)


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.status, receiver.location = 302, f"{receiver.url}/elsewhere"
    outcome, _ = sent(settings(receiver.url))
    assert (outcome.lost, outcome.why) == (len(EVENTS), "it answers with a redirect")
    assert {command for command, _ in receiver.asked} == {"POST"}


def test_one_that_speaks_something_else() -> None:
    with MailSink() as sink:
        outcome, seconds = sent(settings(f"http://127.0.0.1:{sink.port}", timeout_seconds=0.5))
    assert (outcome.taken, outcome.lost) == (0, len(EVENTS))
    assert seconds < 0.5 + SLACK_SECONDS


def test_one_that_speaks_no_tls(receiver: Receiver) -> None:
    outcome, _ = sent(settings(receiver.url.replace("http:", "https:")))
    assert (outcome.lost, outcome.why) == (len(EVENTS), "its certificate is not accepted, or it speaks no TLS")


def test_a_receiver_on_this_machine_is_asked_through_no_proxy(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert sent(settings(receiver.url))[0] == Sent(len(EVENTS), 0)


def test_one_elsewhere_is_asked_as_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    with CountingProxy() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        outcome, _ = sent(settings("http://receiver.invalid", timeout_seconds=2))
    assert outcome.lost == len(EVENTS)
    assert set(proxy.asked) == {"POST http://receiver.invalid/api/v1/lineage"}
    monkeypatch.setenv("http_proxy", "ftp://127.0.0.1:9")
    with pytest.raises(UsageError, match=r"receiver\.invalid is asked through ftp://127.0.0.1:9 \(http_proxy\)"):
        settings("http://receiver.invalid").check()


def test_more_than_can_wait_are_lost(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    all_told = threading.Event()
    receiver.statuses = (201 for _ in iter(lambda: all_told.wait(60), None))
    sender = Sender(settings(receiver.url))
    for event in EVENTS:
        sender.send(event)
    all_told.set()
    assert sender.close() == Sent(3, len(EVENTS) - 3, "too many of them waited")


def test_what_goes_wrong_here_is_told_as_lost(receiver: Receiver) -> None:
    sender = Sender(settings(receiver.url))
    sender.send({"run": {"facets": {"unheard": {}}}})
    sender.send(EVENTS[0])
    assert sender.close() == Sent(1, 1, "KeyError")


def test_a_client_that_cannot_be_made() -> None:
    def no(_settings: OpenLineageSettings) -> Any:
        raise ImportError(KEY)

    sender = Sender(settings("http://127.0.0.1:9"), no)
    sender.send(EVENTS[0])
    assert sender.close() == Sent(0, 1, "ImportError in OpenLineage's client")


# --- into a file ---------------------------------------------------------------------------------------------------


def into(file: Path) -> OpenLineageSettings:
    return OpenLineageSettings(file=str(file))


def test_a_file_has_a_line_for_each(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    assert sent(into(file))[0] == Sent(len(EVENTS), 0)
    assert sent(into(file))[0] == Sent(len(EVENTS), 0)
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert lines == 2 * json.loads(json.dumps([complete(event) for event in EVENTS]))


def test_runs_side_by_side_do_not_mix_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    long = {**EVENTS[0], "job": {"namespace": "x" * 100_000, "name": "long", "facets": {}}}
    senders = [Sender(into(file)) for _ in range(4)]

    def tell(sender: Sender) -> None:
        for _ in range(20):
            sender.send(long)

    threads = [threading.Thread(target=tell, args=(sender,)) for sender in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [sender.close() for sender in senders] == [Sent(20, 0)] * 4
    assert all(json.loads(line)["job"]["name"] == "long" for line in file.read_text(encoding="utf-8").splitlines())


def test_a_file_that_cannot_be_written_any_more(tmp_path: Path) -> None:
    outcome, _ = sent(into(tmp_path / "no" / "events.jsonl"))
    assert (outcome.lost, outcome.why) == (len(EVENTS), "No such file or directory")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_disk_that_is_full() -> None:
    outcome, _ = sent(into(Path("/dev/full")))
    assert (outcome.lost, outcome.why) == (len(EVENTS), "No space left on device")
