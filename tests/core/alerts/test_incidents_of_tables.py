"""Incidents of tables: those that lie further behind than they may, and those whose ended days lack values."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.alerts.incident_words import LOCATIONS
from orchestration.core.alerts.incidents import Observation
from orchestration.core.alerts.watch_state import Kind, WatchState
from tests.support.ended_runs import (
    MINUTE,
    NOW,
    fold,
    told,
)

FACT = "gold.fact_city_daily"


@dataclass(frozen=True)
class ALag:
    asset: str = FACT
    location: str = "hanoi"
    covered_until: datetime | None = NOW - 9 * 60 * MINUTE
    lag_hours: float | None = 9.0
    target_hours: float | None = 3.0
    missed: bool = True


def test_a_table_that_lies_behind_is_told_once_and_when_it_is_not_any_more() -> None:
    def lags(*found: ALag) -> Observation:
        return Observation(NOW, lags=found, catch_up="prefect deployment run materialize/aqi-hourly")

    good, hue = ALag(missed=False), ALag(location="hue", covered_until=None, lag_hours=None)
    messages = fold(lags(good), lags(good, hue), lags(ALag(), hue), Observation(NOW), lags(good), lags())[1]
    assert [(message.event, message.title) for message in messages] == [
        ("began", f"{FACT} lies further behind than it may"),
        ("changed", f"{FACT} lies further behind than it may, at more locations"),
        ("recovered", f"{FACT} is up to date again"),
    ]
    assert fold(lags(hue, ALag()))[1][0].text.splitlines() == [
        "hanoi: covered until 2025-08-19 21:00 UTC, 9.0 h behind, 3 h are allowed",
        "hue: nothing is there, 3 h are allowed",
        f"Look: aqi status {FACT}",
        "Go on: prefect deployment run materialize/aqi-hourly",
    ]
    many = lags(*(ALag(location=f"location-{number}") for number in range(LOCATIONS + 2)))
    assert "and 2 locations more" in fold(many)[1][0].text


def test_a_location_that_falls_behind_later_is_told_once_in_an_incident() -> None:
    def lags(*behind: str) -> Observation:
        every = [f"location-{number:02}" for number in range(LOCATIONS)] + ["hue", "vinh"]
        return Observation(NOW, lags=tuple(ALag(location=location, missed=location in behind) for location in every))

    title = f"{FACT} lies further behind than it may"
    began, changed = ("began", title), ("changed", f"{title}, at more locations")
    over = ("recovered", f"{FACT} is up to date again")
    flapping = [lags("hue"), lags("hue", "vinh"), lags("vinh"), lags("hue"), lags("vinh", "hue")]
    assert told(*flapping) == [began, changed]
    assert told(*flapping, lags(), lags("vinh")) == [began, changed, over, began]
    state, messages = fold(lags("hue"), lags(*(f"location-{number:02}" for number in range(LOCATIONS)), "hue", "vinh"))
    assert messages[1].text.startswith("location-00: ")
    assert "\nand 2 locations more\n" in messages[1].text
    state, [message] = fold(lags("hue", "vinh", "location-00"), state=fold(lags("hue", "vinh"))[0])
    assert message.text.startswith("location-00: covered until")
    [incident] = fold(lags("vinh"), state=state)[0].incidents.values()
    assert incident.text.startswith("vinh: ")
    assert "hue" not in incident.text
    assert (incident.title, incident.locations) == (title, ("hue", "vinh", "location-00"))


ONE, TWO, THREE = "gold.fact_air_quality_hourly", FACT, "gold.fact_episode"
THREE_LATE = tuple(ALag(asset) for asset in (THREE, ONE, TWO))
THREE_TITLE = f"{ONE}, {TWO} and {THREE} lie further behind than they may"


def behind(*lags: ALag) -> Observation:
    return Observation(NOW, lags=lags, catch_up="prefect deployment run x")


def test_three_tables_that_are_late_for_one_reason_are_one_incident() -> None:
    state, messages = fold(behind(*THREE_LATE))
    [message] = messages
    assert (message.event, message.title) == ("began", THREE_TITLE)
    assert message.text.splitlines() == [
        "hanoi: covered until 2025-08-19 21:00 UTC, 9.0 h behind, 3 h are allowed",
        f"Look: aqi status '{ONE} or {TWO} or {THREE}'",
        "Go on: prefect deployment run x",
    ]
    assert not fold(behind(*THREE_LATE), behind(ALag(TWO)), state=state)[1], "those that are mended are not told"
    assert [(one.event, one.title) for one in fold(behind(ALag(TWO)), behind(), state=state)[1]] == [
        ("recovered", f"{ONE}, {TWO} and {THREE} are up to date again")
    ]


def test_tables_that_stopped_elsewhere_are_another_incident() -> None:
    earlier = ALag(THREE, covered_until=NOW - 20 * 60 * MINUTE, lag_hours=20.0)
    messages = fold(behind(ALag(ONE), ALag(TWO), earlier))[1]
    assert [message.title for message in messages] == [
        f"{ONE} and {TWO} lie further behind than they may",
        f"{THREE} lies further behind than it may",
    ]


def test_a_table_that_becomes_late_for_the_same_reason_joins_the_incident() -> None:
    title = f"{ONE} lies further behind than it may"
    both = f"{ONE} and {TWO} lie further behind than they may, more tables than before"
    later = (ALag(ONE), ALag(TWO, target_hours=5.0))
    assert told(behind(ALag(ONE)), behind(*later), behind(*later)) == [("began", title), ("changed", both)]
    messages = fold(behind(ALag(ONE)), behind(*later))[1]
    assert f"3 h ({ONE}) and 5 h ({TWO}) are allowed" in messages[1].text
    flapping = [behind(*later), behind(ALag(ONE)), behind(*later), behind(ALag(TWO)), behind()]
    assert [event for event, _ in told(*flapping)] == ["began", "recovered"]


def test_a_table_stays_with_its_incident_when_it_stops_elsewhere_later() -> None:
    moved = ALag(TWO, covered_until=NOW - 7 * 60 * MINUTE, lag_hours=7.0)
    state, messages = fold(behind(*THREE_LATE), behind(ALag(ONE), ALag(THREE), moved))
    assert len(messages) == len(state.incidents) == 1
    [incident] = state.incidents.values()
    assert f"hanoi ({TWO}): covered until 2025-08-19 23:00 UTC, 7.0 h behind" in incident.text
    assert f"hanoi ({ONE}, {THREE}): covered until 2025-08-19 21:00 UTC" in incident.text


def test_what_was_told_of_each_table_by_an_earlier_version_stays_so() -> None:
    """Incidents of before name no tables: each is of the one in its key."""
    state = fold(behind(ALag(ONE)), behind(ALag(ONE), ALag(TWO)))[0]
    old = state.to_json()
    old["incidents"] = [
        {name: value for name, value in item.items() if name != "assets"} | {"key": f"freshness:{asset}"}
        for item in old["incidents"]
        for asset in (ONE, TWO)
    ]
    state, messages = fold(behind(ALag(ONE), ALag(TWO)), state=WatchState.from_json(old))
    assert not messages and len(state.incidents) == 2
    assert [message.event for message in fold(behind(), state=state)[1]] == ["recovered", "recovered"]


@given(st.lists(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("xyz"), st.integers(0, 3)))))
def test_every_late_table_is_in_one_incident_that_is_open_while_it_is_late(
    looks: list[list[tuple[str, str, int]]],
) -> None:
    """And no incident is open without one; as many begin as end, but for those that are open."""
    state, all_messages = WatchState.begin(NOW), []
    for look in looks:
        late = {(asset, location): hours for asset, location, hours in look}
        lags = [ALag(a, at, NOW - 60 * hours * MINUTE, float(hours)) for (a, at), hours in late.items()]
        state, messages = fold(behind(*lags), state=state)
        all_messages += messages
        open_now = [set(incident.assets) for incident in state.incidents.values()]
        for asset in {asset for asset, _ in late}:
            assert sum(asset in assets for assets in open_now) == 1
        assert all(assets & {asset for asset, _ in late} for assets in open_now)
        assert WatchState.from_json(state.to_json()) == state
    count = Counter(message.event for message in all_messages)
    assert count["began"] - count["recovered"] == len(state.incidents)


@dataclass(frozen=True)
class Day:
    partition: str = "2025-08-10/hanoi"
    in_words: str = "0 of 24 hours"
    ended: bool = True
    given_up: bool = False
    asset: str = "bronze.feed"

    @property
    def location(self) -> str:
        return self.partition.partition("/")[2]


LACK = "ended days of bronze.feed lack values"
WHOLE = ("recovered", "bronze.feed is complete again")
AGAIN = "They are asked for again by hourly runs, until they are whole or given up."


def lacking(*days: Day) -> Observation:
    return Observation(NOW, incomplete=days)


def test_days_that_lack_values_are_told_once_and_when_they_are_filled_in() -> None:
    one, two = Day(), Day("2025-08-11/hanoi", "23 of 24 hours (pm25 23)")
    looks = [lacking(), lacking(one), lacking(one, two), Observation(NOW), lacking(two), lacking(), lacking()]
    messages = fold(*looks)[1]
    assert [(message.event, message.title) for message in messages] == [("began", LACK), WHOLE]
    assert messages[0].kind == Kind.INCOMPLETE
    assert messages[1].text.startswith("Look: aqi status bronze.feed\nIt began 2025-08-20 06:00 UTC: ")
    assert fold(lacking(two, one))[1][0].text.splitlines() == [
        "2025-08-10/hanoi: 0 of 24 hours",
        "2025-08-11/hanoi: 23 of 24 hours (pm25 23)",
        AGAIN,
        "Look: aqi status bronze.feed",
    ]
    many = [Day(f"2025-07-{day:02}/hanoi") for day in range(1, LOCATIONS + 3)]
    assert "\nand 2 partitions more\n" in fold(lacking(*many))[1][0].text


def test_a_day_that_goes_on_and_one_that_is_given_up_are_no_incident() -> None:
    assert told(lacking(Day(ended=False), Day(given_up=True))) == []


def test_another_location_is_told_and_another_asset_is_another_incident() -> None:
    hue, other = Day("2025-08-10/hue"), Day(asset="bronze.other")
    assert told(lacking(Day()), lacking(Day(), hue), lacking(hue)) == [
        ("began", LACK),
        ("changed", f"{LACK}, at more locations"),
    ]
    text = fold(lacking(Day()), lacking(Day(), hue))[1][1].text
    assert text.startswith("2025-08-10/hue: ")
    assert told(lacking(Day(), other), lacking(other)) == [
        ("began", LACK),
        ("began", "ended days of bronze.other lack values"),
        WHOLE,
    ]


def test_what_is_given_up_is_told_once_at_the_end() -> None:
    """Also what was given up while other days were still asked for; not what was given up before it began."""
    one, two, three = (Day(f"2025-08-1{number}/hanoi") for number in range(3))
    gone, long_gone = replace(one, given_up=True), replace(three, given_up=True)
    looks = [lacking(one, two, long_gone), lacking(gone, two, long_gone), lacking(gone, long_gone), lacking(gone)]
    messages = fold(*looks)[1]
    assert [(message.event, message.title) for message in messages] == [
        ("began", LACK),
        ("recovered", "days of bronze.feed that lack values are given up"),
    ]
    assert messages[1].text.splitlines()[:4] == [
        "Given up, as they are too old to be asked for again (hourly.incomplete_days):",
        "2025-08-10/hanoi: 0 of 24 hours",
        "Go on: aqi materialize bronze.feed --force --partitions 2025-08-10 --locations hanoi",
        "Look: aqi status bronze.feed",
    ]
    later = replace(two, partition="2025-08-15/hanoi")
    assert told(*looks, lacking(gone, later), lacking(gone))[2:] == [("began", LACK), WHOLE]


def test_a_state_from_before_there_were_such_incidents_is_read() -> None:
    state = fold(lacking(Day()))[0].to_json()
    for incident in state["incidents"]:
        del incident["partitions"]
    assert [one.partitions for one in WatchState.from_json(state).incidents.values()] == [()]
