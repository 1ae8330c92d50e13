"""What a step records of what it made."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestration.core.partitions.keys import NULL_KEY
from orchestration.core.partitions.mappings import ALL_DAY, LAST_HOUR, FlaggedHours, PartitionMapping, nothing_flagged
from orchestration.core.runs.decisions import EMPTY, PartitionFacts, Sourced, judged
from orchestration.core.runs.records import records_of
from orchestration.core.state.freshness import judge
from orchestration.core.state.provenance import ABSENT, UNRECORDED, PartitionRecord
from orchestration.core.state.table_state import TableState
from tests.support.small_assets import (
    CLEAN,
    CURRENT,
    HOURS,
    LOCATIONS,
    NULL,
    RUNS,
    august,
    clean,
    code,
    feed,
    flags,
    hours,
    key,
    locations,
    no_flags,
    runs,
    state,
)


def test_a_record_says_what_was_made_and_from_what() -> None:
    tables = {CLEAN: state(august(3), "clean 3"), LOCATIONS: state(NULL, "all locations")}
    facts = {key(3): PartitionFacts(24, "hash", {})}
    assert records_of(hours, august(3), facts, tables, CURRENT, no_flags, {}) == {
        key(3): PartitionRecord(
            rows=24,
            fingerprint="hash",
            inputs={CLEAN: {"2025-08-03/hue": "clean 3"}, LOCATIONS: {"null": "all locations"}},
            code=code(hours, "hue"),
            contract=CURRENT.contracts[HOURS],
        )
    }


def test_code_is_recorded_by_location() -> None:
    both = [key(3), key(3, "hanoi")]
    found = records_of(clean, both, {}, {}, CURRENT, no_flags, {})
    assert {one.location: record.code for one, record in found.items()} == {
        location: code(clean, location) for location in ("hue", "hanoi")
    }


def test_an_unpartitioned_asset_is_recorded() -> None:
    found = records_of(locations, NULL, {NULL_KEY: PartitionFacts(3, "h", {"odd": 1})}, {}, CURRENT, no_flags, {})
    assert found == {
        NULL_KEY: PartitionRecord(3, "h", {}, code(locations, None), CURRENT.contracts[LOCATIONS], {"odd": 1})
    }


def test_a_partition_without_rows_is_recorded_as_empty() -> None:
    record = records_of(clean, august(3), {}, {}, CURRENT, no_flags, {})[key(3)]
    assert (record.rows, record.fingerprint, record.checks) == (0, EMPTY, {})


def test_absent_empty_and_doubted_upstream_partitions_are_recorded_as_what_they_are() -> None:
    """A window over midnight: day 2 is not there, 3 is empty, somebody changed 4."""
    tables = {HOURS: replace(state(august(3), EMPTY), unrecorded=august(4))}
    window = flags({3: LAST_HOUR})
    found = records_of(runs, august(3), {}, tables, CURRENT, lambda _mapping: window, {})
    assert found[key(3)].inputs == {
        HOURS: {"2025-08-02/hue": ABSENT, "2025-08-03/hue": EMPTY, "2025-08-04/hue": UNRECORDED}
    }


def test_flags_are_asked_for_each_mapping() -> None:
    asked = []

    def flagged(mapping: PartitionMapping) -> FlaggedHours:
        asked.append(mapping)
        return nothing_flagged

    records_of(hours, august(3), {}, {}, CURRENT, flagged, {})
    assert asked == list(hours.upstream)


def test_an_upstream_table_that_is_not_there_is_recorded_as_absent() -> None:
    found = records_of(hours, august(3), {}, {}, CURRENT, no_flags, {})[key(3)]
    assert found.inputs == {CLEAN: {"2025-08-03/hue": ABSENT}, LOCATIONS: {"null": ABSENT}}


def test_what_was_recorded_is_fresh() -> None:
    """The two halves meet: what a step records is what freshness compares."""
    tables: dict[str, TableState] = {HOURS: state(august(2, 3))}
    window = flags({3: LAST_HOUR, 4: ALL_DAY})
    records = records_of(runs, august(2, 3), {}, tables, CURRENT, lambda _mapping: window, {})
    tables[RUNS] = TableState(1, records)
    assert all(judge(runs, one, tables, CURRENT).fresh for one in august(2, 3))
    tables[HOURS] = state(august(2, 3, 5))
    assert [judge(runs, one, tables, CURRENT).fresh for one in august(2, 3)] == [True, False]


def test_what_the_source_sent_is_recorded_where_there_is_a_source() -> None:
    sourced = {key(3): Sourced("digest 3"), key(4): Sourced("digest 4", "2025-08-04T06:30:00Z")}
    found = records_of(feed, august(3, 4, 5), {}, {}, CURRENT, no_flags, sourced)
    assert {one.day: (record.inputs, record.as_of) for one, record in found.items() if one.day} == {
        key(3).day: ({"api": {"2025-08-03/hue": "digest 3"}}, ""),
        key(4).day: ({"api": {"2025-08-04/hue": "digest 4"}}, "2025-08-04T06:30:00Z"),
        key(5).day: ({}, ""),
    }


def test_a_source_that_sends_whole_days_leaves_none_unfinished() -> None:
    asked = Sourced("digest 4", "2025-08-04T06:30:00Z", whole=True)
    (record,) = records_of(feed, august(4), {}, {}, CURRENT, no_flags, {key(4): asked}).values()
    assert (record.as_of, record.answers[0].asked) == ("", "2025-08-04T06:30:00Z")


VIOLATIONS = {"broken": 1, "odd": 2, "hours_missing": 3, "day_broken": 4, "not_null": 5}


@pytest.mark.parametrize(
    ("day", "said", "recorded"),
    [
        (19, VIOLATIONS, {"odd": 2, "hours_missing": 3}),
        (20, {"broken": 1, "odd": 2, "not_null": 5}, {"odd": 2}),  # today is not over
        (21, {"broken": 1, "odd": 2, "not_null": 5}, {"odd": 2}),
        (None, VIOLATIONS, {"odd": 2, "hours_missing": 3}),  # an unpartitioned table is always whole
    ],
)
def test_checks_of_ended_days_say_nothing_of_others_and_only_warnings_are_recorded(
    day: int | None, said: dict[str, int], recorded: dict[str, int]
) -> None:
    of, one = (locations, NULL_KEY) if day is None else (clean, key(day))
    fact = PartitionFacts(20, "f", VIOLATIONS)
    assert judged(of, one, fact, CURRENT) == said
    assert records_of(of, [one], {one: fact}, {}, CURRENT, no_flags, {})[one].checks == recorded
