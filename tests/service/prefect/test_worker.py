"""Deployed runs under a real worker: scheduled and by hand, two at once, cancelled, killed, without their server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from assets import CATALOG
from tests.support.alert_sinks import HookSink, MailSink
from tests.support.deploy_operator import MakeOperator
from tests.support.prefect_site import GONE_SECONDS, Site, wait_until
from tests.support.small_lake import Lake

pytestmark = [pytest.mark.prefect, pytest.mark.timeout(600)]

NOW = datetime(2025, 9, 10, 10, 30, tzinfo=UTC)
WINDOW = "2025-09-08..2025-09-10"
MINUTELY = {"schedules": {"hourly": {"cron": "* * * * *", "timezone": "UTC"}}}
DATED = len([asset for asset in CATALOG if asset.partitions is not None])
TASKS = len(CATALOG) + 3  # a step each, and a fetch for each of three locations
MADE = 3 * 3 * DATED + len(CATALOG) - DATED  # three days of three locations, and what has no days
WRITTEN = f"{MADE} partitions of {len(CATALOG)} tables written"


@pytest.fixture
def site(operator: MakeOperator, recorded: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Site]]:
    """Makes the site of a test, once, with its worker."""
    made: list[Site] = []

    def make(environment: str, engine: str = "embedded", **deployments: Any) -> Site:
        one = Site(operator(environment), recorded, NOW, engine=engine, deployments=deployments)
        made.append(one.__enter__())
        done = one.operator.process("--all")
        assert done.returncode == 0, done.stderr
        one.start_worker()
        return one

    yield make
    for one in made:
        one.__exit__(None, None, None)


@pytest.fixture(scope="module")
def undisturbed(embedded: Any, recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The tables of one run over the hourly window, without Prefect."""
    from resources.simulator.server import Simulator

    with Simulator(now=lambda: NOW, replay=recorded) as api:
        lake = Lake(tmp_path_factory.mktemp("lake"), embedded, api.url, now=NOW)
        assert lake.materialize(WINDOW).ok
        return lake.tables()


def test_hourly_runs_start_by_themselves_and_runs_by_hand_complete(
    site: Callable[..., Site], undisturbed: dict[str, Any]
) -> None:
    one = site("alone", hourly=MINUTELY)
    hourly = one.operator.one("hourly")["id"]

    def ended() -> list[dict[str, Any]]:
        return [run for run in one.operator.runs(hourly) if run["state"]["type"] in ("COMPLETED", "FAILED", "CRASHED")]

    wait_until(ended, 300, one.log.read_text)
    one.server.call("PATCH", f"/deployments/{hourly}", {"paused": True})
    (first,) = ended()
    assert first["created_by"]["type"] == "SCHEDULE"
    assert (first["state"]["type"], first["state"]["message"]) == ("COMPLETED", WRITTEN)
    tasks = one.task_runs(first["id"])
    assert len(tasks) == TASKS and {task["state"]["type"] for task in tasks} == {"COMPLETED"}
    assert one.tables() == undisturbed

    again = one.start_run("hourly")
    assert one.ended(again) == ("COMPLETED", "nothing new")
    assert one.task_runs(again) == []
    by_hand = one.start_run("backfill", start_date="2025-09-01", end_date="2025-09-02", chunk_mode="daily")
    assert one.ended(by_hand) == ("COMPLETED", f"{2 * 3 * DATED} partitions of {DATED} tables written")
    wrong = one.start_run("everything", partitions="yesterday")
    state, message = one.ended(wrong)
    assert state == "FAILED" and "yesterday" in message


@pytest.mark.parametrize(
    ("on_collision", "meanwhile", "second"),
    [
        ("skip", "Cancelled", ("CANCELLED", "")),
        pytest.param("queue", "AwaitingConcurrencySlot", ("COMPLETED", "nothing new"), marks=pytest.mark.slow),
    ],
)
def test_two_hourly_runs_at_once(
    site: Callable[..., Site], undisturbed: dict[str, Any], on_collision: str, meanwhile: str, second: tuple[str, str]
) -> None:
    one = site(on_collision, hourly={"schedules": {"hourly": None}, "overlap": {"on_collision": on_collision}})
    first = one.start_run("hourly")
    with one.held(first):
        other = one.start_run("hourly")
        wait_until(lambda: one.state_name(other) == meanwhile, 60, lambda: one.state_name(other))
    assert one.ended(other)[0] == second[0]
    assert one.ended(first)[0] == "COMPLETED"
    assert second[1] in one.state(other)[1]
    assert one.tables() == undisturbed


@pytest.mark.parametrize(
    ("hows", "engine"),
    [
        ("cancelled killed", "embedded"),
        pytest.param("cancelled", "embedded", marks=pytest.mark.slow),
        pytest.param("killed", "embedded", marks=pytest.mark.slow),
        pytest.param("cancelled", "spark", marks=[pytest.mark.spark, pytest.mark.slow]),
        pytest.param("killed", "spark", marks=[pytest.mark.spark, pytest.mark.slow]),
    ],
)
def test_a_run_that_is_ended_leaves_no_process_and_is_made_good(
    site: Callable[..., Site], undisturbed: dict[str, Any], hows: str, engine: str
) -> None:
    """The first of them after its first commit; a second one, which goes on with what that left, with its engine."""
    one = site(f"{hows.replace(' ', '-')}-{engine}", engine, hourly={"schedules": {"hourly": None}})
    for how in hows.split():
        run = one.start_run("hourly")
        if engine == "spark":
            one.committed_something(run)
            assert any(process.name() == "java" for process in one.processes())
            processes = end(one, run, how)
        else:
            with one.held(run):
                processes = end(one, run, how)
        assert one.ended(run, GONE_SECONDS)[0] == {"cancelled": "CANCELLED", "killed": "CRASHED"}[how]
        _gone, left = psutil.wait_procs(processes, GONE_SECONDS)
        assert not left
    again = one.start_run("hourly")
    assert one.ended(again)[0] == "COMPLETED"
    assert one.tables() == undisturbed


def end(one: Site, run: str, how: str) -> list[psutil.Process]:
    """End a run; gives the processes that there were."""
    processes = one.processes()
    if how == "cancelled":
        one.cancel(run)
        wait_until(lambda: one.state(run)[0] == "CANCELLED", GONE_SECONDS, lambda: one.state(run))
    else:
        one.run_process().kill()
    return processes


@pytest.mark.slow
def test_a_server_that_is_away_in_mid_run(site: Callable[..., Site], undisturbed: dict[str, Any]) -> None:
    one = site("away", hourly={"schedules": {"hourly": None}})
    run = one.start_run("hourly")
    with one.held(run):
        one.server.stop()
        one.server.start()
    assert one.ended(run) == ("COMPLETED", WRITTEN)
    wait_until(lambda: len(one.task_runs(run)) == TASKS, 30, lambda: one.task_runs(run))
    assert {task["state"]["type"] for task in one.task_runs(run)} == {"COMPLETED"}
    assert one.tables() == undisturbed


@pytest.mark.slow
def test_a_run_that_fails_is_told_once_and_so_is_its_recovery(site: Callable[..., Site]) -> None:
    """From the provider that is away to the mail, and back: the runs are real, and so is `aqi watch`."""
    with MailSink() as mail, HookSink() as hook:
        one = site("told", hourly={"schedules": {"hourly": None}})
        email = {"host": "127.0.0.1", "port": mail.port, "security": "none", "sender": "a@x.org"}
        one.operator.settings["alerts"] = {
            "email": {**email, "recipients": ["b@x.org"]},
            "webhooks": {"team": {"url": hook.url, "form": "slack"}},
        }
        one.api.stop()
        run = one.start_run("hourly")
        state, message = one.ended(run)
        assert state == "FAILED" and "bronze.open_meteo_hourly 2025-09-08..2025-09-10 × danang, hanoi, hcmc" in message
        for _ in range(2):
            assert one.watch().returncode == 1
        behind = [f"gold.{name}" for name in ("fact_air_quality_hourly", "fact_city_daily", "fact_episode")]
        assert len(mail.subjects) == len(hook.bodies) == 2  # the run, and the tables: they are late for one reason
        (text,) = (text for text in mail.texts if "Run: " in text)
        (post,) = (body["text"] for body in hook.bodies if "Run: " in body["text"])
        for part in (
            "bronze.open_meteo_hourly 2025-09-08..2025-09-10 × danang, hanoi, hcmc failed: ",
            f"/runs/flow-run/{run}",
            "Go on: prefect deployment run materialize/aqi-hourly-told",
        ):
            assert part in text and part in post
        (late,) = (text for text in mail.texts if "Run: " not in text)
        assert all(asset in late for asset in behind)

        mail.mails.clear()
        one.provider_is_back()
        assert one.ended(one.start_run("hourly"))[0] == "COMPLETED"
        for _ in range(2):
            done = one.watch()
            assert (done.returncode, done.stdout) == (0, "Nothing is wrong.\n"), done
        assert len(mail.subjects) == 2
        assert not any("missed" in subject or "failed" in subject for subject in mail.subjects), mail.subjects
