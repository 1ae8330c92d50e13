"""What a step decides: what it skips, makes, records, commits and adopts; on plain values, without Spark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from orchestration.core.declarations.asset import Asset, Check, DailyByLocation
from orchestration.core.partitions.keys import NULL_KEY, PartitionKey, PartitionSet
from orchestration.core.partitions.mappings import (
    ALL_DAY,
    LAST_HOUR,
    AllPartitions,
    FlaggedHours,
    Identity,
    PartitionMapping,
    RunWindow,
    nothing_flagged,
)
from orchestration.core.planning.planner import Plan, Step
from orchestration.core.runs.decisions import (
    EMPTY,
    Change,
    PartitionFacts,
    Sourced,
    adoptable,
    change_of,
    judged,
    records_of,
    skipped,
    to_make,
)
from orchestration.core.runs.outcome import Outcome, Problem, StepOutcome
from orchestration.core.state.freshness import Current, judge
from orchestration.core.state.provenance import ABSENT, UNRECORDED, PartitionRecord, TableState

FEED, CLEAN, PLACES, HOURS, RUNS = "bronze.feed", "silver.clean", "gold.places", "gold.hours", "gold.runs"
NOTHING, NULL = PartitionSet.empty(), PartitionSet.null()
NOW = datetime(2025, 8, 20, 10, 30, tzinfo=UTC)
CHECKS = (
    Check("broken", True, lambda _: None),
    Check("odd", False, lambda _: None),
    Check("hours_missing", False, lambda _: None, ended_days_only=True),
    Check("day_broken", True, lambda _: None, ended_days_only=True),
)


def asset(
    key: str,
    *upstream: PartitionMapping,
    source: str | None = None,
    dated: bool = True,
    checks: tuple[Check, ...] = (),
) -> Asset:
    partitions = DailyByLocation() if dated else None
    return Asset(key, "Text.", lambda: None, upstream, source, partitions, "C", (), frozenset(), checks)


feed = asset(FEED, source="api")
clean = asset(CLEAN, Identity(FEED), checks=CHECKS)
places = asset(PLACES, dated=False, checks=CHECKS)
hours = asset(HOURS, Identity(CLEAN), AllPartitions(PLACES))
runs = asset(RUNS, RunWindow(HOURS, "aqi", "episode_rule.threshold"))


def code(of: Asset, location: str | None) -> str:
    return f"code of {of.key} at {location}"


CURRENT = Current(code, {key: f"contract of {key}" for key in (FEED, CLEAN, PLACES, HOURS, RUNS)}, NOW)


def key(number: int, place: str = "hue") -> PartitionKey:
    """A day of August 2025."""
    return PartitionKey(date(2025, 7, 31) + timedelta(days=number), place)


def august(*numbers: int, place: str = "hue") -> PartitionSet:
    return PartitionSet.from_keys(key(number, place) for number in numbers)


def flags(masks: Mapping[int, int]) -> FlaggedHours:
    by_key = {key(number): mask for number, mask in masks.items()}
    return lambda place, day: by_key.get(PartitionKey(day, place), 0)


def state(partitions: PartitionSet, fingerprint: str = "f", doubted: PartitionSet = NOTHING) -> TableState:
    """A table with records of ``partitions``."""
    record = PartitionRecord(24, fingerprint, {}, "", "")
    return TableState(7, dict.fromkeys(partitions, record), doubted)


def step_of(
    of: Asset, partitions: PartitionSet, may_rewrite: PartitionSet = NOTHING, name: str = "", force: bool = False
) -> Step:
    return Step(name or of.key, of.key, partitions, may_rewrite, (), 7, "reason", force=force)


def no_flags(_mapping: PartitionMapping) -> FlaggedHours:
    return nothing_flagged


# skipped ------------------------------------------------------------------------------------------


def failed(step: Step, partitions: PartitionSet, outcome: Outcome = Outcome.FAILED) -> StepOutcome:
    problems = (Problem(outcome, partitions, "it went wrong"),) if partitions else ()
    return StepOutcome(step, written=step.all_partitions - partitions, problems=problems)


def skips(
    step: Step, of: Asset, *outcomes: StepOutcome, flagged: Mapping[int, int] | None = None
) -> tuple[Problem, ...]:
    """What ``step`` skips after ``outcomes``."""
    plan = Plan((*(outcome.step for outcome in outcomes), step), ())
    done = {outcome.step.id: outcome for outcome in outcomes}
    return skipped(step, of, plan, done, lambda _mapping: flags(flagged or {}))


def test_nothing_is_skipped_when_all_went_well() -> None:
    before = step_of(clean, august(3, 4))
    assert skips(step_of(hours, august(3, 4)), hours, failed(before, NOTHING)) == ()
    assert skips(step_of(hours, august(3, 4)), hours) == ()


def test_what_depends_on_failed_partitions_is_skipped_and_no_more() -> None:
    before = step_of(clean, august(3, 4, 5))
    assert skips(step_of(hours, august(3, 4), august(6)), hours, failed(before, august(4, 5))) == (
        Problem(Outcome.SKIPPED, august(4), f"upstream {CLEAN} failed: 2025-08-04..2025-08-05 × hue"),
    )


def test_what_depends_on_skipped_partitions_is_skipped_too() -> None:
    before = step_of(clean, august(3, 4))
    found = skips(step_of(hours, august(3, 4)), hours, failed(before, august(4), Outcome.SKIPPED))
    assert [(problem.outcome, problem.partitions) for problem in found] == [(Outcome.SKIPPED, august(4))]


def test_what_may_be_rewritten_is_skipped_too() -> None:
    found = skips(step_of(hours, NOTHING, august(3)), hours, failed(step_of(clean, august(3)), august(3)))
    assert [problem.partitions for problem in found] == [august(3)]


def test_failures_that_do_not_concern_the_step() -> None:
    before = step_of(clean, august(3, 4))
    assert skips(step_of(hours, august(3)), hours, failed(before, august(4))) == ()
    assert skips(step_of(feed, august(4)), feed, failed(before, august(4))) == ()
    elsewhere = step_of(clean, august(3, place="hanoi"))
    assert skips(step_of(hours, august(3)), hours, failed(elsewhere, elsewhere.partitions)) == ()


def test_a_failed_dimension_skips_all() -> None:
    before = step_of(places, NULL)
    assert skips(step_of(hours, august(3), august(4)), hours, failed(before, NULL)) == (
        Problem(Outcome.SKIPPED, august(3, 4), f"upstream {PLACES} failed: null"),
    )


def test_a_partition_is_skipped_once_for_the_first_of_its_reasons() -> None:
    outcomes = failed(step_of(clean, august(3)), august(3)), failed(step_of(places, NULL), NULL)
    found = skips(step_of(hours, august(3, 4)), hours, *outcomes)
    assert [(problem.partitions, problem.message) for problem in found] == [
        (august(3), f"upstream {CLEAN} failed: 2025-08-03 × hue"),
        (august(4), f"upstream {PLACES} failed: null"),
    ]


def test_the_failures_of_all_steps_that_make_the_upstream_asset_count() -> None:
    first = failed(step_of(feed, august(1, 2), name="bronze.feed#c1"), august(2))
    second = failed(step_of(feed, august(3, 4), name="bronze.feed#c2"), august(3))
    found = skips(step_of(clean, august(1, 2, 3, 4)), clean, first, second)
    assert [(problem.partitions, problem.message) for problem in found] == [
        (august(2, 3), f"upstream {FEED} failed: 2025-08-02..2025-08-03 × hue")
    ]


def test_only_steps_that_are_done_count() -> None:
    before, step = step_of(clean, august(3)), step_of(hours, august(3))
    plan = Plan((before, step), ())
    assert skipped(step, hours, plan, {}, no_flags) == ()


def test_a_run_that_goes_through_a_failed_day_is_skipped_whole() -> None:
    """Day 10 failed. The run that began on day 8 reaches it, and day 11 looks at its last hour."""
    before = step_of(hours, august(10))
    step = step_of(runs, august(7, 8, 9, 10, 11, 12))
    flagged = {8: LAST_HOUR, 9: ALL_DAY}
    assert [problem.partitions for problem in skips(step, runs, failed(before, august(10)), flagged=flagged)] == [
        august(8, 9, 10, 11)
    ]
    assert [problem.partitions for problem in skips(step, runs, failed(before, august(10)))] == [august(10, 11)]


# to_make ------------------------------------------------------------------------------------------


def clean_from(fingerprints: Mapping[int, str]) -> TableState:
    """CLEAN with days that were made from FEED's days of these fingerprints."""
    record = PartitionRecord(24, "f", {}, code(clean, "hue"), CURRENT.contracts[CLEAN])
    inputs = {key(day): {FEED: {str(key(day)): text}} for day, text in fingerprints.items()}
    return TableState(4, {one: replace(record, inputs=consulted) for one, consulted in inputs.items()})


def test_only_what_is_not_fresh_is_made() -> None:
    """Day 1 is fresh, 2 is stale, 3 is missing, 4 was changed by somebody else."""
    own = replace(clean_from({1: "f", 2: "old", 4: "f"}), unrecorded=august(4))
    tables = {FEED: state(august(1, 2, 3, 4)), CLEAN: own}
    step = step_of(clean, august(1, 2), august(3, 4))
    assert to_make(step, clean, step.all_partitions, tables, CURRENT) == august(2, 3, 4)
    assert to_make(step, clean, august(1, 3), tables, CURRENT) == august(3)
    assert to_make(step, clean, NOTHING, tables, CURRENT) == NOTHING


def test_what_is_forced_is_made_and_what_is_around_it_only_where_it_is_not_fresh() -> None:
    tables = {FEED: state(august(1, 2, 3, 4)), CLEAN: clean_from({1: "f", 2: "old", 3: "f", 4: "old"})}
    step = step_of(clean, august(1, 2), august(3, 4), force=True)
    assert to_make(step, clean, step.all_partitions, tables, CURRENT) == august(1, 2, 4)
    assert to_make(step, clean, august(2, 3), tables, CURRENT) == august(2)


def test_after_an_early_cutoff_nothing_is_left_to_make() -> None:
    step = step_of(clean, august(1, 2))
    tables = {FEED: replace(state(august(1, 2)), version=8), CLEAN: clean_from({1: "f", 2: "f"})}
    assert to_make(step, clean, step.all_partitions, tables, CURRENT) == NOTHING


# records_of ---------------------------------------------------------------------------------------


def test_a_record_says_what_was_made_and_from_what() -> None:
    tables = {CLEAN: state(august(3), "clean 3"), PLACES: state(NULL, "all places")}
    facts = {key(3): PartitionFacts(24, "hash", {})}
    assert records_of(hours, august(3), facts, tables, CURRENT, no_flags, {}) == {
        key(3): PartitionRecord(
            rows=24,
            fingerprint="hash",
            inputs={CLEAN: {"2025-08-03/hue": "clean 3"}, PLACES: {"null": "all places"}},
            code=code(hours, "hue"),
            contract=CURRENT.contracts[HOURS],
        )
    }


def test_code_is_recorded_by_place() -> None:
    both = [key(3), key(3, "hanoi")]
    found = records_of(clean, both, {}, {}, CURRENT, no_flags, {})
    assert {one.location: record.code for one, record in found.items()} == {
        place: code(clean, place) for place in ("hue", "hanoi")
    }


def test_an_unpartitioned_asset_is_recorded() -> None:
    found = records_of(places, NULL, {NULL_KEY: PartitionFacts(3, "h", {"odd": 1})}, {}, CURRENT, no_flags, {})
    assert found == {NULL_KEY: PartitionRecord(3, "h", {}, code(places, None), CURRENT.contracts[PLACES], {"odd": 1})}


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
    assert found.inputs == {CLEAN: {"2025-08-03/hue": ABSENT}, PLACES: {"null": ABSENT}}


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
    of, one = (places, NULL_KEY) if day is None else (clean, key(day))
    fact = PartitionFacts(20, "f", VIOLATIONS)
    assert judged(of, one, fact, CURRENT) == said
    assert records_of(of, [one], {one: fact}, {}, CURRENT, no_flags, {})[one].checks == recorded


# change_of ----------------------------------------------------------------------------------------

ONE = PartitionRecord(24, "f", {FEED: {"2025-08-03/hue": "a"}}, "code", "contract")
NONE = replace(ONE, rows=0, fingerprint=EMPTY)
COMMITTED = {"run_id": "run-1", "at": "2025-08-09T00:00:00Z", "version": 3}


@pytest.mark.parametrize(
    ("before", "doubted", "now", "news", "written", "replaced", "rows"),
    [
        # Never made: recorded in any case; rows have to be written only where there are any.
        (None, False, ONE, True, True, True, 24),
        (None, False, NONE, True, True, False, 0),
        # The same again: nothing, whoever committed it and when.
        (ONE, False, ONE, False, False, False, 0),
        (replace(ONE, **COMMITTED), False, ONE, False, False, False, 0),
        (NONE, False, NONE, False, False, False, 0),
        # The same rows, made from something else or by other code: recorded, not written.
        (replace(ONE, code="old"), False, ONE, True, False, False, 0),
        (replace(ONE, contract="old"), False, ONE, True, False, False, 0),
        (replace(ONE, inputs={}), False, ONE, True, False, False, 0),
        (replace(ONE, checks={"odd": 1}), False, ONE, True, False, False, 0),
        (replace(ONE, as_of="2025-08-03T06:00:00Z"), False, ONE, True, False, False, 0),
        (replace(NONE, code="old"), False, NONE, True, False, False, 0),
        # Other rows.
        (replace(ONE, fingerprint="g"), False, ONE, True, True, True, 24),
        (replace(ONE, rows=23), False, ONE, True, True, True, 24),
        (NONE, False, ONE, True, True, True, 24),
        (ONE, False, NONE, True, True, True, 0),
        # Somebody else changed it: nothing is trusted, also where all looks the same.
        (ONE, True, ONE, True, True, True, 24),
        (NONE, True, NONE, True, True, True, 0),
        (None, True, ONE, True, True, True, 24),
        (None, True, NONE, True, True, True, 0),
    ],
)
def test_what_a_commit_has_to_change(
    before: PartitionRecord | None,
    doubted: bool,
    now: PartitionRecord,
    news: bool,
    written: bool,
    replaced: bool,
    rows: int,
) -> None:
    one = august(3)
    table = TableState(3, {} if before is None else {key(3): before}, one if doubted else NOTHING)
    assert change_of({key(3): now}, table) == Change(
        {key(3): now} if news else {}, one if written else NOTHING, one if replaced else NOTHING, rows
    )


def test_a_commit_changes_many_partitions_each_by_itself() -> None:
    """3: new. 4: as it was. 5: other code. 6: other rows. 7: new and empty. 8: not spoken of."""
    others = {4: ONE, 5: replace(ONE, code="old"), 6: replace(ONE, fingerprint="g"), 8: ONE}
    table = TableState(3, {key(day): record for day, record in others.items()})
    records = {key(day): NONE if day == 7 else ONE for day in (3, 4, 5, 6, 7)}
    assert change_of(records, table) == Change(
        {key(day): records[key(day)] for day in (3, 5, 6, 7)}, august(3, 6, 7), august(3, 6), 48
    )
    assert change_of({}, table) == Change({}, NOTHING, NOTHING, 0)


def test_what_was_committed_needs_no_second_commit() -> None:
    records = {key(day): ONE for day in (3, 4)}
    change = change_of(records, TableState())
    assert change_of(records, TableState(1, change.news)) == Change({}, NOTHING, NOTHING, 0)


# adoptable ----------------------------------------------------------------------------------------


def test_rows_that_are_still_what_was_recorded_last_are_adopted() -> None:
    """3 is as recorded, 4 has another row, 5 other values, 6 was never recorded, 7 is recorded and not in doubt."""
    table = TableState(5, {key(day): ONE for day in (3, 4, 5, 7)}, august(3, 4, 5, 6))
    facts = {
        key(3): PartitionFacts(24, "f"),
        key(4): PartitionFacts(25, "f"),
        key(5): PartitionFacts(24, "g"),
        key(6): PartitionFacts(24, "f"),
        key(7): PartitionFacts(24, "f"),
    }
    assert adoptable(august(3, 4, 5, 6, 7), facts, table) == {key(3): ONE}
    assert adoptable(august(4, 5), facts, table) == {}
    assert adoptable(NOTHING, facts, table) == {}


def test_no_rows_are_adopted_where_none_were_recorded_and_not_where_there_were_some() -> None:
    table = TableState(5, {key(3): NONE, key(4): ONE}, august(3, 4, 5))
    assert adoptable(august(3, 4, 5), {}, table) == {key(3): NONE}


def test_an_unpartitioned_table_is_adopted() -> None:
    table = TableState(5, {NULL_KEY: ONE}, NULL)
    assert adoptable(NULL, {NULL_KEY: PartitionFacts(24, "f")}, table) == {NULL_KEY: ONE}
    assert adoptable(NULL, {NULL_KEY: PartitionFacts(24, "g")}, table) == {}
