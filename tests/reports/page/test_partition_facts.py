"""What the page *Partitions* shows, against partitions that are gone through one by one."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.partitions.keys import NULL_KEY, Days, PartitionKey, PartitionSet
from orchestration.core.partitions.location import Location
from orchestration.core.state.freshness import State
from orchestration.reports.page import partition_facts as module
from orchestration.reports.page.partition_facts import WORST_FIRST, partition_facts
from orchestration.reports.status import StatusGroup
from tests.reports.page.day_numbers import read
from tests.support.days_and_keys import quick
from tests.support.river.tables import CATALOG

TODAY = date(2025, 3, 1)
FIRST = date(2025, 1, 30)
DAILY, FLOODS, ALARMS = (CATALOG[key] for key in ("gold.daily_levels", "gold.floods", "gold.dim_alarm"))
LOCATIONS = [Location(key, f"The {key}", 0.0, 0.0, "UTC") for key in ("upper", "lower")]

kinds = st.tuples(
    st.sampled_from(State),
    st.sampled_from(["", "missing", "upstream changed"]),
    st.sampled_from([(), ("incomplete: 3 of 24 hours",), ("given up: 0 of 24 hours", "no longer configured")]),
)
keys = st.builds(
    lambda day, at: PartitionKey(FIRST + timedelta(days=day), at),
    st.integers(0, 35),
    st.sampled_from(["upper", "lower", "gone"]),
)
of_asset = st.dictionaries(keys, kinds, max_size=40)


def groups(asset: str, of: dict[PartitionKey, Any]) -> list[StatusGroup]:
    """A group for each kind, some of them in two parts, as ``read_status`` has it."""
    found = []
    for state, why, marks in dict.fromkeys(of.values()):
        mine = [key for key, kind in of.items() if kind == (state, why, marks)]
        for some in (mine[::2], mine[1::2]):
            if some:
                found.append(StatusGroup(asset, state, why, marks, PartitionSet.from_keys(some), len(some)))
    return found


def kinds_of(facts: dict[str, Any], number: int) -> dict[tuple[str, date], tuple[Any, ...]]:
    """By location and day what the page says of the partitions of an asset."""
    base = date.fromisoformat(facts["base"]).toordinal()
    found = {}
    for (key, _, _), at in zip(facts["locations"], facts["assets"][number]["at"], strict=True):
        for day, kind in ({} if at is None else read(facts["rows"][at], base)).items():
            found[key, date.fromordinal(day)] = facts["kinds"][kind]
    return found


@quick
@given(of_asset, of_asset)
def test_the_page_says_of_each_partition_what_its_group_says(
    daily: dict[PartitionKey, Any], floods: dict[PartitionKey, Any]
) -> None:
    facts = partition_facts([DAILY, FLOODS], groups(DAILY.key, daily) + groups(FLOODS.key, floods), LOCATIONS, TODAY)
    for number, of in enumerate((daily, floods)):
        told = kinds_of(facts, number)
        assert told == {(key.location, key.day): (str(s), why, marks) for key, (s, why, marks) in of.items()}
        counts = {facts["kinds"][kind]: (count, rows) for kind, count, rows in facts["assets"][number]["counts"]}
        assert counts == {kind: (count, count) for kind, count in Counter(told.values()).items()}
    ranks = [WORST_FIRST.index(facts["kinds"][kind][0]) for _, kind, *_ in facts["told"]]
    assert ranks == sorted(ranks)
    order = [(rank, asset, -count) for rank, (asset, _, count, *_) in zip(ranks, facts["told"], strict=True)]
    assert order == sorted(order), "what is upstream before what follows from it"
    lacking = [kind for of in (daily, floods) for kind in of.values() if kind[0] is not State.FRESH or kind[2]]
    assert sum(count for _, _, count, *_ in facts["told"]) == len(lacking)
    assert facts["since"] is None


def test_locations_that_are_no_longer_configured_come_last() -> None:
    there = PartitionSet.of(Days.of(FIRST), ["gone", "lower"])
    facts = partition_facts([DAILY], [StatusGroup(DAILY.key, State.FRESH, "", (), there)], LOCATIONS, TODAY)
    assert facts["locations"] == [["upper", "The upper", True], ["lower", "The lower", True], ["gone", "gone", False]]
    assert facts["assets"][0]["at"] == [None, 0, 0]


def test_an_asset_without_days_has_one_partition() -> None:
    one = PartitionSet.one(NULL_KEY)
    facts = partition_facts([ALARMS], [StatusGroup(ALARMS.key, State.MISSING, "never made", (), one)], LOCATIONS, TODAY)
    assert facts["assets"] == [{"key": ALARMS.key, "dated": False, "whole": False, "at": [], "counts": [[0, 1, None]]}]
    assert facts["told"] == [[0, 0, 1, None, None, None, 0, 0]]


def test_failures_of_one_cause_are_one_line() -> None:
    """A source that is away has a message for each location; a day's calendar still has its own."""
    at_each = [
        StatusGroup(
            DAILY.key, state, f"missing; no answer for {key} on {FIRST}", (), PartitionSet.of(Days.of(FIRST), [key])
        )
        for state, key in ((State.FAILED, "upper"), (State.FAILED, "lower"), (State.STALE, "gone"))
    ]
    other = StatusGroup(DAILY.key, State.FAILED, "its disk is full", (), PartitionSet.of(Days.of(TODAY), ["upper"]))
    facts = partition_facts([DAILY], [*at_each, other], LOCATIONS, TODAY)
    assert [[facts["kinds"][kind][1], *rest] for _, kind, *rest in facts["told"]] == [
        [f"missing; no answer for upper on {FIRST}", 2, str(FIRST), str(FIRST), 1, 2, 1],
        ["its disk is full", 1, str(TODAY), str(TODAY), 0, 1, 0],
        [f"missing; no answer for gone on {FIRST}", 1, str(FIRST), str(FIRST), 2, 1, 0],
    ]
    assert len(facts["kinds"]) == 4


def test_what_is_too_much_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest runs stay, whole lines of the list do, and both say what is not there."""
    monkeypatch.setattr(module, "MOST_RUNS", 3)
    monkeypatch.setattr(module, "MOST_TOLD", 1)
    every_other = PartitionSet.from_keys(PartitionKey(FIRST + timedelta(days=2 * day), "upper") for day in range(6))
    gaps = PartitionSet.from_keys(PartitionKey(FIRST + timedelta(days=2 * day + 1), "upper") for day in range(5))
    facts = partition_facts(
        [DAILY],
        [
            StatusGroup(DAILY.key, State.STALE, "changed", (), every_other),
            StatusGroup(DAILY.key, State.FAILED, "x" * 900, ("m" * 900,), gaps),
        ],
        LOCATIONS,
        TODAY,
    )
    assert facts["since"] == str(FIRST + timedelta(days=8))
    assert sorted(day for _, day in kinds_of(facts, 0)) == [FIRST + timedelta(days=day) for day in (8, 9, 10)]
    assert [len(facts["told"]), facts["more"], facts["told"][0][1:3]] == [1, 1, [1, 5]]
    assert len(facts["kinds"][1][1]) == len(facts["kinds"][1][2][0]) == module.LONGEST
