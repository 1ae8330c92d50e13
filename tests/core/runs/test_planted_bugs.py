"""Bugs in mappings, plans and freshness, planted into the core: the state machine finds each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from orchestration.core.declarations.asset import Asset
from orchestration.core.partitions import mappings
from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet
from orchestration.core.partitions.mappings import PartitionMapping, RunWindow
from orchestration.core.partitions.scheme import PartitionScheme
from orchestration.core.planning import planner
from orchestration.core.planning.plan import Input
from orchestration.core.state.freshness import Current, Judge, Judgement
from orchestration.core.state.provenance import ABSENT, PartitionRecord
from orchestration.core.state.table_state import TableState
from tests.support.machine import rows
from tests.support.machine.planted import Bugs, Plant, is_found, records_changed

bugs = Bugs()
NOTHING = PartitionSet.empty()


@bugs.bug
def freshness_by_table_version(patch: pytest.MonkeyPatch) -> None:
    """A partition is stale as soon as there is a new version of an upstream table."""
    consulted = TableState.consulted

    def by_version(state: TableState, key: PartitionKey, lacking: Any = None) -> str:
        return str(state.version) if key in state.present else consulted(state, key, lacking)

    patch.setattr(TableState, "consulted", by_version)
    patch.setattr(TableState, "holds", lambda state, key, recorded, lacking=None: recorded == by_version(state, key))


@bugs.bug
def a_fragment_on_the_day_after_the_range(patch: pytest.MonkeyPatch) -> None:
    """What changes on a day may change the episodes of the day after: those that went on there start there now."""

    def affected_by(window: RunWindow, changed: PartitionSet, existing: PartitionSet, flagged: Any) -> PartitionSet:
        reached = changed.without_null().map_days(
            lambda town, of: Days.union_of(
                Days.of(mappings._first_day_of_run(town, first, flagged), last) for first, last in of.pieces
            )
        )
        return reached & existing

    patch.setattr(RunWindow, "affected_by", affected_by)


@bugs.bug
def a_fingerprint_blind_to_the_column(patch: pytest.MonkeyPatch) -> None:
    """Nulls are left out of the hash, as Spark's own does: a value can move to the next column unseen."""
    patch.setattr(
        rows, "fingerprint", lambda rows: repr(sorted(([v for v in row if v is not None] for row in rows), key=repr))
    )


@bugs.bug
def a_plan_that_forgets_the_day_before(patch: pytest.MonkeyPatch) -> None:
    """The run that reaches a changed day starts on a day before it."""
    patch.setattr(mappings, "_first_day_of_run", lambda town, first, flagged: first)


@bugs.bug
def a_step_that_does_not_read_the_day_before(patch: pytest.MonkeyPatch) -> None:
    """Whether an episode starts at midnight is said by the hour before."""

    def upstream_of(window: RunWindow, partitions: PartitionSet, flagged: Any) -> PartitionSet:
        return partitions.map_days(
            lambda town, of: Days.union_of(
                Days.of(first, mappings._last_day_of_run(town, last, flagged)) for first, last in of.pieces
            )
        )

    patch.setattr(RunWindow, "upstream_of", upstream_of)


@bugs.bug
def a_record_that_forgets_the_day_before(patch: pytest.MonkeyPatch) -> None:
    """The day before is read, and not recorded."""
    consulted_by = RunWindow.consulted_by
    patch.setattr(
        RunWindow,
        "consulted_by",
        lambda window, key, flagged: PartitionSet.from_keys(
            one for one in consulted_by(window, key, flagged) if one.day >= key.day
        ),
    )


@bugs.bug
def a_step_that_does_not_follow_a_run_into_the_next_day(patch: pytest.MonkeyPatch) -> None:
    """An episode ends where its day ends."""
    patch.setattr(mappings, "_last_day_of_run", lambda town, last, flagged: last)


@bugs.bug
def absent_days_are_not_recorded(patch: pytest.MonkeyPatch) -> None:
    """What was not there when a partition was made is not missed when it comes."""

    def without_absent(record: PartitionRecord) -> PartitionRecord:
        there = {of: {key: fp for key, fp in seen.items() if fp != ABSENT} for of, seen in record.inputs.items()}
        return replace(record, inputs=there)

    records_changed(patch, without_absent)


def _ignore(patch: pytest.MonkeyPatch, reason: str) -> None:
    """Freshness without one of the reasons for being stale."""
    staleness = Judge._staleness

    def without(*arguments: Any) -> Iterator[Judgement]:
        return (judgement for judgement in staleness(*arguments) if reason not in judgement.reason)

    patch.setattr(Judge, "_staleness", without)


@bugs.bug
def the_code_version_does_not_count(patch: pytest.MonkeyPatch) -> None:
    """What old code made is called fresh."""
    _ignore(patch, "its code")


@bugs.bug
def the_contract_does_not_count(patch: pytest.MonkeyPatch) -> None:
    """What was checked by an old contract is called fresh."""
    _ignore(patch, "its contract")


@bugs.bug
def zero_rows_are_taken_for_missing(patch: pytest.MonkeyPatch) -> None:
    """A day that the provider withdrew is there, and empty."""
    patch.setattr(
        TableState,
        "present",
        property(
            lambda state: PartitionSet.from_keys(key for key, of in state.records.items() if of.rows) | state.unrecorded
        ),
    )


@bugs.bug
def what_others_changed_upstream_counts_as_recorded(patch: pytest.MonkeyPatch) -> None:
    """The last record of an upstream partition is believed, though somebody else changed its rows."""
    begin = Judge.__init__

    def trusting(judge: Judge, asset: Asset, tables: Mapping[str, TableState], current: Current) -> None:
        trusted = {of: replace(state, unrecorded=NOTHING) for of, state in tables.items() if of != asset.key}
        begin(judge, asset, {**tables, **trusted}, current)

    patch.setattr(Judge, "__init__", trusting)


@bugs.bug
def a_day_fetched_too_early_is_fresh_for_ever(patch: pytest.MonkeyPatch) -> None:
    """More of the day has passed since it was fetched."""
    patch.setattr(PartitionScheme, "more_has_passed", lambda scheme, key, as_of, now: False)


@bugs.rare_bug
def the_first_step_that_makes_a_partition_is_read(patch: pytest.MonkeyPatch) -> None:
    """Of two steps that make a partition, a step waits for the first, and may start before the second is done."""

    def inputs(planning: Any, mapping: PartitionMapping, partitions: PartitionSet) -> list[Input]:
        state = planning.tables.get(mapping.of, TableState())
        rest = mapping.upstream_of(partitions, planning._flagged(mapping))
        found = []
        for step in planning.steps:
            if step.asset == mapping.of and rest & step.all_partitions:
                found.append(Input(mapping.of, None, step.id, rest & step.all_partitions))
                rest = rest - step.all_partitions
        return [*found, Input(mapping.of, state.version, None, rest)] if rest else found

    patch.setattr(planner._Planning, "_inputs", inputs)


@bugs.bug
def a_step_that_waits_for_nothing(patch: pytest.MonkeyPatch) -> None:
    """The plan's steps start before those that make their inputs are done."""
    patch.setattr(planner.Step, "upstream_steps", property(lambda step: () if step.after is None else (step.after,)))


@pytest.mark.planted
@pytest.mark.parametrize("plant", bugs.cases())
def test_the_machine_finds(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    is_found(plant, monkeypatch)
