"""The planner: tiny named graphs × what storage holds × what is asked for.

``LAKE`` is the shape of the real one: feed → clean → hours → days, runs; places stands beside them. Tables are
*settled* unless a test says otherwise: every record holds what the upstream tables have, so every partition that is
there is fresh. ``changed`` then makes a table differ from what its readers recorded.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.declarations.asset import Asset, DailyByLocation
from orchestration.core.declarations.catalog import Catalog
from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet
from orchestration.core.partitions.mappings import (
    ALL_DAY,
    LAST_HOUR,
    AllPartitions,
    FlaggedHours,
    Identity,
    PartitionMapping,
    RunWindow,
    nothing_flagged,
)
from orchestration.core.planning import planner
from orchestration.core.planning.planner import Chunk, Input, LeftOut, Plan, Request, Step, make_plan
from orchestration.core.runs.outcome import union
from orchestration.core.state.freshness import Current, judge
from orchestration.core.state.provenance import PartitionRecord, TableState

quick = settings(max_examples=60, deadline=None)

FEED, CLEAN, PLACES = "bronze.feed", "silver.clean", "gold.places"
HOURS, DAILY, RUNS, SUMMARY = "gold.hours", "gold.days", "gold.runs", "gold.summary"
WINDOW = RunWindow(HOURS, column="aqi", at_least="episode_rule.threshold")
NOTHING, NULL = PartitionSet.empty(), PartitionSet.null()
TODAY = date(2025, 8, 20)
NOW = datetime(2025, 8, 20, 10, 30, tzinfo=UTC)
Tables = Mapping[str, TableState]


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
WITH_SUMMARY = Catalog([*LAKE, table(SUMMARY, Identity(RUNS))])
ALL = frozenset(LAKE.keys)
CURRENT = Current(lambda _asset, _place: "code", dict.fromkeys(WITH_SUMMARY.keys, "contract"), NOW)


def at(place: str, *numbers: int) -> PartitionSet:
    """Days of August 2025 (0 is the last of July) at ``place``."""
    days = (date(2025, 7, 31) + timedelta(days=number) for number in numbers)
    return PartitionSet.from_keys(PartitionKey(day, place) for day in days)


def august(*numbers: int) -> PartitionSet:
    return at("hue", *numbers)


def there(partitions: PartitionSet, version: int = 7, doubted: PartitionSet = NOTHING) -> TableState:
    """A table with records of ``partitions``; what they were made from is filled in by ``settled``."""
    record = PartitionRecord(1, "f", {}, "code", "contract")
    return TableState(version, dict.fromkeys(partitions, record), doubted)


def everything(partitions: PartitionSet, keys: Iterable[str] = ALL) -> dict[str, TableState]:
    return {key: there(NULL if key == PLACES else partitions) for key in keys}


def flagged_on(masks: Mapping[int, int]) -> FlaggedHours:
    days = {date(2025, 7, 31) + timedelta(days=number): mask for number, mask in masks.items()}
    return lambda place, day: days.get(day, 0) if place == "hue" else 0


def settled(tables: Tables, flagged: Mapping[int, int] | None = None, catalog: Catalog = LAKE) -> dict[str, TableState]:
    """``tables`` with records that hold the fingerprints of the upstream partitions that each depends on."""
    flags = flagged_on(flagged or {})

    def made_from(asset: Asset, key: PartitionKey) -> dict[str, dict[str, str]]:
        return {
            mapping.of: {
                str(one): tables.get(mapping.of, TableState()).fingerprint(one)
                for one in mapping.consulted_by(key, flags if isinstance(mapping, RunWindow) else nothing_flagged)
            }
            for mapping in asset.upstream
        }

    return {
        name: replace(
            state,
            records={
                key: replace(record, inputs=made_from(catalog[name], key)) for key, record in state.records.items()
            },
        )
        for name, state in tables.items()
    }


def changed(tables: Tables, asset: str, partitions: PartitionSet = NULL, **facts: str) -> dict[str, TableState]:
    """``tables`` with other ``facts`` of some partitions of ``asset``; another fingerprint, unless others are named."""
    facts = facts or {"fingerprint": "g"}
    state = tables[asset]
    assert partitions <= state.present
    records = {key: replace(state.records[key], **facts) for key in partitions}
    return {**tables, asset: replace(state, records={**state.records, **records})}


def plan(
    assets: Iterable[str],
    asked: PartitionSet,
    tables: Tables | None = None,
    flagged: Mapping[int, int] | None = None,
    catalog: Catalog = LAKE,
    *,
    force: bool = False,
    repair: bool = False,
    chunks: Sequence[Chunk] = (),
) -> Plan:
    flags = flagged_on(flagged or {})
    request = Request(frozenset(assets), asked, NOW, force, tuple(chunks), repair)
    return make_plan(catalog, request, tables or {}, CURRENT, lambda _window, _state: flags)


def step(made: Plan, asset: str) -> Step:
    found = made.steps_of(asset)
    assert len(found) == 1, f"{len(found)} steps for {asset}"
    return found[0]


def read(of: Step) -> PartitionSet:
    """All that a step may read."""
    return union(item.partitions for item in of.inputs)


# --- what becomes a step --------------------------------------------------------------------------


def test_everything_is_missing_and_selected() -> None:
    made = plan(ALL, august(3, 4))
    assert made.left_out == ()
    assert [of.asset for of in made.steps] == [FEED, PLACES, CLEAN, HOURS, RUNS, DAILY]
    for of in made.steps:
        assert of.id == of.asset
        assert of.partitions == (NULL if of.asset == PLACES else august(3, 4))
        assert (of.may_rewrite, of.base_version, of.after, of.chunk) == (NOTHING, None, None, "")
        assert not of.force
        assert not of.verify
    assert step(made, FEED).inputs == ()
    assert step(made, CLEAN).inputs == (Input(FEED, None, FEED, august(3, 4)),)
    assert step(made, HOURS).inputs == (
        Input(CLEAN, None, CLEAN, august(3, 4)),
        Input(PLACES, None, PLACES, NULL),
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
            inputs=(Input(CLEAN, 11, None, august(4)), Input(PLACES, 7, None, NULL)),
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
    made = plan([FEED, HOURS], august(3, 4), settled({CLEAN: there(august(3), 5), PLACES: there(NULL, 2)}))
    assert [of.asset for of in made.steps] == [FEED, HOURS]
    assert step(made, HOURS).partitions == august(3)
    assert step(made, HOURS).inputs == (Input(CLEAN, 5, None, august(3)), Input(PLACES, 2, None, NULL))
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
        made = plan([PLACES], asked)
        assert [(of.asset, of.partitions, of.reason) for of in made.steps] == [(PLACES, NULL, "1 missing")]
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
        (there(august(3, 4), doubted=august(5)), "1 changed by somebody else"),
        (there(august(3, 4), doubted=august(4)), "1 changed by somebody else, 1 missing"),
        (there(NOTHING, doubted=august(5)), "2 missing, 1 changed by somebody else"),
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
    tables = changed(tables, PLACES, code="another")
    made = plan([PLACES, HOURS], august(3, 4), tables)
    assert step(made, HOURS).partitions == august(3, 4)
    assert step(made, HOURS).reason == ("1 stale (silver.clean changed), 1 fresh unless an upstream step changes them")


# --- what is left out -----------------------------------------------------------------------------


def lacks(asset: str, upstream: str) -> str:
    return (
        f"{asset} needs {upstream}, which is missing there and not selected: "
        f"select it too, for instance with '+{asset}'."
    )


def lost(asset: str, upstream: str) -> str:
    return f"{asset} needs {upstream}, which is missing there and left out of this plan itself."


def doubts(asset: str, upstream: str) -> str:
    return (
        f"{asset} needs {upstream}, which somebody else changed there: "
        f"`aqi repair {upstream}` compares and mends it, or select it too, for instance with '+{asset}'."
    )


def test_upstream_is_missing_and_not_selected() -> None:
    made = plan([CLEAN], august(3, 4), {FEED: there(august(4))})
    assert step(made, CLEAN).partitions == august(4)
    assert made.left_out == (LeftOut(CLEAN, august(3), lacks(CLEAN, FEED), lacking=True),)


def test_upstream_has_no_table_at_all() -> None:
    made = plan([CLEAN], august(3, 4))
    assert made == Plan((), (LeftOut(CLEAN, august(3, 4), lacks(CLEAN, FEED), lacking=True),))


def test_what_is_fresh_is_not_left_out_although_it_could_not_be_made_again() -> None:
    """It holds what its upstream holds: nothing."""
    assert plan([CLEAN], august(3), settled({CLEAN: there(august(3))})) == Plan((), ())


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


def test_partitions_that_somebody_else_changed_cannot_be_built_upon() -> None:
    """Neither those that were ours before (3) nor those that were not (4); what is missing (5) says so."""
    tables = settled({FEED: there(august(3, 6), doubted=august(3, 4)), CLEAN: there(august(3))})
    made = plan([CLEAN], august(3, 4, 5, 6), tables)
    assert step(made, CLEAN).partitions == august(6)
    assert made.left_out == (
        LeftOut(CLEAN, august(3, 4), doubts(CLEAN, FEED), lacking=True),
        LeftOut(CLEAN, august(5), lacks(CLEAN, FEED), lacking=True),
    )


def test_an_unpartitioned_table_that_somebody_else_changed_cannot_be_built_upon() -> None:
    tables = settled({CLEAN: there(august(3)), PLACES: there(NULL, doubted=NULL)})
    made = plan([HOURS], august(3), tables)
    assert made == Plan((), (LeftOut(HOURS, august(3), doubts(HOURS, PLACES), lacking=True),))


def test_partitions_that_somebody_else_changed_are_made_anew_in_the_plan_and_built_upon() -> None:
    made = plan([FEED, CLEAN], august(3), settled({FEED: there(august(3), doubted=august(3))}))
    assert step(made, FEED).reason == "1 changed by somebody else"
    assert step(made, CLEAN).inputs == (Input(FEED, None, FEED, august(3)),)
    assert made.left_out == ()


def test_what_somebody_else_changed_is_not_rewritten_from() -> None:
    """PLACES is made anew; of the days that read it, day 4 has an upstream that cannot be trusted."""
    tables = settled(everything(august(3, 4)) | {CLEAN: there(august(3, 4), doubted=august(4))})
    made = plan([PLACES, HOURS], NOTHING, changed(tables, PLACES, code="another"))
    assert step(made, HOURS).may_rewrite == august(3)
    assert made.left_out == ()


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
    assert not any(item.lacking for item in made.left_out)


def test_all_days_lie_after_today() -> None:
    for force in (False, True):
        made = plan([FEED], august(21), {FEED: there(august(21))}, force=force)
        assert made == Plan((), (LeftOut(FEED, august(21), "These days lie after today (2025-08-20, UTC)."),))


# --- what may be rewritten ------------------------------------------------------------------------

BEFORE = august(*range(1, 15))


def with_news(*days: int, flagged: Mapping[int, int] | None = None, **tables: TableState) -> dict[str, TableState]:
    """All days of BEFORE everywhere, or ``tables`` by the end of their keys; then CLEAN changed on ``days``."""
    others = {next(key for key in ALL if key.endswith(f".{name}")): state for name, state in tables.items()}
    return changed(settled(everything(BEFORE) | others, flagged), CLEAN, august(*days))


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

    make_plan(LAKE, Request(ALL, august(10), NOW), tables, CURRENT, flags_of)
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


def places_anew(**tables: TableState) -> dict[str, TableState]:
    """All days of BEFORE everywhere, all fresh, apart from PLACES."""
    return changed(with_news(**tables), PLACES, code="another")


def test_what_lacks_one_of_its_upstreams_is_not_rewritten_because_another_changed() -> None:
    """It would come out empty."""
    made = plan([PLACES, HOURS], NOTHING, places_anew(clean=there(august(3))))
    assert step(made, HOURS).may_rewrite == august(3)


def test_nothing_is_rewritten_where_upstream_stays_as_it_is() -> None:
    made = plan([RUNS], august(10), with_news(runs=there(BEFORE - august(10)), flagged={9: ALL_DAY}), {9: ALL_DAY})
    assert (step(made, RUNS).partitions, step(made, RUNS).may_rewrite) == (august(10), NOTHING)


def test_nothing_is_rewritten_for_what_the_selection_leaves_out() -> None:
    """CLEAN changed on day 10 and HOURS is stale there, but is not selected: RUNS has nothing to do."""
    assert plan([RUNS, DAILY], BEFORE, with_news(10)) == Plan((), ())


def test_other_places_are_not_rewritten() -> None:
    flagged = {9: ALL_DAY}
    both = settled(everything(BEFORE | at("hanoi", *range(1, 15))), flagged)
    made = plan([HOURS, RUNS], august(10), changed(both, CLEAN, august(10)), flagged)
    assert step(made, RUNS).may_rewrite == august(9, 11)


def test_a_new_table_that_all_partitions_read_may_rewrite_all_of_them() -> None:
    tables = settled({key: state for key, state in everything(BEFORE).items() if key != PLACES})
    made = plan([PLACES, HOURS], august(10), tables)
    assert [of.asset for of in made.steps] == [PLACES, HOURS]
    assert (step(made, HOURS).partitions, step(made, HOURS).may_rewrite) == (august(10), BEFORE - august(10))


def test_a_step_may_be_there_for_rewriting_alone() -> None:
    """Only the dimension is asked for, but what all its readers hold may come out otherwise."""
    made = plan([PLACES, HOURS, DAILY], NOTHING, places_anew())
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


# --- force ----------------------------------------------------------------------------------------


def test_forced_partitions_are_made_although_they_are_fresh() -> None:
    made = plan([FEED, CLEAN], august(3, 4), settled(everything(BEFORE)), force=True)
    for asset in (FEED, CLEAN):
        assert (step(made, asset).partitions, step(made, asset).reason) == (august(3, 4), "2 forced")
        assert step(made, asset).force
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
    assert made.left_out == (LeftOut(CLEAN, august(3), lacks(CLEAN, FEED), lacking=True),)


# --- repair ---------------------------------------------------------------------------------------


def test_repair_is_for_what_somebody_else_changed_alone() -> None:
    """Missing, stale and fresh partitions are left as they are, and what is downstream too."""
    tables = settled(everything(august(3, 4, 5, 6)) | {CLEAN: there(august(3, 4, 5), doubted=august(4))})
    tables = changed(tables, FEED, august(5))
    made = plan(ALL, august(3, 4, 5, 6), tables, repair=True)
    assert [(of.asset, of.partitions, of.may_rewrite) for of in made.steps] == [(CLEAN, august(4), NOTHING)]
    assert step(made, CLEAN).reason == "1 changed by somebody else"
    assert step(made, CLEAN).verify
    assert not step(made, CLEAN).force
    assert made.left_out == ()


def test_repair_keeps_to_what_is_asked_for() -> None:
    tables = settled(everything(august(3, 4)) | {CLEAN: there(august(3, 4), doubted=august(3, 4))})
    assert step(plan([CLEAN], august(4), tables, repair=True), CLEAN).partitions == august(4)
    assert plan([CLEAN], august(5), tables, repair=True) == Plan((), ())
    assert plan([FEED], august(4), tables, repair=True) == Plan((), ())


def test_repair_of_an_unpartitioned_table() -> None:
    tables = settled(everything(august(3)) | {PLACES: there(NULL, doubted=NULL)})
    made = plan(ALL, august(3), tables, repair=True)
    assert [(of.asset, of.partitions) for of in made.steps] == [(PLACES, NULL)]


def test_repair_goes_from_upstream_to_downstream() -> None:
    """Both are doubted: the one is mended first and then built upon."""
    both = {CLEAN: there(august(3), doubted=august(3)), HOURS: there(august(3), doubted=august(3))}
    tables = settled(everything(august(3)) | both)
    made = plan([CLEAN, HOURS], august(3), tables, repair=True)
    assert [(of.asset, of.upstream_steps) for of in made.steps] == [(CLEAN, ()), (HOURS, (CLEAN,))]
    alone = plan([HOURS], august(3), tables, repair=True)
    assert alone == Plan((), (LeftOut(HOURS, august(3), doubts(HOURS, CLEAN), lacking=True),))


# --- chunks ---------------------------------------------------------------------------------------


def chunks_of(*days: Iterable[int], places: Sequence[str] = ("hue",)) -> list[Chunk]:
    """Chunks named c1, c2, … of days of August."""
    return [
        Chunk(f"c{number}", union(at(place, *numbers) for place in places)) for number, numbers in enumerate(days, 1)
    ]


def days_as_chunks(asked: PartitionSet) -> list[Chunk]:
    """A chunk per day of ``asked``."""
    return [Chunk(str(day), asked.restrict(days=Days.of(day))) for day in asked.days]


def in_chunks(
    assets: Iterable[str],
    chunks: Sequence[Chunk],
    tables: Tables | None = None,
    flagged: Mapping[int, int] | None = None,
    catalog: Catalog = LAKE,
    *,
    batch: int | None = None,
    force: bool = False,
) -> Plan:
    """The plan of a backfill. batch: as many partitions at the most go through one step."""
    asked = union(chunk.partitions for chunk in chunks)
    with pytest.MonkeyPatch.context() as patch:
        if batch is not None:
            patch.setattr(planner, "BATCH_PARTITIONS", batch)
        return plan(assets, asked, tables, flagged, catalog, chunks=chunks, force=force)


def test_a_step_per_chunk_for_what_is_fetched_and_the_rest_once() -> None:
    made = in_chunks(ALL, chunks_of([1, 2], [3, 4], [5]))
    assert [(of.id, of.asset, of.partitions, of.after, of.chunk) for of in made.steps] == [
        ("bronze.feed#c1", FEED, august(1, 2), None, "c1"),
        ("bronze.feed#c2", FEED, august(3, 4), None, "c2"),
        ("bronze.feed#c3", FEED, august(5), None, "c3"),
        (PLACES, PLACES, NULL, None, ""),
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
    made = in_chunks(ALL, chunks_of([1, 2], [3, 4], [5]), settled({FEED: there(august(1, 2)), PLACES: there(NULL)}))
    assert [(of.id, of.after) for of in made.steps_of(FEED)] == [
        ("bronze.feed#c2", None), ("bronze.feed#c3", None)
    ]  # fmt: skip
    assert step(made, CLEAN).inputs == (
        Input(FEED, None, "bronze.feed#c2", august(3, 4)),
        Input(FEED, None, "bronze.feed#c3", august(5)),
        Input(FEED, 7, None, august(1, 2)),
    )
    assert made.steps_of(PLACES) == ()


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
    assert [(of.id, of.partitions, of.reason, of.force) for of in made.steps] == [
        ("bronze.feed#c1", august(1, 2), "2 forced", True),
        ("bronze.feed#c2", august(3), "1 forced", True),
        (CLEAN, august(1, 2, 3), "3 forced", True),
    ]


def test_days_of_chunks_after_today_are_left_out_once() -> None:
    made = in_chunks([FEED], chunks_of([19, 20], [21, 22], [23]))
    assert [of.id for of in made.steps] == ["bronze.feed#c1"]
    assert made.left_out == (LeftOut(FEED, august(21, 22, 23), "These days lie after today (2025-08-20, UTC)."),)


def test_what_lacks_its_upstream_in_several_batches_is_left_out_once() -> None:
    made = in_chunks([CLEAN], chunks_of([1], [2], [3]), {FEED: there(august(2))}, batch=1)
    assert [(of.id, of.partitions) for of in made.steps] == [("silver.clean#c2..c2", august(2))]
    assert made.left_out == (LeftOut(CLEAN, august(1, 3), lacks(CLEAN, FEED), lacking=True),)


@pytest.mark.parametrize(
    ("batch", "sizes"),
    [(100, [4]), (9, [4]), (8, [3, 1]), (6, [3, 1]), (5, [2, 2]), (4, [2, 1, 1]), (3, [1, 1, 1, 1]), (1, [1, 1, 1, 1])],
)
def test_chunks_go_together_as_long_as_one_step_can_bear_them(batch: int, sizes: list[int]) -> None:
    """Chunks of 1, 3, 2 and 3 partitions: a batch may be just full, and a chunk that is too large goes alone."""
    chunks = chunks_of([1], [2, 3, 4], [5, 6], [7, 8, 9])
    expected, start = [], 0
    for size in sizes:
        expected.append(union(chunk.partitions for chunk in chunks[start : start + size]))
        start += size
    made = in_chunks([FEED, CLEAN], chunks, batch=batch)
    assert [of.partitions for of in made.steps_of(CLEAN)] == expected


def test_places_count_when_chunks_are_put_together() -> None:
    """Two places and two days are four partitions."""
    chunks = chunks_of([1, 2], [3, 4], places=("hanoi", "hue"))
    assert len(in_chunks([FEED, CLEAN], chunks, batch=8).steps_of(CLEAN)) == 1
    assert len(in_chunks([FEED, CLEAN], chunks, batch=7).steps_of(CLEAN)) == 2


def test_several_batches() -> None:
    """Two batches of two chunks: each asset has a step per batch, fetched ones per chunk, unpartitioned ones one."""
    made = in_chunks(ALL, chunks_of([1, 2], [3, 4], [5, 6], [7, 8]), batch=4)
    assert [(of.id, of.partitions, of.may_rewrite, of.after, of.chunk) for of in made.steps] == [
        ("bronze.feed#c1", august(1, 2), NOTHING, None, "c1"),
        ("bronze.feed#c2", august(3, 4), NOTHING, None, "c2"),
        (PLACES, NULL, NOTHING, None, ""),
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
        Input(PLACES, None, PLACES, NULL),
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
    made = in_chunks([PLACES, HOURS], chunks_of([3], [5], [7]), places_anew(), batch=1)
    assert [(of.id, of.partitions, of.may_rewrite) for of in made.steps] == [
        (PLACES, NULL, NOTHING),
        ("gold.hours#c1..c1", august(3), BEFORE - august(3)),
    ]


def test_of_two_steps_that_make_a_partition_the_later_one_is_waited_for() -> None:
    """PLACES changed: the first batch makes day 5 of HOURS anew, the second one once more, as CLEAN changes there."""
    tables = settled({PLACES: there(NULL), CLEAN: there(august(5)), HOURS: there(august(5))})
    tables = changed(tables, PLACES, code="another")
    made = in_chunks([FEED, CLEAN, PLACES, HOURS, RUNS], chunks_of([3], [5]), tables, batch=1)
    assert [(of.id, of.partitions, of.may_rewrite) for of in made.steps_of(HOURS)] == [
        ("gold.hours#c1..c1", august(3), august(5)),
        ("gold.hours#c2..c2", august(5), NOTHING),
    ]
    assert "gold.hours#c2..c2" in made.steps_of(RUNS)[-1].upstream_steps


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
    current = replace(CURRENT, contracts=dict.fromkeys(diamond.keys, "contract"))
    made = make_plan(diamond, Request(frozenset(diamond.keys), august(3), NOW), {}, current)
    assert [of.asset for of in made.steps] == ["gold.top", "gold.right", "gold.left", "gold.bottom"]
    assert step(made, "gold.bottom").upstream_steps == ("gold.left", "gold.right")


def test_the_form_of_plan_json() -> None:
    """DESIGN, Commands."""
    tables = {FEED: there(august(10), 3), PLACES: there(NULL), HOURS: there(august(9)), RUNS: there(august(9))}
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
                    {"asset": PLACES, "version": 7, "step": None, "partitions": "null"},
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


# --- any graph state ------------------------------------------------------------------------------

NUMBERS = range(17, 23)
keys = st.builds(
    PartitionKey,
    st.sampled_from(NUMBERS).map(lambda number: date(2025, 8, number)),
    st.sampled_from(["hanoi", "hue"]),
)
key_sets = st.sets(keys).map(PartitionSet.from_keys)
dated_states = st.builds(lambda held, doubted, version: there(held, version, doubted), key_sets, key_sets, st.just(4))
null_states = st.sampled_from([there(NULL), there(NULL, doubted=NULL), there(NOTHING)])
states = st.fixed_dictionaries(
    {}, optional={key: null_states if key == PLACES else dated_states for key in WITH_SUMMARY.keys}
)
news = st.fixed_dictionaries({}, optional={key: st.just(NULL) if key == PLACES else key_sets for key in ALL})
masks = st.dictionaries(st.integers(16, 23), st.sampled_from([ALL_DAY, LAST_HOUR, 1]))


@st.composite
def cut(draw: st.DrawFn, asked: PartitionSet) -> list[Chunk]:
    """``asked`` in chunks of some days each; or in none, which is no backfill."""
    if not asked or draw(st.booleans()):
        return []
    days = sorted(asked.days)
    ends = sorted({*draw(st.sets(st.sampled_from(days))), days[-1]})
    starts = [days[0], *(end + timedelta(days=1) for end in ends[:-1])]
    pieces = [asked.restrict(days=Days.of(first, last)) for first, last in zip(starts, ends, strict=True)]
    return [Chunk(f"c{number}", piece) for number, piece in enumerate(pieces, 1)]


@quick
@given(
    st.data(),
    st.sets(st.sampled_from(WITH_SUMMARY.keys)),
    key_sets,
    states,
    news,
    masks,
    st.integers(1, 6),
    st.booleans(),
)
def test_every_plan(
    data: st.DataObject,
    selected: set[str],
    asked: PartitionSet,
    tables: dict[str, TableState],
    differences: dict[str, PartitionSet],
    flagged: dict[int, int],
    batch: int,
    force: bool,
) -> None:
    """Each asked partition is fresh, in one step, or left out; inputs are there or made before; nothing is unasked."""
    tables = settled(tables, flagged, WITH_SUMMARY)
    for key in tables.keys() & differences.keys():
        tables = changed(tables, key, differences[key] & PartitionSet.from_keys(tables[key].records))
    chunks = data.draw(cut(asked))
    if chunks:
        made = in_chunks(selected, chunks, tables, flagged, WITH_SUMMARY, batch=batch, force=force)
    else:
        made = plan(selected, asked, tables, flagged, WITH_SUMMARY, force=force)
    assert {of.asset for of in made.steps} | {item.asset for item in made.left_out} <= selected
    assert all(item.partitions and item.reason for item in made.left_out)
    ids = [of.id for of in made.steps]
    assert len(ids) == len(set(ids))
    for key in selected:
        steps = made.steps_of(key)
        if WITH_SUMMARY[key].source is None:  # chunks never make the same partition: they need not wait for each other
            assert [of.after for of in steps] == [None, *(of.id for of in steps)][: len(steps)]
        ends_up = [of.partitions for of in steps]
        ends_up += [item.partitions for item in made.left_out if item.asset == key]
        found = union(ends_up)
        assert sum(len(partitions) for partitions in ends_up) == len(found)
        wanted = NULL if key == PLACES else asked
        assert found <= wanted
        if force:
            assert found == wanted
        assert all(judge(WITH_SUMMARY[key], one, tables, CURRENT).fresh for one in wanted - found)
    until_today = PartitionSet.of(Days.of(date.min, TODAY), ["hanoi", "hue"])
    made_of: dict[str, PartitionSet] = {}
    for number, of in enumerate(made.steps):
        assert of.all_partitions
        assert not of.partitions & of.may_rewrite
        assert not of.partitions - NULL - until_today
        assert set(of.upstream_steps) <= set(ids[:number])
        state = tables.get(of.asset, TableState())
        assert of.may_rewrite <= state.present | made_of.get(of.asset, NOTHING)
        assert of.base_version == state.version
        assert {item.asset for item in of.inputs} == set(WITH_SUMMARY[of.asset].upstream_keys)
        for mapping in WITH_SUMMARY[of.asset].upstream:
            check_inputs(of, mapping, tables, made_of.get(mapping.of, NOTHING), made)
        made_of[of.asset] = made_of.get(of.asset, NOTHING) | of.all_partitions
    for key in selected:
        check_downstream(WITH_SUMMARY[key], tables, made_of, made)


def check_inputs(of: Step, mapping: PartitionMapping, tables: Tables, made: PartitionSet, whole: Plan) -> None:
    """A step reads each upstream partition once, from the steps that make it, else from the table; none is doubted."""
    state = tables.get(mapping.of, TableState())
    inputs = [item for item in of.inputs if item.asset == mapping.of]
    for one, other in pairwise(inputs):
        assert one.step is not None, "tables stand behind the steps"
        assert not one.partitions & other.partitions
    for item in inputs:
        if item.step is None:
            assert item.version == state.version
            assert not item.partitions & made
        else:
            assert item.version is None
            assert item.partitions <= next(one for one in whole.steps if one.id == item.step).all_partitions
    trusted = (state.present - state.unrecorded) | made
    assert mapping.makeable(of.all_partitions, trusted) == of.all_partitions
    needed = mapping.upstream_of(of.all_partitions, nothing_flagged)
    assert needed & (state.present | made) <= union(item.partitions for item in inputs)


def check_downstream(asset: Asset, tables: Tables, made: Mapping[str, PartitionSet], whole: Plan) -> None:
    """What was made from partitions that the plan makes is in a step too, unless it cannot be made."""
    state = tables.get(asset.key, TableState())
    done = made.get(asset.key, NOTHING)
    done |= union(item.partitions for item in whole.left_out if item.asset == asset.key)
    for key, record in state.records.items():
        consulted = {of: PartitionSet.from_keys(map(PartitionKey.parse, texts)) for of, texts in record.inputs.items()}
        if key in done or not any(partitions & made.get(of, NOTHING) for of, partitions in consulted.items()):
            continue
        one = PartitionSet.from_keys([key])
        upstream = {of: tables.get(of, TableState()) for of in asset.upstream_keys}
        trusted = {of: (up.present - up.unrecorded) | made.get(of, NOTHING) for of, up in upstream.items()}
        assert any(mapping.makeable(one, trusted[mapping.of]) != one for mapping in asset.upstream), key
