"""Two runs at once without a lock, over a hand-made world: on which state of the table a step folds its answer.

Rows are numbers of hours; an answer brings some, and all that were there stay. So whatever is lost shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from orchestration.core.declarations.asset import Asset, HourlyRows
from orchestration.core.declarations.catalog import Catalog
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.planning.plan import Input, Plan, Step
from orchestration.core.runs.decisions import Fetched, Made, Proposal, Sourced
from orchestration.core.runs.fold import Folded
from orchestration.core.runs.outcome import StepOutcome
from orchestration.core.runs.step import Steps
from orchestration.core.runs.step_world import Readings
from orchestration.core.state.partition_record import Answer
from orchestration.core.state.provenance import Provenance
from orchestration.core.state.table_state import TableState
from tests.support.small_assets import CURRENT, FEED, august, clean, feed, key, step_of
from tests.support.small_world import History, Rows, World

HOURLY = replace(feed, hours=HourlyRows("at", ("aqi",), "silver.clean"))
STEP = step_of(HOURLY, august(1, 2), force=True)


class Shared(World):
    """A world without a lock, whose table several runs share. on: the versions on which rows were made, in turn."""

    def __init__(self, brings: Mapping[PartitionKey, list[int]], beside: Shared | None = None) -> None:
        super().__init__(alone=False)
        self.brings, self.on = brings, list[tuple[int | None, PartitionSet]]()
        self.versions: list[Rows] = [] if beside is None else beside.versions
        if beside is not None:
            self.commits, self.rows = beside.commits, beside.rows
        asked = {one: Sourced(str(of), "2025-08-20T10:00:00Z") for one, of in brings.items()}
        self.brought = Fetched(PartitionSet.from_keys(brings), asked)

    def make(
        self,
        step: Step,
        asset: Asset,
        targets: PartitionSet,
        readings: Readings[Rows],
        own: TableState,
        code_part: str = "",
    ) -> Made[Rows]:
        self.on.append((own.version, targets))
        before: Rows = {} if own.version is None else self.versions[own.version]
        rows = {one: sorted({*before.get(one, []), *self.brings.get(one, [])}) for one in targets}
        folded = {
            one: Folded(answers=(Answer("2025-08-20T10:00:00Z", str(of)),), digest=str(of)) for one, of in rows.items()
        }
        return replace(self._made(rows), folded=folded)

    def commit(self, asset: Asset, proposal: Proposal[Rows]) -> None:
        super().commit(asset, proposal)
        self._remember(asset)

    def create(self, asset: Asset) -> None:
        super().create(asset)
        self._remember(asset)

    def _say(self, asset: str, said: Provenance, rows: Rows) -> None:
        super()._say(asset, said, rows)
        self.versions.append(dict(self.rows[asset]))

    def _remember(self, asset: Asset) -> None:
        while len(self.versions) < len(self.commits[asset.key]):
            self.versions.append(dict(self.rows[asset.key]))


def steps_over(world: World, run_id: str, *planned: Step) -> Steps[Rows]:
    tables = {FEED: world.now(FEED)} if world.commits[FEED] else {}
    return Steps(world, Plan(planned, ()), Catalog([HOURLY, clean]), tables, CURRENT, History(), run_id)


def run(world: World, run_id: str, step: Step = STEP) -> StepOutcome:
    return steps_over(world, run_id, step).run(step)


def world_with(*hours: int) -> Shared:
    """Both days have these hours, of no answer that is known."""
    world = Shared({key(1): [6], key(2): [6]})
    world.create(HOURLY)
    world.record(FEED, {key(day): list(hours) for day in (1, 2)})
    return world


def another(world: Shared, brings: Mapping[PartitionKey, list[int]], run_id: str = "b") -> Callable[[], None]:
    def runs() -> None:
        days = PartitionSet.from_keys(brings)
        assert not run(Shared(brings, world), run_id, replace(STEP, partitions=days)).not_made

    return runs


def test_a_commit_that_is_seen_is_folded_into() -> None:
    world = world_with(1)
    world.comes_between = [another(world, {key(1): [7]})]
    outcome = run(world, "a")
    assert (outcome.written, outcome.not_made) == (august(1, 2), august())
    assert world.rows[FEED] == {key(1): [1, 6, 7], key(2): [1, 6]}
    assert world.on == [(1, august(1, 2)), (3, august(1))]


def test_a_commit_that_is_not_seen_is_what_the_answer_is_folded_into_afterwards() -> None:
    """The version before the commit that ran it over has its rows: nothing else need be kept of them."""
    world = world_with(1)
    world.comes_unseen = [another(world, {key(1): [7]})]
    outcome = run(world, "a")
    assert (outcome.written, outcome.not_made) == (august(1, 2), august())
    assert world.rows[FEED] == {key(1): [1, 6, 7], key(2): [1, 6]}
    assert world.on == [(1, august(1, 2)), (2, august(1))]


def test_one_is_run_over_and_runs_over_in_turn() -> None:
    """Of three runs the first meets one before its commit, and one before that which mends it."""
    world = world_with(1)
    world.comes_unseen = [another(world, {key(1): [7]}), another(world, {key(2): [8]}, "c")]
    outcome = run(world, "a")
    assert not outcome.not_made
    assert world.rows[FEED] == {key(1): [1, 6, 7], key(2): [1, 6, 8]}


def test_what_is_run_over_is_made_good_where_a_third_run_takes_another_partition() -> None:
    """It commits right after the one that ran over, which finds only a part of what it has committed."""
    world = world_with(1)
    world.comes_unseen = [another(world, {key(1): [7]})]
    reached, third = world.reached, another(world, {key(2): [8]}, "c")

    def takes(point: str) -> None:
        reached(point)
        if point == "after-commit" and world.calls.count(point) == 1:
            third()

    world.reached = takes  # type: ignore[method-assign]
    outcome = run(world, "a")
    assert not outcome.not_made
    assert world.rows[FEED] == {key(1): [1, 6, 7], key(2): [1, 6, 8]}


def test_who_reads_on_reads_what_was_made_last() -> None:
    """The rows that ran another's over are in memory still, and are nobody's any more."""
    world = world_with(1)
    world.comes_unseen = [another(world, {key(1): [7]})]
    reading = replace(step_of(clean, august(1, 2)), inputs=(Input(FEED, None, FEED, august(1, 2)),))
    steps = steps_over(world, "a", STEP, reading)
    steps.run(STEP)
    (read,) = steps.readings(clean, august(1, 2), steps.tables)
    assert read.stored == august()
    assert [(frame, august(1) if only is None else only) for frame, only in read.kept] == [
        ({key(1): [1, 6], key(2): [1, 6]}, august(2)),
        ({key(1): [1, 6, 7]}, august(1)),
    ]


def test_what_is_folded_from_kept_answers_is_so_again_where_another_run_came_first() -> None:
    """Nothing was fetched for it; the other's answer is among those that are kept."""
    world = world_with(1)
    step = replace(STEP, partitions=august(1), raw=august(1))
    world.brought = Fetched(august(1))
    world.comes_between, made = [another(world, {key(1): [7]})], list[PartitionSet]()
    make = world.make

    def makes(of: Step, *arguments: Any) -> Made[Rows]:
        made.append(of.raw)
        return make(of, *arguments)

    world.make = makes  # type: ignore[assignment,method-assign]
    assert not run(world, "a", step).not_made
    assert made == [august(1), august(1)]


def test_nothing_is_looked_for_where_nobody_came() -> None:
    world = world_with(1)
    assert run(world, "a").written == august(1, 2)
    assert not any(call.startswith("state at") for call in world.calls)
    assert world.on == [(1, august(1, 2))]
