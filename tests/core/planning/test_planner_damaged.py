"""The planner: what is damaged is left out, and mended where that is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.planning.plan import Obstacle, Plan, TableChange
from orchestration.core.planning.planner import make_plan
from orchestration.core.planning.request import Refresh, Remake, Repair
from orchestration.core.state.damage import LostFile, Trouble, with_damage
from orchestration.core.state.table_state import FileSpan, TableState
from tests.support.planned_lake import (
    ALL,
    CLEAN,
    CURRENT,
    DAILY,
    FEED,
    HOURS,
    LAKE,
    LOCATIONS,
    NOTHING,
    RUNS,
    august,
    everything,
    settled,
)

DAYS = august(3, 4)
TROUBLE = Trouble("its log is gone", "Rebuild it.")


def damaged(tables: Mapping[str, TableState], key: str, days: PartitionSet) -> dict[str, TableState]:
    """The same tables; a file of these days of one of them is gone."""
    span = FileSpan(days.days.first, days.days.last, "hue", "hue")
    state = replace(tables[key], files={"a": span})
    return {**tables, key: with_damage(state, [LostFile("a", span, "is gone")])}


def whole() -> dict[str, TableState]:
    return settled(everything(DAYS))


def planned(tables: Mapping[str, TableState], kind: type[Refresh | Remake | Repair] = Refresh) -> Plan:
    return make_plan(LAKE, kind(ALL - {LOCATIONS}, DAYS), tables, CURRENT)


def made(plan: Plan) -> dict[str, PartitionSet]:
    return {step.asset: step.partitions for step in plan.steps}


def test_what_is_damaged_is_left_out_and_what_was_made_from_it_stays_fresh() -> None:
    plan = planned(damaged(whole(), CLEAN, august(3)))
    assert plan.steps == ()
    (item,) = plan.left_out
    assert (item.asset, item.partitions, item.obstacle) == (CLEAN, august(3), Obstacle.DAMAGED)
    assert item.reason.endswith(f"the data file a is gone. `aqi repair {CLEAN}` mends it.")


def test_nor_is_it_made_because_its_upstream_changes() -> None:
    """The feed's third day is missing; what would follow from it waits for the table that is damaged."""
    tables = whole()
    tables[FEED] = replace(
        tables[FEED], records={key: of for key, of in tables[FEED].records.items() if key not in august(3)}
    )
    plan = planned(damaged(tables, CLEAN, august(3)))
    assert made(plan)[FEED] == august(3)
    assert CLEAN not in made(plan)
    assert plan.tables == ()
    assert {item.asset for item in plan.left_out} >= {CLEAN}


def test_nothing_is_made_from_it() -> None:
    tables = whole()
    tables[HOURS] = replace(tables[HOURS], records={})
    plan = planned(damaged(tables, CLEAN, august(3)))
    assert made(plan)[HOURS] == august(4)
    reasons = {item.asset: item for item in plan.left_out}
    assert reasons[HOURS].partitions == august(3)
    assert reasons[HOURS].reason.startswith(f"{HOURS} needs {CLEAN}, which is damaged there: ")
    assert reasons[HOURS].obstacle is Obstacle.DAMAGED


@pytest.mark.parametrize("kind", [Repair, Remake])
def test_where_it_is_asked_for_it_is_mended_after_its_log_is_told(kind: type[Repair | Remake]) -> None:
    plan = planned(damaged(whole(), CLEAN, august(3)), kind)
    assert plan.left_out == ()
    assert august(3) <= made(plan)[CLEAN]
    (change,) = plan.tables
    assert (change.asset, change.lost) == (CLEAN, ("a",))
    assert isinstance(change, TableChange)


def test_a_lost_file_of_which_nothing_is_there_goes_out_of_the_log_by_repair_alone() -> None:
    tables = whole()
    span = FileSpan(august(9).days.first, august(9).days.last, "hue", "hue")
    state = replace(tables[CLEAN], files={"a": span})
    tables[CLEAN] = with_damage(state, [LostFile("a", span, "is gone")])
    assert tables[CLEAN].damaged == NOTHING
    assert planned(tables).is_empty
    assert [change.lost for change in planned(tables, Repair).tables] == [("a",)]


def test_a_table_in_trouble_is_left_out_and_the_rest_is_made() -> None:
    tables = whole()
    tables[DAILY] = with_damage(tables[DAILY], (), TROUBLE)
    request = Remake(ALL - {LOCATIONS}, DAYS)
    plan = make_plan(LAKE, request, tables, CURRENT, blocked={DAILY: TROUBLE.in_words})
    assert set(made(plan)) == {FEED, CLEAN, HOURS, RUNS}
    (item,) = plan.left_out
    assert (item.asset, item.reason, item.obstacle) == (DAILY, TROUBLE.in_words, Obstacle.DAMAGED)
