"""What a look finds × what is recorded: which partitions are damaged, and what becomes of that."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.state.damage import (
    Damage,
    LostFile,
    Trouble,
    as_folded,
    damaged_by,
    with_damage,
    with_more_damage,
)
from orchestration.core.state.freshness import NOT_MENDED, Judge, State, judge
from orchestration.core.state.judged import judged as in_groups
from orchestration.core.state.provenance import PartitionRecord, Provenance
from orchestration.core.state.snapshots import from_json, to_json
from orchestration.core.state.table_state import Commit, FileSpan, TableState
from tests.support.judged_tables import CLEAN, CURRENT, DAY, FEED, FROM_FEED, clean, record, state
from tests.support.records import AT, file_of, key, keys

NOTHING = PartitionSet.empty()
WITH_ROWS, EMPTY = PartitionRecord(24, "f", {}, "c", "k"), PartitionRecord(0, "empty", {}, "c", "k")
THERE = TableState(
    7,
    {key(1): WITH_ROWS, key(2): EMPTY, key(3): WITH_ROWS, key(9): WITH_ROWS},
    unrecorded=keys(9),
    files={"a": replace(file_of(1, 2), size=10), "b": replace(file_of(3, 9), size=20)},
)
TROUBLE = Trouble("its log is gone", "Rebuild it.")


def lost(path: str, why: str = "is gone") -> LostFile:
    return LostFile(path, THERE.files[path], why)


@pytest.mark.parametrize(
    ("files", "damaged"),
    [
        ((), NOTHING),
        (("a",), keys(1)),  # what has no rows has lost none
        (("b",), keys(3)),  # what is unrecorded is so already
        (("a", "b"), keys(1, 3)),
    ],
)
def test_what_is_damaged(files: tuple[str, ...], damaged: PartitionSet) -> None:
    found = [lost(path) for path in files]
    assert damaged_by(THERE, found) == damaged
    looked = with_damage(THERE, found)
    assert (looked.damaged, looked.unrecorded) == (damaged, keys(9) | damaged)
    assert as_folded(looked) == THERE
    assert as_folded(looked).damage is None
    assert all(looked.trusted(one) is None for one in damaged)


def test_of_a_file_of_which_nothing_is_known_everything_is_damaged() -> None:
    anything = LostFile("c", FileSpan(), "is gone")
    assert damaged_by(THERE, [anything]) == keys(1, 3)


def test_a_table_in_trouble_is_damaged_as_a_whole_unless_it_can_be_read() -> None:
    assert with_damage(THERE, (), TROUBLE).damaged == keys(1, 2, 3)
    readable = with_damage(THERE, (), replace(TROUBLE, readable=True))
    assert readable.damaged == NOTHING
    assert readable.damage == Damage(trouble=replace(TROUBLE, readable=True))


def test_commits_after_a_look_leave_of_the_damage_what_they_do_not_touch() -> None:
    looked = with_damage(THERE, [lost("a"), lost("b")])
    made = Provenance("run", "t", AT, {key(1): WITH_ROWS})
    assert looked.after(Commit(8, made)).damaged == keys(3)
    assert looked.after(Commit(8, made)).unrecorded == keys(3, 9)
    told = looked.after(Commit(8, Provenance("run", "t", AT, {}, lost=keys(1)), removed=frozenset({"a"})))
    assert (told.damaged, told.unrecorded) == (keys(3), keys(1, 3, 9))
    foreign = looked.after(Commit(8, None, (file_of(1, 1),)))
    assert (foreign.damaged, foreign.unrecorded) == (keys(3), keys(1, 3, 9))


def test_what_was_lost_is_unrecorded_until_it_is_made_anew() -> None:
    said = Provenance("run", "t", AT, {}, lost=keys(1, 3))
    assert Provenance.from_json(said.to_json(), 8) == said
    state = THERE.after(Commit(8, said))
    assert state.unrecorded == keys(1, 3, 9)
    assert state.records[key(1)] == THERE.records[key(1)], "it is compared with what was recorded"
    assert state.after(Commit(9, Provenance("run", "t", AT, {key(1): WITH_ROWS}))).unrecorded == keys(3, 9)


def test_what_a_broken_off_repair_left_is_told_as_that_and_not_as_the_work_of_others() -> None:
    """With the command that goes on; what was made from it before is right still; others come on top."""
    own = TableState(5, {DAY: record(clean, FROM_FEED)})
    there = PartitionSet.from_keys([DAY])
    given_up = own.after(Commit(6, Provenance("run", CLEAN, AT, {}, lost=there)))
    tables = {CLEAN: given_up, FEED: state(DAY)}
    found = judge(clean, DAY, tables, CURRENT)
    assert (found.state, found.in_short) == (State.UNRECORDED, found.reason)
    assert found.reason == f"{NOT_MENDED}: `aqi repair {CLEAN}` goes on"
    (group,) = in_groups(Judge(clean, tables, CURRENT), there)
    assert group.judgement == found
    assert from_json(to_json(given_up, "digest"))[0] == given_up
    of_upstream = state(DAY).after(Commit(9, Provenance("run", FEED, AT, {}, lost=there)))
    assert judge(clean, DAY, {CLEAN: own, FEED: of_upstream}, CURRENT).fresh
    foreign = given_up.after(Commit(7, None, (FileSpan(DAY.day, DAY.day, DAY.location, DAY.location),)))
    assert judge(clean, DAY, tables | {CLEAN: foreign}, CURRENT).in_short == "changed by somebody else"
    made = given_up.after(Commit(7, Provenance("run", CLEAN, AT, {DAY: record(clean, FROM_FEED)})))
    assert (made.taken_out, made.unrecorded) == (NOTHING, NOTHING)


def test_no_snapshot_keeps_what_a_look_found() -> None:
    """And one of before sizes were kept is read on."""
    looked = with_damage(THERE, [lost("a")])
    data = to_json(looked, "digest")
    read, _ = from_json(data)
    assert read == THERE
    assert {path: span.size for path, span in read.files.items()} == {"a": 10, "b": 20}
    before, _ = from_json({name: value for name, value in data.items() if name not in ("sizes", "protocol")})
    assert before == THERE
    assert {span.size for span in before.files.values()} == {None}


def test_what_a_comparison_found_is_damaged_too() -> None:
    looked = with_more_damage(THERE, [lost("a", "cannot be read")], keys(2, 3, 9))
    assert looked.damaged == keys(1, 2, 3)
    assert as_folded(looked) == THERE
    assert with_more_damage(THERE, [LostFile("of another table", FileSpan(), "is gone")], NOTHING) is THERE


def test_a_damaged_partition_and_what_was_made_from_it() -> None:
    """It names the file and the command; what was made from it before is right still; what was not, is told why."""
    span = FileSpan(DAY.day, DAY.day, DAY.location, DAY.location)
    own = TableState(5, {DAY: record(clean, FROM_FEED)}, files={"a": span})
    damaged = with_damage(own, [LostFile("a", span, "is gone")])
    found = judge(clean, DAY, {CLEAN: damaged, FEED: state(DAY)}, CURRENT)
    assert found.state is State.DAMAGED
    assert found.reason == f"the data file a is gone. `aqi repair {CLEAN}` mends it."
    assert not found.fresh
    upstream = state(DAY)
    gone = with_damage(replace(upstream, files={"a": span}), [LostFile("a", span, "is gone")])
    assert gone.damaged == PartitionSet.from_keys([DAY])
    assert judge(clean, DAY, {CLEAN: own, FEED: gone}, CURRENT).fresh
    moved = with_damage(replace(state(d8="g"), files={"a": span}), [LostFile("a", span, "is gone")])
    assert judge(clean, DAY, {CLEAN: own, FEED: moved}, CURRENT).state is State.STALE


def test_many_damaged_partitions_are_one_group_and_each_names_its_file() -> None:
    looked = with_damage(THERE, [lost("a"), lost("b", "is cut off (1 of 20 bytes)")])
    (group,) = in_groups(Judge(clean, {CLEAN: looked, FEED: TableState()}, CURRENT), keys(1, 3))
    assert group.judgement.state is State.DAMAGED
    assert "and 1 more" in group.judgement.in_short
    assert "file a is gone" in group.judgement_of(key(1)).reason
    assert "file b is cut off" in group.judgement_of(key(3)).reason
