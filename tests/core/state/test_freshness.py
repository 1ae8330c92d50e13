"""Freshness: what a partition's record says × what tables, code and contracts are now."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from orchestration.core.partitions.keys import NULL_KEY, PartitionKey, PartitionSet
from orchestration.core.partitions.mappings import Identity
from orchestration.core.state.freshness import (
    Judgement,
    State,
    Way,
    judge,
)
from orchestration.core.state.judged import not_fresh
from orchestration.core.state.provenance import PartitionRecord
from orchestration.core.state.table_state import TableState
from tests.support.judged_tables import (
    AFTER,
    BEFORE,
    CLEAN,
    CURRENT,
    DAY,
    FEED,
    FRESH,
    FROM_FEED,
    HOURS,
    LOCATIONS,
    NOW,
    NULL,
    asset,
    clean,
    code,
    feed,
    hours,
    judged,
    locations,
    record,
    stale,
    state,
)


def test_a_partition_without_a_record_is_missing() -> None:
    missing = Judgement(State.MISSING, "never made", "missing")
    assert judged(clean, None) == missing
    assert judge(clean, DAY, {}, CURRENT) == missing
    assert judge(clean, DAY, {CLEAN: state(BEFORE, PartitionKey(DAY.day, "hanoi"))}, CURRENT) == missing
    assert judge(locations, NULL_KEY, {}, CURRENT) == missing


@pytest.mark.parametrize("recorded", [False, True])
def test_a_partition_that_somebody_else_changed_is_unrecorded_whatever_is_recorded(recorded: bool) -> None:
    records = {DAY: record(clean, FROM_FEED)} if recorded else {}
    tables = {CLEAN: TableState(5, records, PartitionSet.from_keys([DAY])), FEED: state(DAY)}
    found = judge(clean, DAY, tables, CURRENT)
    assert found == Judgement(State.UNRECORDED, "somebody else changed the table's data", "changed by somebody else")
    assert not found.fresh
    assert judge(clean, AFTER, tables, CURRENT).state is State.MISSING


def test_a_partition_is_fresh_when_nothing_differs() -> None:
    assert judged(feed, record(feed)) == FRESH
    found = judged(clean, record(clean, FROM_FEED), {FEED: state(DAY)})
    assert found == FRESH
    assert found.fresh
    both = {CLEAN: {str(DAY): "f"}, LOCATIONS: {"null": "f"}}
    assert judged(hours, record(hours, both), {CLEAN: state(DAY), LOCATIONS: state(NULL_KEY)}) == FRESH


def test_an_unpartitioned_asset() -> None:
    good = record(locations, key=NULL_KEY)
    assert judged(locations, good, key=NULL_KEY) == FRESH
    assert judged(locations, replace(good, code="another"), key=NULL_KEY).state is State.STALE
    unrecorded = {LOCATIONS: TableState(5, {NULL_KEY: good}, NULL)}
    assert judge(locations, NULL_KEY, unrecorded, CURRENT).state is State.UNRECORDED


def test_unpartitioned_assets_that_read_each_other() -> None:
    labels = asset("gold.labels", Identity(LOCATIONS), dated=False)
    current = replace(CURRENT, contracts={**CURRENT.contracts, labels.key: "c"})
    own = PartitionRecord(1, "f", {LOCATIONS: {"null": "f"}}, code(labels, None), "c")
    tables = {labels.key: TableState(5, {NULL_KEY: own}), LOCATIONS: state(NULL_KEY)}
    assert judge(labels, NULL_KEY, tables, current) == FRESH
    del tables[LOCATIONS]
    assert judge(labels, NULL_KEY, tables, current) == stale(f"upstream {LOCATIONS} changed", f"{LOCATIONS} changed")


def test_who_committed_when_and_as_which_version_plays_no_part() -> None:
    own = replace(record(clean, FROM_FEED), run_id="run-1", at="2020-01-01T00:00:00Z", version=1)
    assert judged(clean, own, {FEED: replace(state(DAY), version=99)}) == FRESH


def test_another_code_version() -> None:
    own = replace(record(clean, FROM_FEED), code="old")
    assert judged(clean, own, {FEED: state(DAY)}) == stale("its code or parameters changed")


def test_the_code_version_is_the_location_s_own() -> None:
    """A record that was made for another location's configuration is stale, one of its own location is not."""
    elsewhere = PartitionKey(DAY.day, "hanoi")
    own = record(feed, key=elsewhere)
    assert judged(feed, own, key=elsewhere) == FRESH
    assert judged(feed, own) == replace(
        stale("behind its code: rewrite (its code or parameters changed)"), way=Way.REWRITE
    )


def test_another_contract() -> None:
    own = replace(record(clean, FROM_FEED), contract=CURRENT.contracts[FEED])
    assert judged(clean, own, {FEED: state(DAY)}) == stale("its contract changed")


def test_the_plainest_reason_comes_first() -> None:
    """Everything is wrong; mended one by one, from what a reader sees first to what is furthest away."""
    own = PartitionRecord(24, "f", {CLEAN: {str(DAY): "old"}}, "old", "old", as_of="2025-08-08T06:00:00Z")
    tables = {CLEAN: state(DAY), LOCATIONS: state(NULL_KEY)}
    reasons = []
    for mended in (
        {"code": code(hours, "hue")},
        {"contract": CURRENT.contracts[HOURS]},
        {"as_of": ""},
        {"inputs": {CLEAN: {str(DAY): "f"}}},
        {"inputs": {CLEAN: {str(DAY): "f"}, LOCATIONS: {"null": "f"}}},
    ):
        reasons.append(judged(hours, own, tables).reason)
        own = replace(own, **mended)
    assert reasons == [
        "its code or parameters changed",
        "its contract changed",
        "fetched before the day ended (2025-08-08T06:00:00Z)",
        f"upstream {CLEAN} 2025-08-08/hue changed",
        f"{LOCATIONS} was not among its upstream assets",
    ]
    assert judged(hours, own, tables) == FRESH


def test_not_fresh_puts_partitions_of_a_kind_together() -> None:
    """The judgement is the first partition's; what is fresh is not there."""
    today = NOW.date()
    days = [PartitionKey(today - timedelta(days=number), "hue") for number in range(9, -1, -1)]
    records = {
        **{key: record(feed) for key in days},
        days[1]: replace(record(feed), contract="old"),
        days[2]: replace(record(feed), code="old"),
        days[3]: replace(record(feed), contract="old", code="old"),
        days[4]: record(feed, as_of=f"{days[4].day}T06:00:00Z"),
        days[5]: record(feed, as_of=f"{days[5].day}T07:00:00Z"),
    }
    del records[days[6]], records[days[8]]
    tables = {FEED: TableState(3, records, PartitionSet.from_keys(days[7:9]))}
    found = not_fresh(feed, PartitionSet.from_keys(days), tables, CURRENT)
    assert [(why.state, why.reason, partitions) for why, partitions in found.items()] == [
        (State.STALE, "behind its code: rewrite (its contract changed)", PartitionSet.from_keys([days[1]])),
        (
            State.STALE,
            "behind its code: rewrite (its code or parameters changed)",
            PartitionSet.from_keys([days[2], days[3]]),
        ),
        (
            State.STALE,
            f"fetched before the day ended ({days[4].day}T06:00:00Z)",
            PartitionSet.from_keys([days[4], days[5]]),
        ),
        (State.MISSING, "never made", PartitionSet.from_keys([days[6]])),
        (
            State.UNRECORDED,
            "somebody else changed the table's data",
            PartitionSet.from_keys([days[7], days[8]]),
        ),
    ]
    assert not_fresh(feed, PartitionSet.from_keys([days[0], days[9]]), tables, CURRENT) == {}
    assert not_fresh(feed, PartitionSet.empty(), tables, CURRENT) == {}


def test_not_fresh_tells_upstream_assets_apart_but_not_their_partitions() -> None:
    keys = [PartitionKey(date(2025, 8, day), "hue") for day in (1, 2, 3)]
    other = {CLEAN: "x", LOCATIONS: "f"}, {CLEAN: "x", LOCATIONS: "f"}, {CLEAN: "f", LOCATIONS: "x"}
    records = {
        key: record(hours, {CLEAN: {str(key): seen[CLEAN]}, LOCATIONS: {"null": seen[LOCATIONS]}})
        for key, seen in zip(keys, other, strict=True)
    }
    tables = {HOURS: TableState(3, records), CLEAN: state(*keys), LOCATIONS: state(NULL_KEY)}
    found = not_fresh(hours, PartitionSet.from_keys(keys), tables, CURRENT)
    assert {why.in_short: partitions for why, partitions in found.items()} == {
        f"{CLEAN} changed": PartitionSet.from_keys(keys[:2]),
        f"{LOCATIONS} changed": PartitionSet.from_keys(keys[2:]),
    }
