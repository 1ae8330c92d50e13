"""What became of the chunks of a backfill, from what became of its steps."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta

import pytest

from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.planning.plan import LeftOut, Obstacle, Plan, Step
from orchestration.core.planning.request import Chunk, Refresh
from orchestration.core.runs.outcome import (
    ChunkOutcome,
    Outcome,
    Problem,
    RunSummary,
    StepOutcome,
    chunk_outcomes,
    done_in_words,
    in_words,
)
from orchestration.core.state.provenance import PartitionRecord
from orchestration.core.state.table_state import TableState

FEED, CLEAN, DAILY, LOCATIONS = "bronze.feed", "silver.clean", "gold.days", "gold.locations"
NOTHING, NULL = PartitionSet.empty(), PartitionSet.null()
ROWS = {FEED: 24, CLEAN: 24, DAILY: 1, LOCATIONS: 3}


def at(location: str, *numbers: int) -> PartitionSet:
    """Days of August 2025."""
    first = date(2025, 7, 31)
    return PartitionSet.from_keys(PartitionKey(first + timedelta(days=number), location) for number in numbers)


def august(*numbers: int) -> PartitionSet:
    return at("hue", *numbers)


C1, C2, C3 = Chunk("2025-08-01", august(1, 2)), Chunk("2025-08-03", august(3, 4)), Chunk("2025-08-05", august(5))


def step(asset: str, partitions: PartitionSet, chunk: str = "", may_rewrite: PartitionSet = NOTHING) -> Step:
    name = f"{asset}#{chunk}" if chunk else asset
    return Step(name, asset, partitions, may_rewrite, (), None, "reason", chunk=chunk)


def outcome(
    of: Step,
    written: PartitionSet = NOTHING,
    seconds: float = 0.0,
    failed: PartitionSet = NOTHING,
    skipped: PartitionSet = NOTHING,
    message: str = "it went wrong",
) -> StepOutcome:
    """What is neither written nor bad is unchanged."""
    kinds = ((Outcome.FAILED, failed), (Outcome.SKIPPED, skipped))
    problems = tuple(Problem(kind, partitions, message) for kind, partitions in kinds if partitions)
    unchanged = of.all_partitions - written - failed - skipped
    return StepOutcome(of, written, unchanged, problems, seconds=seconds)


def became(
    outcomes: Iterable[StepOutcome], left_out: Iterable[LeftOut] = (), chunks: Iterable[Chunk] = (C1, C2, C3)
) -> list[ChunkOutcome]:
    """The outcomes of chunks where every table has all days, 24 rows of FEED and CLEAN and one of DAILY each."""
    outcomes = tuple(outcomes)
    chunks = tuple(chunks)
    plan = Plan(tuple(one.step for one in outcomes), tuple(left_out))
    request = Refresh(frozenset(ROWS), august(1, 2, 3, 4, 5), chunks=chunks)
    days = [*august(*range(10)), *at("hanoi", *range(10)), *NULL]
    tables = {
        key: TableState(1, {one: PartitionRecord(rows, "f", {}, "", "") for one in days}) for key, rows in ROWS.items()
    }
    return list(chunk_outcomes(request, plan, iter(outcomes), tables))


def test_chunks_that_were_written() -> None:
    """Rows count in all tables; seconds only where a step is the chunk's alone."""
    found = became(
        [
            outcome(step(FEED, august(1, 2), C1.name), august(1, 2), 1.5),
            outcome(step(FEED, august(3, 4), C2.name), august(3, 4), 2.5),
            outcome(step(FEED, august(5), C3.name), august(5), 3.5),
            outcome(step(CLEAN, august(1, 2, 3, 4, 5)), august(1, 2, 3, 4, 5), 100.0),
            outcome(step(DAILY, august(1, 2, 3, 4, 5)), august(1, 2, 3, 4), 100.0),
        ]
    )
    assert found == [
        ChunkOutcome("2025-08-01", august(1, 2), "written", 2 * 24 + 2 * 24 + 2, 1.5, ""),
        ChunkOutcome("2025-08-03", august(3, 4), "written", 2 * 24 + 2 * 24 + 2, 2.5, ""),
        ChunkOutcome("2025-08-05", august(5), "written", 24 + 24, 3.5, ""),
    ]


def test_seconds_of_all_steps_that_are_the_chunk_s_alone_are_added() -> None:
    other = "bronze.other"
    found = became(
        [
            outcome(step(FEED, august(1, 2), C1.name), seconds=1.5),
            outcome(step(other, august(1), C1.name), seconds=2.0),
            outcome(step(FEED, august(3), C2.name), seconds=0.0),
        ]
    )
    assert [chunk.seconds for chunk in found] == [3.5, 0.0, None]


def test_a_chunk_that_came_out_as_it_was_and_one_that_was_not_looked_at() -> None:
    found = became([outcome(step(FEED, august(3), C2.name)), outcome(step(CLEAN, august(1)))])
    assert [(chunk.state, chunk.rows, chunk.seconds) for chunk in found] == [
        ("unchanged", 0, None), ("unchanged", 0, 0.0), ("fresh", 0, None)
    ]  # fmt: skip
    assert [chunk.state for chunk in became([])] == ["fresh"] * 3


def test_a_single_written_partition_makes_the_chunk_written() -> None:
    found = became([outcome(step(CLEAN, august(1, 2, 3, 4, 5)), august(4))])
    assert [(chunk.state, chunk.rows) for chunk in found] == [("unchanged", 0), ("written", 24), ("unchanged", 0)]


def test_what_was_rewritten_around_counts_where_it_lies() -> None:
    """The second chunk's days are the only ones asked for; a day of the first came out otherwise."""
    found = became([outcome(step(DAILY, august(3), may_rewrite=august(2, 9)), august(2, 3, 9))])
    assert [(chunk.state, chunk.rows) for chunk in found] == [("written", 1), ("written", 1), ("fresh", 0)]


def test_unpartitioned_tables_belong_to_no_chunk() -> None:
    found = became([outcome(step(LOCATIONS, NULL), NULL, 9.0), outcome(step(LOCATIONS, NULL), failed=NULL)])
    assert [(chunk.state, chunk.rows, chunk.seconds, chunk.error) for chunk in found] == [("fresh", 0, None, "")] * 3


@pytest.mark.parametrize("kind", ["failed", "skipped"])
def test_a_problem_fails_the_chunks_that_it_concerns_and_names_asset_and_partitions(kind: str) -> None:
    bad = {kind: august(2, 3)}
    found = became(
        [
            outcome(step(FEED, august(1, 2), C1.name), august(1, 2), 1.5),
            outcome(step(CLEAN, august(1, 2, 3, 4, 5)), august(1, 4, 5), message="5 rows are broken", **bad),
        ]
    )
    assert [(chunk.state, chunk.error) for chunk in found] == [
        ("failed", "silver.clean 2025-08-02 × hue: 5 rows are broken"),
        ("failed", "silver.clean 2025-08-03 × hue: 5 rows are broken"),
        ("written", ""),
    ]
    assert [chunk.rows for chunk in found] == [2 * 24 + 24, 24, 24]  # what was written is written


def test_of_several_problems_the_first_is_told() -> None:
    """In the order of the steps: what went wrong upstream stands before what was skipped for it."""
    found = became(
        [
            outcome(step(FEED, august(1, 2), C1.name), august(2), failed=august(1), message="HTTP 500"),
            outcome(step(CLEAN, august(1, 2)), august(2), skipped=august(1), message="upstream failed"),
        ]
    )
    assert found[0].error == "bronze.feed 2025-08-01 × hue: HTTP 500"


def test_locations_of_a_chunk_are_told_apart() -> None:
    both = Chunk("c", at("hue", 1) | at("hanoi", 1))
    bad = outcome(step(FEED, both.partitions, "c"), at("hue", 1), failed=at("hanoi", 1), message="refused")
    (found,) = became([bad], chunks=[both])
    assert (found.state, found.rows, found.error) == ("failed", 24, "bronze.feed 2025-08-01 × hanoi: refused")


def test_a_chunk_that_lacks_something_fails_with_the_reason_and_days_to_come_are_no_failure() -> None:
    found = became(
        [outcome(step(CLEAN, august(4)), august(4))],
        [
            LeftOut(CLEAN, august(2, 3), "silver.clean needs bronze.feed.", Obstacle.BLOCKED),
            LeftOut(CLEAN, august(5), "These days lie after today.", Obstacle.FUTURE),
        ],
    )
    assert [(chunk.state, chunk.rows, chunk.error) for chunk in found] == [
        ("failed", 0, "silver.clean needs bronze.feed."),
        ("failed", 24, "silver.clean needs bronze.feed."),
        ("fresh", 0, ""),
    ]


def test_what_went_wrong_is_told_before_what_was_lacking_from_the_start() -> None:
    found = became(
        [outcome(step(FEED, august(1), C1.name), failed=august(1), message="HTTP 500")],
        [LeftOut(CLEAN, august(1), "lacking", Obstacle.BLOCKED)],
    )
    assert found[0].error == "bronze.feed 2025-08-01 × hue: HTTP 500"


def test_a_request_without_chunks_has_no_outcomes_of_chunks() -> None:
    assert became([outcome(step(FEED, august(1)), august(1))], chunks=[]) == []


def test_the_form_of_a_chunk_in_json() -> None:
    found = became([outcome(step(FEED, august(1, 2), C1.name), august(1, 2), 1.23456)], chunks=[C1, C3])
    assert json.loads(json.dumps([chunk.to_json() for chunk in found])) == [
        {
            "chunk": "2025-08-01",
            "first_day": "2025-08-01",
            "last_day": "2025-08-02",
            "state": "written",
            "rows": 48,
            "seconds": 1.235,
            "error": "",
        },
        {
            "chunk": "2025-08-05",
            "first_day": "2025-08-05",
            "last_day": "2025-08-05",
            "state": "fresh",
            "rows": 0,
            "seconds": None,
            "error": "",
        },
    ]


def test_a_summary_has_chunks_only_for_a_backfill() -> None:
    (chunk,) = became([], chunks=[C1])
    empty = Plan((), ())
    assert RunSummary("r", empty, (), 0.0, chunks=(chunk,)).to_json()["chunks"] == [chunk.to_json()]
    assert "chunks" not in RunSummary("r", empty, (), 0.0).to_json()


# In words -------------------------------------------------------------------------------------------


def test_what_failed_in_words_names_every_table() -> None:
    """The same reason at many locations is one line; of many lines, each table has one."""
    locations = [f"p{number:03}" for number in range(200)]
    feed = step(FEED, PartitionSet.union_of(at(location, 1) for location in locations))
    problems = tuple(Problem(Outcome.FAILED, at(location, 1), f"error {location[1:]}") for location in locations)
    both = StepOutcome(step(CLEAN, at("p000", 1) | at("p001", 1)))
    same = tuple(Problem(Outcome.SKIPPED, at(location, 1), "upstream failed") for location in locations[:2])
    left_out = LeftOut(DAILY, august(1), "it needs more", Obstacle.BLOCKED)
    plan = Plan((feed, both.step), (left_out, LeftOut(LOCATIONS, NULL, "later", Obstacle.FUTURE)))
    told = in_words(plan, [StepOutcome(feed, problems=problems), replace(both, problems=same)]).splitlines()
    assert len(told) == 21
    assert told[:3] == [
        f"{FEED} 2025-08-01 × p000 failed: error 000",
        f"{CLEAN} 2025-08-01 × p000, p001 skipped: upstream failed",
        f"{DAILY} 2025-08-01 × hue left out: it needs more",
    ]
    assert told[-1] == "and 182 more"
    assert in_words(Plan((feed,), ()), [outcome(feed)]) == ""


def test_a_summary_in_words() -> None:
    feed = step(FEED, august(1, 2))
    plan = Plan((feed,), ())
    assert (
        RunSummary("r", plan, (outcome(feed, august(1)),), 1.0).in_words()
        == "1 partition of 1 table written, 1 unchanged"
    )
    assert RunSummary("r", Plan((), ()), (), 1.0).in_words() == "nothing new"
    assert RunSummary("r", plan, (), 1.0).in_words() == "steps did not run"
    behind = RunSummary("r", Plan((), ()), (), 1.0, beyond=august(1))
    assert behind.ok and "Not caught up with: 2025-08-01 × hue (2025-08-01, 1 partition)" in behind.in_words()
    assert behind.to_json()["beyond"] == ["2025-08-01/hue"]


def test_what_steps_did_is_counted_by_what_became_of_partitions() -> None:
    feed, clean = step(FEED, august(1, 2)), step(CLEAN, august(1, 2))
    assert done_in_words([]) == "nothing new"
    assert done_in_words([outcome(feed), outcome(clean)]) == "4 partitions unchanged"
    assert (
        done_in_words([outcome(feed, august(1, 2)), outcome(clean)]) == "2 partitions of 1 table written, 2 unchanged"
    )
    written = [outcome(feed, august(1, 2)), outcome(clean, august(1, 2))]
    assert done_in_words(written) == "4 partitions of 2 tables written"
    assert done_in_words([outcome(step(FEED, august(*range(1, 5001))))]) == "5,000 partitions unchanged"


def test_a_chunk_that_was_not_asked_for_any_more() -> None:
    why = "api: limit used up"

    def of(chunk: Chunk, *problems: Problem) -> StepOutcome:
        return StepOutcome(step(FEED, chunk.partitions, chunk.name), problems=problems)

    left = Problem(Outcome.FAILED, C2.partitions | C3.partitions, f"not asked: {why}", after=why)
    met = Problem(Outcome.FAILED, C1.partitions, why)
    found = became([of(C1, met), of(C2, left), of(C3, left)])
    assert [chunk.untried for chunk in found] == [False, True, True]
    assert all(chunk.state == "failed" and why in chunk.error for chunk in found)
    assert [sorted(chunk.to_json()) for chunk in found] == [sorted(found[0].to_json())] * 3
