"""Incidents: each told once, its recovery once, in whatever order runs are seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from orchestration.core.alerts.incident_words import WHY_LENGTH, EndedRun, LateRun, Result
from orchestration.core.alerts.incidents import RUNS_KEPT, Observation, Unseen
from orchestration.core.alerts.watch_state import FIRST_LOOK, OVERLAP, Kind, WatchState
from orchestration.core.partitions.keys import Days, PartitionSet
from tests.support.ended_runs import (
    CHANGED,
    CRASHED,
    DAILY,
    FAILED,
    HOURLY,
    MINUTE,
    NOW,
    RECOVERED,
    cancelled,
    completed,
    crashed,
    failed,
    fold,
    server,
    told,
)


def days(location: str, first: int, last: int) -> PartitionSet:
    """Days of August 2025."""
    return PartitionSet.of(Days.of(date(2025, 8, first), date(2025, 8, last)), [location])


DOWN = Unseen(Kind.SERVER, "Connection refused", "prefect server start")


# --- runs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([completed(1), cancelled(2)], []),
        ([failed(1)], [FAILED]),
        ([failed(1), failed(2), failed(3)], [FAILED]),
        ([failed(1), crashed(2), failed(3), crashed(4)], [FAILED, CHANGED]),
        ([failed(1), cancelled(2), completed(3), completed(4)], [FAILED, RECOVERED]),
        ([failed(1), completed(2), crashed(3)], [FAILED, RECOVERED, CRASHED]),
    ],
)
def test_runs_in_one_look_and_in_a_look_each(runs: list[EndedRun], expected: list[tuple[str, str]]) -> None:
    assert told(server(*reversed(runs))) == expected
    assert told(*(server(one) for one in runs)) == expected
    assert told(*(server(*runs[: count + 1]) for count in range(len(runs)))) == expected  # each seen again


def test_a_run_that_is_seen_after_a_later_one() -> None:
    assert told(server(completed(2)), server(failed(1))) == [FAILED, RECOVERED]
    assert told(server(failed(2)), server(completed(1))) == [FAILED]
    assert told(server(crashed(2)), server(failed(1)), server(completed(3))) == [CRASHED, RECOVERED]


def test_a_run_that_is_retried_ends_again() -> None:
    again = replace(failed(1), result=Result.COMPLETED, ended_at=NOW + 5 * MINUTE)
    assert told(server(failed(1)), server(again)) == [FAILED, RECOVERED]


@pytest.mark.parametrize("later", [0, 300])
@pytest.mark.parametrize(
    ("result", "expected"),
    [(Result.COMPLETED, [CRASHED, RECOVERED]), (Result.FAILED, [CRASHED, ("changed", f"{HOURLY} failed")])],
)
def test_a_crash_that_was_none(result: Result, expected: list[tuple[str, str]], later: float) -> None:
    """The run goes on and ends, though another deployment's run ended long after the crash."""
    other, crash = completed(200, deployment=DAILY), crashed(1)
    truth = replace(crash, result=result, ended_at=crash.ended_at + later * MINUTE)
    assert told(server(crash), server(other), server(truth), server(truth)) == expected
    assert told(server(crash), server(other), server(crash)) == [CRASHED]


def test_runs_that_are_looked_at_again_are_bounded() -> None:
    state, _ = fold(*(server(failed(minute)) for minute in range(RUNS_KEPT + 5)))
    assert list(state.read_again) == [failed(minute).id for minute in range(5, RUNS_KEPT + 5)]
    again = replace(failed(9), result=Result.CANCELLED, ended_at=NOW + 500 * MINUTE)
    state, messages = fold(server(again), state=state)
    assert (len(state.read_again), messages) == (RUNS_KEPT, [])
    assert state.knows(again.id, again.ended_at, again.result)
    assert fold(server(completed(501)), state=state)[0].read_again == {}


def test_the_first_look_goes_back_a_day_and_later_ones_to_the_last_end() -> None:
    state = WatchState.begin(NOW)
    assert state.read_from == NOW - FIRST_LOOK
    state, _ = fold(server(completed(7)))
    assert state.read_from == NOW + 7 * MINUTE - OVERLAP
    state, messages = fold(server(failed(-120)), state=state)
    assert messages == []


def test_a_deployment_that_is_gone() -> None:
    gone = ("recovered", f"{HOURLY} is no longer deployed")
    assert told(server(failed(1)), server(deployments=frozenset({DAILY}))) == [FAILED, gone]


def test_what_is_told_of_a_run() -> None:
    parameters = {"selection": "*", "hourly": True}
    why = "silver.x: 2 failed\n  no answer for hanoi"
    unmade = (("silver.x", days("hanoi", 18, 20)), ("gold.y", PartitionSet.null()))
    link = "http://prefect/runs/flow-run/1"
    [message] = fold(server(crashed(1, message=why, link=link, parameters=parameters, unmade=unmade)))[1]
    assert message.text.splitlines() == [
        "Run: run 1, ended 2025-08-20 06:01 UTC",
        "Why:",
        "  silver.x: 2 failed",
        "    no answer for hanoi",
        "Partitions that were not made:",
        "  silver.x: 2025-08-18..2025-08-20 × hanoi",
        "  gold.y: null",
        "Look: http://prefect/runs/flow-run/1",
        "Go on: prefect deployment run materialize/aqi-hourly --param 'selection=*' --param hourly=false "
        "--param partitions=2025-08-18..2025-08-20 --param 'locations=[\"hanoi\"]'",
    ]
    assert (message.kind, message.key, message.at) == ("crashed", f"run:{HOURLY}", "2025-08-20T06:01:00Z")
    [_, message] = fold(server(failed(1), completed(9, link=link)))[1]
    assert message.text.splitlines() == [
        "Run: run 9, ended 2025-08-20 06:09 UTC",
        f"Look: {link}",
        f"It began 2025-08-20 06:01 UTC: {HOURLY} failed.",
    ]


def test_what_is_told_of_a_run_that_says_too_much_or_nothing() -> None:
    [message] = fold(server(failed(1, message="\ud800" * (WHY_LENGTH + 7))))[1]
    assert "(7 characters more)" in message.text
    message.text.encode()
    unmade = tuple((f"silver.table_{number}", days("hanoi", 20, 20)) for number in range(500))
    [message] = fold(server(failed(1, unmade=unmade)))[1]
    assert "  silver.table_1: 2025-08-20 × hanoi\n" in message.text
    assert " characters more)\nGo on: " in message.text
    assert len(message.text) < WHY_LENGTH + 500
    [message] = fold(server(failed(1)))[1]
    assert "it says nothing" in message.text
    assert "Look:" not in message.text


# --- late runs, sources ---------------------------------------------------------------------------


def test_a_late_run_is_told_once_and_when_none_is_late_any_more() -> None:
    late = LateRun("1", "funny-fox", HOURLY, NOW - 12 * MINUTE, "http://prefect/1", "aqi")
    later = replace(late, id="2", name="later", expected_at=NOW)
    looks = [server(late=some) for some in [(), (late,), (later, late), (later,), (), ()]]
    messages = fold(*looks)[1]
    assert [(message.event, message.title) for message in messages] == [
        ("began", f"{HOURLY} is late"),
        ("recovered", f"{HOURLY} is no longer late"),
    ]
    text = fold(server(late=(later, late)))[1][0].text
    assert text.startswith("Run: funny-fox, should have started 2025-08-20 05:48 UTC\n1 more wait behind it.")
    assert "  It waits in the pool aqi. Is a worker running there?" in text
    assert "  A worker took it then" in fold(server(late=(replace(late, taken=True),)))[1][0].text
    assert text.endswith("Look: http://prefect/1\nGo on: aqi worker start --pool aqi")


@pytest.mark.parametrize(
    ("source", "seen", "titles"),
    [
        (Kind.SERVER, server(), ["the Prefect server does not answer", "the Prefect server answers again"]),
        (Kind.TABLES, Observation(NOW, lags=()), ["the tables cannot be read", "the tables can be read again"]),
    ],
)
def test_a_source_that_is_away_for_two_looks(source: Kind, seen: Observation, titles: list[str]) -> None:
    away = Observation(NOW, unseen=(replace(DOWN, source=source),))
    assert told(away, seen, away, seen) == []
    assert [title for _, title in told(away, away, away, seen, seen)] == titles
    assert "Connection refused" in fold(away, away)[1][0].text


def test_what_was_wrong_stays_so_while_the_server_is_away() -> None:
    late = LateRun("1", "funny-fox", HOURLY, NOW, "", "aqi")
    bad = server(failed(1), late=(late,))
    state, messages = fold(bad, Observation(NOW, unseen=(DOWN,)), bad)
    assert len(messages) == len(state.incidents) == 2
