"""Bugs in what keeps history over changes of code, contracts and names, planted into the core: each is found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from orchestration.core.declarations.asset import Asset
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.planning import planner
from orchestration.core.planning.plan import Step
from orchestration.core.planning.request import Request
from orchestration.core.runs import decisions, records
from orchestration.core.runs.renaming import Renaming
from orchestration.core.state import equivalence, shapes
from orchestration.core.state.equivalence import NO_LINES, Equivalences
from orchestration.core.state.freshness import Current, Judge, Judgement, Way
from orchestration.core.state.provenance import PartitionRecord
from orchestration.core.state.table_state import TableState
from orchestration.engine.changes import accept
from tests.support.machine import changes
from tests.support.machine.planted import Bugs, Plant, in_part, is_found, records_changed

bugs = Bugs()
NOTHING = PartitionSet.empty()


@bugs.rare_bug
def what_was_accepted_holds_elsewhere_too(patch: pytest.MonkeyPatch) -> None:
    """A setting that made no difference at one town is believed to make none at the other."""
    patch.setattr(equivalence, "_concerns", lambda equal, asset, location: equal.asset == asset)


@bugs.rare_bug
def lines_hold_whatever_the_settings_were(patch: pytest.MonkeyPatch) -> None:
    """Code that is declared to make the same rows is believed to make them of other settings, too."""
    same = Equivalences.same

    def careless(of: Equivalences, asset: str, at: str | None, one: str, other: str, accepted: Any = ()) -> bool:
        codes = {version.rpartition(":")[0] for version in (one, other)}
        lines = of._lines.get(asset, NO_LINES).same
        return same(of, asset, at, one, other, accepted) or any(codes <= line for line in lines)

    patch.setattr(Equivalences, "same", careless)


@bugs.bug
def an_accept_without_a_look_at_the_rows(patch: pytest.MonkeyPatch) -> None:
    """Whatever the sample comes out as, it is accepted."""
    patch.setattr(decisions, "comes_out_as", lambda record, fact: True)


@bugs.rare_bug
def an_accept_that_compares_columns_which_were_not_there(patch: pytest.MonkeyPatch) -> None:
    """A sample is compared in the columns of today, of which the stored rows lack some."""
    patch.setattr(
        decisions,
        "comes_out_as",
        lambda record, fact: (record.rows, record.fingerprint) == (fact.rows, fact.fingerprint),
    )


@bugs.rare_bug
def an_accept_by_partitions_whose_upstream_changed(patch: pytest.MonkeyPatch) -> None:
    """What proves that code makes the same is made of other rows than it was made of then."""
    patch.setattr(accept, "_fresh_if_accepted", lambda asset, tables, current, partitions: partitions)


@bugs.bug
def a_retyped_contract_is_taken_for_a_grown_one(patch: pytest.MonkeyPatch) -> None:
    """A contract that has all columns of then demands nothing else of them, whatever their types are."""

    def by_name(contract: Any, shape: Any) -> tuple[str, ...] | None:
        then = {name for name, _, _ in shape.columns}
        return tuple(name for name in contract.column_names if name not in then)

    patch.setattr(shapes, "lacking", by_name)


@bugs.bug
def a_grown_contract_makes_everything_stale(patch: pytest.MonkeyPatch) -> None:
    """A contract with one more column is another contract."""
    patch.setattr(shapes, "lacking", lambda contract, shape: None)


@bugs.bug
def the_fingerprint_over_earlier_columns_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Readers of a partition become stale for a column that is filled, and that they did not know."""
    records_changed(patch, lambda record: replace(record, also={}))


@bugs.bug
def what_a_reader_had_to_do_without_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A reader that read null in place of a column is fresh still when the column is filled."""
    patch.setattr(TableState, "consulted", lambda state, key, lacking=None: state.fingerprint(key))


@bugs.bug
def a_second_column_makes_readers_of_the_first_stale(patch: pytest.MonkeyPatch) -> None:
    """Found by the machine: who had to do without a column was stale as soon as the table got a further one."""

    def exactly(state: TableState, key: PartitionKey, recorded: str, lacking: Any = None) -> bool:
        record = state.trusted(key)
        if record is not None and (recorded == record.fingerprint or recorded in record.also.values()):
            return True
        return recorded == state.consulted(key, lacking)

    patch.setattr(TableState, "holds", exactly)


@bugs.bug
def stored_rows_are_fetched_again(patch: pytest.MonkeyPatch) -> None:
    """Code of a fetched asset changed, and its source is asked."""
    patch.setattr(planner, "Step", lambda **given: Step(**{**given, "stored": NOTHING}))


@bugs.bug
def a_moved_question_is_rewritten(patch: pytest.MonkeyPatch) -> None:
    """Stored rows go through the function although they are of another location."""
    staleness = Judge._staleness

    def rewritten(*arguments: Any) -> Iterator[Judgement]:
        return (replace(one, way=Way.REWRITE if one.way is Way.REFETCH else one.way) for one in staleness(*arguments))

    patch.setattr(Judge, "_staleness", rewritten)


@bugs.bug
def a_moved_question_is_fetched_unasked(patch: pytest.MonkeyPatch) -> None:
    """A corrected coordinate fetches years again."""
    patch.setattr(planner._Planning, "_needed", lambda planning, asset, stale: PartitionSet.union_of(stale.values()))


@bugs.bug
def a_rewrite_forgets_the_answer(patch: pytest.MonkeyPatch) -> None:
    """Rows that went through the function again are not known to be of the answer that was recorded."""

    def forgetful(whole: Any, record: Any, asset: Asset, key: Any, fact: Any, brought: Any, before: Any) -> Any:
        said = whole(record, asset, key, fact, brought, before)
        return said if brought.stored is None else replace(said, inputs={str(asset.source): {str(key): ""}})

    in_part(patch, records, "_from_source", forgetful)


@bugs.bug
def an_answer_to_the_question_of_before(patch: pytest.MonkeyPatch) -> None:
    """What was fetched at another location is recorded as if it had been asked for where the one before was."""

    def as_before(whole: Any, record: Any, asset: Asset, key: Any, fact: Any, brought: Any, before: Any) -> Any:
        said = whole(record, asset, key, fact, brought, before)
        return replace(said, question=before.question) if brought.stored is None and before else said

    in_part(patch, records, "_from_source", as_before)


@bugs.bug
def what_left_the_configuration_is_judged(patch: pytest.MonkeyPatch) -> None:
    """Partitions of a town that was taken out become stale by code that will never make them again."""
    patch.setattr(Current, "is_configured", lambda current, location: True)


@bugs.bug
def what_left_the_configuration_is_made_with_the_rest(patch: pytest.MonkeyPatch) -> None:
    """Found by the machine: what hangs on a dimension was made anew of towns that were taken out, too."""

    def of_all(whole: Any, lake: Any, request: Request, tables: Any, current: Current, flags: Any) -> Any:
        return whole(lake, request, tables, replace(current, configured=None), flags)

    in_part(patch, planner, "make_plan", of_all)


@bugs.bug
def a_rename_that_forgets_inputs(patch: pytest.MonkeyPatch) -> None:
    """Records tell the fingerprints that upstream partitions had under the old key."""
    patch.setattr(Renaming, "_consulted", lambda renaming, of, key, fingerprint: fingerprint)


def _renamed(patch: pytest.MonkeyPatch, change: Callable[..., PartitionRecord]) -> None:
    """``change`` is given the renaming of a record, the renaming, the record and the facts."""
    record = Renaming.record
    patch.setattr(Renaming, "record", lambda of, then, fact, **more: change(partial(record, **more), of, then, fact))


@bugs.bug
def a_rename_that_keeps_the_fingerprint(patch: pytest.MonkeyPatch) -> None:
    """Records tell the fingerprint of the rows with the old key in them."""
    _renamed(patch, lambda whole, of, then, fact: replace(whole(of, then, fact), fingerprint=then.fingerprint))


@bugs.rare_bug
def a_rename_that_forgets_earlier_columns(patch: pytest.MonkeyPatch) -> None:
    """Records of rows without a column tell the fingerprint of rows with a null there."""
    _renamed(patch, lambda whole, of, then, fact: whole(of, then, replace(fact, also={})))


@bugs.rare_bug
def a_rename_that_forgets_what_was_accepted(patch: pytest.MonkeyPatch) -> None:
    """What was accepted at the old key is to be accepted anew."""
    patch.setattr(Renaming, "equal", lambda renaming, state, code: ())


@bugs.rare_bug
def a_resumed_rename_takes_what_it_renamed_for_changed(patch: pytest.MonkeyPatch) -> None:
    """The states from before the rename are read when it is gone on with: of what was renamed there is nothing left."""
    patch.setattr(changes, "state_at", lambda storage, asset, version: storage.state(asset))


@pytest.mark.planted
@pytest.mark.parametrize("plant", bugs.cases())
def test_the_machine_finds(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    is_found(plant, monkeypatch)
