"""Runs that ended, as a watch sees them, and what it tells of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from orchestration.core.alerts.incident_words import EndedRun, LateRun, Result
from orchestration.core.alerts.incidents import Observation, ServerView, after_observation
from orchestration.core.alerts.watch_state import Message, WatchState

NOW = datetime(2025, 8, 20, 6, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOURLY, DAILY = "materialize/aqi-hourly", "backfill/aqi-backfill"
ALL = frozenset({HOURLY, DAILY})


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
        state, new = after_observation(WatchState.from_json(json.loads(json.dumps(state.to_json()))), seen)
        messages += new
    return state, messages


FAILED, CRASHED = ("began", f"{HOURLY} failed"), ("began", f"{HOURLY} crashed")
CHANGED, RECOVERED = ("changed", f"{HOURLY} crashed"), ("recovered", f"{HOURLY} has completed again")
deployments = st.sampled_from(sorted(ALL))
histories = st.lists(st.tuples(st.sampled_from(Result), deployments), max_size=12).map(
    lambda items: [run(result, number / 2, deployment) for number, (result, deployment) in enumerate(items)]
)
