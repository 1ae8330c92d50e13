"""Freshness: what a partition's record says × what tables, code, contracts and the clock are now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.declarations.asset import Asset, DailyByLocation
from orchestration.core.partitions.keys import NULL_KEY, PartitionKey, PartitionSet
from orchestration.core.partitions.mappings import AllPartitions, Identity, PartitionMapping, RunWindow
from orchestration.core.state.freshness import (
    NOT_ANSWERED,
    Current,
    Judgement,
    State,
    Way,
    judge,
    more_has_passed,
    not_fresh,
)
from orchestration.core.state.provenance import ABSENT, UNRECORDED, PartitionRecord, TableState

FEED, CLEAN, PLACES, HOURS, RUNS = "bronze.feed", "silver.clean", "gold.places", "gold.hours", "gold.runs"
DAY = PartitionKey(date(2025, 8, 8), "hue")
BEFORE, AFTER = PartitionKey(date(2025, 8, 7), "hue"), PartitionKey(date(2025, 8, 9), "hue")
NOW = datetime(2025, 8, 20, 10, 30, tzinfo=UTC)
NOTHING, NULL = PartitionSet.empty(), PartitionSet.null()


def asset(key: str, *upstream: PartitionMapping, source: str | None = None, dated: bool = True) -> Asset:
    partitions = DailyByLocation() if dated else None
    return Asset(key, "Text.", lambda: None, upstream, source, partitions, "C", (), frozenset(), ())


feed = asset(FEED, source="api")
clean = asset(CLEAN, Identity(FEED))
places = asset(PLACES, dated=False)
hours = asset(HOURS, Identity(CLEAN), AllPartitions(PLACES))
runs = asset(RUNS, RunWindow(HOURS, "aqi", "episode_rule.threshold"))
LAKE = {one.key: one for one in (feed, clean, places, hours, runs)}


def code(of: Asset, location: str | None) -> str:
    """A code version that differs from asset to asset and from place to place."""
    return f"code of {of.key} at {location}"


CURRENT = Current(code, {key: f"contract of {key}" for key in LAKE}, NOW)
Inputs = Mapping[str, Mapping[str, str]]


def record(
    of: Asset,
    inputs: Inputs | None = None,
    key: PartitionKey = DAY,
    rows: int = 24,
    fingerprint: str = "",
    as_of: str = "",
) -> PartitionRecord:
    """A record of ``key`` that was made by today's code under today's contract."""
    return PartitionRecord(
        rows,
        fingerprint or f"rows of {of.key}",
        inputs or {},
        code(of, key.location),
        CURRENT.contracts[of.key],
        as_of=as_of,
    )


def state(*keys: PartitionKey, doubted: PartitionSet = NOTHING, **fingerprints: str) -> TableState:
    """A table of somebody's: ``keys`` with the fingerprint ``f``, further days of August by number (``d7="g"``)."""
    held = dict.fromkeys(keys, "f")
    held |= {PartitionKey(date(2025, 8, int(day[1:])), "hue"): text for day, text in fingerprints.items()}
    return TableState(3, {key: PartitionRecord(24, text, {}, "", "") for key, text in held.items()}, doubted)


def judged(
    of: Asset, own: PartitionRecord | None, tables: Mapping[str, TableState] | None = None, key: PartitionKey = DAY
) -> Judgement:
    """What ``key`` is where its table holds just the record ``own``."""
    table = TableState(5, {} if own is None else {key: own})
    return judge(of, key, {of.key: table, **(tables or {})}, CURRENT)


def stale(reason: str, in_short: str = "") -> Judgement:
    return Judgement(State.STALE, reason, in_short or reason)


FRESH = Judgement(State.FRESH, "", "fresh")
FROM_FEED = {FEED: {str(DAY): "f"}}


# States -------------------------------------------------------------------------------------------


def test_a_partition_without_a_record_is_missing() -> None:
    missing = Judgement(State.MISSING, "never made", "missing")
    assert judged(clean, None) == missing
    assert judge(clean, DAY, {}, CURRENT) == missing
    assert judge(clean, DAY, {CLEAN: state(BEFORE, PartitionKey(DAY.day, "hanoi"))}, CURRENT) == missing
    assert judge(places, NULL_KEY, {}, CURRENT) == missing


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
    both = {CLEAN: {str(DAY): "f"}, PLACES: {"null": "f"}}
    assert judged(hours, record(hours, both), {CLEAN: state(DAY), PLACES: state(NULL_KEY)}) == FRESH


def test_an_unpartitioned_asset() -> None:
    good = record(places, key=NULL_KEY)
    assert judged(places, good, key=NULL_KEY) == FRESH
    assert judged(places, replace(good, code="another"), key=NULL_KEY).state is State.STALE
    doubted = {PLACES: TableState(5, {NULL_KEY: good}, NULL)}
    assert judge(places, NULL_KEY, doubted, CURRENT).state is State.UNRECORDED


def test_unpartitioned_assets_that_read_each_other() -> None:
    labels = asset("gold.labels", Identity(PLACES), dated=False)
    current = replace(CURRENT, contracts={**CURRENT.contracts, labels.key: "c"})
    own = PartitionRecord(1, "f", {PLACES: {"null": "f"}}, code(labels, None), "c")
    tables = {labels.key: TableState(5, {NULL_KEY: own}), PLACES: state(NULL_KEY)}
    assert judge(labels, NULL_KEY, tables, current) == FRESH
    del tables[PLACES]
    assert judge(labels, NULL_KEY, tables, current) == stale(f"upstream {PLACES} changed", f"{PLACES} changed")


def test_who_committed_when_and_as_which_version_plays_no_part() -> None:
    own = replace(record(clean, FROM_FEED), run_id="run-1", at="2020-01-01T00:00:00Z", version=1)
    assert judged(clean, own, {FEED: replace(state(DAY), version=99)}) == FRESH


# Code and contract --------------------------------------------------------------------------------


def test_another_code_version() -> None:
    own = replace(record(clean, FROM_FEED), code="old")
    assert judged(clean, own, {FEED: state(DAY)}) == stale("its code or parameters changed")


def test_the_code_version_is_the_place_s_own() -> None:
    """A record that was made for another place's configuration is stale, one of its own place is not."""
    elsewhere = PartitionKey(DAY.day, "hanoi")
    own = record(feed, key=elsewhere)
    assert judged(feed, own, key=elsewhere) == FRESH
    assert judged(feed, own) == replace(
        stale("behind its code: rewrite (its code or parameters changed)"), way=Way.REWRITE
    )


def test_another_contract() -> None:
    own = replace(record(clean, FROM_FEED), contract=CURRENT.contracts[FEED])
    assert judged(clean, own, {FEED: state(DAY)}) == stale("its contract changed")


# Upstream -----------------------------------------------------------------------------------------


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
    feed_now = state(DAY, doubted=PartitionSet.from_keys([DAY]))
    assert judged(clean, record(clean, {FEED: {str(DAY): recorded}}), {FEED: feed_now}) == stale(
        f"upstream {FEED} 2025-08-08/hue was changed by somebody else", f"{FEED} was changed by somebody else"
    )
    others = state(DAY, doubted=PartitionSet.from_keys([BEFORE]))
    assert judged(clean, record(clean, FROM_FEED), {FEED: others}) == FRESH


def test_an_unpartitioned_upstream_asset() -> None:
    own = record(hours, {CLEAN: {str(DAY): "f"}, PLACES: {"null": "f"}})
    changed = {CLEAN: state(DAY), PLACES: TableState(4, {NULL_KEY: PartitionRecord(3, "g", {}, "", "")})}
    assert judged(hours, own, changed) == stale(f"upstream {PLACES} changed", f"{PLACES} changed")
    doubted = {CLEAN: state(DAY), PLACES: state(NULL_KEY, doubted=NULL)}
    assert judged(hours, own, doubted) == stale(
        f"upstream {PLACES} was changed by somebody else", f"{PLACES} was changed by somebody else"
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
    found = judged(hours, own, {CLEAN: state(DAY), PLACES: state(NULL_KEY)})
    assert found == stale(f"{PLACES} was not among its upstream assets")


def test_what_the_record_holds_of_others_than_upstream_assets_plays_no_part() -> None:
    """The digest of what a source sent is there to explain; sources are asked by the clock."""
    assert judged(feed, record(feed, {"api": {str(DAY): "digest"}})) == FRESH
    own = record(clean, FROM_FEED | {"silver.gone": {str(DAY): "f"}})
    assert judged(clean, own, {FEED: state(DAY)}) == FRESH


# The clock ----------------------------------------------------------------------------------------


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


# What the source sends now ---------------------------------------------------------------------------


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


def hour(text: str) -> datetime:
    """``08T06:30``: an instant of August 2025, UTC."""
    return datetime.fromisoformat(f"2025-08-{text}").replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("as_of", "now", "passed"),
    [
        ("08T06:30", "08T06:59", False),
        ("08T06:30", "08T06:59:59.999999", False),
        ("08T06:30", "08T07:00", True),
        ("08T06:00", "08T06:00", False),
        ("08T06:59:59", "08T07:00", True),
        ("08T00:00", "08T00:59", False),
        ("08T00:59", "08T01:00", True),
        ("08T23:10", "08T23:50", False),
        ("08T23:10", "08T23:59:59", False),
        ("08T23:10", "09T00:00", True),
        ("08T23:10", "09T00:01", True),
        ("08T23:10", "20T12:00", True),
        ("08T06:30", "20T12:00", True),
        # Asked when the day was over: nothing is to be expected, however long ago.
        ("09T00:00", "09T00:00", False),
        ("09T00:00", "20T12:00", False),
        ("09T05:00", "20T12:00", False),
        # A clock that was set back.
        ("08T06:30", "08T05:30", False),
        ("08T06:30", "07T12:00", False),
        ("08T06:30", "08T06:10", False),
        # Asked before the day began.
        ("07T10:30", "08T00:00", True),
        ("07T10:30", "08T09:00", True),
        ("07T10:30", "07T10:59", False),
    ],
)
def test_more_has_passed(as_of: str, now: str, passed: bool) -> None:
    assert more_has_passed(DAY, hour(as_of), hour(now)) is passed


def test_more_has_passed_in_any_zone() -> None:
    """Hours are UTC's: 09:30 in Hà Nội is 02:30 UTC, and from 08:10 to 08:40 in Delhi is from 02:40 to 03:10 UTC."""
    hanoi = timezone(timedelta(hours=7))
    at = datetime(2025, 8, 8, 9, 30, tzinfo=hanoi)
    assert not more_has_passed(DAY, at, hour("08T02:59"))
    assert not more_has_passed(DAY, hour("08T02:30"), at.replace(minute=59))
    assert more_has_passed(DAY, at, hour("08T03:00"))
    assert more_has_passed(DAY, hour("08T23:30"), datetime(2025, 8, 9, 7, 0, tzinfo=hanoi))
    delhi = timezone(timedelta(hours=5, minutes=30))
    first, second, third = (datetime(2025, 8, 8, *time, tzinfo=delhi) for time in ((8, 10), (8, 40), (9, 20)))
    assert more_has_passed(DAY, first, second)
    assert not more_has_passed(DAY, second, third)


def test_an_unpartitioned_asset_has_no_day_that_ends() -> None:
    assert not more_has_passed(NULL_KEY, hour("08T06:30"), hour("20T12:00"))
    assert judged(places, record(places, key=NULL_KEY, as_of="2025-08-01T00:00:00Z"), key=NULL_KEY) == FRESH


# Several reasons ----------------------------------------------------------------------------------


def test_the_plainest_reason_comes_first() -> None:
    """Everything is wrong; mended one by one, from what a reader sees first to what is furthest away."""
    own = PartitionRecord(24, "f", {CLEAN: {str(DAY): "old"}}, "old", "old", as_of="2025-08-08T06:00:00Z")
    tables = {CLEAN: state(DAY), PLACES: state(NULL_KEY)}
    reasons = []
    for mended in (
        {"code": code(hours, "hue")},
        {"contract": CURRENT.contracts[HOURS]},
        {"as_of": ""},
        {"inputs": {CLEAN: {str(DAY): "f"}}},
        {"inputs": {CLEAN: {str(DAY): "f"}, PLACES: {"null": "f"}}},
    ):
        reasons.append(judged(hours, own, tables).reason)
        own = replace(own, **mended)
    assert reasons == [
        "its code or parameters changed",
        "its contract changed",
        "fetched before the day ended (2025-08-08T06:00:00Z)",
        f"upstream {CLEAN} 2025-08-08/hue changed",
        f"{PLACES} was not among its upstream assets",
    ]
    assert judged(hours, own, tables) == FRESH


# Many partitions ----------------------------------------------------------------------------------


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
    other = {CLEAN: "x", PLACES: "f"}, {CLEAN: "x", PLACES: "f"}, {CLEAN: "f", PLACES: "x"}
    records = {
        key: record(hours, {CLEAN: {str(key): seen[CLEAN]}, PLACES: {"null": seen[PLACES]}})
        for key, seen in zip(keys, other, strict=True)
    }
    tables = {HOURS: TableState(3, records), CLEAN: state(*keys), PLACES: state(NULL_KEY)}
    found = not_fresh(hours, PartitionSet.from_keys(keys), tables, CURRENT)
    assert {why.in_short: partitions for why, partitions in found.items()} == {
        f"{CLEAN} changed": PartitionSet.from_keys(keys[:2]),
        f"{PLACES} changed": PartitionSet.from_keys(keys[2:]),
    }


# Against a naive evaluator ------------------------------------------------------------------------

days = st.sampled_from([BEFORE, DAY, AFTER])
seen = st.sampled_from(["f", "g", "empty", ABSENT, UNRECORDED])


def instants(first: date) -> st.SearchStrategy[datetime]:
    """Whole seconds from the start of ``first`` to the end of 10 August, UTC."""
    start = datetime(first.year, first.month, first.day)
    return st.datetimes(start, datetime(2025, 8, 11)).map(lambda at: at.replace(tzinfo=UTC, microsecond=0))


held = st.dictionaries(days, st.sampled_from(["f", "g", "empty"]))
key_sets = st.sets(days).map(PartitionSet.from_keys)
as_ofs = st.one_of(st.just(""), instants(date(2025, 8, 8)).map(lambda at: at.strftime("%Y-%m-%dT%H:%M:%SZ")))


def naive(own: PartitionRecord | None, doubted: bool, tables: Mapping[str, TableState], now: datetime) -> State:
    """The words of DESIGN, promise 7, one by one, for HOURS on DAY."""
    if doubted:
        return State.UNRECORDED
    if own is None:
        return State.MISSING
    now_there: dict[tuple[str, str], str] = {}
    for key, table in tables.items():
        now_there |= {(key, str(one)): known.fingerprint for one, known in table.records.items()}
        now_there |= {(key, str(one)): "nobody knows" for one in table.unrecorded}
    same = own.code == code(hours, "hue") and own.contract == CURRENT.contracts[HOURS]
    same = same and set(own.inputs) >= {CLEAN, PLACES}
    for upstream in {CLEAN, PLACES} & set(own.inputs):
        for one, fingerprint in own.inputs[upstream].items():
            same = same and now_there.get((upstream, one), ABSENT) == fingerprint
    more = False
    if own.as_of:
        asked = datetime.fromisoformat(own.as_of)
        hours_of_day = [datetime(2025, 8, 8, tzinfo=UTC) + timedelta(hours=number) for number in range(25)]
        started = asked.replace(minute=0, second=0)
        more = any(started < begin <= now for begin in hours_of_day)
    return State.FRESH if same and not more else State.STALE


@settings(max_examples=150, deadline=None)
@given(
    own=st.none()
    | st.builds(
        PartitionRecord,
        rows=st.just(24),
        fingerprint=st.just("f"),
        inputs=st.fixed_dictionaries(
            {},
            optional={
                CLEAN: st.dictionaries(days.map(str), seen, min_size=1),
                PLACES: st.dictionaries(st.just("null"), seen, min_size=1),
            },
        ),
        code=st.sampled_from([code(hours, "hue")] * 4 + [code(hours, "hanoi")]),
        contract=st.sampled_from([CURRENT.contracts[HOURS]] * 4 + ["old"]),
        as_of=as_ofs,
    ),
    doubted=st.sampled_from([False] * 5 + [True]),
    clean_held=held,
    clean_doubted=key_sets,
    places_now=st.sampled_from([None, "f", "g"]),
    now=instants(date(2025, 8, 6)),
)
def test_judge_says_what_the_design_says(
    own: PartitionRecord | None,
    doubted: bool,
    clean_held: dict[PartitionKey, str],
    clean_doubted: PartitionSet,
    places_now: str | None,
    now: datetime,
) -> None:
    tables = {
        HOURS: TableState(1, {} if own is None else {DAY: own}, PartitionSet.from_keys([DAY] if doubted else [])),
        CLEAN: TableState(
            2, {key: PartitionRecord(1, text, {}, "", "") for key, text in clean_held.items()}, clean_doubted
        ),
    }
    if places_now is not None:
        tables[PLACES] = TableState(3, {NULL_KEY: PartitionRecord(1, places_now, {}, "", "")})
    current = replace(CURRENT, now=now)
    found = judge(hours, DAY, tables, current)
    assert found.state is naive(own, doubted, {key: tables[key] for key in (CLEAN, PLACES) if key in tables}, now)
    assert found.fresh == (found.state is State.FRESH) == (found.reason == "")
    one = PartitionSet.from_keys([DAY])
    assert not_fresh(hours, one, tables, current) == ({} if found.fresh else {found: one})
