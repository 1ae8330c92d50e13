"""Incidents: each told once, its recovery once, in whatever order runs are seen and channels come and go."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.alerts.incident_words import PLACES, WHY_LENGTH, EndedRun, LateRun, Result
from orchestration.core.alerts.incidents import (
    KEPT,
    RUNS_KEPT,
    Observation,
    ServerView,
    Unseen,
    delivered,
    look,
    queued,
    refused,
    to_send,
)
from orchestration.core.alerts.watch_state import FIRST_LOOK, OVERLAP, REFUSALS, Event, Kind, Message, WatchState

quick = settings(max_examples=60, deadline=None)

NOW = datetime(2025, 8, 20, 6, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOURLY, DAILY = "materialize/aqi-hourly", "backfill/aqi-backfill"
ALL = frozenset({HOURLY, DAILY})
FACT = "gold.fact_city_daily"
DOWN = Unseen(Kind.SERVER, "Connection refused", "prefect server start")


@dataclass(frozen=True)
class ALag:
    asset: str = FACT
    location: str = "hanoi"
    covered_until: datetime | None = NOW - 9 * 60 * MINUTE
    lag_hours: float | None = 9.0
    target_hours: float | None = 3.0
    missed: bool = True


def run(result: Result, minute: float, deployment: str = HOURLY, **more: Any) -> EndedRun:
    return EndedRun(f"id-{deployment}-{minute}", f"run {minute}", deployment, result, NOW + minute * MINUTE, **more)


failed, crashed, completed, cancelled = (
    lambda minute, result=result, **more: run(result, minute, **more)
    for result in (Result.FAILED, Result.CRASHED, Result.COMPLETED, Result.CANCELLED)
)


def server(*ended: EndedRun, late: tuple[LateRun, ...] = (), deployments: frozenset[str] = ALL) -> Observation:
    return Observation(NOW, ServerView(deployments, ended, late))


def told(*looks: Observation) -> list[tuple[str, str]]:
    """(event, title) of everything that is told, look after look."""
    return [(message.event, message.title) for message in fold(*looks)[1]]


def fold(*looks: Observation, state: WatchState | None = None) -> tuple[WatchState, list[Message]]:
    state, messages = state or WatchState.begin(NOW), list[Message]()
    for seen in looks:
        state, new = look(WatchState.from_json(json.loads(json.dumps(state.to_json()))), seen)
        messages += new
    return state, messages


# --- runs ---------------------------------------------------------------------------------------------------------

FAILED, CRASHED = ("began", f"{HOURLY} failed"), ("began", f"{HOURLY} crashed")
CHANGED, RECOVERED = ("changed", f"{HOURLY} crashed"), ("recovered", f"{HOURLY} has completed again")


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
    unmade = (("silver.x", "2025-08-20 × hanoi"), ("gold.y", "null"))
    link = "http://prefect/runs/flow-run/1"
    [message] = fold(server(crashed(1, message=why, link=link, parameters=parameters, unmade=unmade)))[1]
    assert message.text.splitlines() == [
        "Run: run 1, ended 2025-08-20 06:01 UTC",
        "Why:",
        "  silver.x: 2 failed",
        "    no answer for hanoi",
        "Partitions that were not made:",
        "  silver.x: 2025-08-20 × hanoi",
        "  gold.y: null",
        "Look: http://prefect/runs/flow-run/1",
        "Go on: prefect deployment run materialize/aqi-hourly --param 'selection=*' --param hourly=true",
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
    unmade = tuple((f"silver.table_{number}", "2025-08-20 × hanoi") for number in range(500))
    [message] = fold(server(failed(1, unmade=unmade)))[1]
    assert "  silver.table_1: 2025-08-20 × hanoi\n" in message.text
    assert " characters more)\nGo on: " in message.text
    assert len(message.text) < WHY_LENGTH + 500
    [message] = fold(server(failed(1)))[1]
    assert "it says nothing" in message.text
    assert "Look:" not in message.text


# --- late runs, lags, sources -------------------------------------------------------------------------------------


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


def test_a_table_that_lies_behind_is_told_once_and_when_it_is_not_any_more() -> None:
    def lags(*found: ALag) -> Observation:
        return Observation(NOW, lags=found, catch_up="prefect deployment run materialize/aqi-hourly")

    good, hue = ALag(missed=False), ALag(location="hue", covered_until=None, lag_hours=None)
    messages = fold(lags(good), lags(good, hue), lags(ALag(), hue), Observation(NOW), lags(good), lags())[1]
    assert [(message.event, message.title) for message in messages] == [
        ("began", f"{FACT} lies further behind than it may"),
        ("changed", f"{FACT} lies further behind than it may, at more places"),
        ("recovered", f"{FACT} is up to date again"),
    ]
    assert fold(lags(hue, ALag()))[1][0].text.splitlines() == [
        "hanoi: covered until 2025-08-19 21:00 UTC, 9.0 h behind, 3 h are allowed",
        "hue: nothing is there, 3 h are allowed",
        f"Look: aqi status {FACT}",
        "Go on: prefect deployment run materialize/aqi-hourly",
    ]
    many = lags(*(ALag(location=f"place-{number}") for number in range(PLACES + 2)))
    assert "and 2 places more" in fold(many)[1][0].text


def test_a_place_that_falls_behind_later_is_told_once_in_an_incident() -> None:
    def lags(*behind: str) -> Observation:
        every = [f"place-{number:02}" for number in range(PLACES)] + ["hue", "vinh"]
        return Observation(NOW, lags=tuple(ALag(location=place, missed=place in behind) for place in every))

    title = f"{FACT} lies further behind than it may"
    began, changed = ("began", title), ("changed", f"{title}, at more places")
    over = ("recovered", f"{FACT} is up to date again")
    flapping = [lags("hue"), lags("hue", "vinh"), lags("vinh"), lags("hue"), lags("vinh", "hue")]
    assert told(*flapping) == [began, changed]
    assert told(*flapping, lags(), lags("vinh")) == [began, changed, over, began]
    state, messages = fold(lags("hue"), lags(*(f"place-{number:02}" for number in range(PLACES)), "hue", "vinh"))
    assert messages[1].text.startswith("place-00: ")
    assert "\nand 2 places more\n" in messages[1].text
    state, [message] = fold(lags("hue", "vinh", "place-00"), state=fold(lags("hue", "vinh"))[0])
    assert message.text.startswith("place-00: covered until")
    [incident] = fold(lags("vinh"), state=state)[0].incidents.values()
    assert incident.text.startswith("vinh: ")
    assert "hue" not in incident.text
    assert (incident.title, incident.places) == (title, ("hue", "vinh", "place-00"))


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


# --- properties ---------------------------------------------------------------------------------------------------

deployments = st.sampled_from(sorted(ALL))
histories = st.lists(st.tuples(st.sampled_from(Result), deployments), max_size=12).map(
    lambda items: [run(result, number / 2, deployment) for number, (result, deployment) in enumerate(items)]
)


@st.composite
def split_histories(draw: st.DrawFn) -> tuple[list[EndedRun], list[list[EndedRun]]]:
    """A history within the overlap, and looks that see it in any order, some runs twice."""
    history = draw(histories)
    order = draw(st.permutations(history + draw(st.lists(st.sampled_from(history), max_size=4)) if history else []))
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=4)))
    return history, [list(order[a:b]) for a, b in pairwise([0, *cuts, len(order)])]


@quick
@given(split_histories())
def test_what_is_open_follows_from_the_last_run_in_whatever_order_they_are_seen(
    drawn: tuple[list[EndedRun], list[list[EndedRun]]],
) -> None:
    history, parts = drawn
    open_now = {
        key: (item.kind, item.last) for key, item in fold(*(server(*part) for part in parts))[0].incidents.items()
    }
    expected = {}
    for one in history:
        if one.result.bad:
            expected[f"run:{one.deployment}"] = (Kind(one.result.value), one.ended_at)
        elif one.result is Result.COMPLETED:
            expected.pop(f"run:{one.deployment}", None)
    assert open_now == expected


@quick
@given(split_histories())
def test_each_incident_is_told_once_and_then_its_end(drawn: tuple[list[EndedRun], list[list[EndedRun]]]) -> None:
    state, messages = fold(*(server(*part) for part in drawn[1]))
    for deployment in ALL:
        events = [message.event for message in messages if message.key == f"run:{deployment}"]
        inside = False
        for event in events:
            assert (event is Event.BEGAN) != inside
            inside = event is not Event.RECOVERED
        assert inside == (f"run:{deployment}" in state.incidents)
    assert len({message.id for message in messages}) == len(messages)


@quick
@given(histories, st.data())
def test_looks_in_order_tell_the_same_however_many_there_are(history: list[EndedRun], data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(history)), max_size=4)))
    parts = [history[a:b] for a, b in pairwise([0, *cuts, len(history)])]
    assert told(*(server(*part) for part in parts)) == told(server(*history))


@quick
@given(histories, st.lists(st.booleans(), min_size=12, max_size=12))
def test_a_channel_that_is_down_gets_everything_later_once_and_in_order(
    history: list[EndedRun], up: list[bool]
) -> None:
    state, all_messages, taken = WatchState.begin(NOW), list[Message](), list[Message]()
    for one, answers in zip([*history, *[None] * 12], [*up, *[True] * 12], strict=False):
        before = WatchState.from_json(json.loads(json.dumps(state.to_json())))
        after, messages = look(before, server(one) if one else server())
        state = queued(before, after, messages, ["mail"])
        all_messages += messages
        while answers and state.undelivered["mail"]:
            first = state.undelivered["mail"][0]
            taken.append(first)
            state = delivered(state, "mail", first)
    assert taken == all_messages


# --- memory -------------------------------------------------------------------------------------------------------


def test_a_new_channel_is_told_what_is_wrong_already_and_a_known_one_loses_nothing() -> None:
    before, messages = look(WatchState.begin(NOW), server(failed(1)))
    before = queued(WatchState.begin(NOW), before, messages, ["mail"])
    after, new = look(before, server(crashed(2, deployment=DAILY)))
    state = queued(before, after, new, ["hook"], "prod")
    titles = {name: [message.title for message in of] for name, of in state.undelivered.items()}
    both = [f"{HOURLY} failed", f"{DAILY} crashed"]
    assert titles == {"mail": both, "hook": both}
    assert state.undelivered["hook"][0].environment == "prod"


def one_look(state: WatchState, seen: Observation, *channels: str) -> WatchState:
    after, messages = look(state, seen)
    return queued(state, after, messages, channels)


def queue(state: WatchState, channel: str) -> list[tuple[str, str]]:
    return [(message.event, message.title) for message in state.undelivered[channel]]


def test_a_channel_that_is_away_and_comes_back_is_told_what_is_not_over() -> None:
    state = one_look(WatchState.begin(NOW), server(failed(0)), "mail")
    state = delivered(state, "mail", state.undelivered["mail"][0])
    for minute in range(1, 200, 2):
        state = one_look(state, server(completed(minute)), "hook")
        assert queue(state, "mail") == [RECOVERED]
        state = one_look(state, server(failed(minute + 1)), "hook")
        assert queue(state, "mail") == [RECOVERED, FAILED]
        assert len(state.undelivered["hook"]) == minute + 2
    state = one_look(state, server(crashed(300)), "mail")
    assert queue(state, "mail") == [RECOVERED, FAILED, CHANGED]


@quick
@given(histories, st.lists(st.booleans(), min_size=13, max_size=13))
def test_two_watches_with_a_channel_each_tell_both_what_is_not_over(history: list[EndedRun], turns: list[bool]) -> None:
    """Whoever looks, each has in the end been told what is open, and of nothing else that it is."""
    state = WatchState.begin(NOW)
    known: dict[str, set[str]] = {"mail": set(), "hook": set()}
    for one, turn in zip([*history, None, None], [*turns[: len(history)], True, False], strict=True):
        channel = "mail" if turn else "hook"
        state = one_look(state, server(one) if one else server(), channel)
        for message in state.undelivered[channel]:
            state = delivered(state, channel, message)
            if message.event is Event.BEGAN:
                assert message.key not in known[channel]
                known[channel].add(message.key)
            elif message.event is Event.RECOVERED:
                known[channel].discard(message.key)
    assert known == {"mail": set(state.incidents), "hook": set(state.incidents)}


def test_a_message_that_is_refused_gives_way_to_newer_ones_then_to_a_short_one_then_to_nothing() -> None:
    long = "x" * 900
    every = ALL | {long}
    both = server(failed(1), failed(2, deployment=long), deployments=every)
    state = one_look(WatchState.begin(NOW), both, "mail")
    first, second = state.undelivered["mail"]
    for looks in range(1, REFUSALS):
        state, instead = refused(state, "mail", first)
        assert instead == first
        state = one_look(state, server(deployments=every), "mail")
        state = WatchState.from_json(json.loads(json.dumps(state.to_json())))
        assert (to_send(state, "mail"), state.refused) == ((second, first), {"mail": {first.id: looks}})
    state, short = refused(state, "mail", first)
    assert short is not None
    assert (short.title, short.key) == (f"could not be sent: {HOURLY} failed", first.key)
    assert "aqi watch --once" in short.text
    assert state.undelivered["mail"] == (short, second)
    taken = delivered(state, "mail", short)
    assert (taken.undelivered, taken.refused) == ({"mail": (second,)}, {"mail": {}})
    state, nothing = refused(state, "mail", short)
    assert (nothing, state.undelivered, state.refused) == (None, {"mail": (second,)}, {"mail": {}})
    for _ in range(REFUSALS):
        state, short = refused(state, "mail", second)
    assert short is not None and len(short.title) < 300


def test_the_memory_of_a_channel_that_never_answers_is_bounded() -> None:
    state = WatchState.begin(NOW)
    message = Message(Event.BEGAN, "failed", "run:x", "x failed", "", "", "")
    state = queued(state, state, [message] * (KEPT + 5), ["mail"])
    assert len(state.undelivered["mail"]) == KEPT


@pytest.mark.parametrize("data", [{}, [], {"format": 1}, {"format": 2, "newest": "soon"}, None])
def test_what_is_no_state(data: Any) -> None:
    with pytest.raises(ValueError, match=r"state|isoformat"):
        WatchState.from_json(data)


@quick
@given(histories)
def test_a_state_as_json(history: list[EndedRun]) -> None:
    after, messages = look(WatchState.begin(NOW), server(*history))
    state = queued(WatchState.begin(NOW), after, messages, ["mail"])
    assert WatchState.from_json(json.loads(json.dumps(state.to_json()))) == state
