"""One step in its order, over a hand-made world: two tables, whose rows are lists in a dict."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.catalog import Catalog
from orchestration.core.declarations.checks import UNIQUE
from orchestration.core.errors import SourceError
from orchestration.core.lineage.compare import Difference
from orchestration.core.planning.plan import Input, Manner, Plan, Step
from orchestration.core.runs.decisions import Fetched, Sourced
from orchestration.core.runs.outcome import Outcome, StepOutcome
from orchestration.core.runs.step import Steps
from orchestration.core.runs.step_parts import COMMIT_ATTEMPTS
from orchestration.core.state.freshness import Current
from orchestration.core.state.table_state import Commit
from tests.support.small_assets import CLEAN, CURRENT, FEED, NOTHING, august, clean, feed, key, step_of
from tests.support.small_world import QUESTION, History, Rows, World


def steps_over(world: World, *planned: Step) -> Steps[Rows]:
    tables = {asset: world.now(asset) for asset, log in world.commits.items() if log}
    return Steps(world, Plan(planned, ()), Catalog([feed, clean]), tables, CURRENT, History(), "ours", "1.0")


def run(world: World, step: Step) -> StepOutcome:
    return steps_over(world, step).run(step)


def with_feed(*numbers: int, alone: bool = True) -> World:
    """A world in which so many days are fetched and recorded."""
    world = World(alone=alone)
    world.record(FEED, {key(number): [1] for number in numbers})
    return world


CLEANED = step_of(clean, august(1, 2, 3))


def test_the_order_of_a_step() -> None:
    """Chunks of an asset are computed side by side: the lock is taken when the rows are there."""
    world = with_feed(1, 2, 3)
    outcome = run(world, replace(CLEANED, chunk="week 1"))
    assert world.calls == [
        "make", "before-write", "lock", "create", "state", "commit", "after-commit", "state", "unlock",
        "forget", "between-chunks",
    ]  # fmt: skip
    assert (outcome.written, outcome.rows, outcome.version, outcome.not_made) == (august(1, 2, 3), 3, 1, NOTHING)
    said = world.commits[CLEAN][1].provenance
    assert said is not None and (said.run_id, said.by, said.at) == ("ours", "1.0", "2025-08-20T11:00:00Z")


def test_what_is_fresh_by_now_is_not_made() -> None:
    world = with_feed(1, 2, 3)
    run(world, CLEANED)
    world.calls.clear()
    outcome = run(world, CLEANED)
    assert (outcome.written, outcome.unchanged, outcome.version) == (NOTHING, august(1, 2, 3), 1)
    assert world.calls == ["forget"]


def test_equal_rows_are_recorded_and_not_replaced() -> None:
    world = with_feed(1, 2, 3)
    run(world, CLEANED)
    world.record(FEED, {key(1): [8]})
    before = dict(world.rows[CLEAN])
    world.makes = lambda targets: before
    outcome = run(world, replace(CLEANED, partitions=august(1)))
    assert outcome.state == "failed", "rows of days that were not asked for"
    world.makes = lambda targets: {key(1): [1]}
    outcome = run(world, replace(CLEANED, partitions=august(1)))
    assert (outcome.written, outcome.unchanged) == (NOTHING, august(1))
    assert world.now(CLEAN).records[key(1)].inputs[FEED] == {"2025-08-01/hue": "[8]"}


def test_without_a_lock_what_is_replaced_and_what_is_recorded_are_two_commits() -> None:
    world = with_feed(1, 2, alone=False)
    run(world, replace(CLEANED, partitions=august(1)))
    world.record(FEED, {key(1): [8]})  # of which the same rows follow
    outcome = run(world, replace(CLEANED, partitions=august(1, 2)))
    first, second = (commit.provenance for commit in world.commits[CLEAN][-2:])
    assert first is not None and second is not None
    assert (set(first.records), set(second.records)) == ({key(2)}, {key(1)})
    assert (outcome.written, outcome.unchanged) == (august(2), august(1))


def test_what_is_only_recorded_is_looked_at_once_more_after_what_is_replaced() -> None:
    """Another run writes it while we replace something else: the storage, which looks after that alone, lets us."""
    world = with_feed(1, 2, alone=False)
    run(world, replace(CLEANED, partitions=august(1)))
    world.record(FEED, {key(1): [8]})  # of which the same rows follow
    world.comes_unseen = [lambda: world.record(CLEAN, {key(1): [99]})]
    outcome = run(world, replace(CLEANED, partitions=august(1, 2)))
    assert (outcome.written, outcome.not_made, world.comes_unseen) == (august(1, 2), NOTHING, [])
    recorded = {one: record.fingerprint for one, record in world.now(CLEAN).records.items()}
    assert recorded == {one: str(rows) for one, rows in world.rows[CLEAN].items()} == {key(1): "[1]", key(2): "[2]"}


def test_with_a_lock_they_are_one() -> None:
    world = with_feed(1, 2)
    run(world, replace(CLEANED, partitions=august(1)))
    world.record(FEED, {key(1): [8]})
    run(world, replace(CLEANED, partitions=august(1, 2)))
    last = world.commits[CLEAN][-1].provenance
    assert last is not None and set(last.records) == {key(1), key(2)}


def test_another_run_comes_first_and_what_is_to_be_replaced_is_decided_anew() -> None:
    """It wrote what we would have written on day 1: that is left as it is, and recorded as ours."""
    world = with_feed(1, 2, alone=False)
    world.comes_between = [lambda: world.record(CLEAN, {key(1): [1]})]
    outcome = run(world, replace(CLEANED, partitions=august(1, 2)))
    assert (outcome.written, outcome.unchanged, outcome.not_made) == (august(2), august(1), NOTHING)
    assert [commit.provenance and commit.provenance.run_id for commit in world.commits[CLEAN]] == [
        None, "other", "ours", "ours",
    ]  # fmt: skip


def test_other_runs_always_come_first() -> None:
    world = with_feed(1, alone=False)
    numbers = iter(range(100))
    world.comes_between = [lambda: world.record(CLEAN, {key(1): [next(numbers)]})] * COMMIT_ATTEMPTS
    outcome = run(world, replace(CLEANED, partitions=august(1)))
    assert outcome.failed == august(1)
    assert f"other runs committed first, {COMMIT_ATTEMPTS} times in a row" in outcome.problems[0].message
    assert not world.comes_between


def test_a_table_that_another_run_created_first_is_looked_at_before_it_is_decided_what_to_replace() -> None:
    """Day 1 has no rows of ours: there is nothing to replace, unless the other run put some there."""
    world = with_feed(1, alone=False)
    world.makes = lambda targets: {}
    create = world.create

    def created_by_another(asset: Asset) -> None:
        world.commits[CLEAN].append(Commit(0, None))
        world.record(CLEAN, {key(1): [5]})
        create(asset)

    world.create = created_by_another  # type: ignore[method-assign]
    outcome = run(world, replace(CLEANED, partitions=august(1)))
    assert outcome.written == august(1)
    assert (world.rows[CLEAN][key(1)], world.now(CLEAN).records[key(1)].rows) == ([], 0)


def test_partitions_that_break_a_check_fail_and_the_others_are_written() -> None:
    world = with_feed(1, 2, 3)
    world.violations = {key(1): {UNIQUE: 2, "broken": 1}, key(2): {"broken": 3}, key(3): {"odd": 4}}
    outcome = run(world, CLEANED)
    assert (outcome.written, outcome.failed) == (august(3), august(1, 2))
    assert [problem.message for problem in outcome.problems] == [
        "silver.clean: check unique failed for 2 rows of 2025-08-01 × hue. Two rows have the same key.",
        "silver.clean: check broken failed for 3 rows of 2025-08-02 × hue. ",
    ]
    assert outcome.warnings == {"odd": 4}
    assert set(world.now(CLEAN).records) == {key(3)}


def test_rows_that_were_not_asked_for_fail_the_step() -> None:
    world = with_feed(1, 2)
    world.makes = lambda targets: {key(1): [1], key(9): [9]}
    outcome = run(world, replace(CLEANED, partitions=august(1, 2)))
    assert (outcome.failed, world.commits[CLEAN]) == (august(1, 2), [])
    assert "rows of partitions that it was not asked for: 2025-08-09 × hue" in outcome.problems[0].message


def test_whatever_goes_wrong_fails_what_is_left_of_the_step_and_leaves_no_frame() -> None:
    """Day 1 is skipped, because what it is made from failed; the others fail by what the world raised."""
    world = with_feed(1, 2, 3)
    fed = step_of(feed, august(1))
    steps = steps_over(world, fed, CLEANED)
    steps.run(fed)
    world.violations = {key(2): {"nothing": 1}}

    def breaks(change: Any, *_: Any) -> None:
        raise ConnectionError("the JVM is gone")

    world.commit = breaks  # type: ignore[method-assign]
    outcome = steps.run(CLEANED)
    assert (outcome.skipped, outcome.failed) == (august(1), august(2, 3))
    assert outcome.problems[1].message == "explained: the JVM is gone"
    assert steps.outcomes[CLEANED.id] is outcome
    assert world.gone == [{key(2): [2], key(3): [3]}]


@pytest.mark.parametrize("names_the_error", [True, False])
def test_what_was_not_fetched_fails(names_the_error: bool) -> None:
    world = World()
    error = SourceError("429")
    world.brought = Fetched(august(1), {key(1): Sourced("digest", "2025-08-20T10:00:00Z")})
    if names_the_error:
        world.brought = replace(world.brought, errors=((august(2), error),))
    outcome = run(world, step_of(feed, august(1, 2)))
    assert (outcome.written, outcome.failed) == (august(1), august(2))
    said = "explained: 429" if names_the_error else "bronze.feed: was not fetched; the run's log says more"
    assert [problem.message for problem in outcome.problems] == [said]
    record = world.now(FEED).records[key(1)]
    assert (record.inputs, record.question) == ({"api": {"2025-08-01/hue": "digest"}}, QUESTION.id)


def test_what_was_fetched_is_not_changed_by_its_function() -> None:
    world = with_feed(1, 2)
    world.alters = august(1)
    step = replace(step_of(feed, august(1, 2)), stored=august(1, 2))
    outcome = run(world, step)
    assert (outcome.written, outcome.failed) == (august(2), august(1))
    assert "its function would change what was fetched: aqi is 7 and was 8" in outcome.problems[0].message


def test_an_older_answer_is_not_put_over_a_newer_one() -> None:
    """Another run asked later, and committed while this one wrote."""
    world = with_feed(1, alone=False)
    world.brought = Fetched(august(1), {key(1): Sourced("old", "2025-08-20T10:00:00Z")})
    newer = Fetched(august(1), {key(1): Sourced("new", "2025-08-20T10:00:01Z")})
    step = step_of(feed, august(1), force=True)

    def other_run() -> None:
        other = World(alone=False)
        other.commits, other.rows, other.brought = world.commits, world.rows, newer
        other.makes = lambda targets: {key(1): [99]}
        run(other, step)

    world.comes_between = [other_run]
    outcome = run(world, step)
    assert (outcome.written, outcome.not_made) == (NOTHING, NOTHING)
    assert (world.rows[FEED][key(1)], world.now(FEED).records[key(1)].inputs["api"]) == (
        [99],
        {"2025-08-01/hue": "new"},
    )


def test_rows_that_are_as_they_were_are_adopted_and_others_made() -> None:
    world = with_feed(1, 2)
    run(world, replace(CLEANED, partitions=august(1, 2)))
    world.touch(CLEAN, key(1), [1])
    world.touch(CLEAN, key(2), [7])
    world.calls.clear()
    outcome = run(world, replace(CLEANED, partitions=august(1, 2), manner=Manner.COMPARED))
    assert (outcome.unchanged, outcome.written) == (august(1), august(2))
    assert world.calls[:6] == ["lock", "stored", "commit", "state", "unlock", "make"]
    assert not world.now(CLEAN).unrecorded


def test_what_could_not_be_adopted_because_another_run_came_first_is_made() -> None:
    world = with_feed(1, alone=False)
    run(world, replace(CLEANED, partitions=august(1)))
    world.touch(CLEAN, key(1), [1])
    world.comes_between = [lambda: world.touch(CLEAN, key(1), [7])]
    outcome = run(world, replace(CLEANED, partitions=august(1), manner=Manner.COMPARED))
    assert (outcome.written, outcome.not_made) == (august(1), NOTHING)
    assert world.rows[CLEAN][key(1)] == [1]


def test_what_another_run_does_beside_it_does_not_hinder_adopting() -> None:
    """Else a fetched day would be fetched once more, and what was sent then would be lost."""
    world = with_feed(1, 2, alone=False)
    run(world, replace(CLEANED, partitions=august(1, 2)))
    world.touch(CLEAN, key(1), [1])
    world.comes_between = [lambda: world.touch(CLEAN, key(2), [2])]
    outcome = run(world, replace(CLEANED, partitions=august(1), manner=Manner.COMPARED))
    assert (outcome.written, outcome.unchanged, outcome.not_made) == (NOTHING, august(1), NOTHING)


FED = step_of(feed, august(1, 2))
READING = replace(CLEANED, partitions=august(1, 2, 3), inputs=(Input(FEED, None, FEED, august(1, 2)),))


def fed_world(*, alone: bool) -> tuple[World, Steps[Rows]]:
    """Day 3 is there, days 1 and 2 are fetched by this run."""
    world = with_feed(3, alone=alone)
    world.brought = Fetched(august(1, 2), {key(day): Sourced("digest", "2025-08-20T10:00:00Z") for day in (1, 2)})
    steps = steps_over(world, FED, READING)
    steps.run(FED)
    return world, steps


def test_what_the_run_made_is_read_from_memory_and_let_go_of_after_its_last_reader() -> None:
    world, steps = fed_world(alone=True)
    frame = {key(1): [1], key(2): [2]}
    assert world.gone == []
    steps.run(READING)
    ((reading,),) = world.read[1:]
    assert (reading.of, reading.kept, reading.stored) == (FEED, ((frame, None),), august(3))
    assert world.gone == [frame, {**frame, key(3): [3]}]


def test_what_another_run_has_put_in_its_place_since_is_read_from_the_table() -> None:
    world, steps = fed_world(alone=False)
    world.record(FEED, {key(1): [9]})
    steps._look(feed)
    steps.run(READING)
    ((reading,),) = world.read[1:]
    assert (reading.kept, reading.stored) == ((({key(1): [1], key(2): [2]}, august(2)),), august(1, 3))
    assert steps.tables[CLEAN].records[key(1)].inputs[FEED] == {"2025-08-01/hue": "[9]"}


def test_a_table_that_is_not_there_is_named() -> None:
    outcome = run(World(), CLEANED)
    assert outcome.failed == august(1, 2, 3)
    assert outcome.problems[0].outcome is Outcome.FAILED
    assert outcome.problems[0].message.startswith("explained: bronze.feed has no table")


BY_CODE = replace(CURRENT, code=lambda asset, location: f"2:{asset.name}:{location}")


def recorded_columns(world: World) -> list[dict[str, str]]:
    return [dict(commit.provenance.columns_of) for commit in world.commits[CLEAN] if commit.provenance is not None]


def run_by_code(world: World, step: Step, current: Current = BY_CODE) -> StepOutcome:
    tables = {asset: world.now(asset) for asset, log in world.commits.items() if log}
    plan, catalog = Plan((step,), ()), Catalog([feed, clean])
    return Steps(world, plan, catalog, tables, current, History(), "ours", "1.0").run(step)


def test_what_columns_are_made_of_is_told_once_for_each_code_part() -> None:
    world = with_feed(1, 2)
    run_by_code(world, replace(CLEANED, partitions=august(1)))
    run_by_code(world, replace(CLEANED, partitions=august(1, 2)))
    assert world.asked_of_columns == ["2:clean"]
    assert recorded_columns(world) == [{"2:clean": "columns by 2:clean"}, {}]
    assert world.now(CLEAN).columns_of == {"2:clean": "columns by 2:clean"}


def test_it_is_in_the_commit_that_has_the_rows_with_a_lock_or_without() -> None:
    for alone in (True, False):
        world = with_feed(1, 2, alone=alone)
        run_by_code(world, replace(CLEANED, partitions=august(1, 2)))
        (said,) = (commit.provenance for commit in world.commits[CLEAN] if commit.provenance is not None)
        assert set(said.records) == {key(1), key(2)} and said.columns_of


def test_where_nothing_else_is_new_it_is_a_commit_without_rows() -> None:
    """As of a table that was made before anybody recorded columns."""
    world = with_feed(1)
    run_by_code(world, replace(CLEANED, partitions=august(1)))
    old = [replace(one.provenance, columns_of={}) if one.provenance else None for one in world.commits[CLEAN]]
    world.commits[CLEAN] = [Commit(version, said) for version, said in enumerate(old)]
    before = world.now(CLEAN)
    outcome = run_by_code(world, replace(CLEANED, partitions=august(1), manner=Manner.FORCED))
    assert (outcome.unchanged, outcome.written, outcome.version) == (august(1), NOTHING, 2)
    after = world.now(CLEAN)
    assert after.records[key(1)].says_the_same_as(before.records[key(1)]) and after.columns_of
    assert run_by_code(world, replace(CLEANED, partitions=august(1), manner=Manner.FORCED)).version == 2
    assert len(world.asked_of_columns) == 2


def test_another_run_that_comes_first_does_not_take_it_away() -> None:
    world = with_feed(1, 2, alone=False)
    world.comes_between = [lambda: world.record(CLEAN, {key(1): [1]})]
    run_by_code(world, replace(CLEANED, partitions=august(1, 2)))
    assert world.now(CLEAN).columns_of


def test_where_it_is_not_as_declared_nothing_is_published() -> None:
    world = with_feed(1, 2)
    world.differences = (
        Difference(CLEAN, "undeclared", "gold.other", ("its plan",)),
        Difference(CLEAN, "elsewhere", "aqi", ("bronze.feed.aqi", "bronze.feed.pm25")),
    )
    outcome = run_by_code(world, replace(CLEANED, partitions=august(1, 2)))
    assert (outcome.failed, world.commits[CLEAN]) == (august(1, 2), [])
    (problem,) = outcome.problems
    assert (problem.check, problem.violations) == ("lineage", 2)
    assert problem.message == (
        "silver.clean: check lineage failed: silver.clean reads gold.other, says its plan, and does not declare it; "
        "silver.clean.aqi is made of bronze.feed.aqi, says its contract, and of bronze.feed.pm25, says its plan. "
        "Declare what the function reads and what its columns are made of, or change the function."
    )
    world.differences = ()
    assert run_by_code(world, replace(CLEANED, partitions=august(1, 2))).written == august(1, 2)
