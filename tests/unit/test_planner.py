"""The planner: tiny named graphs × what storage holds × what is asked for.

``LAKE`` is the shape of the real one: feed → clean → hours → days, runs; places stands beside them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.asset import Asset, DailyByLocation
from orchestration.catalog import Catalog
from orchestration.mappings import (
    ALL_DAY,
    LAST_HOUR,
    AllPartitions,
    FlaggedHours,
    Identity,
    PartitionMapping,
    RunWindow,
)
from orchestration.partitions import Days, PartitionKey, PartitionSet
from orchestration.planner import Input, LeftOut, Plan, Request, Step, make_plan
from orchestration.provenance import PartitionRecord, TableState

quick = settings(max_examples=60, deadline=None)

FEED, CLEAN, PLACES = "bronze.feed", "silver.clean", "gold.places"
HOURS, DAILY, RUNS = "gold.hours", "gold.days", "gold.runs"
WINDOW = RunWindow(HOURS, column="aqi", at_least="episode_rule.threshold")
NOTHING, NULL = PartitionSet.empty(), PartitionSet.null()
TODAY = date(2025, 8, 20)


def table(key: str, *upstream: PartitionMapping, source: str | None = None, dated: bool = True) -> Asset:
    partitions = DailyByLocation() if dated else None
    return Asset(key, "Text.", lambda: None, upstream, source, partitions, "C", (), frozenset(), ())


LAKE = Catalog(
    [
        table(RUNS, WINDOW),
        table(DAILY, Identity(HOURS)),
        table(HOURS, Identity(CLEAN), AllPartitions(PLACES)),
        table(CLEAN, Identity(FEED)),
        table(FEED, source="feed"),
        table(PLACES, dated=False),
    ]
)
ALL = frozenset(LAKE.keys)


def at(place: str, *numbers: int) -> PartitionSet:
    """Days of August 2025 (0 is the last of July) at ``place``."""
    days = (date(2025, 7, 31) + timedelta(days=number) for number in numbers)
    return PartitionSet.from_keys(PartitionKey(day, place) for day in days)


def august(*numbers: int) -> PartitionSet:
    return at("hue", *numbers)


def there(partitions: PartitionSet, version: int = 7, doubted: PartitionSet = NOTHING) -> TableState:
    """A table with records of ``partitions``."""
    record = PartitionRecord(1, "f", {}, "code", "contract")
    return TableState(version, dict.fromkeys(partitions, record), doubted)


def flagged_on(masks: Mapping[int, int]) -> FlaggedHours:
    days = {date(2025, 7, 31) + timedelta(days=number): mask for number, mask in masks.items()}
    return lambda place, day: days.get(day, 0) if place == "hue" else 0


def plan(
    assets: Iterable[str],
    asked: PartitionSet,
    tables: Mapping[str, TableState] | None = None,
    flagged: Mapping[int, int] | None = None,
    catalog: Catalog = LAKE,
) -> Plan:
    flags = flagged_on(flagged or {})
    return make_plan(
        catalog, Request(frozenset(assets), asked, TODAY), tables or {}, lambda _window, _state: flags
    )


def step(made: Plan, asset: str) -> Step:
    found = made.step_of(asset)
    assert found is not None, f"no step for {asset}"
    return found


def everything(partitions: PartitionSet) -> dict[str, TableState]:
    return {key: there(NULL if key == PLACES else partitions) for key in ALL}


# --- what becomes a step --------------------------------------------------------------------------


def test_everything_is_missing_and_selected() -> None:
    made = plan(ALL, august(3, 4))
    assert made.left_out == ()
    assert [of.asset for of in made.steps] == [FEED, PLACES, CLEAN, HOURS, RUNS, DAILY]
    for of in made.steps:
        assert of.id == of.asset
        assert of.partitions == (NULL if of.asset == PLACES else august(3, 4))
        assert (of.may_rewrite, of.base_version) == (NOTHING, None)
    assert step(made, FEED).inputs == ()
    assert step(made, CLEAN).inputs == (Input(FEED, None, FEED, august(3, 4)),)
    assert step(made, HOURS).inputs == (
        Input(CLEAN, None, CLEAN, august(3, 4)),
        Input(PLACES, None, PLACES, NULL),
    )
    assert step(made, RUNS).inputs == (Input(HOURS, None, HOURS, august(2, 3, 4)),)
    assert step(made, RUNS).upstream_steps == (HOURS,)
    assert made.step_of("gold.other") is None


def test_only_what_is_selected_becomes_a_step_and_reads_pinned_versions() -> None:
    tables = everything(august(3, 4)) | {CLEAN: there(august(3, 4), version=11)}
    made = plan([HOURS], august(4), tables)
    assert made.steps == (
        Step(
            id=HOURS,
            asset=HOURS,
            partitions=august(4),
            may_rewrite=NOTHING,
            inputs=(Input(CLEAN, 11, None, august(4)), Input(PLACES, 7, None, NULL)),
            base_version=7,
            reason="asked for: 1 there already",
        ),
    )
    assert made.left_out == ()


def test_the_ends_of_a_chain_are_selected_and_the_middle_is_not() -> None:
    made = plan([FEED, HOURS], august(3, 4), {CLEAN: there(august(3), 5), PLACES: there(NULL, 2)})
    assert [of.asset for of in made.steps] == [FEED, HOURS]
    assert step(made, HOURS).partitions == august(3)
    assert step(made, HOURS).inputs == (Input(CLEAN, 5, None, august(3)), Input(PLACES, 2, None, NULL))
    assert [(item.asset, item.partitions) for item in made.left_out] == [(HOURS, august(4))]


def test_an_input_is_pinned_too_where_a_step_gives_only_a_part_of_it() -> None:
    """The day before the range lies in the table, the range comes from the step."""
    made = plan([HOURS, RUNS], august(4), everything(august(3, 4)) | {HOURS: there(august(3), 9)})
    assert step(made, RUNS).inputs == (Input(HOURS, 9, HOURS, august(3, 4)),)
    made = plan([HOURS, RUNS], august(4), everything(august(3, 4)) | {HOURS: there(august(2, 4), 9)})
    assert step(made, RUNS).inputs == (Input(HOURS, None, HOURS, august(3, 4)),)


def test_unpartitioned_assets_are_made_whatever_days_are_asked_for() -> None:
    for asked in (NOTHING, august(3), NULL, august(25)):
        made = plan([PLACES], asked)
        assert [(of.asset, of.partitions) for of in made.steps] == [(PLACES, NULL)]
        assert made.left_out == ()


def test_nothing_asked_for_is_no_step() -> None:
    assert plan([FEED, CLEAN], NOTHING) == Plan((), ())
    assert plan([FEED, CLEAN], NULL) == Plan((), ())
    assert plan([], august(3)) == Plan((), ())


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (TableState(), "asked for: 3 missing"),
        (there(august(3)), "asked for: 2 missing, 1 there already"),
        (there(august(3, 4, 5)), "asked for: 3 there already"),
        (
            there(august(3, 4), doubted=august(4)),
            "asked for: 1 missing, 1 changed by somebody else, 1 there already",
        ),
        (there(NOTHING, doubted=august(5)), "asked for: 2 missing, 1 changed by somebody else"),
    ],
)
def test_the_reason_of_a_step(state: TableState, reason: str) -> None:
    assert step(plan([FEED], august(3, 4, 5), {FEED: state}), FEED).reason == reason


# --- what is left out -----------------------------------------------------------------------------


def lacks(asset: str, upstream: str) -> str:
    return (
        f"{asset} needs {upstream}, which is missing there and not selected: "
        f"select it too, for instance with '+{asset}'."
    )


def lost(asset: str, upstream: str) -> str:
    return f"{asset} needs {upstream}, which is missing there and left out of this plan itself."


def test_upstream_is_missing_and_not_selected() -> None:
    made = plan([CLEAN], august(3, 4), {FEED: there(august(4))})
    assert step(made, CLEAN).partitions == august(4)
    assert made.left_out == (LeftOut(CLEAN, august(3), lacks(CLEAN, FEED), lacking=True),)


def test_upstream_has_no_table_at_all() -> None:
    made = plan([CLEAN], august(3, 4))
    assert made == Plan((), (LeftOut(CLEAN, august(3, 4), lacks(CLEAN, FEED), lacking=True),))


def test_what_is_left_out_takes_what_needs_it_along_and_each_says_its_own_reason() -> None:
    made = plan([CLEAN, HOURS, DAILY, RUNS, PLACES], august(3, 4), {FEED: there(august(4))})
    assert {of.asset: of.partitions for of in made.steps} == {
        CLEAN: august(4), PLACES: NULL, HOURS: august(4), DAILY: august(4), RUNS: august(4)
    }  # fmt: skip
    assert made.left_out == (
        LeftOut(CLEAN, august(3), lacks(CLEAN, FEED), lacking=True),
        LeftOut(HOURS, august(3), lost(HOURS, CLEAN), lacking=True),
        LeftOut(RUNS, august(3), lost(RUNS, HOURS), lacking=True),
        LeftOut(DAILY, august(3), lost(DAILY, HOURS), lacking=True),
    )


def test_of_two_missing_upstreams_each_partition_names_one() -> None:
    made = plan([HOURS], august(3, 4), {CLEAN: there(august(3))})
    assert made.steps == ()
    assert made.left_out == (
        LeftOut(HOURS, august(4), lacks(HOURS, CLEAN), lacking=True),
        LeftOut(HOURS, august(3), lacks(HOURS, PLACES), lacking=True),
    )


def test_partitions_that_somebody_else_wrote_can_be_read() -> None:
    made = plan([CLEAN], august(3), {FEED: there(NOTHING, doubted=august(3))})
    assert (step(made, CLEAN).partitions, made.left_out) == (august(3), ())


def test_days_after_today_are_left_out() -> None:
    """Today itself is made; tomorrow is not, of any asset."""
    made = plan([FEED, CLEAN, PLACES], august(19, 20, 21, 22))
    reason = "These days lie after today (2025-08-20, UTC)."
    assert [(of.asset, of.partitions) for of in made.steps] == [
        (FEED, august(19, 20)), (PLACES, NULL), (CLEAN, august(19, 20))
    ]  # fmt: skip
    assert made.left_out == (
        LeftOut(FEED, august(21, 22), reason),
        LeftOut(CLEAN, august(21, 22), reason),
    )


def test_all_days_lie_after_today() -> None:
    made = plan([FEED], august(21), {FEED: there(august(21))})
    assert made == Plan((), (LeftOut(FEED, august(21), "These days lie after today (2025-08-20, UTC)."),))


# --- what may be rewritten ------------------------------------------------------------------------

BEFORE = august(*range(1, 15))


def test_the_run_that_reaches_the_range_and_the_day_after_may_be_rewritten() -> None:
    reaching = {6: LAST_HOUR, 7: ALL_DAY, 8: ALL_DAY, 9: ALL_DAY}
    made = plan([HOURS, RUNS], august(10, 11), everything(BEFORE), reaching)
    assert step(made, HOURS).may_rewrite == NOTHING
    runs = step(made, RUNS)
    assert (runs.partitions, runs.may_rewrite) == (august(10, 11), august(6, 7, 8, 9, 12))
    assert runs.all_partitions == august(6, 7, 8, 9, 10, 11, 12)
    assert runs.inputs == (Input(HOURS, 7, HOURS, august(*range(5, 13))),)
    assert runs.reason == "asked for: 2 there already; 5 around may come out otherwise"


def test_what_may_be_rewritten_reads_to_the_end_of_its_runs() -> None:
    made = plan([HOURS, RUNS], august(10), everything(BEFORE), {11: LAST_HOUR, 12: ALL_DAY})
    assert step(made, RUNS).may_rewrite == august(11)
    assert step(made, RUNS).inputs[0].partitions == august(*range(9, 14))


def test_only_existing_partitions_are_rewritten() -> None:
    tables = everything(BEFORE) | {RUNS: there(august(7, 10, 14))}
    reaching = {6: LAST_HOUR, 7: ALL_DAY, 8: ALL_DAY, 9: ALL_DAY}
    assert step(plan([HOURS, RUNS], august(10, 11), tables, reaching), RUNS).may_rewrite == august(7)
    tables = everything(BEFORE) | {RUNS: TableState()}
    assert step(plan([HOURS, RUNS], august(10, 11), tables, reaching), RUNS).may_rewrite == NOTHING


def test_only_what_has_its_upstream_is_rewritten() -> None:
    tables = everything(BEFORE) | {HOURS: there(august(9, 10))}
    made = plan([HOURS, RUNS], august(10), tables, {8: LAST_HOUR, 9: ALL_DAY})
    assert step(made, RUNS).may_rewrite == august(9)
    assert made.left_out == ()


def test_what_lacks_one_of_its_upstreams_is_not_rewritten_because_another_changed() -> None:
    """It would come out empty."""
    made = plan([PLACES, HOURS], NOTHING, everything(BEFORE) | {CLEAN: there(august(3))})
    assert step(made, HOURS).may_rewrite == august(3)


def test_nothing_is_rewritten_where_upstream_stays_as_it_is() -> None:
    made = plan([RUNS], august(10), everything(BEFORE), {9: ALL_DAY})
    assert step(made, RUNS).may_rewrite == NOTHING


def test_other_places_are_not_rewritten() -> None:
    made = plan([HOURS, RUNS], august(10), everything(BEFORE | at("hanoi", *range(1, 15))), {9: ALL_DAY})
    assert step(made, RUNS).may_rewrite == august(9, 11)


def test_a_new_table_that_all_partitions_read_may_rewrite_all_of_them() -> None:
    made = plan([PLACES, HOURS], august(10), everything(BEFORE))
    assert step(made, HOURS).may_rewrite == BEFORE - august(10)
    assert plan([PLACES], NOTHING, everything(BEFORE)).steps[0].asset == PLACES


def test_a_step_may_be_there_for_rewriting_alone() -> None:
    """Only the dimension is asked for, but what all its readers hold may come out otherwise."""
    made = plan([PLACES, HOURS, DAILY], NOTHING, everything(BEFORE))
    for asset in (HOURS, DAILY):
        assert (step(made, asset).partitions, step(made, asset).may_rewrite) == (NOTHING, BEFORE)
        assert step(made, asset).reason == "not asked for; 14 around may come out otherwise"


def test_what_reads_rewritten_partitions_may_be_rewritten_too() -> None:
    after = "gold.summary"
    catalog = Catalog([*LAKE, table(after, Identity(RUNS))])
    tables = everything(BEFORE) | {after: there(august(9, 10, 13))}
    made = plan([HOURS, RUNS, after], august(10), tables, {8: LAST_HOUR, 9: ALL_DAY}, catalog)
    assert step(made, RUNS).may_rewrite == august(8, 9, 11)
    assert (step(made, after).partitions, step(made, after).may_rewrite) == (august(10), august(9))


# --- order, form ----------------------------------------------------------------------------------


def test_a_diamond_is_planned_parents_first_and_once() -> None:
    diamond = Catalog(
        [
            table("gold.bottom", Identity("gold.left"), Identity("gold.right")),
            table("gold.right", Identity("gold.top")),
            table("gold.left", Identity("gold.top")),
            table("gold.top"),
        ]
    )
    made = plan(diamond.keys, august(3), catalog=diamond)
    assert [of.asset for of in made.steps] == ["gold.top", "gold.right", "gold.left", "gold.bottom"]
    assert step(made, "gold.bottom").upstream_steps == ("gold.left", "gold.right")


def test_planning_what_was_just_made_names_the_same_steps() -> None:
    first = plan(ALL, august(3, 4))
    again = plan(ALL, august(3, 4), everything(august(3, 4)))
    assert [(of.asset, of.partitions) for of in again.steps] == [
        (of.asset, of.partitions) for of in first.steps
    ]
    assert all(of.reason == "asked for: 2 there already" for of in again.steps if of.asset != PLACES)


def test_the_form_of_plan_json() -> None:
    """DESIGN, Commands."""
    tables = {
        FEED: there(august(10), 3),
        PLACES: there(NULL),
        HOURS: there(august(9)),
        RUNS: there(august(9)),
    }
    made = plan([CLEAN, HOURS, RUNS], august(10, 11), tables, {9: LAST_HOUR})
    assert json.loads(json.dumps(made.to_json())) == {
        "steps": [
            {
                "id": CLEAN,
                "asset": CLEAN,
                "partitions": ["2025-08-10/hue"],
                "may_rewrite": [],
                "inputs": [{"asset": FEED, "version": 3, "step": None, "partitions": "2025-08-10 × hue"}],
                "reason": "asked for: 1 missing",
            },
            {
                "id": HOURS,
                "asset": HOURS,
                "partitions": ["2025-08-10/hue"],
                "may_rewrite": [],
                "inputs": [
                    {"asset": CLEAN, "version": None, "step": CLEAN, "partitions": "2025-08-10 × hue"},
                    {"asset": PLACES, "version": 7, "step": None, "partitions": "null"},
                ],
                "reason": "asked for: 1 missing",
            },
            {
                "id": RUNS,
                "asset": RUNS,
                "partitions": ["2025-08-10/hue"],
                "may_rewrite": ["2025-08-09/hue"],
                "inputs": [
                    {
                        "asset": HOURS,
                        "version": 7,
                        "step": HOURS,
                        "partitions": "2025-08-08..2025-08-10 × hue",
                    }
                ],
                "reason": "asked for: 1 missing; 1 around may come out otherwise",
            },
        ],
        "left_out": [
            {"asset": CLEAN, "partitions": ["2025-08-11/hue"], "reason": lacks(CLEAN, FEED)},
            {"asset": HOURS, "partitions": ["2025-08-11/hue"], "reason": lost(HOURS, CLEAN)},
            {"asset": RUNS, "partitions": ["2025-08-11/hue"], "reason": lost(RUNS, HOURS)},
        ],
    }


# --- any graph state ------------------------------------------------------------------------------

keys = st.builds(
    PartitionKey,
    st.integers(17, 22).map(lambda number: date(2025, 8, number)),
    st.sampled_from(["hanoi", "hue"]),
)
key_sets = st.sets(keys).map(PartitionSet.from_keys)
dated_states = st.builds(
    lambda held, doubted, version: there(held, version, doubted), key_sets, key_sets, st.just(4)
)
states = st.fixed_dictionaries(
    {}, optional={key: st.just(there(NULL)) if key == PLACES else dated_states for key in LAKE.keys}
)


@quick
@given(
    st.sets(st.sampled_from(LAKE.keys)),
    key_sets,
    st.booleans(),
    states,
    st.dictionaries(st.integers(16, 23), st.sampled_from([ALL_DAY, LAST_HOUR, 1])),
)
def test_every_plan(
    selected: set[str],
    asked: PartitionSet,
    with_null: bool,
    tables: dict[str, TableState],
    flagged: dict[int, int],
) -> None:
    """Each asked partition ends up in one place; inputs are there or made before; nothing appears unasked."""
    made = plan(selected, asked | (NULL if with_null else NOTHING), tables, flagged)
    assert [of.asset for of in made.steps] == [key for key in LAKE.keys if made.step_of(key)]
    assert {of.asset for of in made.steps} | {item.asset for item in made.left_out} <= selected
    assert all(item.partitions and item.reason for item in made.left_out)
    for key in selected:
        ends_up = [of.partitions for of in made.steps if of.asset == key]
        ends_up += [item.partitions for item in made.left_out if item.asset == key]
        wanted = NULL if key == PLACES else asked
        assert sum(len(partitions) for partitions in ends_up) == len(wanted)
        assert PartitionSet.from_keys(one for partitions in ends_up for one in partitions) == wanted
    earlier: dict[str, Step] = {}
    for of in made.steps:
        assert of.all_partitions
        assert not of.partitions & of.may_rewrite
        assert not of.partitions - NULL - PartitionSet.of(Days.of(date.min, TODAY), ["hanoi", "hue"])
        state = tables.get(of.asset, TableState())
        assert of.may_rewrite <= state.present
        assert of.base_version == state.version
        assert len(of.inputs) == len(LAKE[of.asset].upstream)
        for item, mapping in zip(of.inputs, LAKE[of.asset].upstream, strict=True):
            upstream, maker = tables.get(item.asset, TableState()), earlier.get(item.asset)
            assert item.asset == mapping.of
            assert item.step == (maker.id if maker else None)
            made_here = maker.all_partitions if maker else NOTHING
            assert mapping.makeable(of.all_partitions, upstream.present | made_here) == of.all_partitions
            from_table = item.partitions & upstream.present - made_here
            assert item.version == (upstream.version if from_table or maker is None else None)
        earlier[of.asset] = of
