"""The planner: what becomes a step, what it reads, why it is there, and the form of a plan."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from orchestration.core.declarations.catalog import Catalog
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.partitions.mappings import (
    LAST_HOUR,
    Identity,
)
from orchestration.core.planning.plan import Input, Manner, Plan, Step
from orchestration.core.planning.planner import make_plan
from orchestration.core.planning.request import Refresh
from orchestration.core.state.table_state import TableState
from tests.support.planned_lake import (
    ALL,
    CLEAN,
    CURRENT,
    DAILY,
    FEED,
    HOURS,
    LOCATIONS,
    NOTHING,
    NULL,
    RUNS,
    august,
    changed,
    days_as_chunks,
    everything,
    lacks,
    lost,
    plan,
    settled,
    step,
    table,
    there,
)


def test_everything_is_missing_and_selected() -> None:
    made = plan(ALL, august(3, 4))
    assert made.left_out == ()
    assert [of.asset for of in made.steps] == [FEED, LOCATIONS, CLEAN, HOURS, RUNS, DAILY]
    for of in made.steps:
        assert of.id == of.asset
        assert of.partitions == (NULL if of.asset == LOCATIONS else august(3, 4))
        assert (of.may_rewrite, of.base_version, of.after, of.chunk) == (NOTHING, None, None, "")
        assert of.manner is Manner.USUAL
    assert step(made, FEED).inputs == ()
    assert step(made, CLEAN).inputs == (Input(FEED, None, FEED, august(3, 4)),)
    assert step(made, HOURS).inputs == (
        Input(CLEAN, None, CLEAN, august(3, 4)),
        Input(LOCATIONS, None, LOCATIONS, NULL),
    )
    assert step(made, RUNS).inputs == (Input(HOURS, None, HOURS, august(3, 4)),)
    assert step(made, RUNS).upstream_steps == (HOURS,)
    assert made.steps_of("gold.other") == ()


@pytest.mark.parametrize("asked", [august(3, 4), august(*range(1, 15)), NULL, NOTHING])
def test_nothing_to_do_is_a_plan_without_steps(asked: PartitionSet) -> None:
    tables = settled(everything(august(*range(1, 15))), {3: LAST_HOUR})
    assert plan(ALL, asked, tables, {3: LAST_HOUR}) == Plan((), ())
    assert plan(ALL, asked, tables, {3: LAST_HOUR}, chunks=days_as_chunks(asked)) == Plan((), ())


def test_only_what_is_selected_becomes_a_step_and_reads_pinned_versions() -> None:
    tables = settled(everything(august(3, 4)) | {CLEAN: there(august(3, 4), version=11), HOURS: there(august(3), 9)})
    made = plan([HOURS], august(4), tables)
    assert made.steps == (
        Step(
            id=HOURS,
            asset=HOURS,
            partitions=august(4),
            may_rewrite=NOTHING,
            inputs=(Input(CLEAN, 11, None, august(4)), Input(LOCATIONS, 7, None, NULL)),
            base_version=9,
            reason="1 missing",
        ),
    )
    assert made.left_out == ()


def test_only_partitions_that_are_not_fresh_become_part_of_a_step() -> None:
    tables = changed(settled(everything(august(1, 2, 3, 4))), CLEAN, august(2, 4))
    made = plan([HOURS], august(1, 2, 3), tables)
    assert step(made, HOURS).partitions == august(2)
    assert made.left_out == ()


def test_a_fresh_partition_downstream_of_a_step_is_looked_at_again() -> None:
    """CLEAN 3 is stale; whether what is made from it changes is known only when it was made."""
    tables = changed(settled(everything(august(2, 3, 4))), FEED, august(3))
    made = plan(ALL, august(2, 3), tables)
    assert [(of.asset, of.partitions, of.reason) for of in made.steps] == [
        (CLEAN, august(3), "1 stale (bronze.feed changed)"),
        (HOURS, august(3), "1 fresh unless an upstream step changes them"),
        (RUNS, august(3), "1 fresh unless an upstream step changes them; 1 around may come out otherwise"),
        (DAILY, august(3), "1 fresh unless an upstream step changes them"),
    ]
    assert step(made, RUNS).may_rewrite == august(4)
    assert made.left_out == ()


def test_the_ends_of_a_chain_are_selected_and_the_middle_is_not() -> None:
    made = plan([FEED, HOURS], august(3, 4), settled({CLEAN: there(august(3), 5), LOCATIONS: there(NULL, 2)}))
    assert [of.asset for of in made.steps] == [FEED, HOURS]
    assert step(made, HOURS).partitions == august(3)
    assert step(made, HOURS).inputs == (Input(CLEAN, 5, None, august(3)), Input(LOCATIONS, 2, None, NULL))
    assert [(item.asset, item.partitions) for item in made.left_out] == [(HOURS, august(4))]


def test_a_table_is_pinned_beside_a_step_that_gives_only_a_part() -> None:
    """The range comes from the step, the day before it lies in the table, as the day after it may."""
    tables = settled(everything(august(3, 4)) | {HOURS: there(august(3), 9)})
    made = plan([HOURS, RUNS], august(4), tables)
    assert step(made, RUNS).inputs == (Input(HOURS, None, HOURS, august(4)), Input(HOURS, 9, None, august(3, 5)))
    assert step(made, RUNS).upstream_steps == (HOURS,)


def test_a_table_that_has_nothing_of_what_is_read_is_no_input_beside_a_step() -> None:
    tables = settled(everything(august(3, 4)) | {HOURS: there(august(2), 9)})
    assert step(plan([HOURS, RUNS], august(4), tables), RUNS).inputs == (Input(HOURS, None, HOURS, august(4)),)


def test_unpartitioned_assets_are_made_whatever_days_are_asked_for() -> None:
    for asked in (NOTHING, august(3), NULL, august(25)):
        made = plan([LOCATIONS], asked)
        assert [(of.asset, of.partitions, of.reason) for of in made.steps] == [(LOCATIONS, NULL, "1 missing")]
        assert made.left_out == ()


def test_nothing_asked_for_is_no_step() -> None:
    assert plan([FEED, CLEAN], NOTHING) == Plan((), ())
    assert plan([FEED, CLEAN], NULL) == Plan((), ())
    assert plan([], august(3)) == Plan((), ())


def reason_of(state: TableState, *asked: int) -> str:
    return step(plan([FEED], august(*asked), {FEED: state}), FEED).reason


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (TableState(), "3 missing"),
        (there(august(3)), "2 missing"),
        (there(august(3, 4), unrecorded=august(5)), "1 changed by somebody else"),
        (there(august(3, 4), unrecorded=august(4)), "1 changed by somebody else, 1 missing"),
        (there(NOTHING, unrecorded=august(5)), "2 missing, 1 changed by somebody else"),
    ],
)
def test_the_reason_of_a_step_counts_what_is_missing_or_doubted(state: TableState, reason: str) -> None:
    assert reason_of(state, 3, 4, 5) == reason


def test_the_reason_of_a_step_counts_every_kind_of_staleness() -> None:
    tables = {FEED: there(august(3, 4, 5, 6))}
    tables = changed(tables, FEED, august(3, 4), contract="another")
    tables = changed(tables, FEED, august(5), code="another")
    assert reason_of(tables[FEED], 3, 4, 5, 6, 7) == (
        "2 stale (behind its code: rewrite (its contract changed)), "
        "1 stale (behind its code: rewrite (its code or parameters changed)), 1 missing"
    )


def test_the_reason_of_a_step_counts_only_what_it_makes() -> None:
    """Of three missing partitions, one lacks its upstream; of the missing ones, the only one."""
    made = plan([CLEAN], august(3, 4, 5), settled({FEED: there(august(3, 4))}))
    assert step(made, CLEAN).reason == "2 missing"
    tables = changed(settled({FEED: there(august(3)), CLEAN: there(august(3))}), CLEAN, august(3), code="another")
    made = plan([CLEAN], august(3, 4), tables)
    assert step(made, CLEAN).reason == "1 stale (its code or parameters changed)"


def test_stale_and_fresh_partitions_stand_in_one_step_and_are_told_apart() -> None:
    tables = changed(settled(everything(august(3, 4))), CLEAN, august(3))
    tables = changed(tables, LOCATIONS, code="another")
    made = plan([LOCATIONS, HOURS], august(3, 4), tables)
    assert step(made, HOURS).partitions == august(3, 4)
    assert step(made, HOURS).reason == ("1 stale (silver.clean changed), 1 fresh unless an upstream step changes them")


def test_a_diamond_is_planned_parents_first_and_once() -> None:
    diamond = Catalog(
        [
            table("gold.bottom", Identity("gold.left"), Identity("gold.right")),
            table("gold.right", Identity("gold.top")),
            table("gold.left", Identity("gold.top")),
            table("gold.top"),
        ]
    )
    current = replace(CURRENT, contracts=dict.fromkeys(diamond.keys, "contract"))
    made = make_plan(diamond, Refresh(frozenset(diamond.keys), august(3)), {}, current)
    assert [of.asset for of in made.steps] == ["gold.top", "gold.right", "gold.left", "gold.bottom"]
    assert step(made, "gold.bottom").upstream_steps == ("gold.left", "gold.right")


def test_the_form_of_plan_json() -> None:
    """DESIGN, Commands."""
    tables = {FEED: there(august(10), 3), LOCATIONS: there(NULL), HOURS: there(august(9)), RUNS: there(august(9))}
    made = plan([CLEAN, HOURS, RUNS], august(10, 11), settled(tables, {9: LAST_HOUR}), {9: LAST_HOUR})
    assert json.loads(json.dumps(made.to_json())) == {
        "steps": [
            {
                "id": CLEAN,
                "asset": CLEAN,
                "partitions": ["2025-08-10/hue"],
                "may_rewrite": [],
                "inputs": [{"asset": FEED, "version": 3, "step": None, "partitions": "2025-08-10 × hue"}],
                "reason": "1 missing",
            },
            {
                "id": HOURS,
                "asset": HOURS,
                "partitions": ["2025-08-10/hue"],
                "may_rewrite": [],
                "inputs": [
                    {"asset": CLEAN, "version": None, "step": CLEAN, "partitions": "2025-08-10 × hue"},
                    {"asset": LOCATIONS, "version": 7, "step": None, "partitions": "null"},
                ],
                "reason": "1 missing",
            },
            {
                "id": RUNS,
                "asset": RUNS,
                "partitions": ["2025-08-10/hue"],
                "may_rewrite": ["2025-08-09/hue"],
                "inputs": [
                    {"asset": HOURS, "version": None, "step": HOURS, "partitions": "2025-08-10 × hue"},
                    {
                        "asset": HOURS,
                        "version": 7,
                        "step": None,
                        "partitions": "2025-08-08..2025-08-09, 2025-08-11 × hue",
                    },
                ],
                "reason": "1 missing; 1 around may come out otherwise",
            },
        ],
        "left_out": [
            {"asset": CLEAN, "partitions": ["2025-08-11/hue"], "reason": lacks(CLEAN, FEED)},
            {"asset": HOURS, "partitions": ["2025-08-11/hue"], "reason": lost(HOURS, CLEAN)},
            {"asset": RUNS, "partitions": ["2025-08-11/hue"], "reason": lost(RUNS, HOURS)},
        ],
    }
