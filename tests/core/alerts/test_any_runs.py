"""Any runs, in any order: what is open follows from the last ones, and every incident is told once."""

from __future__ import annotations

import json
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.alerts.incident_words import EndedRun, Result
from orchestration.core.alerts.incidents import after_observation, delivered, queued
from orchestration.core.alerts.watch_state import Event, Kind, Message, WatchState
from tests.support.ended_runs import ALL, NOW, fold, histories, server, told

quick = settings(max_examples=60, deadline=None)


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
        if one.result.is_failure:
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
        after, messages = after_observation(before, server(one) if one else server())
        state = queued(before, after, messages, ["mail"])
        all_messages += messages
        while answers and state.undelivered["mail"]:
            first = state.undelivered["mail"][0]
            taken.append(first)
            state = delivered(state, "mail", first)
    assert taken == all_messages
