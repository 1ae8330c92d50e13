"""Damaged tables are an incident by themselves: told once, and once when they are mended. States of newer versions."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from orchestration.core.alerts.incident_words import Broken
from orchestration.core.alerts.incidents import Observation, queued
from orchestration.core.alerts.watch_state import Kind, WatchState
from tests.core.alerts.test_incidents_of_partitions import august, events
from tests.support.ended_runs import NOW, fold

FACT = "gold.fact"
LOST = Broken(FACT, "the data file a is gone", f"`aqi repair {FACT}` mends it.", august(18, 19))
BEGAN, MENDED = ("began", f"{FACT} is damaged"), ("recovered", f"{FACT} is mended")


def seen(*broken: Broken) -> Observation:
    return Observation(NOW, broken=broken)


def test_it_is_told_once_with_what_mends_it_and_once_when_it_is_mended() -> None:
    state, messages = fold(seen(LOST), seen(LOST))
    assert events(messages) == [BEGAN]
    assert state.incidents[f"damaged:{FACT}"].kind is Kind.DAMAGED
    assert messages[0].text.splitlines() == [
        "Why:",
        "  the data file a is gone",
        "Partitions: 2025-08-18..2025-08-19 × hue (2 in all)",
        f"Look: aqi status {FACT}",
        f"Go on: `aqi repair {FACT}` mends it.",
    ]
    state, messages = fold(seen(), state=state)
    assert events(messages) == [MENDED]
    assert not state.incidents


def test_where_nobody_could_look_it_lasts() -> None:
    state, _ = fold(seen(LOST))
    assert events(fold(replace(seen(), broken=None), state=state)[1]) == []


def test_more_locations_are_told() -> None:
    more = replace(LOST, partitions=LOST.partitions | august(18, location="vinh"))
    assert events(fold(seen(LOST), seen(more))[1]) == [BEGAN, ("changed", f"{FACT} is damaged, at more locations")]


def test_a_table_that_can_only_not_be_written_is_told_too() -> None:
    trouble = Broken(FACT, "a feature with which only Spark can write it", "Rebuild it.")
    _, (message,) = fold(seen(trouble))
    assert message.title == f"{FACT} cannot be used as it is"
    assert "Partitions" not in message.text


def of_tomorrow() -> dict[str, Any]:
    """A state that a newer version has written: with a kind, an event and a told kind that this one does not know."""
    before = WatchState.begin(NOW)
    after, messages = fold(seen(LOST), state=before)
    data: dict[str, Any] = json.loads(json.dumps(queued(before, after, messages, ["mail"]).to_json()))
    (known,), (message,) = data["incidents"], data["undelivered"]["mail"]
    data["incidents"] = [
        known | {"told": ["damaged", "haunted"]},
        known | {"key": f"haunted:{FACT}", "kind": "haunted", "told": ["haunted"]},
    ]
    data["undelivered"]["mail"] = [message, message | {"event": "worsened"}, message | {"kind": "haunted"}]
    return data


def test_what_a_newer_version_knows_is_passed_over_and_kept() -> None:
    data = of_tomorrow()
    state = WatchState.from_json(data)
    assert list(state.incidents) == [f"damaged:{FACT}"]
    assert state.incidents[f"damaged:{FACT}"].told == (Kind.DAMAGED,)
    assert [message.kind for message in state.undelivered["mail"]] == ["damaged", "haunted"]
    after, messages = fold(seen(), state=state)
    assert events(messages) == [MENDED]
    assert after.to_json()["incidents"] == [data["incidents"][1]], "the newer version tells its end"
