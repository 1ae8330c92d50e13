"""`aqi watch` against a real Prefect server, a journal, and mail and web servers: who is told what, and how often."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest

from orchestration.core.alerts.watch_state import REFUSALS, Message
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.runs.journal import Attempt, RunEntry, RunState
from orchestration.core.state.lags import Lag
from orchestration.project import load
from orchestration.service.watch import Watch, WatchResult, state_file
from resources.alert_channels import AlertError
from resources.storage.journal import Journal
from tests.service.prefect.conftest import PrefectServer
from tests.support.records import keys
from tests.support.watching import Door, Place, states

pytestmark = pytest.mark.prefect

FACT, CLEAN = "gold.fact_city_daily", "silver.air_quality_hourly_clean"


# --- each kind, once ----------------------------------------------------------------------------------------------


def test_a_failure_and_its_recovery(place: Place) -> None:
    assert place.observe().is_healthy
    report = "2 steps failed\nsilver.x: 2 failed; no answer for Hà Nội"
    run = place.run(states().Failed(message=report), selection="layer:silver")  # of no days, as far as anybody knows
    found = place.observe()
    assert [(item.kind, item.key) for item in found.incidents] == [("failed", f"run:{place.deployment}")]
    text = place.mail.texts[0]
    assert f"Run: {run.name}, ended " in text
    assert "Why:\n  2 steps failed\n  silver.x: 2 failed; no answer for Hà Nội\n" in text
    assert f"Look: {place.server.api_url.removesuffix('/api')}/runs/flow-run/{run.id}\n" in text
    assert f"Go on: prefect deployment run {place.deployment} --param selection=layer:silver\n" in text
    assert place.arrived() == [f"{place.deployment} failed"]
    assert not place.observe().is_healthy
    place.run(states().Failed(message="again"))
    place.run(states().Cancelled())
    place.observe()
    assert place.arrived() == []
    place.run(states().Completed())
    assert place.observe().is_healthy
    assert place.observe().is_healthy
    assert place.arrived() == [f"{place.deployment} has completed again"]


def test_a_crash_names_its_partitions(place: Place) -> None:
    run = place.run(states().Running())
    eighth, ninth = keys(8, location="hanoi"), keys(9, location="hanoi")
    both = eighth | ninth
    attempts = {
        CLEAN: Attempt(good=eighth, planned=both),
        FACT: Attempt(planned=eighth),
        "gold.done": Attempt(good=PartitionSet.null(), planned=PartitionSet.null()),
    }
    entry = RunEntry("20250820T060000-abcdef", "materialize *", "", state=RunState.RUNNING, attempts=attempts)
    Journal(str(place.warehouse)).write(replace(entry, flow_run_id=str(run.id)))
    place.bring(run, states().Crashed(message="Process exited with status -9"))
    place.observe()
    left = f"  {FACT}: {eighth}\n  {CLEAN}: {ninth}\n"
    assert f"Why:\n  Process exited with status -9\nPartitions that were not made:\n{left}Look:" in place.mail.texts[0]
    assert place.arrived() == [f"{place.deployment} crashed"]


@pytest.mark.parametrize(("name", "news"), [("Completed", "has completed again"), ("Failed", "failed")])
def test_a_run_that_was_given_up_and_goes_on(place: Place, name: str, news: str) -> None:
    """The server keeps the end that it had as crashed."""
    run = place.run(states().Running())
    place.bring(run, states().Crashed(message="no heartbeat"))
    place.observe()
    with place.client() as client:
        end = client.read_flow_run(run.id).end_time
    place.bring(run, getattr(states(), name)(message="and yet"))
    with place.client() as client:
        assert client.read_flow_run(run.id).end_time == end
    found = place.observe()
    assert place.observe().is_healthy == found.is_healthy == (name == "Completed")
    assert place.arrived() == [f"{place.deployment} crashed", f"{place.deployment} {news}"]


def test_between_two_looks(place: Place) -> None:
    for state in (states().Failed(), states().Crashed(), states().Completed(), states().Crashed()):
        place.run(state)
    place.observe()
    place.observe()
    names = ["failed", "crashed", "has completed again", "crashed"]
    assert place.arrived() == [f"{place.deployment} {name}" for name in names]


def test_many_runs(place: Place) -> None:
    for number in range(5):
        place.run(states().Failed(message=str(number)))
    place.run(states().Completed())
    place.watch(page=2).observe()
    assert place.arrived() == [f"{place.deployment} failed", f"{place.deployment} has completed again"]
    seen = json.loads(place.state_file.read_text())["seen"]
    assert len(seen) == 6


def test_a_run_that_is_late(place: Place) -> None:
    now = datetime.now(UTC)
    long_ago, not_so_long = now - timedelta(minutes=5), now - timedelta(minutes=2)
    place.scheduled(not_so_long)
    place.scheduled(long_ago, "AwaitingConcurrencySlot")
    place.bring(place.scheduled(long_ago, "AwaitingConcurrencySlot"), states().Pending())  # its turn has come
    place.bring(place.scheduled(long_ago), states().Running())
    assert place.observe().is_healthy
    late = place.scheduled(long_ago, "Late")
    assert [item.kind for item in place.observe().incidents] == ["late"]
    place.observe()
    text = place.mail.texts[0]
    assert f"Run: {late.name}, should have started {long_ago:%Y-%m-%d %H:%M} UTC" in text
    assert "Go on: aqi worker start" in text
    assert place.arrived() == [f"{place.deployment} is late"]
    place.bring(late, states().Running())
    assert place.observe().is_healthy
    assert place.arrived() == [f"{place.deployment} is no longer late"]


def test_a_table_that_lies_behind(place: Place) -> None:
    until = datetime(2025, 8, 20, 2, tzinfo=UTC)
    place.lags = [Lag(FACT, "hanoi", until, 4.0, 3.0), Lag(FACT, "hue", until, 1.0, 3.0)]
    place.observe()
    place.observe()
    [text] = place.mail.texts
    assert text.startswith("hanoi: covered until 2025-08-20 02:00 UTC, 4.0 h behind, 3 h are allowed\nLook: aqi status")
    assert f"Look: aqi status {FACT}\nGo on: prefect deployment run {place.deployment}\n" in text
    assert place.arrived() == [f"{FACT} lies further behind than it may"]
    place.lags = [Lag(FACT, "hanoi", until, 3.0, 3.0)]
    assert place.observe().is_healthy
    assert place.arrived() == [f"{FACT} is up to date again"]


def test_another_environment_is_none_of_its_business(place: Place, prefect_server: PrefectServer) -> None:
    Place(prefect_server, "elsewhere", place.warehouse, place.mail, place.hook).run(states().Failed())
    assert place.observe().is_healthy
    assert place.arrived() == []


# --- channels, servers and looks that fail ------------------------------------------------------------------------


def test_a_channel_that_is_down_gets_it_later_once(place: Place) -> None:
    place.mail.stop()
    place.run(states().Failed())
    assert place.observe().untold == ("email",)
    place.run(states().Completed())
    found = place.observe()
    assert (found.incidents, found.untold, found.is_healthy) == ((), ("email",), False)
    assert len(place.hook.bodies) == 4
    place.mail.start()
    assert place.observe().is_healthy
    assert place.observe().is_healthy
    assert place.arrived() == [f"{place.deployment} failed", f"{place.deployment} has completed again"]
    assert any("email: the mail server" in line for line in place.said)


def test_a_refused_message_holds_no_other_up(place: Place) -> None:
    place.hook.refused = "poison"
    place.run(states().Failed(message="poison"))
    place.run(states().Completed())
    place.observe()
    assert [body.get("event") for body in place.hook.bodies if "id" in body] == ["recovered"]
    place.hook.refused = ""
    assert place.observe().is_healthy
    assert sorted(body["event"] for body in place.hook.bodies if "id" in body) == ["began", "recovered"]
    assert len(place.mail.mails) == 2


def test_messages_that_are_refused_silence_no_channel(place: Place) -> None:
    """More of them than are tried again; after some looks a short one comes for each, and nothing where none may."""
    place.hook.refused = "poison"
    names = ("poison_a", "poison_b", "poison_c", "d")  # each for a reason of its own
    until = datetime(2025, 8, 20, 2, tzinfo=UTC)
    lags = [Lag(f"gold.{name}", "hue", until - timedelta(hours=at), 4.0 + at, 3.0) for at, name in enumerate(names)]
    titles = [f"{lag.asset} lies further behind than it may" for lag in lags]
    place.lags = lags[:3]
    place.run(states().Failed(message="poison"))
    for _ in range(REFUSALS - 1):
        assert set(place.observe().untold) == {"webhook team", "webhook log"}
    assert place.hook.bodies == []
    place.lags = lags
    assert set(place.observe().untold) == {"webhook team", "webhook log"}
    sent = [body["title"] for body in place.hook.bodies if "id" in body]
    assert sent == [titles[3], f"could not be sent: {place.deployment} failed"]
    assert "aqi watch --once" in place.hook.bodies[-1]["text"]
    assert sum("given up" in line and titles[0] in line for line in place.said) == 2
    found = place.observe()
    assert (found.untold, len(found.incidents)) == ((), 5)
    assert len(place.mail.mails) == 5


def test_a_channel_that_takes_too_long_holds_no_look_up(place: Place) -> None:
    place.mail.delay_seconds = 0.4
    for state in (states().Failed(), states().Completed(), states().Crashed()):
        place.run(state)
    watch, began = place.watch(sending_seconds=1), time.monotonic()
    assert watch.observe().untold == ("email",)
    assert time.monotonic() - began < 10
    assert len(place.hook.bodies) == 6
    place.mail.delay_seconds = 0
    assert watch.observe().untold == ()
    names = ["failed", "has completed again", "crashed"]
    assert place.arrived() == [f"{place.deployment} {name}" for name in names]


def test_a_server_that_is_gone_and_back(place: Place) -> None:
    with Door(int(urlsplit(place.server.api_url).port or 0)) as door:
        url = f"http://user:hunter2@127.0.0.1:{door.port}/api"
        assert place.watch(url).observe().is_healthy
        door.shut = True
        for _ in range(3):
            assert not place.watch(url).observe().is_healthy
        assert f"http://127.0.0.1:{door.port}/api: " in place.mail.texts[0]
        assert "Go on: prefect server start" in place.mail.texts[0]
        [memory] = place.state_file.parent.glob("watch-*.json")
        assert "hunter2" not in "".join([*place.mail.texts, *place.said, memory.read_text()])
        assert place.arrived() == ["the Prefect server does not answer"]
        place.run(states().Failed())
        door.shut = False
        place.watch(url).observe()
    assert place.arrived() == [f"{place.deployment} failed", "the Prefect server answers again"]


def test_a_server_that_is_none(place: Place) -> None:
    assert not place.watch(place.hook.url).observe().is_healthy
    assert place.observe().is_healthy
    assert place.arrived() == []


def test_each_server_and_warehouse_has_a_memory_of_its_own(place: Place) -> None:
    place.lags = [Lag(FACT, "hanoi", None, None, 3.0)]
    place.observe()
    behind = f"{FACT} lies further behind than it may"
    assert place.arrived() == [behind]
    place.lags = []
    for uri, url in [(f"{place.warehouse}-2", ""), (str(place.warehouse), f"{place.server.api_url}/")]:
        place.settings = load(environment={}, flags={**place.flags, "warehouse": {"uri": uri}})
        place.watch(url).observe()
        assert place.arrived() == ([] if uri.endswith("-2") else [f"{FACT} is up to date again"])
    names = {state_file(place.settings, url) for url in ("http://a/api", "http://b/api")}
    assert len(names) == 2
    cluster = load(environment={}, flags={"warehouse": {"uri": None}})  # also where the cluster has no name
    assert state_file(cluster, "http://a/api").name.startswith("watch-default-")


def test_tables_that_cannot_be_read(place: Place) -> None:
    def broken() -> list[Lag]:
        raise OSError("no NameNode")

    watch = place.watch(read_lags=broken)
    assert not watch.observe().is_healthy
    assert [item.kind for item in watch.observe().incidents] == ["tables"]
    assert place.observe().is_healthy
    assert place.arrived() == ["the tables cannot be read", "the tables can be read again"]


@dataclass
class Broken:
    """A channel that breaks, then ends the watch."""

    errors: list[BaseException]
    seen: list[Message] = field(default_factory=list)

    def send(self, message: Message) -> None:
        self.seen.append(message)
        if self.errors:
            raise self.errors.pop(0)


class Counted(Watch):
    """Its second look fails, at the sixth somebody ends it."""

    looks = 0

    def observe(self) -> WatchResult:
        self.looks += 1
        if self.looks == 2:
            raise RuntimeError("a look that fails")
        if self.looks == 6:
            raise KeyboardInterrupt
        return super().observe()


def test_the_watch_goes_on_until_it_is_ended(place: Place) -> None:
    broken = Broken([AlertError("no"), ValueError("a bug, with hunter2"), AlertError("some", partly=True)])
    watch = Counted(place.settings, {"broken": broken}, place.sources().server, list, place.said.append)
    place.run(states().Failed())
    with pytest.raises(KeyboardInterrupt):
        watch.forever()
    assert len(broken.seen) == 3
    assert any("this look failed (RuntimeError: a look that fails)" in line for line in place.said)
    assert "hunter2" not in "".join(place.said)


def test_watches_side_by_side_tell_everything_once(place: Place) -> None:
    for _ in range(3):
        place.run(states().Failed())
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda watch: watch.observe(), [place.watch() for _ in range(4)]))
    assert [len(look.incidents) for look in found] == [1] * 4
    assert place.arrived() == [f"{place.deployment} failed"]


@pytest.mark.parametrize("content", ["", "{}", '{"format": 7}', "\0"])
def test_a_memory_that_cannot_be_read(place: Place, content: str) -> None:
    place.observe()
    place.state_file.write_text(content)
    place.run(states().Failed())
    place.observe()
    place.observe()
    assert f"{place.deployment} failed" in place.arrived()
    assert any("begun anew" in line for line in place.said)


def test_a_memory_that_cannot_be_written(place: Place) -> None:
    folder = place.state_file.parent
    folder.parent.mkdir(parents=True)
    folder.write_text("a file where a folder should be")
    place.run(states().Failed())
    watch = place.watch()
    watch.observe()
    watch.observe()
    assert place.arrived() == [f"{place.deployment} failed"]
    assert any("cannot be written" in line for line in place.said)
