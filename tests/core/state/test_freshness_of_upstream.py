"""Freshness: the fingerprints of upstream partitions that were consulted, absent and empty ones included."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestration.core.partitions.keys import NULL_KEY, PartitionSet
from orchestration.core.state.freshness import (
    State,
    judge,
)
from orchestration.core.state.provenance import ABSENT, UNRECORDED, PartitionRecord
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
    NULL,
    clean,
    feed,
    hours,
    judged,
    record,
    runs,
    stale,
    state,
)


def test_an_upstream_partition_with_another_fingerprint() -> None:
    found = judged(clean, record(clean, FROM_FEED), {FEED: state(d8="g")})
    assert found == stale(f"upstream {FEED} 2025-08-08/hue changed", f"{FEED} changed")


def test_early_cutoff() -> None:
    """Upstream was committed anew, by other code, from other data, and came out the same."""
    tables = {FEED: state(DAY)}
    same = replace(tables[FEED].records[DAY], code="new", contract="new", inputs={"api": {str(DAY): "x"}}, version=9)
    tables[FEED] = TableState(9, {DAY: same})
    assert judged(clean, record(clean, FROM_FEED), tables) == FRESH


def test_upstream_that_is_itself_stale_makes_nothing_stale() -> None:
    """It does so when it is made again and comes out otherwise."""
    old = replace(record(feed), code="old", fingerprint="f")
    assert judge(feed, DAY, {FEED: TableState(1, {DAY: old})}, CURRENT).state is State.STALE
    assert judged(clean, record(clean, FROM_FEED), {FEED: TableState(1, {DAY: old})}) == FRESH


@pytest.mark.parametrize(
    ("recorded", "now", "fresh"),
    [
        (ABSENT, {}, True),
        (ABSENT, {FEED: TableState()}, True),
        (ABSENT, {FEED: state(BEFORE)}, True),
        (ABSENT, {FEED: state(d8="empty")}, False),  # absent is not empty
        (ABSENT, {FEED: state(DAY)}, False),
        ("empty", {FEED: state(d8="empty")}, True),
        ("empty", {FEED: state(DAY)}, False),
        ("empty", {}, False),
        ("f", {FEED: state(DAY)}, True),
        ("f", {}, False),  # wiped
        ("f", {FEED: TableState(7)}, False),
        (UNRECORDED, {FEED: state(DAY)}, False),  # repaired since
        (UNRECORDED, {}, False),
    ],
)
def test_absent_and_empty_are_values(recorded: str, now: dict[str, TableState], fresh: bool) -> None:
    found = judged(clean, record(clean, {FEED: {str(DAY): recorded}}), now)
    assert found == (FRESH if fresh else stale(f"upstream {FEED} 2025-08-08/hue changed", f"{FEED} changed"))


@pytest.mark.parametrize("recorded", ["f", ABSENT, UNRECORDED])
def test_upstream_that_somebody_else_changed_is_never_what_it_was(recorded: str) -> None:
    """Also where the same was said when the partition was made: nobody knows what was read."""
    feed_now = state(DAY, unrecorded=PartitionSet.from_keys([DAY]))
    assert judged(clean, record(clean, {FEED: {str(DAY): recorded}}), {FEED: feed_now}) == stale(
        f"upstream {FEED} 2025-08-08/hue was changed by somebody else", f"{FEED} was changed by somebody else"
    )
    others = state(DAY, unrecorded=PartitionSet.from_keys([BEFORE]))
    assert judged(clean, record(clean, FROM_FEED), {FEED: others}) == FRESH


def test_an_unpartitioned_upstream_asset() -> None:
    own = record(hours, {CLEAN: {str(DAY): "f"}, LOCATIONS: {"null": "f"}})
    changed = {CLEAN: state(DAY), LOCATIONS: TableState(4, {NULL_KEY: PartitionRecord(3, "g", {}, "", "")})}
    assert judged(hours, own, changed) == stale(f"upstream {LOCATIONS} changed", f"{LOCATIONS} changed")
    unrecorded = {CLEAN: state(DAY), LOCATIONS: state(NULL_KEY, unrecorded=NULL)}
    assert judged(hours, own, unrecorded) == stale(
        f"upstream {LOCATIONS} was changed by somebody else", f"{LOCATIONS} was changed by somebody else"
    )


def test_every_partition_that_was_consulted_counts_and_no_other() -> None:
    """A run that goes over midnight: what is recorded is the day before, its day, and the day after."""
    consulted = {str(key): "f" for key in (BEFORE, DAY)} | {str(AFTER): ABSENT}
    own = record(runs, {HOURS: consulted})
    assert judged(runs, own, {HOURS: state(BEFORE, DAY)}) == FRESH
    assert judged(runs, own, {HOURS: state(BEFORE, DAY, d6="g", d10="g")}) == FRESH
    for tables, day in (
        (state(DAY, d7="g"), "07"),
        (state(BEFORE, d8="g"), "08"),
        (state(BEFORE, DAY, AFTER), "09"),
        (state(DAY), "07"),
    ):
        assert judged(runs, own, {HOURS: tables}).reason == f"upstream {HOURS} 2025-08-{day}/hue changed"


def test_an_upstream_asset_that_the_record_does_not_know() -> None:
    own = record(hours, {CLEAN: {str(DAY): "f"}})
    found = judged(hours, own, {CLEAN: state(DAY), LOCATIONS: state(NULL_KEY)})
    assert found == stale(f"{LOCATIONS} was not among its upstream assets")


def test_what_the_record_holds_of_others_than_upstream_assets_plays_no_part() -> None:
    """The digest of what a source sent is there to explain; sources are asked by the clock."""
    assert judged(feed, record(feed, {"api": {str(DAY): "digest"}})) == FRESH
    own = record(clean, FROM_FEED | {"silver.gone": {str(DAY): "f"}})
    assert judged(clean, own, {FEED: state(DAY)}) == FRESH
