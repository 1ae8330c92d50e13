"""What a step skips: what depends on what failed, and no more."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.declarations.asset import Asset
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.partitions.mappings import ALL_DAY, LAST_HOUR
from orchestration.core.planning.plan import Plan, Step
from orchestration.core.runs.decisions import skipped
from orchestration.core.runs.outcome import Outcome, Problem, StepOutcome
from tests.support.small_assets import (
    CLEAN,
    FEED,
    LOCATIONS,
    NOTHING,
    NULL,
    august,
    clean,
    feed,
    flags,
    hours,
    locations,
    no_flags,
    runs,
    step_of,
)


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
    elsewhere = step_of(clean, august(3, location="hanoi"))
    assert skips(step_of(hours, august(3)), hours, failed(elsewhere, elsewhere.partitions)) == ()


def test_a_failed_dimension_skips_all() -> None:
    before = step_of(locations, NULL)
    assert skips(step_of(hours, august(3), august(4)), hours, failed(before, NULL)) == (
        Problem(Outcome.SKIPPED, august(3, 4), f"upstream {LOCATIONS} failed"),
    )


def test_a_partition_is_skipped_once_for_the_first_of_its_reasons() -> None:
    outcomes = failed(step_of(clean, august(3)), august(3)), failed(step_of(locations, NULL), NULL)
    found = skips(step_of(hours, august(3, 4)), hours, *outcomes)
    assert [(problem.partitions, problem.message) for problem in found] == [
        (august(3), f"upstream {CLEAN} failed: 2025-08-03 × hue"),
        (august(4), f"upstream {LOCATIONS} failed"),
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


def test_what_is_skipped_says_on_which_failures_it_depends() -> None:
    """Day 8 looks at the last hour of day 7; that day 12 failed too is nothing to it."""
    before = step_of(hours, august(7, 8, 9, 10, 11, 12))
    (found,) = skips(step_of(runs, august(8)), runs, failed(before, august(7, 12)))
    assert (found.partitions, found.because) == (august(8), august(7))


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.integers(1, 9), st.sampled_from([0, 1, LAST_HOUR, ALL_DAY])),
    st.frozensets(st.integers(1, 9), min_size=1),
    st.frozensets(st.integers(1, 9), min_size=1),
)
def test_each_partition_that_is_skipped_depends_on_what_is_said(
    flagged: dict[int, int], bad: frozenset[int], wanted: frozenset[int]
) -> None:
    before = step_of(hours, august(*range(1, 10)))
    for problem in skips(step_of(runs, august(*wanted)), runs, failed(before, august(*bad)), flagged=flagged):
        assert problem.because <= august(*bad)
        assert all(runs.upstream[0].consulted_by(key, flags(flagged)) & problem.because for key in problem.partitions)


def test_a_run_that_goes_through_a_failed_day_is_skipped_whole() -> None:
    """Day 10 failed. The run that began on day 8 reaches it, and day 11 looks at its last hour."""
    before = step_of(hours, august(10))
    step = step_of(runs, august(7, 8, 9, 10, 11, 12))
    flagged = {8: LAST_HOUR, 9: ALL_DAY}
    assert [problem.partitions for problem in skips(step, runs, failed(before, august(10)), flagged=flagged)] == [
        august(8, 9, 10, 11)
    ]
    assert [problem.partitions for problem in skips(step, runs, failed(before, august(10)))] == [august(10, 11)]
