"""The planner: what may be rewritten beside what is asked for; force and repair."""

from __future__ import annotations

from orchestration.core.partitions.mappings import (
    ALL_DAY,
    LAST_HOUR,
    FlaggedHours,
    RunWindow,
    nothing_flagged,
)
from orchestration.core.planning.plan import Input, LeftOut, Manner, Obstacle, Plan
from orchestration.core.planning.planner import make_plan
from orchestration.core.planning.request import Refresh
from orchestration.core.state.table_state import TableState
from tests.support.planned_lake import (
    ALL,
    BEFORE,
    CLEAN,
    CURRENT,
    DAILY,
    FEED,
    HOURS,
    LAKE,
    LOCATIONS,
    NOTHING,
    NULL,
    RUNS,
    SUMMARY,
    WINDOW,
    WITH_SUMMARY,
    at,
    august,
    changed,
    changed_by_others,
    everything,
    lacks,
    locations_anew,
    plan,
    read,
    settled,
    step,
    there,
    with_news,
)


def test_the_run_that_reaches_the_range_and_the_day_after_may_be_rewritten() -> None:
    reaching = {6: LAST_HOUR, 7: ALL_DAY, 8: ALL_DAY, 9: ALL_DAY}
    made = plan([HOURS, RUNS], august(10, 11), with_news(10, 11, flagged=reaching), reaching)
    assert step(made, HOURS).may_rewrite == NOTHING
    runs = step(made, RUNS)
    assert (runs.partitions, runs.may_rewrite) == (august(10, 11), august(6, 7, 8, 9, 12))
    assert runs.all_partitions == august(6, 7, 8, 9, 10, 11, 12)
    assert runs.inputs == (
        Input(HOURS, None, HOURS, august(10, 11)),
        Input(HOURS, 7, None, august(5, 6, 7, 8, 9, 12)),
    )
    assert runs.reason == "2 fresh unless an upstream step changes them; 5 around may come out otherwise"


def test_what_may_be_rewritten_reads_to_the_end_of_its_runs() -> None:
    flagged = {11: LAST_HOUR, 12: ALL_DAY}
    made = plan([HOURS, RUNS], august(10), with_news(10, flagged=flagged), flagged)
    assert step(made, RUNS).may_rewrite == august(11)
    assert read(step(made, RUNS)) == august(*range(9, 14))


def test_of_days_that_the_plan_makes_any_hour_may_be_flagged() -> None:
    """Nothing is flagged in the tables. Day 10 is made: a run may reach from day 8 through it to day 12."""
    tables = settled(everything(BEFORE) | {HOURS: there(BEFORE - august(9, 10)), RUNS: there(august(8, 11))})
    made = plan([HOURS, RUNS], august(9, 10, 12), tables)
    assert step(made, HOURS).partitions == august(9, 10)
    assert (step(made, RUNS).partitions, step(made, RUNS).may_rewrite) == (august(9, 10, 12), august(11))
    tables = settled(everything(BEFORE) | {HOURS: there(BEFORE - august(10)), RUNS: there(BEFORE)})
    made = plan([HOURS, RUNS], august(10), tables, {9: LAST_HOUR})
    assert (step(made, RUNS).partitions, step(made, RUNS).may_rewrite) == (august(10), august(9, 11))
    assert read(step(made, RUNS)) == august(8, 9, 10, 11)


def test_flags_are_asked_of_the_window_and_the_upstream_table() -> None:
    tables = with_news(10)
    asked = []

    def flags_of(window: RunWindow, state: TableState) -> FlaggedHours:
        asked.append((window, state))
        return nothing_flagged

    make_plan(LAKE, Refresh(ALL, august(10)), tables, CURRENT, flags_of)
    assert asked
    assert all(window == WINDOW and state is tables[HOURS] for window, state in asked)


def test_only_existing_partitions_are_rewritten() -> None:
    reaching = {6: LAST_HOUR, 7: ALL_DAY, 8: ALL_DAY, 9: ALL_DAY}
    tables = with_news(10, 11, flagged=reaching, runs=there(august(7, 10, 14)))
    made = step(plan([HOURS, RUNS], august(10, 11), tables, reaching), RUNS)
    assert (made.partitions, made.may_rewrite) == (august(10, 11), august(7))
    assert made.reason == ("1 missing, 1 fresh unless an upstream step changes them; 1 around may come out otherwise")
    tables = with_news(10, 11, flagged=reaching, runs=TableState())
    assert step(plan([HOURS, RUNS], august(10, 11), tables, reaching), RUNS).may_rewrite == NOTHING


def test_only_what_has_its_upstream_is_rewritten() -> None:
    flagged = {8: LAST_HOUR, 9: ALL_DAY}
    tables = with_news(10, flagged=flagged, hours=there(august(9, 10)))
    made = plan([HOURS, RUNS], august(10), tables, flagged)
    assert step(made, RUNS).may_rewrite == august(9)
    assert made.left_out == ()


def test_what_lacks_one_of_its_upstreams_is_not_rewritten_because_another_changed() -> None:
    """It would come out empty."""
    made = plan([LOCATIONS, HOURS], NOTHING, locations_anew(clean=there(august(3))))
    assert step(made, HOURS).may_rewrite == august(3)


def test_nothing_is_rewritten_where_upstream_stays_as_it_is() -> None:
    made = plan([RUNS], august(10), with_news(runs=there(BEFORE - august(10)), flagged={9: ALL_DAY}), {9: ALL_DAY})
    assert (step(made, RUNS).partitions, step(made, RUNS).may_rewrite) == (august(10), NOTHING)


def test_nothing_is_rewritten_for_what_the_selection_leaves_out() -> None:
    """CLEAN changed on day 10 and HOURS is stale there, but is not selected: RUNS has nothing to do."""
    assert plan([RUNS, DAILY], BEFORE, with_news(10)) == Plan((), ())


def test_other_locations_are_not_rewritten() -> None:
    flagged = {9: ALL_DAY}
    both = settled(everything(BEFORE | at("hanoi", *range(1, 15))), flagged)
    made = plan([HOURS, RUNS], august(10), changed(both, CLEAN, august(10)), flagged)
    assert step(made, RUNS).may_rewrite == august(9, 11)


def test_a_new_table_that_all_partitions_read_may_rewrite_all_of_them() -> None:
    tables = settled({key: state for key, state in everything(BEFORE).items() if key != LOCATIONS})
    made = plan([LOCATIONS, HOURS], august(10), tables)
    assert [of.asset for of in made.steps] == [LOCATIONS, HOURS]
    assert (step(made, HOURS).partitions, step(made, HOURS).may_rewrite) == (august(10), BEFORE - august(10))


def test_a_step_may_be_there_for_rewriting_alone() -> None:
    """Only the dimension is asked for, but what all its readers hold may come out otherwise."""
    made = plan([LOCATIONS, HOURS, DAILY], NOTHING, locations_anew())
    for asset in (HOURS, DAILY):
        assert (step(made, asset).partitions, step(made, asset).may_rewrite) == (NOTHING, BEFORE)
        assert step(made, asset).reason == "not asked for; 14 around may come out otherwise"
    assert step(made, DAILY).inputs == (Input(HOURS, None, HOURS, BEFORE),)


def test_what_reads_rewritten_partitions_may_be_rewritten_too() -> None:
    flagged = {8: LAST_HOUR, 9: ALL_DAY}
    tables = settled(everything(BEFORE) | {SUMMARY: there(august(9, 10, 13))}, flagged, WITH_SUMMARY)
    tables = changed(tables, CLEAN, august(10))
    made = plan([HOURS, RUNS, SUMMARY], august(10), tables, flagged, WITH_SUMMARY)
    assert step(made, RUNS).may_rewrite == august(8, 9, 11)
    assert (step(made, SUMMARY).partitions, step(made, SUMMARY).may_rewrite) == (august(10), august(9))


def test_forced_partitions_are_made_although_they_are_fresh() -> None:
    made = plan([FEED, CLEAN], august(3, 4), settled(everything(BEFORE)), force=True)
    for asset in (FEED, CLEAN):
        assert (step(made, asset).partitions, step(made, asset).reason) == (august(3, 4), "2 forced")
        assert step(made, asset).manner is Manner.FORCED
    assert step(made, CLEAN).inputs == (Input(FEED, None, FEED, august(3, 4)),)


def test_force_makes_what_is_asked_for_and_looks_around_it_as_always() -> None:
    flagged = {8: LAST_HOUR, 9: ALL_DAY}
    made = plan([HOURS, RUNS], august(10), settled(everything(BEFORE), flagged), flagged, force=True)
    assert (step(made, RUNS).partitions, step(made, RUNS).may_rewrite) == (august(10), august(8, 9, 11))
    assert step(made, RUNS).reason == "1 forced; 3 around may come out otherwise"
    assert plan([FEED], august(10), settled(everything(BEFORE)), force=False).steps == ()


def test_force_names_the_same_steps_as_a_plan_for_an_empty_warehouse() -> None:
    first = plan(ALL, august(3, 4))
    again = plan(ALL, august(3, 4), settled(everything(august(3, 4))), force=True)
    assert [(of.asset, of.partitions) for of in again.steps] == [(of.asset, of.partitions) for of in first.steps]


def test_what_is_forced_needs_its_upstream_too() -> None:
    made = plan([CLEAN], august(3, 4), settled({FEED: there(august(4)), CLEAN: there(august(3, 4))}), force=True)
    assert step(made, CLEAN).partitions == august(4)
    assert made.left_out == (LeftOut(CLEAN, august(3), lacks(CLEAN, FEED), Obstacle.BLOCKED),)


def test_repair_is_for_what_somebody_else_changed_alone() -> None:
    """Missing, stale and fresh partitions are left as they are, and what is downstream too."""
    tables = settled(everything(august(3, 4, 5, 6)) | {CLEAN: there(august(3, 4, 5), unrecorded=august(4))})
    tables = changed(tables, FEED, august(5))
    made = plan(ALL, august(3, 4, 5, 6), tables, repair=True)
    assert [(of.asset, of.partitions, of.may_rewrite) for of in made.steps] == [(CLEAN, august(4), NOTHING)]
    assert step(made, CLEAN).reason == "1 changed by somebody else"
    assert step(made, CLEAN).manner is Manner.COMPARED
    assert made.left_out == ()


def test_repair_keeps_to_what_is_asked_for() -> None:
    tables = settled(everything(august(3, 4)) | {CLEAN: there(august(3, 4), unrecorded=august(3, 4))})
    assert step(plan([CLEAN], august(4), tables, repair=True), CLEAN).partitions == august(4)
    assert plan([CLEAN], august(5), tables, repair=True) == Plan((), ())
    assert plan([FEED], august(4), tables, repair=True) == Plan((), ())


def test_repair_of_an_unpartitioned_table() -> None:
    tables = settled(everything(august(3)) | {LOCATIONS: there(NULL, unrecorded=NULL)})
    made = plan(ALL, august(3), tables, repair=True)
    assert [(of.asset, of.partitions) for of in made.steps] == [(LOCATIONS, NULL)]


def test_repair_goes_from_upstream_to_downstream() -> None:
    """Both are unrecorded: the first is mended first and then built upon."""
    both = {CLEAN: there(august(3), unrecorded=august(3)), HOURS: there(august(3), unrecorded=august(3))}
    tables = settled(everything(august(3)) | both)
    made = plan([CLEAN, HOURS], august(3), tables, repair=True)
    assert [(of.asset, of.upstream_steps) for of in made.steps] == [(CLEAN, ()), (HOURS, (CLEAN,))]
    alone = plan([HOURS], august(3), tables, repair=True)
    assert alone == Plan((), (LeftOut(HOURS, august(3), changed_by_others(HOURS, CLEAN), Obstacle.BLOCKED),))
