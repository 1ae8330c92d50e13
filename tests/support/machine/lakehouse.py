"""A state machine over the pure core: whatever happens in whatever order, three things hold.

Nothing stale is called fresh, nothing fresh is made again, and gold equals a clean rebuild. What happens:
materializations of any assets and days, backfills in chunks, revisions by the provider, new code and contracts, the
clock, other people's commits, wipes, repairs, crashes at any step, commits of dead runs, two runs at once.

The runs are the product's own steps (``core.runs.step``) over a model of a warehouse.
"""

from __future__ import annotations

from datetime import timedelta

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet
from orchestration.core.planning.request import ApplyChanges, Refetch, Refresh, Remake
from orchestration.core.state.table_state import fold
from tests.support.machine import changes
from tests.support.machine.deployed import ALL, CLEAN, DATES, DAYS, FEED, HOURS, KEYS, LAKE, LOCATIONS, NAMES, TOWNS
from tests.support.machine.happenings import (
    END,
    PATTERNS,
    Happening,
    Pattern,
    assets,
    happenings,
    keys,
    often_all,
    ranges,
    seeds,
    seldom,
    towns,
)
from tests.support.machine.invariants import asked_of
from tests.support.machine.run_rules import RunRules
from tests.support.machine.shadow import fresh_cells
from tests.support.machine.world import rebuilt


class Lakehouse(RunRules):
    """What else may happen, and what holds."""

    @rule(happens=happenings(), at=ranges())
    def world_changes(self, happens: Happening, at: PartitionSet) -> None:
        """The provider revises days, or code or a contract is deployed."""
        self._happens(happens, self._named(at))

    @rule(hours=st.sampled_from([0, 1, 5, 6, 13, 24]), minutes=st.sampled_from([0, 20]))
    def time_passes(self, hours: int, minutes: int) -> None:
        """The clock goes on, up to the last day."""
        later = self.world.now + timedelta(hours=hours, minutes=minutes)
        if later.date() <= DATES[-1]:
            self.world.now = later

    @precondition(lambda self: not self.renaming)
    @rule(
        asset=assets,
        at=keys,
        other=keys,
        what=st.sampled_from(["write", "delete", "restore", "rewrite", "optimize"]),
        back=st.integers(1, 6),
    )
    def others_commit(self, asset: str, at: PartitionKey, other: PartitionKey, what: str, back: int) -> None:
        """Somebody else writes, deletes, restores an earlier version, rewrites rows as they are, or compacts files."""
        self._land()
        self._others_commit(asset, self._name(at), self._name(other), what, back)

    @precondition(lambda self: not self.renaming and any(one.makings for one in self.storage.snapshot().values()))
    @rule(
        asset=assets,
        at=keys,
        other=keys,
        what=st.sampled_from(["rewrite", "rewrite", "optimize", "write"]),
        order=seeds,
    )
    def others_commit_and_it_is_repaired(
        self, asset: str, at: PartitionKey, other: PartitionKey, what: str, order: int
    ) -> None:
        """What was only rewritten is adopted."""
        self.others_commit(asset, at, other, what, 1)
        if any(version.unrecorded for version in self.storage.snapshot().values()):
            self.repair(frozenset({asset}), PartitionSet.of(Days.of(DATES[0], DATES[-1]), TOWNS), order)

    @precondition(lambda self: not self.renaming)
    @rule(selected=often_all, asked=ranges())
    def wipe(self, selected: frozenset[str], asked: PartitionSet) -> None:
        """Partitions are removed, downstream first."""
        self._land()
        asked = self._named(asked)
        for asset in reversed(LAKE.keys):
            gone = (PartitionSet.null() if asset == LOCATIONS else asked) & self.storage.state(asset).present
            if asset in selected and gone:
                self.storage.wipe(asset, gone)

    @precondition(lambda self: not self.renaming)
    @rule(
        asset=st.sampled_from([CLEAN, CLEAN, CLEAN, DAYS, *LAKE.keys]),
        sample=st.sampled_from([1, 3, 100]),
        what=st.sampled_from(["", "code", "code", "effect", "grow"]),
        at=towns,
        pattern=st.sampled_from(PATTERNS),
        elsewhere=seldom,
    )
    def accept(
        self, asset: str, sample: int, what: str, at: tuple[str, ...], pattern: Pattern, elsewhere: bool
    ) -> None:
        """What older code made is accepted where a sample comes out the same.

        elsewhere: afterwards a setting of the other town changes, and makes other rows there.
        """
        self._land()
        days = Days.of(*DATES[:2])
        self._happens((what, asset, pattern, asset == CLEAN), self._named(PartitionSet.of(days, at)))
        self.runs += 1
        before = fresh_cells(self.storage.snapshot(), self.world.code, self.world.now)
        event(changes.accept(self.storage, self.world, asset, sample, f"accept {self.runs}"))
        assert before <= fresh_cells(self.storage.snapshot(), self.world.code, self.world.now), "accepted to be stale"
        if elsewhere and len(at) == 1:
            other = self._named(PartitionSet.of(days, set(TOWNS) - set(at)))
            self._happens(("effect", asset, pattern, False), other)

    @precondition(lambda self: not self.renaming)
    @rule(asset=st.sampled_from([CLEAN, CLEAN, HOURS]), asked=ranges(), how=st.sampled_from([0, 0, 1, 2]))
    def a_column_comes(self, asset: str, asked: PartitionSet, how: int) -> None:
        """A table gets a column, and its readers are made anew of rows that lack it."""
        self.world.code = self.world.code.grown(asset, how)
        reader = frozenset({HOURS if asset == CLEAN else DAYS})
        self._undisturbed(Remake(reader, self._named(asked)))

    @precondition(lambda self: not self.renaming)
    @rule(asked=ranges(), far=st.sampled_from([True, True, False]), order=seeds)
    def refetch(self, asked: PartitionSet, far: bool, order: int) -> None:
        """What lies behind its question is fetched, and what somebody else changed, as by any repair, and nothing more;
        what follows from it is made."""
        self._land()
        asked = self._named(asked)
        self._happens(("far" if far else "", FEED, PATTERNS[0], False), asked)
        request = Refetch(ALL, asked)
        due = self._moved() | set(self.storage.state(FEED).unrecorded)
        run = self._run(request, order).to_the_end()
        fetched, asked_of_feed = set(run.fetched_keys), asked_of(FEED, run.request, run.current.now)
        assert fetched == {key for key in due if key in asked_of_feed}, "others were fetched"
        assert not self._moved() & fetched, "still behind their question"

    @precondition(lambda self: not self.renaming)
    @rule(asked=ranges(), happens=happenings())
    def plan_what_changed(self, asked: PartitionSet, happens: Happening) -> None:
        """What a change of code, contracts or configuration would cost: nothing that is not there, and no fetch."""
        self._land()
        asked = self._named(asked)
        self._happens(happens, asked)
        plan = self._run(ApplyChanges(ALL, asked)).plan
        for step in plan.steps:
            there = self.storage.state(step.asset).present
            assert step.all_partitions <= there, f"{step.id}: what is not there is planned"
            assert LAKE[step.asset].source is None or not step.fetched, f"{step.id}: would be fetched"

    @precondition(lambda self: not self.renaming)
    @rule(tables=st.sampled_from([0, 1, 3, 10, 10]))
    def rename(self, tables: int) -> None:
        """The first town gets another name, in so many tables; what was fresh is fresh under the new one."""
        self._land()
        world, fresh = self.world, self._check()
        old = world.code.towns[0]
        (new,) = set(NAMES) - set(world.code.towns)
        self.renaming = changes.begin_rename(self.storage, old, new)
        if self.renaming is None:
            return
        world.code = world.code.renamed(old, new)
        for feed in (world.feed, self.feed_before):
            for key in [key for key in feed if key.location == old]:
                feed[PartitionKey(key.day, new)] = feed.pop(key)
        if self._go_on_renaming(tables):
            now = {(asset, PartitionKey(key.day, new) if key.location == old else key) for asset, key in fresh}
            then = self._check()
            assert now <= then, f"not fresh after the rename: {sorted(map(str, now - then))}"

    @precondition(lambda self: self.renaming)
    @rule(tables=st.sampled_from([0, 1, 2, 10, 10]))
    def go_on_with_the_rename(self, tables: int) -> None:
        """The same call again."""
        self._go_on_renaming(tables)

    @invariant()
    def nothing_stale_is_called_fresh_and_data_and_provenance_agree(self) -> None:
        self.sound = False
        self._check()
        self.sound = True
        self.since_mended += 1

    @precondition(lambda self: not self.renaming and self.since_mended >= 5)
    @rule()
    def mend(self) -> None:
        """Fetch everything again, make everything once: then every table is as if it had been made anew and whole."""
        self._land()
        self.since_mended = 0
        everything = PartitionSet.from_keys(key for key in KEYS if key.location in self.world.code.configured)
        self._run(Remake(frozenset({FEED}), everything)).to_the_end()
        self._run(Refresh(ALL, everything)).to_the_end()
        lacking = {asset for asset, key in self._check() if self._lacks(asset, key)}
        if lacking:  # what is fresh without some columns is filled if it is told so
            self._run(Remake(frozenset(lacking), everything)).to_the_end()
            self._run(Refresh(ALL, everything)).to_the_end()
        fresh = self._check()
        there = {(asset, key) for asset in ALL for key in asked_of(asset, Refresh(ALL, everything), self.world.now)}
        assert there <= fresh, f"not fresh after everything was made: {sorted(map(str, there - fresh))}"
        clean = rebuilt(self.world)
        for asset, log in self.storage.tables.items():
            rows = {key: of for key, of in log[-1].rows.items() if self.world.code.is_configured(key.location)}
            assert rows == clean[asset], f"{asset} is not what a clean rebuild makes"
            assert fold(version.commit for version in log) == self.storage.state(asset), f"{asset} is folded otherwise"
        again = self._run(Refresh(ALL, everything)).plan
        assert not again.steps, f"planned again: {again.steps}"

    def teardown(self) -> None:
        if self.sound:
            if self.renaming:
                self._go_on_renaming(END)
            self.mend()
