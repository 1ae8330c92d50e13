"""A scale that changed of late is an incident: told once, again for other locations, and over by itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from orchestration.core.alerts.incidents import Observation
from orchestration.core.alerts.watch_state import Kind, WatchState
from tests.support.ended_runs import NOW, fold

LEVELS = "bronze.levels"
TITLE = f"the gauges' scale changed on 2025-08-26 in {LEVELS}"


@dataclass(frozen=True)
class Changed:
    locations: tuple[str, ...] = ("hue",)
    sentences: tuple[str, ...] = ("the gauges' scale changed on 2025-08-26 at hue.",)
    asset: str = LEVELS
    title: str = "the gauges' scale"
    first: date = date(2025, 8, 26)


def seen(*changed: Changed) -> Observation:
    return Observation(NOW, scales=changed)


def test_it_is_told_once_and_ends_by_itself() -> None:
    state, messages = fold(seen(Changed()), seen(Changed()), Observation(NOW))
    [message] = messages
    assert (message.event, message.kind, message.title) == ("began", "scale", TITLE)
    assert message.text.splitlines() == [
        "the gauges' scale changed on 2025-08-26 at hue.",
        "This ends by itself when the newest days follow one scale: in two weeks, or when the others have it too.",
    ]
    [incident] = state.incidents.values()
    assert (incident.key, incident.kind, incident.locations) == (f"scale:{LEVELS}", Kind.SCALE, ("hue",))
    assert WatchState.from_json(state.to_json()) == state
    state, messages = fold(seen(), state=state)
    assert [(one.event, one.title) for one in messages] == [
        ("recovered", f"the newest days of {LEVELS} follow one scale"),
    ]
    assert state.incidents == {}


def test_other_locations_are_told_as_well() -> None:
    state, _ = fold(seen(Changed()))
    several = Changed(("hue", "vinh"), tuple(f"sentence {number}" for number in range(5)))
    _, [message] = fold(seen(several), state=state)
    assert (message.event, message.title) == ("changed", f"{TITLE}, at more locations")
    assert message.text.splitlines()[:4] == [
        *(f"sentence {number}" for number in range(3)),
        "and 2 changes more, at other locations or on other days",
    ]
