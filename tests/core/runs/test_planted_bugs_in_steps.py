"""Bugs in the order of a step and in its commit, planted into ``core.runs``: the state machine finds each."""

from __future__ import annotations

from collections import ChainMap
from dataclasses import replace
from typing import Any

import pytest

from orchestration.core.declarations.asset import Asset
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.planning.plan import Step
from orchestration.core.runs import decisions
from orchestration.core.runs.decisions import Change
from orchestration.core.runs.step import Steps
from orchestration.core.state.provenance import PartitionRecord
from orchestration.core.state.table_state import TableState
from tests.support.machine.planted import Bugs, Plant, around, in_part, is_found
from tests.support.machine.storage import Storage

bugs = Bugs()
NOTHING = PartitionSet.empty()


@bugs.bug
def provenance_apart_from_data(patch: pytest.MonkeyPatch) -> None:
    """Two commits, first what is said and then the rows: a crash between them leaves old rows with new provenance."""

    def in_two(whole: Any, run: Steps[Any], asset: Asset, made: Any, change: Change) -> None:
        whole(run, asset, made, replace(change, replaced=NOTHING))
        run._look(asset)
        whole(run, asset, made, change)

    around(patch, Steps, "_propose", in_two)


@bugs.bug
def a_change_that_trusts_what_others_changed(patch: pytest.MonkeyPatch) -> None:
    """Rows that somebody else changed are taken for those that were recorded, and left as they are."""

    def trusting(whole: Any, records: Any, state: TableState) -> Change:
        return whole(records, replace(state, unrecorded=NOTHING))

    in_part(patch, decisions, "change_of", trusting)


@bugs.bug
def a_retry_that_commits_its_old_change(patch: pytest.MonkeyPatch) -> None:
    """Another run came first; what has to be replaced was decided before it."""

    def stubborn(whole: Any, run: Steps[Any], asset: Asset, made: Any, change: Change) -> Any:
        while len(ours := whole(run, asset, made, change)) < len(change.changed_records):
            pass
        return ours

    around(patch, Steps, "_try_commit", stubborn)


@bugs.rare_bug
def a_record_of_rows_that_were_not_read(patch: pytest.MonkeyPatch) -> None:
    """Steps of a run go on at once, and a step records its upstream tables as they are when it commits."""

    def live(whole: Any, run: Steps[Any], step: Step, asset: Asset, needed: Any, view: Any, *more: Any) -> Any:
        return whole(run, step, asset, needed, ChainMap({asset.key: view[asset.key]}, run.tables), *more)

    around(patch, Steps, "_make_and_commit", live)


@bugs.rare_bug
def dependants_of_what_failed_are_made(patch: pytest.MonkeyPatch) -> None:
    """A partition is made although what it is made from is not there."""
    patch.setattr(decisions, "skipped", lambda *arguments: ())


@bugs.rare_bug
def a_commit_that_is_never_refused(patch: pytest.MonkeyPatch) -> None:
    """Another run's commit in between is overlooked: what was to be kept is recorded, and is not there any more."""
    patch.setattr(Storage, "_overtaken", lambda storage, proposal: False)


@bugs.bug
def a_step_that_makes_what_is_fresh(patch: pytest.MonkeyPatch) -> None:
    """All that the plan named is made, also what did not become stale after all."""
    patch.setattr(decisions, "to_make", lambda step, asset, partitions, tables, current: partitions)


@bugs.bug
def a_step_that_makes_what_it_adopted(patch: pytest.MonkeyPatch) -> None:
    """What is adopted is made again."""

    def forgetful(whole: Any, *arguments: Any) -> PartitionSet:
        whole(*arguments)
        return NOTHING

    around(patch, Steps, "_adopt", forgetful)


@bugs.bug
def whatever_is_there_is_adopted(patch: pytest.MonkeyPatch) -> None:
    """Rows that somebody else changed are recorded as what they were before."""

    def unseen(partitions: PartitionSet, facts: Any, state: TableState) -> dict[PartitionKey, PartitionRecord]:
        return {key: state.records[key] for key in partitions & state.unrecorded if key in state.records}

    patch.setattr(decisions, "adoptable", unseen)


@bugs.rare_bug
def a_fetch_that_failed_is_passed_over(patch: pytest.MonkeyPatch) -> None:
    """What was not brought is not made, and nobody is told."""
    patch.setattr(decisions, "not_fetched", lambda *arguments: ())


@bugs.rare_bug
def a_broken_check_is_published(patch: pytest.MonkeyPatch) -> None:
    """Partitions that break a blocking check are committed with the others."""
    patch.setattr(decisions, "broken", lambda *arguments: ())


@bugs.bug
def rows_that_went_astray_are_passed_over(patch: pytest.MonkeyPatch) -> None:
    """Rows of partitions that were not asked for are left out, and nobody is told."""
    patch.setattr(decisions, "astray", lambda *arguments: NOTHING)


@bugs.rare_bug
def what_was_fetched_is_changed(patch: pytest.MonkeyPatch) -> None:
    """Stored rows that come out of their function otherwise are published."""

    def unseen(whole: Any, run: Any, asset: Any, made: Any, needed: Any, stored: PartitionSet, own: Any) -> Any:
        return whole(run, asset, made, needed, NOTHING, own)

    around(patch, Steps, "_checked", unseen)


@bugs.bug
def equal_rows_are_written_again(patch: pytest.MonkeyPatch) -> None:
    """Whatever is recorded anew is written anew."""
    patch.setattr(PartitionRecord, "has_content_of", lambda record, other: False)


@bugs.rare_bug
def records_of_another_run_are_taken_for_ours(patch: pytest.MonkeyPatch) -> None:
    """A commit that was refused is taken for one that landed, since the table has records of its partitions."""
    patch.setattr(Steps, "_is_there", lambda run, asset, key, record: key in run._state(asset).records)


@bugs.rare_bug
def an_older_answer_is_put_over_a_newer_one(patch: pytest.MonkeyPatch) -> None:
    """Another run asked later and committed first; its answer is replaced."""
    patch.setattr(decisions, "not_outdone", lambda asset, records, state: records)


@bugs.bug
def memory_is_let_go_of_too_early(patch: pytest.MonkeyPatch) -> None:
    """Frames are let go of while steps are still to read them."""

    def at_once(run: Steps[Any], done: Step) -> None:
        for outputs in run._kept.values():
            for output in outputs:
                run._world.let_go(output.frame)

    patch.setattr(Steps, "_release", at_once)


@pytest.mark.planted
@pytest.mark.parametrize("plant", bugs.cases())
def test_the_machine_finds(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    is_found(plant, monkeypatch)
