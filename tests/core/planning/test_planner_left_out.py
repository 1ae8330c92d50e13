"""The planner: what is left out, and the reason that is given."""

from __future__ import annotations

from orchestration.core.planning.plan import Input, LeftOut, Obstacle, Plan
from tests.support.planned_lake import (
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
    changed_by_others,
    everything,
    lacks,
    lost,
    plan,
    settled,
    step,
    there,
)


def test_upstream_is_missing_and_not_selected() -> None:
    made = plan([CLEAN], august(3, 4), {FEED: there(august(4))})
    assert step(made, CLEAN).partitions == august(4)
    assert made.left_out == (LeftOut(CLEAN, august(3), lacks(CLEAN, FEED), Obstacle.BLOCKED),)


def test_upstream_has_no_table_at_all() -> None:
    made = plan([CLEAN], august(3, 4))
    assert made == Plan((), (LeftOut(CLEAN, august(3, 4), lacks(CLEAN, FEED), Obstacle.BLOCKED),))


def test_what_is_fresh_is_not_left_out_although_it_could_not_be_made_again() -> None:
    """It holds what its upstream holds: nothing."""
    assert plan([CLEAN], august(3), settled({CLEAN: there(august(3))})) == Plan((), ())


def test_what_is_left_out_takes_what_needs_it_along_and_each_says_its_own_reason() -> None:
    made = plan([CLEAN, HOURS, DAILY, RUNS, LOCATIONS], august(3, 4), {FEED: there(august(4))})
    assert {of.asset: of.partitions for of in made.steps} == {
        CLEAN: august(4), LOCATIONS: NULL, HOURS: august(4), DAILY: august(4), RUNS: august(4)
    }  # fmt: skip
    assert made.left_out == (
        LeftOut(CLEAN, august(3), lacks(CLEAN, FEED), Obstacle.BLOCKED),
        LeftOut(HOURS, august(3), lost(HOURS, CLEAN), Obstacle.BLOCKED),
        LeftOut(RUNS, august(3), lost(RUNS, HOURS), Obstacle.BLOCKED),
        LeftOut(DAILY, august(3), lost(DAILY, HOURS), Obstacle.BLOCKED),
    )


def test_of_two_missing_upstreams_each_partition_names_one() -> None:
    made = plan([HOURS], august(3, 4), {CLEAN: there(august(3))})
    assert made.steps == ()
    assert made.left_out == (
        LeftOut(HOURS, august(4), lacks(HOURS, CLEAN), Obstacle.BLOCKED),
        LeftOut(HOURS, august(3), lacks(HOURS, LOCATIONS), Obstacle.BLOCKED),
    )


def test_partitions_that_somebody_else_changed_cannot_be_built_upon() -> None:
    """Neither those that were ours before (3) nor those that were not (4); what is missing (5) says so."""
    tables = settled({FEED: there(august(3, 6), unrecorded=august(3, 4)), CLEAN: there(august(3))})
    made = plan([CLEAN], august(3, 4, 5, 6), tables)
    assert step(made, CLEAN).partitions == august(6)
    assert made.left_out == (
        LeftOut(CLEAN, august(3, 4), changed_by_others(CLEAN, FEED), Obstacle.BLOCKED),
        LeftOut(CLEAN, august(5), lacks(CLEAN, FEED), Obstacle.BLOCKED),
    )


def test_an_unpartitioned_table_that_somebody_else_changed_cannot_be_built_upon() -> None:
    tables = settled({CLEAN: there(august(3)), LOCATIONS: there(NULL, unrecorded=NULL)})
    made = plan([HOURS], august(3), tables)
    assert made == Plan((), (LeftOut(HOURS, august(3), changed_by_others(HOURS, LOCATIONS), Obstacle.BLOCKED),))


def test_partitions_that_somebody_else_changed_are_made_anew_in_the_plan_and_built_upon() -> None:
    made = plan([FEED, CLEAN], august(3), settled({FEED: there(august(3), unrecorded=august(3))}))
    assert step(made, FEED).reason == "1 changed by somebody else"
    assert step(made, CLEAN).inputs == (Input(FEED, None, FEED, august(3)),)
    assert made.left_out == ()


def test_what_somebody_else_changed_is_not_rewritten_from() -> None:
    """LOCATIONS is made anew; of the days that read it, day 4 has an upstream that cannot be trusted."""
    tables = settled(everything(august(3, 4)) | {CLEAN: there(august(3, 4), unrecorded=august(4))})
    made = plan([LOCATIONS, HOURS], NOTHING, changed(tables, LOCATIONS, code="another"))
    assert step(made, HOURS).may_rewrite == august(3)
    assert made.left_out == ()


def test_days_after_today_are_left_out() -> None:
    """Today itself is made; tomorrow is not, of any asset."""
    made = plan([FEED, CLEAN, LOCATIONS], august(19, 20, 21, 22))
    reason = "These days lie after today (2025-08-20, UTC)."
    assert [(of.asset, of.partitions) for of in made.steps] == [
        (FEED, august(19, 20)), (LOCATIONS, NULL), (CLEAN, august(19, 20))
    ]  # fmt: skip
    assert made.left_out == (
        LeftOut(FEED, august(21, 22), reason, Obstacle.FUTURE),
        LeftOut(CLEAN, august(21, 22), reason, Obstacle.FUTURE),
    )
    assert not any(item.is_blocked for item in made.left_out)


def test_all_days_lie_after_today() -> None:
    for force in (False, True):
        made = plan([FEED], august(21), {FEED: there(august(21))}, force=force)
        assert made == Plan(
            (), (LeftOut(FEED, august(21), "These days lie after today (2025-08-20, UTC).", Obstacle.FUTURE),)
        )
