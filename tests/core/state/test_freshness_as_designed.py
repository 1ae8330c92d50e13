"""Freshness against a naive evaluator: the words of DESIGN, promise 7, one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.partitions.keys import NULL_KEY, PartitionKey, PartitionSet
from orchestration.core.state.freshness import (
    State,
    judge,
)
from orchestration.core.state.judged import not_fresh
from orchestration.core.state.provenance import ABSENT, UNRECORDED, PartitionRecord
from orchestration.core.state.table_state import TableState
from tests.support.judged_tables import AFTER, BEFORE, CLEAN, CURRENT, DAY, HOURS, LOCATIONS, code, hours

days = st.sampled_from([BEFORE, DAY, AFTER])
seen = st.sampled_from(["f", "g", "empty", ABSENT, UNRECORDED])


def instants(first: date) -> st.SearchStrategy[datetime]:
    """Whole seconds from the start of ``first`` to the end of 10 August, UTC."""
    start = datetime(first.year, first.month, first.day)
    return st.datetimes(start, datetime(2025, 8, 11)).map(lambda at: at.replace(tzinfo=UTC, microsecond=0))


held = st.dictionaries(days, st.sampled_from(["f", "g", "empty"]))
key_sets = st.sets(days).map(PartitionSet.from_keys)
as_ofs = st.one_of(st.just(""), instants(date(2025, 8, 8)).map(lambda at: at.strftime("%Y-%m-%dT%H:%M:%SZ")))


def naive(own: PartitionRecord | None, unrecorded: bool, tables: Mapping[str, TableState], now: datetime) -> State:
    """The words of DESIGN, promise 7, one by one, for HOURS on DAY."""
    if unrecorded:
        return State.UNRECORDED
    if own is None:
        return State.MISSING
    now_there: dict[tuple[str, str], str] = {}
    for key, table in tables.items():
        now_there |= {(key, str(one)): known.fingerprint for one, known in table.records.items()}
        now_there |= {(key, str(one)): "nobody knows" for one in table.unrecorded}
    same = own.code == code(hours, "hue") and own.contract == CURRENT.contracts[HOURS]
    same = same and set(own.inputs) >= {CLEAN, LOCATIONS}
    for upstream in {CLEAN, LOCATIONS} & set(own.inputs):
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
                LOCATIONS: st.dictionaries(st.just("null"), seen, min_size=1),
            },
        ),
        code=st.sampled_from([code(hours, "hue")] * 4 + [code(hours, "hanoi")]),
        contract=st.sampled_from([CURRENT.contracts[HOURS]] * 4 + ["old"]),
        as_of=as_ofs,
    ),
    unrecorded=st.sampled_from([False] * 5 + [True]),
    clean_held=held,
    clean_doubted=key_sets,
    locations_now=st.sampled_from([None, "f", "g"]),
    now=instants(date(2025, 8, 6)),
)
def test_judge_says_what_the_design_says(
    own: PartitionRecord | None,
    unrecorded: bool,
    clean_held: dict[PartitionKey, str],
    clean_doubted: PartitionSet,
    locations_now: str | None,
    now: datetime,
) -> None:
    tables = {
        HOURS: TableState(1, {} if own is None else {DAY: own}, PartitionSet.from_keys([DAY] if unrecorded else [])),
        CLEAN: TableState(
            2, {key: PartitionRecord(1, text, {}, "", "") for key, text in clean_held.items()}, clean_doubted
        ),
    }
    if locations_now is not None:
        tables[LOCATIONS] = TableState(3, {NULL_KEY: PartitionRecord(1, locations_now, {}, "", "")})
    current = replace(CURRENT, now=now)
    found = judge(hours, DAY, tables, current)
    assert found.state is naive(own, unrecorded, {key: tables[key] for key in (CLEAN, LOCATIONS) if key in tables}, now)
    assert found.fresh == (found.state is State.FRESH) == (found.reason == "")
    one = PartitionSet.from_keys([DAY])
    assert not_fresh(hours, one, tables, current) == ({} if found.fresh else {found: one})
