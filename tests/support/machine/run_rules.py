"""Rules of the machine: runs of any kind, of which some fail, die, or come between each other."""

from __future__ import annotations

import random
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.planning.request import Refresh, Repair
from tests.support.asking import kind_of
from tests.support.machine.deployed import (
    ALL,
    CLEAN,
    FEED,
    HOURS,
    KEYS,
    TOWNS,
)
from tests.support.machine.happenings import (
    BATCH,
    END,
    PATTERNS,
    RACES,
    Happening,
    Pattern,
    chunked,
    dated,
    day_of,
    go,
    happenings,
    keys,
    often_all,
    ranges,
    seeds,
    seldom,
)
from tests.support.machine.invariants import asked_of
from tests.support.machine.machine import Machine
from tests.support.machine.run import Faults
from tests.support.machine.storage import Cell, Storage

SECOND = timedelta(seconds=1)
"""Passes between two runs, so that it is known which of them asked later."""


class RunRules(Machine):
    """What may happen by runs."""

    @initialize(
        patterns=st.lists(st.sampled_from(PATTERNS), min_size=6, max_size=12),
        locked=st.sampled_from([False, False, True]),
        load=st.sampled_from(["at once", "in batches", "not yet"]),
        order=seeds,
    )
    def begin(self, patterns: list[Pattern], locked: bool, load: str, order: int) -> None:
        """The provider has days of these patterns; all that is there by now is loaded, or nothing."""
        for number, key in enumerate(key for key in KEYS if key.location in TOWNS):
            self.world.feed[key] = day_of(patterns[number % len(patterns)], key)
        self.storage = Storage(locked=locked)
        everything = self.world.until_today
        if load == "at once":
            self._undisturbed(Refresh(ALL, everything))
        elif load == "in batches":
            chunks = chunked(everything, [], 0)
            self._undisturbed(Refresh(ALL, everything, chunks=chunks), order, batch=1)

    @precondition(lambda self: not self.renaming)
    @rule(selected=often_all, asked=ranges(), happens=happenings(), force=seldom, order=seeds)
    def materialize(
        self, selected: frozenset[str], asked: PartitionSet, happens: Happening, force: bool, order: int
    ) -> None:
        """An undisturbed run."""
        asked = self._named(asked)
        self._happens(happens, asked)
        self._undisturbed(kind_of(force=force)(selected, asked), order)

    @precondition(lambda self: not self.renaming)
    @rule(
        selected=often_all,
        asked=ranges(),
        happens=happenings(),
        sizes=st.lists(st.integers(1, 3), max_size=4),
        shuffled=st.sampled_from([0, 0, 1, 2]),
        batch=st.sampled_from([1, 2, 4, BATCH]),
        force=seldom,
        order=seeds,
    )
    def backfill(
        self,
        selected: frozenset[str],
        asked: PartitionSet,
        happens: Happening,
        sizes: list[int],
        shuffled: int,
        batch: int,
        force: bool,
        order: int,
    ) -> None:
        """An undisturbed run in chunks of any size and order, and of as many batches."""
        asked = self._named(asked)
        self._happens(happens, asked)
        chunks = chunked(asked, sizes, shuffled)
        self._undisturbed(kind_of(force=force)(selected, asked, chunks=chunks), order, batch=batch)

    @precondition(lambda self: not self.renaming)
    @rule(
        selected=often_all, asked=ranges(), failing=st.sets(st.tuples(dated, keys), min_size=1, max_size=4), order=seeds
    )
    def materialize_with_failures(
        self, selected: frozenset[str], asked: PartitionSet, failing: set[Cell], order: int
    ) -> None:
        """Some partitions cannot be fetched, or break a blocking check: the others are made."""
        self._land()
        asked, failing = self._named(asked), {(asset, self._name(key)) for asset, key in failing}
        self._run(Refresh(selected, asked), order, faults=Faults(frozenset(failing))).to_the_end()

    @precondition(lambda self: not self.renaming)
    @rule(selected=often_all, asked=ranges(), faulty=dated, order=seeds)
    def materialize_with_faulty_code(
        self, selected: frozenset[str], asked: PartitionSet, faulty: str, order: int
    ) -> None:
        """New code of an asset makes rows of a partition that it was not asked for, or changes what was fetched."""
        self._land()
        asked = self._named(asked)
        self._happens(("effect", faulty, PATTERNS[0], False), self.world.until_today)
        faults = Faults(altering=True) if faulty == FEED else Faults(straying=faulty)
        self._run(Refresh(selected, asked), order, faults=faults).to_the_end()

    @precondition(lambda self: not self.renaming)
    @rule(
        selected=often_all,
        asked=ranges(),
        happens=happenings(),
        commits=st.integers(0, 5),
        phases=st.integers(0, 3),
        late=st.booleans(),
        force=seldom,
        order=seeds,
    )
    def crash(
        self,
        selected: frozenset[str],
        asked: PartitionSet,
        happens: Happening,
        commits: int,
        phases: int,
        late: bool,
        force: bool,
        order: int,
    ) -> None:
        """A run dies so many phases after so many commits; what it was about to commit may land a little later."""
        self._land()
        asked = self._named(asked)
        self._happens(happens, asked)
        run = self._run(kind_of(force=force)(selected, asked), order)
        going = run.phases()
        while run.commits < commits and go(going, 1):
            pass
        go(going, phases)
        self.late = list(run.proposed.values()) if late else []

    @precondition(lambda self: self.late)
    @rule()
    def late_commits_land(self) -> None:
        """A commit of the dead run."""
        self._land()

    @precondition(lambda self: not self.renaming and not self.storage.locked)
    @rule(
        selected=often_all,
        asked=ranges(),
        race=st.sampled_from(RACES),
        changed=st.sampled_from([HOURS, CLEAN, FEED]),
        gap=st.sampled_from(["", "left", "filled"]),
        force=seldom,
        rests=st.integers(0, 6),
        order=seeds,
    )
    def overtaken(
        self,
        selected: frozenset[str],
        asked: PartitionSet,
        race: tuple[str, str],
        changed: str,
        gap: str,
        force: bool,
        rests: int,
        order: int,
    ) -> None:
        """Without a lock, a run rests a while; the world changes, and another run does the same before it.

        gap: one day is not there, so that it is to be replaced where others are only recorded; the other run leaves it
        or fills it, too.
        """
        asked = self._named(asked)
        gone = PartitionSet.from_keys([next(iter(asked))]) & self.storage.state(changed).present
        if gap and gone:
            self.storage.wipe(changed, gone)
        left = (asked - gone if gap == "left" else asked) or asked
        self._happens((race[0], changed, PATTERNS[0], True), asked)
        request = kind_of(force=force)(selected, asked)
        first = self._run(request, order).phases()
        go(first, rests)
        if race[1] == "delete":
            self._others_commit(changed, next(iter(asked)), next(iter(asked)), "delete")
        else:
            self._happens((race[1], changed, PATTERNS[1], True), asked)
        self.world.now += SECOND
        self._run(kind_of(force=force)(selected, left)).to_the_end()
        go(first, END)

    @precondition(lambda self: not self.renaming and not self.storage.locked)
    @rule(
        selections=st.tuples(often_all, often_all),
        asked=st.tuples(ranges(), ranges()),
        happens=st.tuples(happenings(), happenings()),
        force=seldom,
        rests=st.integers(0, 20),
        dies=st.sampled_from([0, 0, 5, 15, 30]),
        order=seeds,
    )
    def two_runs(
        self,
        selections: tuple[frozenset[str], frozenset[str]],
        asked: tuple[PartitionSet, PartitionSet],
        happens: tuple[Happening, Happening],
        force: bool,
        rests: int,
        dies: int,
        order: int,
    ) -> None:
        """Two runs on a storage without a lock, mixed phase by phase; the first may die."""
        running = []
        for selected, partitions, what in zip(selections, map(self._named, asked), happens, strict=True):
            self._happens(what, partitions)
            self.world.now += SECOND
            running.append(self._run(kind_of(force=force)(selected, partitions), order).phases())
            go(running[0], rests)
        mixing = random.Random(order)
        while running:
            at = mixing.choice(running)
            if not go(at, 1):
                running.remove(at)
            dies -= 1
            if dies == 0:
                running = running[1:]

    @precondition(
        lambda self: not self.renaming and any(version.unrecorded for version in self.storage.snapshot().values())
    )
    @rule(selected=often_all, asked=ranges(), order=seeds)
    def repair(self, selected: frozenset[str], asked: PartitionSet, order: int) -> None:
        """What others changed is adopted where it is as it was, and else made anew."""
        self._land()
        run = self._run(Repair(selected, self._named(asked)), order).to_the_end()
        left_out = {(item.asset, key) for item in run.plan.left_out for key in item.partitions}
        for asset in selected:
            still = self.storage.state(asset).unrecorded & asked_of(asset, run.request, run.current.now)
            assert {(asset, key) for key in still} <= left_out, f"{asset} {still} is not repaired"
