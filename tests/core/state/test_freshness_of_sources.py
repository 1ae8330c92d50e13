"""Freshness: the clock, and what a source sends now."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestration.core.partitions.keys import NULL_KEY, PartitionKey
from orchestration.core.state.freshness import (
    NOT_ANSWERED,
    Judgement,
    judge,
)
from orchestration.core.state.table_state import TableState
from tests.support.judged_tables import (
    CLEAN,
    CURRENT,
    DAY,
    FEED,
    FRESH,
    FROM_FEED,
    NOW,
    clean,
    feed,
    judged,
    locations,
    record,
    stale,
    state,
)


def test_a_day_that_was_fetched_before_it_ended() -> None:
    today = PartitionKey(NOW.date(), "hue")
    own = record(feed, key=today, as_of="2025-08-20T09:59:59Z")
    assert judged(feed, own, key=today) == stale(
        "fetched before the day ended (2025-08-20T09:59:59Z)", "fetched before the day ended"
    )
    assert judged(feed, replace(own, as_of="2025-08-20T10:00:00Z"), key=today) == FRESH
    assert judged(feed, replace(own, as_of=""), key=today) == FRESH


def test_a_day_that_ended_since_it_was_fetched() -> None:
    assert judged(feed, record(feed, as_of="2025-08-08T23:59:59Z")).reason == (
        "fetched before the day ended (2025-08-08T23:59:59Z)"
    )


@pytest.mark.parametrize(
    ("sent", "key", "as_of", "expected"),
    [
        ("d", DAY, "", FRESH),
        ("other", DAY, "", stale("api sends something else now")),
        (NOT_ANSWERED, DAY, "", stale("api was asked whether it is still the same, and did not answer")),
        (None, DAY, "", FRESH),
        # Of a day that goes on there is nothing more to be had; one that ended is recorded as such.
        ("d", PartitionKey(NOW.date(), "hue"), "2025-08-20T07:10:00Z", FRESH),
        ("other", PartitionKey(NOW.date(), "hue"), "2025-08-20T07:10:00Z", stale("api sends something else now")),
        (
            "d",
            DAY,
            "2025-08-08T23:10:00Z",
            stale("fetched before the day ended (2025-08-08T23:10:00Z)", "fetched before the day ended"),
        ),
    ],
)
def test_what_the_source_sends_now(sent: str | None, key: PartitionKey, as_of: str, expected: Judgement) -> None:
    own = record(feed, {"api": {str(key): "d"}}, key=key, as_of=as_of)
    current = replace(CURRENT, sent={} if sent is None else {"api": {key: sent}})
    assert judge(feed, key, {FEED: TableState(5, {key: own})}, current) == expected


def test_what_is_made_from_others_does_not_ask_a_source() -> None:
    current = replace(CURRENT, sent={"api": {DAY: "other"}})
    tables = {CLEAN: TableState(5, {DAY: record(clean, FROM_FEED)}), FEED: state(DAY)}
    assert judge(clean, DAY, tables, current) == FRESH


def test_an_unpartitioned_asset_has_no_day_that_ends() -> None:
    assert locations.partitions is None
    assert judged(locations, record(locations, key=NULL_KEY, as_of="2025-08-01T00:00:00Z"), key=NULL_KEY) == FRESH
