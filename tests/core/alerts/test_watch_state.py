"""The memory of a watch: what channels that come, go, refuse or stay away are told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.alerts.incident_words import EndedRun
from orchestration.core.alerts.incidents import (
    KEPT,
    Observation,
    after_observation,
    delivered,
    queued,
    refused,
    to_send,
)
from orchestration.core.alerts.watch_state import REFUSALS, Event, Message, WatchState
from tests.support.ended_runs import (
    ALL,
    CHANGED,
    DAILY,
    FAILED,
    HOURLY,
    NOW,
    RECOVERED,
    completed,
    crashed,
    failed,
    histories,
    server,
)

quick = settings(max_examples=60, deadline=None)


def test_a_new_channel_is_told_what_is_wrong_already_and_a_known_one_loses_nothing() -> None:
    before, messages = after_observation(WatchState.begin(NOW), server(failed(1)))
    before = queued(WatchState.begin(NOW), before, messages, ["mail"])
    after, new = after_observation(before, server(crashed(2, deployment=DAILY)))
    state = queued(before, after, new, ["hook"], "prod")
    titles = {name: [message.title for message in of] for name, of in state.undelivered.items()}
    both = [f"{HOURLY} failed", f"{DAILY} crashed"]
    assert titles == {"mail": both, "hook": both}
    assert state.undelivered["hook"][0].environment == "prod"


def one_look(state: WatchState, seen: Observation, *channels: str) -> WatchState:
    after, messages = after_observation(state, seen)
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
    after, messages = after_observation(WatchState.begin(NOW), server(*history))
    state = queued(WatchState.begin(NOW), after, messages, ["mail"])
    assert WatchState.from_json(json.loads(json.dumps(state.to_json()))) == state
