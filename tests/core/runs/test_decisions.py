"""What a step makes, what its commit has to change, and what it adopts; on plain values, without Spark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from orchestration.core.partitions.keys import NULL_KEY
from orchestration.core.runs.decisions import EMPTY, Change, PartitionFacts, adoptable, change_of, to_make
from orchestration.core.state.provenance import PartitionRecord
from orchestration.core.state.table_state import TableState
from tests.support.small_assets import CLEAN, CURRENT, FEED, NOTHING, NULL, august, clean, code, key, state, step_of

# --- to_make --------------------------------------------------------------------------------------


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


# --- change_of ------------------------------------------------------------------------------------

ONE = PartitionRecord(24, "f", {FEED: {"2025-08-03/hue": "a"}}, "code", "contract")
NONE = replace(ONE, rows=0, fingerprint=EMPTY)
COMMITTED = {"run_id": "run-1", "at": "2025-08-09T00:00:00Z", "version": 3}


@pytest.mark.parametrize(
    ("before", "unrecorded", "now", "news", "written", "replaced", "rows"),
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
    unrecorded: bool,
    now: PartitionRecord,
    news: bool,
    written: bool,
    replaced: bool,
    rows: int,
) -> None:
    one = august(3)
    table = TableState(3, {} if before is None else {key(3): before}, one if unrecorded else NOTHING)
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
    assert change_of(records, TableState(1, change.changed_records)) == Change({}, NOTHING, NOTHING, 0)


# --- adoptable ------------------------------------------------------------------------------------


def test_rows_that_are_still_what_was_recorded_last_are_adopted() -> None:
    """3 is as recorded, 4 has another row, 5 other values, 6 was never recorded, 7 is recorded and unchanged."""
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
