"""When a period ends is asked of the asset's scheme: weeks, and days of other clocks, through the whole core."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.catalog import Catalog
from orchestration.core.declarations.checks import Check
from orchestration.core.errors import DeclarationError
from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet
from orchestration.core.partitions.mappings import Identity, PartitionMapping, RunWindow
from orchestration.core.partitions.scheme import DailyByLocation, PartitionScheme
from orchestration.core.planning.plan import LeftOut, Obstacle
from orchestration.core.planning.planner import make_plan
from orchestration.core.planning.request import Refresh
from orchestration.core.runs.decisions import PartitionFacts, judged
from orchestration.core.runs.records import as_of
from orchestration.core.state.freshness import Current, Judgement, State, judge
from orchestration.core.state.lags import lags
from orchestration.core.state.provenance import PartitionRecord
from orchestration.core.state.table_state import TableState
from tests.support.schemes import LocalDays, Weeks

FEED, CLEAN = "bronze.feed", "silver.clean"
MONDAY = date(2025, 8, 11)
KEY = PartitionKey(MONDAY, "hue")


def utc(text: str) -> datetime:
    """``17T23:59``: an instant of August 2025, UTC."""
    return datetime.fromisoformat(f"2025-08-{text}").replace(tzinfo=UTC)


def lake(scheme: PartitionScheme) -> Catalog:
    whole = Check("hours_missing", False, lambda _parameters: None, ended_days_only=True)
    feed = Asset(FEED, "Text.", lambda: None, (), "api", scheme, "C", (), frozenset(), (whole,))
    clean = Asset(CLEAN, "Text.", lambda: None, (Identity(FEED),), None, scheme, "C", (), frozenset(), ())
    return Catalog([feed, clean])


def current(now: datetime) -> Current:
    return Current(lambda _asset, _location: "code", dict.fromkeys((FEED, CLEAN), "contract"), now)


def fetched(asked: str) -> dict[str, TableState]:
    """FEED with KEY as it was fetched at an instant before the end of its period, and CLEAN made from that."""
    feed = PartitionRecord(5, "f", {}, "code", "contract", as_of=f"2025-08-{asked}:00Z")
    clean = PartitionRecord(5, "g", {FEED: {str(KEY): "f"}}, "code", "contract")
    return {FEED: TableState(1, {KEY: feed}), CLEAN: TableState(1, {KEY: clean})}


@pytest.mark.parametrize(
    ("scheme", "asked", "now", "fresh"),
    [
        (Weeks(), "12T06:30", "12T06:59", True),
        (Weeks(), "12T06:30", "12T07:00", False),
        (Weeks(), "17T23:10", "17T23:50", True),
        (Weeks(), "17T23:10", "18T00:00", False),
        (Weeks(), "18T00:00", "20T00:00", True),
        # The 11th of a clock that is 7 hours ahead begins at 17:00 UTC of the 10th.
        (LocalDays(), "11T16:10", "11T16:50", True),
        (LocalDays(), "11T16:10", "11T17:00", False),
        (LocalDays(), "11T17:00", "11T23:00", True),
    ],
)
def test_a_partition_is_stale_once_more_of_its_period_has_passed(
    scheme: PartitionScheme, asked: str, now: str, fresh: bool
) -> None:
    found = judge(lake(scheme)[FEED], KEY, fetched(asked), current(utc(now)))
    assert found.fresh is fresh
    assert found.in_short == ("fresh" if fresh else "fetched before the day ended")


def test_a_source_that_has_nothing_new_is_asked_again_when_the_period_is_over() -> None:
    tables = fetched("17T21:10")
    record = replace(tables[FEED].records[KEY], inputs={"api": {str(KEY): "d"}})
    tables[FEED] = TableState(1, {KEY: record})
    for now, expected in (("17T22:30", State.FRESH), ("18T00:00", State.STALE)):
        sent = replace(current(utc(now)), sent={"api": {KEY: "d"}})
        found: Judgement = judge(lake(Weeks())[FEED], KEY, tables, sent)
        assert found.state is expected


@pytest.mark.parametrize(
    ("scheme", "end"), [(Weeks(), "18T00:00"), (LocalDays(), "11T17:00")], ids=["weeks", "local days"]
)
def test_a_table_covers_to_the_end_of_its_period(scheme: PartitionScheme, end: str) -> None:
    catalog = lake(scheme)
    ended = {
        of: replace(state, records={KEY: replace(state.records[KEY], as_of="")}) for of, state in fetched(end).items()
    }
    found = lags(catalog, [FEED, CLEAN], ended, ["hue"], utc("20T00:00"))
    assert [lag.covered_until for lag in found] == [utc(end)] * 2
    before = utc(end) - timedelta(minutes=30)
    assert [lag.covered_until for lag in lags(catalog, [FEED], ended, ["hue"], before)] == [before]


@pytest.mark.parametrize(
    ("scheme", "begin"), [(Weeks(), "11T00:00"), (LocalDays(), "10T17:00")], ids=["weeks", "local days"]
)
def test_where_nothing_is_left_of_what_was_consulted_nothing_of_the_period_is_covered(
    scheme: PartitionScheme, begin: str
) -> None:
    tables = fetched("11T06:00")
    other = {KEY: replace(tables[FEED].records[KEY], fingerprint="other")}
    found = lags(lake(scheme), [CLEAN], {**tables, FEED: TableState(2, other)}, ["hue"], utc("20T00:00"))
    assert [lag.covered_until for lag in found] == [utc(begin)]


def test_a_request_for_days_is_planned_as_the_periods_that_they_touch() -> None:
    asked = PartitionSet.of(Days.of(date(2025, 8, 13), date(2025, 8, 26)), ["hue"])
    made = make_plan(lake(Weeks()), Refresh(frozenset([FEED, CLEAN]), asked), {}, current(utc("20T12:00")))
    mondays = PartitionSet.from_keys(PartitionKey(date(2025, 8, day), "hue") for day in (11, 18))
    future = PartitionSet.from_keys([PartitionKey(date(2025, 8, 25), "hue")])
    assert [(step.asset, step.partitions) for step in made.steps] == [(FEED, mondays), (CLEAN, mondays)]
    why = "These days lie after today (2025-08-20, UTC)."
    assert made.left_out == (LeftOut(FEED, future, why, Obstacle.FUTURE), LeftOut(CLEAN, future, why, Obstacle.FUTURE))


def test_a_day_that_has_begun_elsewhere_can_be_asked_for() -> None:
    asked = PartitionSet.of(Days.of(date(2025, 8, 20), date(2025, 8, 21)), ["far-west", "hue"])
    made = make_plan(lake(LocalDays()), Refresh(frozenset([FEED]), asked), {}, current(utc("20T17:00")))
    assert [str(step.partitions) for step in made.steps] == ["2025-08-20 × far-west; 2025-08-20..2025-08-21 × hue"]
    assert [str(item.partitions) for item in made.left_out] == ["2025-08-21..2025-08-22 × far-west; 2025-08-22 × hue"]


@pytest.mark.parametrize(("now", "over"), [("17T23:59", False), ("18T00:00", True)])
def test_checks_of_what_ended_wait_for_the_end_of_the_period(now: str, over: bool) -> None:
    feed = lake(Weeks())[FEED]
    assert bool(judged(feed, KEY, PartitionFacts(5, "f", {"hours_missing": 3}), current(utc(now)))) is over
    asked = f"2025-08-{now}:00Z"
    assert as_of(feed, KEY, asked) == ("" if over else asked)


@pytest.mark.parametrize("mapping", [Identity(FEED), RunWindow(FEED, "level", "limit")])
def test_a_mapping_between_other_periods_is_refused(mapping: PartitionMapping) -> None:
    """Else a week would be made of its Monday."""
    feed = Asset(FEED, "Text.", lambda: None, (), None, DailyByLocation(), "C", (), frozenset(), ())
    weeks = Asset(CLEAN, "Text.", lambda: None, (mapping,), None, Weeks(), "C", (), frozenset(), ())
    with pytest.raises(DeclarationError, match=r"does not join the periods of its upstream bronze\.feed and its own"):
        Catalog([feed, weeks])


def test_a_run_of_hours_is_a_matter_of_days() -> None:
    feed = Asset(FEED, "Text.", lambda: None, (), None, Weeks(), "C", (), frozenset(), ())
    runs = replace(feed, key=CLEAN, upstream=(RunWindow(FEED, "level", "limit"),))
    with pytest.raises(DeclarationError, match="RunWindow does not join the periods"):
        Catalog([feed, runs])
