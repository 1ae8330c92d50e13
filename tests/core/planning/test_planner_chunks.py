"""The planner: requests in chunks, and the batches that these are put into."""

from __future__ import annotations

import pytest

from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.partitions.mappings import (
    ALL_DAY,
    LAST_HOUR,
)
from orchestration.core.planning.plan import Input, LeftOut, Manner, Obstacle
from tests.support.planned_lake import (
    ALL,
    BEFORE,
    CLEAN,
    DAILY,
    FEED,
    HOURS,
    LOCATIONS,
    NOTHING,
    NULL,
    RUNS,
    august,
    changed,
    chunks_of,
    days_as_chunks,
    everything,
    in_chunks,
    lacks,
    locations_anew,
    plan,
    read,
    settled,
    step,
    there,
    with_news,
)


def test_a_step_per_chunk_for_what_is_fetched_and_the_rest_once() -> None:
    made = in_chunks(ALL, chunks_of([1, 2], [3, 4], [5]))
    assert [(of.id, of.asset, of.partitions, of.after, of.chunk) for of in made.steps] == [
        ("bronze.feed#c1", FEED, august(1, 2), None, "c1"),
        ("bronze.feed#c2", FEED, august(3, 4), None, "c2"),
        ("bronze.feed#c3", FEED, august(5), None, "c3"),
        (LOCATIONS, LOCATIONS, NULL, None, ""),
        (CLEAN, CLEAN, august(1, 2, 3, 4, 5), None, ""),
        (HOURS, HOURS, august(1, 2, 3, 4, 5), None, ""),
        (RUNS, RUNS, august(1, 2, 3, 4, 5), None, ""),
        (DAILY, DAILY, august(1, 2, 3, 4, 5), None, ""),
    ]
    assert step(made, CLEAN).inputs == (
        Input(FEED, None, "bronze.feed#c1", august(1, 2)),
        Input(FEED, None, "bronze.feed#c2", august(3, 4)),
        Input(FEED, None, "bronze.feed#c3", august(5)),
    )
    assert step(made, CLEAN).upstream_steps == ("bronze.feed#c1", "bronze.feed#c2", "bronze.feed#c3")
    assert [of.upstream_steps for of in made.steps_of(FEED)] == [(), (), ()], "side by side"
    assert made.left_out == ()


def test_one_chunk_is_named_too() -> None:
    made = in_chunks([FEED, CLEAN], chunks_of([1, 2]))
    assert [(of.id, of.chunk) for of in made.steps] == [("bronze.feed#c1", "c1"), (CLEAN, "")]


def test_a_chunk_that_is_fresh_has_no_step() -> None:
    """As when a backfill that was broken off is called again."""
    made = in_chunks(ALL, chunks_of([1, 2], [3, 4], [5]), settled({FEED: there(august(1, 2)), LOCATIONS: there(NULL)}))
    assert [(of.id, of.after) for of in made.steps_of(FEED)] == [
        ("bronze.feed#c2", None), ("bronze.feed#c3", None)
    ]  # fmt: skip
    assert step(made, CLEAN).inputs == (
        Input(FEED, None, "bronze.feed#c2", august(3, 4)),
        Input(FEED, None, "bronze.feed#c3", august(5)),
        Input(FEED, 7, None, august(1, 2)),
    )
    assert made.steps_of(LOCATIONS) == ()


def test_chunks_change_nothing_about_what_is_made() -> None:
    flagged = {2: LAST_HOUR, 5: LAST_HOUR, 8: ALL_DAY}
    tables = with_news(4, 6, flagged=flagged, runs=there(august(2, 3, 4, 5, 9)))
    asked = august(*range(1, 9))
    together = plan(ALL, asked, tables, flagged)
    for chunks in (chunks_of(range(1, 9)), chunks_of([1, 2, 3], [4, 5, 6], [7, 8]), days_as_chunks(asked)):
        made = in_chunks(ALL, chunks, tables, flagged)
        for asset in ALL - {FEED}:
            of, alone = made.steps_of(asset), together.steps_of(asset)
            assert [(one.partitions, one.may_rewrite, read(one), one.reason) for one in of] == [
                (one.partitions, one.may_rewrite, read(one), one.reason) for one in alone
            ]
        assert made.left_out == together.left_out


def test_force_in_chunks() -> None:
    made = in_chunks([FEED, CLEAN], chunks_of([1, 2], [3]), settled(everything(BEFORE)), force=True)
    assert [(of.id, of.partitions, of.reason, of.manner is Manner.FORCED) for of in made.steps] == [
        ("bronze.feed#c1", august(1, 2), "2 forced", True),
        ("bronze.feed#c2", august(3), "1 forced", True),
        (CLEAN, august(1, 2, 3), "3 forced", True),
    ]


def test_days_of_chunks_after_today_are_left_out_once() -> None:
    made = in_chunks([FEED], chunks_of([19, 20], [21, 22], [23]))
    assert [of.id for of in made.steps] == ["bronze.feed#c1"]
    assert made.left_out == (
        LeftOut(FEED, august(21, 22, 23), "These days lie after today (2025-08-20, UTC).", Obstacle.FUTURE),
    )


def test_what_lacks_its_upstream_in_several_batches_is_left_out_once() -> None:
    made = in_chunks([CLEAN], chunks_of([1], [2], [3]), {FEED: there(august(2))}, batch=1)
    assert [(of.id, of.partitions) for of in made.steps] == [("silver.clean#c2..c2", august(2))]
    assert made.left_out == (LeftOut(CLEAN, august(1, 3), lacks(CLEAN, FEED), Obstacle.BLOCKED),)


@pytest.mark.parametrize(
    ("batch", "sizes"),
    [(100, [4]), (9, [4]), (8, [3, 1]), (6, [3, 1]), (5, [2, 2]), (4, [2, 1, 1]), (3, [1, 1, 1, 1]), (1, [1, 1, 1, 1])],
)
def test_chunks_go_together_as_long_as_one_step_can_bear_them(batch: int, sizes: list[int]) -> None:
    """Chunks of 1, 3, 2 and 3 partitions: a batch may be just full, and a chunk that is too large goes alone."""
    chunks = chunks_of([1], [2, 3, 4], [5, 6], [7, 8, 9])
    expected, start = [], 0
    for size in sizes:
        expected.append(PartitionSet.union_of(chunk.partitions for chunk in chunks[start : start + size]))
        start += size
    made = in_chunks([FEED, CLEAN], chunks, batch=batch)
    assert [of.partitions for of in made.steps_of(CLEAN)] == expected


def test_locations_count_when_chunks_are_put_together() -> None:
    """Two locations and two days are four partitions."""
    chunks = chunks_of([1, 2], [3, 4], locations=("hanoi", "hue"))
    assert len(in_chunks([FEED, CLEAN], chunks, batch=8).steps_of(CLEAN)) == 1
    assert len(in_chunks([FEED, CLEAN], chunks, batch=7).steps_of(CLEAN)) == 2


def test_several_batches() -> None:
    """Two batches of two chunks: each asset has a step per batch, fetched ones per chunk, unpartitioned ones one."""
    made = in_chunks(ALL, chunks_of([1, 2], [3, 4], [5, 6], [7, 8]), batch=4)
    assert [(of.id, of.partitions, of.may_rewrite, of.after, of.chunk) for of in made.steps] == [
        ("bronze.feed#c1", august(1, 2), NOTHING, None, "c1"),
        ("bronze.feed#c2", august(3, 4), NOTHING, None, "c2"),
        (LOCATIONS, NULL, NOTHING, None, ""),
        ("silver.clean#c1..c2", august(1, 2, 3, 4), NOTHING, None, ""),
        ("gold.hours#c1..c2", august(1, 2, 3, 4), NOTHING, None, ""),
        ("gold.runs#c1..c2", august(1, 2, 3, 4), NOTHING, None, ""),
        ("gold.days#c1..c2", august(1, 2, 3, 4), NOTHING, None, ""),
        ("bronze.feed#c3", august(5, 6), NOTHING, None, "c3"),
        ("bronze.feed#c4", august(7, 8), NOTHING, None, "c4"),
        ("silver.clean#c3..c4", august(5, 6, 7, 8), NOTHING, "silver.clean#c1..c2", ""),
        ("gold.hours#c3..c4", august(5, 6, 7, 8), NOTHING, "gold.hours#c1..c2", ""),
        ("gold.runs#c3..c4", august(5, 6, 7, 8), august(1, 2, 3, 4), "gold.runs#c1..c2", ""),
        ("gold.days#c3..c4", august(5, 6, 7, 8), NOTHING, "gold.days#c1..c2", ""),
    ]
    inputs = {of.id: of.inputs for of in made.steps}
    assert inputs["silver.clean#c1..c2"] == (
        Input(FEED, None, "bronze.feed#c1", august(1, 2)),
        Input(FEED, None, "bronze.feed#c2", august(3, 4)),
    )
    assert inputs["silver.clean#c3..c4"] == (
        Input(FEED, None, "bronze.feed#c3", august(5, 6)),
        Input(FEED, None, "bronze.feed#c4", august(7, 8)),
    )
    assert inputs["gold.hours#c3..c4"] == (
        Input(CLEAN, None, "silver.clean#c3..c4", august(5, 6, 7, 8)),
        Input(LOCATIONS, None, LOCATIONS, NULL),
    )
    assert inputs["gold.runs#c1..c2"] == (Input(HOURS, None, "gold.hours#c1..c2", august(1, 2, 3, 4)),)
    assert inputs["gold.runs#c3..c4"] == (
        Input(HOURS, None, "gold.hours#c1..c2", august(1, 2, 3, 4)),
        Input(HOURS, None, "gold.hours#c3..c4", august(5, 6, 7, 8)),
    )
    last = next(of for of in made.steps if of.id == "gold.runs#c3..c4")
    assert last.upstream_steps == ("gold.hours#c1..c2", "gold.hours#c3..c4", "gold.runs#c1..c2")
    assert made.left_out == ()


def test_a_later_batch_reaches_back_into_what_was_there_before_all_batches() -> None:
    """A run begins on day 2 and may go through the days that earlier batches make."""
    flagged = {2: LAST_HOUR, 3: ALL_DAY}
    tables = settled(everything(august(1, 2, 3)), flagged)
    made = in_chunks(ALL, chunks_of([4], [5], [6]), tables, flagged, batch=1)
    assert [(of.partitions, of.may_rewrite) for of in made.steps_of(RUNS)] == [
        (august(4), august(2, 3)),
        (august(5), august(2, 3, 4)),
        (august(6), august(2, 3, 4, 5)),
    ]
    assert [of.partitions for of in made.steps_of(DAILY)] == [august(4), august(5), august(6)]
    assert [of.may_rewrite for of in made.steps_of(DAILY)] == [NOTHING] * 3


def test_what_an_earlier_batch_changed_is_no_reason_for_a_step_in_a_later_one() -> None:
    """Day 3 changed in CLEAN: its batch has steps, those of days 5 and 7 have none."""
    made = in_chunks([HOURS, DAILY], chunks_of([3], [5], [7]), with_news(3), batch=1)
    assert [of.id for of in made.steps] == ["gold.hours#c1..c1", "gold.days#c1..c1"]


def test_a_dimension_that_changed_concerns_all_batches_once() -> None:
    """The first batch looks at every day that is there, later batches' days too; these need not look again."""
    made = in_chunks([LOCATIONS, HOURS], chunks_of([3], [5], [7]), locations_anew(), batch=1)
    assert [(of.id, of.partitions, of.may_rewrite) for of in made.steps] == [
        (LOCATIONS, NULL, NOTHING),
        ("gold.hours#c1..c1", august(3), BEFORE - august(3)),
    ]


def test_of_two_steps_that_make_a_partition_the_later_one_is_waited_for() -> None:
    """LOCATIONS changed: the first batch makes day 5 of HOURS anew, the second once more, as CLEAN changes there."""
    tables = settled({LOCATIONS: there(NULL), CLEAN: there(august(5)), HOURS: there(august(5))})
    tables = changed(tables, LOCATIONS, code="another")
    made = in_chunks([FEED, CLEAN, LOCATIONS, HOURS, RUNS], chunks_of([3], [5]), tables, batch=1)
    assert [(of.id, of.partitions, of.may_rewrite) for of in made.steps_of(HOURS)] == [
        ("gold.hours#c1..c1", august(3), august(5)),
        ("gold.hours#c2..c2", august(5), NOTHING),
    ]
    assert "gold.hours#c2..c2" in made.steps_of(RUNS)[-1].upstream_steps
