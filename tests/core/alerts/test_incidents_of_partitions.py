"""An incident is about partitions: it ends when these are made, by whatever run or command, and not before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from orchestration.core.alerts.incident_words import EndedRun, Lacking, command_to_run, commands_to_make
from orchestration.core.alerts.incidents import Observation
from orchestration.core.alerts.watch_state import Incident, Kind, WatchState
from orchestration.core.partitions.keys import Days, PartitionSet
from tests.support.ended_runs import CRASHED, DAILY, FAILED, HOURLY, NOW, completed, crashed, failed, fold, server

RAW, CLEAN, GOLD = "bronze.raw", "silver.clean", "gold.days"
MADE = ("recovered", f"what {HOURLY} did not make is there")
KEY = f"run:{HOURLY}"


def august(first: int, last: int | None = None, location: str = "hue") -> PartitionSet:
    return PartitionSet.of(Days.of(date(2025, 8, first), date(2025, 8, last or first)), [location])


class Tables:
    """What nobody has made yet; and what was asked about it."""

    def __init__(self, **left: PartitionSet) -> None:
        self.left = {f"silver.{name}": of for name, of in left.items()}
        self.asked: list[tuple[datetime, bool]] = []

    def __call__(self, unmade: Mapping[str, PartitionSet], since: datetime, forced: bool) -> dict[str, PartitionSet]:
        self.asked.append((since, forced))
        left = {key: of & self.left.get(key, PartitionSet.empty()) for key, of in unmade.items()}
        return {key: of for key, of in left.items() if of}

    def seen(self, *runs: EndedRun) -> Observation:
        return replace(server(*runs), unmade=self)


def broken(minute: float = 1, partitions: PartitionSet | None = None, **more: Any) -> EndedRun:
    return failed(minute, unmade=((CLEAN, august(18, 20) if partitions is None else partitions),), **more)


def events(messages: Any) -> list[tuple[str, str]]:
    return [(message.event, message.title) for message in messages]


def test_a_later_run_of_other_days_ends_nothing() -> None:
    tables = Tables(clean=august(18))
    state, messages = fold(tables.seen(broken()), tables.seen(completed(2)), tables.seen(completed(60)))
    assert events(messages) == [FAILED]
    assert state.incidents[KEY].unmade == {CLEAN: august(18)}, "the rest was made meanwhile"


def test_it_ends_when_they_are_made_though_no_run_of_it_completes() -> None:
    tables = Tables(clean=august(18, 20))
    state, _ = fold(tables.seen(broken()))
    tables.left = {}
    state, messages = fold(tables.seen(), state=state)
    assert events(messages) == [MADE]
    assert not state.incidents


def test_made_between_two_looks_both_are_told() -> None:
    assert events(fold(Tables().seen(broken(), completed(2)))[1]) == [FAILED, MADE]


def test_where_the_tables_are_not_seen_it_lasts() -> None:
    tables = Tables()
    state, messages = fold(replace(tables.seen(broken()), unmade=None), server(completed(2)))
    assert events(messages) == [FAILED]
    assert events(fold(tables.seen(), state=state)[1]) == [MADE]


def test_several_runs_are_one_incident_that_lasts_until_all_of_it_is_made() -> None:
    tables = Tables(clean=august(1) | august(20))
    looks = [tables.seen(broken(1, august(1))), tables.seen(broken(2, august(20))), tables.seen(completed(3))]
    state, messages = fold(*looks)
    assert events(messages) == [FAILED]
    assert state.incidents[KEY].unmade == {CLEAN: august(1) | august(20)}
    tables.left = {CLEAN: august(20)}
    state, messages = fold(tables.seen(completed(4)), state=state)
    assert not messages
    assert state.incidents[KEY].unmade == {CLEAN: august(20)}


def test_it_says_since_when_and_whether_what_is_fresh_counts() -> None:
    tables = Tables(clean=august(18, 20))
    fold(tables.seen(broken(7, parameters={"restart": True}, deployment=DAILY)), tables.seen())
    at = NOW.replace(minute=7)
    assert tables.asked == [(at, True), (at, True)]


def test_a_deployment_that_is_gone_leaves_what_it_did_not_make() -> None:
    tables = Tables(clean=august(18))
    gone = replace(server(deployments=frozenset({DAILY})), unmade=tables)
    state, messages = fold(tables.seen(broken()), gone)
    assert events(messages) == [FAILED]
    assert KEY in state.incidents


def test_where_no_partition_is_known_the_next_run_decides() -> None:
    """A run that could not begin, of maintenance above all."""
    looks = [Tables().seen(failed(1)), Tables().seen(completed(2)), Tables().seen(crashed(3))]
    assert events(fold(*looks)[1]) == [FAILED, ("recovered", f"{HOURLY} has completed again"), CRASHED]


def test_incidents_of_before_go_on() -> None:
    """A state of an earlier version: its incidents know no partitions, and end as they did."""
    state, _ = fold(server(failed(1)))
    data = json.loads(json.dumps(state.to_json()))
    for incident in data["incidents"]:
        del incident["unmade"], incident["forced"]
    before = WatchState.from_json(data)
    assert before.incidents[KEY].unmade == {}
    state, messages = fold(Tables().seen(completed(2)), state=before)
    assert events(messages) == [("recovered", f"{HOURLY} has completed again")]
    state, messages = fold(Tables(clean=august(18)).seen(broken(2)), state=before)
    assert not messages, "the same incident, of which more is known now"
    assert state.incidents[KEY].unmade == {CLEAN: august(18)}


def test_what_is_known_is_remembered() -> None:
    state, _ = fold(Tables(clean=august(18, 20)).seen(broken()))
    again = Incident.from_json(json.loads(json.dumps(state.incidents[KEY].to_json())))
    assert again == state.incidents[KEY]


# --- the command that is told ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("deployment", "parameters", "unmade", "expected"),
    [
        (
            HOURLY,
            {"selection": "*", "hourly": True},
            {CLEAN: august(18), GOLD: august(20)},
            [{"selection": "*", "hourly": False, "partitions": "2025-08-18..2025-08-20", "locations": ["hue"]}],
        ),
        (
            "materialize/aqi-gold",
            {"selection": "layer:gold", "partitions": "2025-08-18..2025-08-20", "force": True},
            {GOLD: august(19)},
            [{"selection": GOLD, "partitions": "2025-08-19", "force": True, "locations": ["hue"]}],
        ),
        (
            HOURLY,
            {"selection": "layer:gold", "hourly": True},
            {CLEAN: august(18), GOLD: august(18, location="vinh") | august(20)},
            [
                {"partitions": "2025-08-18", "locations": ["vinh"]},
                {"partitions": "2025-08-18..2025-08-20", "locations": ["hue"]},
            ],
        ),
        (
            DAILY,
            {"start_date": "2025-01-01", "end_date": "2025-12-31", "select": "*", "chunk_mode": "monthly"},
            {CLEAN: august(3, 9)},
            [
                {
                    "start_date": "2025-08-03",
                    "end_date": "2025-08-09",
                    "select": "*",
                    "chunk_mode": "monthly",
                    "locations": ["hue"],
                }
            ],
        ),
        (HOURLY, {"selection": GOLD, "hourly": True}, {"gold.locations": PartitionSet.null()}, [{"hourly": False}]),
        ("maintenance/aqi-maintenance", {}, {}, [{}]),
        (HOURLY, {"hourly": True}, {}, [{"hourly": True}]),
    ],
)
def test_its_command_makes_them(
    deployment: str, parameters: dict[str, Any], unmade: dict[str, PartitionSet], expected: list[dict[str, Any]]
) -> None:
    commands = commands_to_make(failed(1, deployment=deployment, parameters=parameters), unmade)
    assert len(commands) == len(expected)
    for command, wanted in zip(commands, expected, strict=True):
        assert command.startswith(f"prefect deployment run {deployment}")
        for name, value in wanted.items():
            assert command_to_run("", {name: value}).partition("--param ")[2] in command
    assert "last:" not in "".join(commands)


def test_a_backfill_of_all_tables_that_names_none_is_gone_on_with_for_all_of_them() -> None:
    """Whose name is short, and says what it makes."""
    run = failed(
        1, deployment="backfill/aqi-backfill", parameters={"start_date": "2025-08-01", "end_date": "2025-08-09"}
    )
    (command,) = commands_to_make(run, {RAW: august(3), CLEAN: august(1, 9), GOLD: august(1, 9)})
    assert "--param 'select=*'" in command


def test_the_text_names_what_of_earlier_runs_is_not_made_either() -> None:
    tables = Tables(clean=august(1) | august(20))
    state, _ = fold(
        tables.seen(broken(1, august(1))), tables.seen(broken(2, august(20), parameters={"selection": "*"}))
    )
    text = state.incidents[KEY].text
    assert f"  {CLEAN}: 2025-08-01, 2025-08-20 × hue" in text
    assert "--param partitions=2025-08-01..2025-08-20" in text


# --- what is wanted -------------------------------------------------------------------------------


def missing(partitions: PartitionSet, *fill: str) -> Observation:
    return Observation(NOW, missing=(Lacking((CLEAN,), partitions, fill),))


def test_what_is_wanted_and_missing_is_an_incident_until_it_is_there() -> None:
    wanted = f"days of {CLEAN} that are wanted are missing"
    looks = [missing(august(1, 9), "aqi backfill …"), missing(august(1, 9)), missing(august(9)), Observation(NOW)]
    state, messages = fold(*looks)
    assert events(messages) == [("began", wanted)]
    assert state.incidents[f"missing:{CLEAN}"].kind is Kind.MISSING
    assert messages[0].text.splitlines() == [
        "2025-08-01..2025-08-09 × hue (9 in all): wanted (history.since), and in no table.",
        f"Look: aqi status {CLEAN}",
        "Go on: aqi backfill …",
    ]
    assert events(fold(missing(august(9) | august(9, location="vinh")), state=state)[1]) == [
        ("changed", f"{wanted}, at more locations")
    ]
    assert events(fold(missing(PartitionSet.empty()), state=state)[1]) == [
        ("recovered", f"{CLEAN} has all days that are wanted")
    ]


def test_tables_that_lack_the_same_days_are_one_incident() -> None:
    """Each of them is told of while it lacks some, and the end once."""
    both, fill = Lacking((RAW, CLEAN), august(1, 9)), ("aqi backfill …",)
    first = Observation(NOW, missing=(replace(both, fill=fill), Lacking((GOLD,), august(3))))
    one_is_there = Observation(NOW, missing=(Lacking((CLEAN,), august(1, 9), fill),))
    state, messages = fold(first)
    assert events(messages) == [
        ("began", "days of 2 tables that are wanted are missing"),
        ("began", f"days of {GOLD} that are wanted are missing"),
    ]
    assert messages[0].text.splitlines() == [
        f"2025-08-01..2025-08-09 × hue (9 in each of {RAW}, {CLEAN}): wanted (history.since), and in no table.",
        f"Look: aqi status '{RAW} or {CLEAN}'",
        "Go on: aqi backfill …",
    ]
    state, messages = fold(one_is_there, state=state)
    assert events(messages) == [("recovered", f"{GOLD} has all days that are wanted")]
    assert events(fold(Observation(NOW, missing=()), state=state)[1]) == [
        ("recovered", "2 tables have all days that are wanted")
    ]


def test_incidents_of_single_tables_of_an_earlier_watch_end_by_themselves() -> None:
    """None of them is told to be over while its table lacks days."""
    alone = Observation(NOW, missing=(Lacking((RAW,), august(1)), Lacking((CLEAN,), august(2))))
    state, _ = fold(alone)
    together = Observation(NOW, missing=(Lacking((RAW, CLEAN, GOLD), august(1)),))
    state, messages = fold(together, state=state)
    assert events(messages) == [("changed", "days of 2 tables that are wanted are missing, more tables than before")]
    assert len(fold(Observation(NOW, missing=()), state=state)[1]) == 2


# --- what lies behind -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Behind:
    """A location that lies so many hours behind."""

    location: str
    lag_hours: float
    asset: str = GOLD
    target_hours: float | None = 3.0
    missed: bool = True

    @property
    def covered_until(self) -> datetime:
        return NOW - timedelta(hours=self.lag_hours)


def test_what_the_hourly_run_does_not_reach_any_more_has_a_command_that_makes_it() -> None:
    hourly = "prefect deployment run materialize/aqi-hourly"
    far = "Go on: aqi backfill --start-date 2025-07-31 --end-date 2025-08-20 --select +gold.days --locations hue"

    def commands(*lags: Behind) -> list[str]:
        seen = Observation(NOW, lags=lags, catch_up=hourly, catch_up_days=14)
        return [line for line in fold(seen)[1][0].text.splitlines() if line.startswith("Go on: ")]

    assert commands(Behind("hue", 20 * 24), Behind("vinh", 9)) == [f"Go on: {hourly}", far]
    assert commands(Behind("hue", 20 * 24)) == [far]
    assert commands(Behind("hue", 14 * 24)) == [f"Go on: {hourly}"]
