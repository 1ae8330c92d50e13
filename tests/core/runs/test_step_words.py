"""What became of a step in words: what failed here is told here, what was skipped names who failed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.runs.outcome import Outcome, Problem, StepOutcome
from orchestration.core.runs.step_words import (
    StepState,
    kinds_of_failure,
    sentence,
    state_of,
    step_in_words,
    steps_table,
    why,
)
from tests.core.runs.test_outcome import CLEAN, DAILY, FEED, LOCATIONS, NULL, at, august, outcome, step

AWAY = "api: HTTP 500; asked once for hue on 2025-08-01. Ask again later."


def failed(*days: int, location: str = "hue", message: str = AWAY, after: str = "") -> Problem:
    return Problem(Outcome.FAILED, at(location, *days), message, after=after)


def skipped(upstream: str, *days: int) -> Problem:
    return Problem(Outcome.SKIPPED, august(*days), f"upstream {upstream} failed: …", upstream, august(*days))


def of(asset: str, *problems: Problem, written: PartitionSet | None = None) -> StepOutcome:
    made = august() if written is None else written
    whole = PartitionSet.union_of([made, *(problem.partitions for problem in problems)])
    return StepOutcome(step(asset, whole), made, problems=problems, rows=24 * len(made))


@pytest.mark.parametrize(
    ("became", "state"),
    [
        (of(FEED, written=august(1)), StepState.COMPLETED),
        (outcome(step(FEED, august(1))), StepState.COMPLETED),
        (of(FEED), StepState.COMPLETED),
        (of(FEED, failed(1), written=august(2)), StepState.FAILED),
        (of(FEED, failed(1), failed(2, after=AWAY)), StepState.FAILED),
        (of(FEED, failed(1), skipped(CLEAN, 2)), StepState.FAILED),
        (of(FEED, failed(1, after=AWAY)), StepState.NOT_ASKED),
        (of(CLEAN, skipped(FEED, 1)), StepState.SKIPPED),
        (of(CLEAN, skipped(FEED, 1), written=august(2)), StepState.PARTLY_SKIPPED),
        (outcome(step(CLEAN, august(1, 2)), skipped=august(1)), StepState.PARTLY_SKIPPED),
    ],
)
def test_only_what_went_wrong_here_is_failed(became: StepOutcome, state: StepState) -> None:
    assert state_of(became) is state


def test_the_cause_comes_first_then_what_was_made() -> None:
    feed = of(FEED, failed(1), written=august(2, 3))
    assert (
        step_in_words(feed) == f"1 failed (2025-08-01 × hue): {AWAY} 2 written (2025-08-02..2025-08-03 × hue), 48 rows"
    )
    assert step_in_words(of(FEED)) == "nothing to do"
    assert step_in_words(outcome(step(FEED, august(1, 2)))) == "2 unchanged (2025-08-01..2025-08-02 × hue)"


def test_a_table_without_partitions_has_no_null() -> None:
    made = replace(outcome(step(LOCATIONS, NULL), NULL), rows=1)
    assert step_in_words(made) == "written, 1 row"
    assert step_in_words(outcome(step(LOCATIONS, NULL))) == "unchanged"
    assert step_in_words(outcome(step(LOCATIONS, NULL), failed=NULL)) == "failed: it went wrong"


def test_one_cause_of_several_locations_is_told_once() -> None:
    both = of(FEED, failed(1), failed(1, location="vinh"))
    assert step_in_words(both) == f"2 failed (2025-08-01 × hue, vinh): {AWAY}"
    alike = of(FEED, failed(1), failed(1, location="vinh", message=AWAY.replace("hue", "vinh")))
    assert why(alike) == f"{AWAY} (and 1 more like it)"


def test_what_was_skipped_names_the_asset_that_failed_and_none_between() -> None:
    feed, clean = of(FEED, failed(1)), of(CLEAN, skipped(FEED, 1))
    daily = of(DAILY, skipped(CLEAN, 1), written=august(3))
    others = (feed, clean, daily)
    assert step_in_words(clean, others) == f"1 skipped (2025-08-01 × hue): {FEED} failed"
    assert step_in_words(daily, others) == (
        f"1 skipped (2025-08-01 × hue): {FEED} failed; 1 written (2025-08-03 × hue), 24 rows"
    )
    assert (
        step_in_words(daily) == f"1 skipped (2025-08-01 × hue): {CLEAN} failed; 1 written (2025-08-03 × hue), 24 rows"
    )


def test_what_was_skipped_for_two_reasons_names_both_and_no_failure_of_other_partitions() -> None:
    feed, clean = of(FEED, failed(1, 7)), of(CLEAN, skipped(FEED, 1), failed(2, message="a check failed"))
    locations = of(LOCATIONS, failed(9))
    daily = of(DAILY, skipped(CLEAN, 1, 2))
    assert why(daily, (feed, clean, locations, daily)) == f"{CLEAN}, {FEED} failed"
    assert why(of(DAILY, skipped(CLEAN, 1)), (feed, clean)) == f"{FEED} failed"


def test_a_circle_of_outcomes_that_blame_each_other_ends() -> None:
    one, two = of(FEED, skipped(CLEAN, 1)), of(CLEAN, skipped(FEED, 1))
    assert why(one, (one, two)) == f"{CLEAN} failed"


def test_chunks_that_failed_alike_have_the_same_kinds() -> None:
    first, second = of(FEED, failed(1)), of(FEED, failed(2, message=AWAY.replace("08-01", "08-02")))
    assert kinds_of_failure(first) == kinds_of_failure(second) != frozenset()
    assert kinds_of_failure(of(CLEAN, failed(1))) != kinds_of_failure(first)
    assert kinds_of_failure(of(FEED, failed(1, message="disk full"))) != kinds_of_failure(first)
    assert not kinds_of_failure(of(FEED, failed(1, after=AWAY)))


def test_the_table_of_steps_has_causes_first_and_says_why() -> None:
    locations, feed = outcome(step(LOCATIONS, NULL), NULL), of(FEED, failed(1))
    clean = of(CLEAN, skipped(FEED, 1))
    rows = steps_table([locations, clean, feed])
    assert [(row["asset"], row["state"], row["why"]) for row in rows] == [
        (FEED, "failed", AWAY),
        (CLEAN, "skipped", f"{FEED} failed"),
        (LOCATIONS, "written", "reason"),
    ]
    assert list(rows[0])[:3] == ["asset", "state", "why"]
    chunked = steps_table([outcome(step(FEED, august(1), "2025-08-01")), locations])
    assert [row["chunk"] for row in chunked] == ["2025-08-01", ""]


def test_many_causes_of_a_step_are_counted() -> None:
    many = of(FEED, *(failed(day, message=f"error {'x' * day}") for day in range(1, 9)))
    assert why(many).endswith("; and 3 more")


def test_parts_in_a_row() -> None:
    assert sentence(["", "One.", "two", "three"]) == "One. two; three"
