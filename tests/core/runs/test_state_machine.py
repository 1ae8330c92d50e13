"""A state machine over the pure core: whatever happens in whatever order, three things hold.

Nothing stale is called fresh, nothing fresh is made again, and gold equals a clean rebuild. What happens:
materializations of any assets and days, backfills in chunks, revisions by the provider, new code and contracts, the
clock, other people's commits, wipes, repairs, crashes at any step, commits of dead runs, two runs at once. To what it
happens is ``tests.support.machine.model``.

The second half plants bugs in the core, and the machine has to find each.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, given, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from orchestration.core.declarations.asset import Asset
from orchestration.core.partitions import mappings
from orchestration.core.partitions.keys import NULL_KEY, Days, PartitionKey, PartitionSet
from orchestration.core.partitions.mappings import PartitionMapping, RunWindow
from orchestration.core.planning import planner
from orchestration.core.planning.planner import Chunk, Input, Request, Step
from orchestration.core.runs import decisions
from orchestration.core.runs.renaming import Renaming
from orchestration.core.state import equivalence, freshness, shapes
from orchestration.core.state.equivalence import Equivalences
from orchestration.core.state.freshness import Current, Judge, Judgement, State, Way
from orchestration.core.state.provenance import ABSENT, PartitionRecord, TableState, fold
from orchestration.engine.changes import accept
from tests.support.machine import changes as changes_model
from tests.support.machine import model
from tests.support.machine.changes import Rename
from tests.support.machine.deployed import (
    ALL,
    CLEAN,
    DATES,
    DAYS,
    FEED,
    HOURS,
    KEYS,
    LAKE,
    NAMES,
    PLACES,
    QUARANTINE,
    RUNS,
    TOWNS,
    Code,
    Rows,
    keys_of,
    shown,
    transform,
)
from tests.support.machine.model import (
    Cell,
    Making,
    Proposal,
    Run,
    Snapshot,
    Storage,
    World,
    depends_on,
    fresh_cells,
    has_moved,
    hours_begun,
    is_fresh,
    rebuilt,
    span_of,
)

NOON = datetime(2025, 8, 4, 12, 30, tzinfo=UTC)
NOTHING = PartitionSet.empty()
BATCH = planner.BATCH_PARTITIONS

# --- what happens -----------------------------------------------------------------------------------------------------

Pattern = tuple[int | None, ...]
HIGH, LOW, BAD = 160, 50, -1
PATTERNS: tuple[Pattern, ...] = (
    (LOW, LOW, LOW, LOW),
    (HIGH, HIGH, HIGH, HIGH),
    (LOW, LOW, HIGH, HIGH),
    (HIGH, HIGH, LOW, LOW),
    (LOW, HIGH, LOW, HIGH),
    (HIGH, LOW, None, HIGH),
    (120, BAD, HIGH, HIGH),
    (200, HIGH, 120, 120),
)
"""The index of the blocks of a day: runs that start, end, or go on over midnight, nulls, rows for the quarantine."""

SELECTIONS = (
    ALL,
    frozenset({FEED, CLEAN, PLACES, HOURS, RUNS}),
    frozenset({CLEAN, QUARANTINE, HOURS, DAYS, RUNS}),
    frozenset({FEED, CLEAN, HOURS}),
    frozenset({FEED}),
    frozenset({CLEAN}),
    frozenset({HOURS}),
    frozenset({RUNS}),
    frozenset({PLACES}),
    frozenset({FEED, RUNS}),
    frozenset({CLEAN, RUNS, DAYS}),
)
WORLD = (
    *("", "pattern", "pattern", "move", "move", "withdraw", "back"),
    *("contract", "code", "code", "effect", "effect", "effect", "grow", "grow", "line", "revert"),
    *("nudge", "far", "leave or come"),
)
"""What the provider (on the asked days) or a deployment does right before a run."""

RACES = (("contract", "effect"), ("code", "effect"), ("contract", "move"), ("contract", "delete"), ("effect", ""))
"""What happens before the first of two runs starts, and before the second does."""

END = 1_000_000
"""More phases than a run has."""

often_all = st.just(ALL) | st.sampled_from(SELECTIONS)
assets = st.sampled_from([*LAKE.keys, PLACES])
dated = st.sampled_from([key for key in LAKE.keys if key != PLACES])
towns = st.sampled_from([TOWNS, TOWNS[:1], TOWNS[1:]])
keys = st.sampled_from([key for key in KEYS if key.location in TOWNS])
seldom = st.sampled_from([False, False, True])
seeds = st.integers(0, 2**16)


@st.composite
def ranges(draw: st.DrawFn) -> PartitionSet:
    """Some days at some towns."""
    first = draw(st.integers(0, len(DATES) - 2))
    last = draw(st.integers(first, len(DATES) - 1))
    return PartitionSet.of(Days.of(DATES[first], DATES[last]), draw(towns))


Happening = tuple[str, str, Pattern, bool]
"""What happens to the world: of ``WORLD``, a deployment of which asset, a revision to which pattern, fetched soon?"""


def happenings() -> st.SearchStrategy[Happening]:
    return st.tuples(st.sampled_from(WORLD), assets, st.sampled_from(PATTERNS), st.sampled_from([True, True, False]))


def day_of(pattern: Sequence[int | None], key: PartitionKey) -> Rows:
    """The blocks of a day; on every other day of a town, dust is there only where the index is not."""
    sparse = (DATES.index(key.day) + NAMES.index(key.location)) % 2
    return tuple((block, aqi, None if sparse and aqi is not None else 10) for block, aqi in enumerate(pattern))


def moved(rows: Rows) -> Rows:
    """Every value in the other column."""
    return tuple((block, dust, aqi) for block, aqi, dust in rows)


def chunked(partitions: PartitionSet, sizes: Iterable[int], order: int) -> tuple[Chunk, ...]:
    """``partitions`` in chunks of so many days each, in some order; 0 leaves them in theirs."""
    left, chunks = list(partitions.days), []
    for size in (*sizes, *[1] * len(left)):
        taken, left = left[:size], left[size:]
        if taken:
            part = partitions.restrict(days=Days.from_dates(taken))
            chunks.append(Chunk(str(part.days), part))
    if order:
        random.Random(order).shuffle(chunks)
    return tuple(chunks)


def go(phases: Iterator[None], count: int) -> bool:
    """Let a run go on for so many phases; whether it is still there."""
    return all(next(phases, phases) is not phases for _ in range(count))


class Lakehouse(RuleBasedStateMachine):
    """The world, the storage, and what may happen to both.

    late: commits of a dead run that may still land. sound: whether everything held after the last rule.
    """

    def __init__(self) -> None:
        super().__init__()
        self.world = World({}, NOON)
        self.storage = Storage(locked=True)
        self.late: list[Proposal] = []
        self.checked: dict[str, tuple[Any, set[PartitionKey]]] = {}
        self.runs = 0
        self.since_mended = 0
        self.sound = False
        self.renaming: Rename | None = None
        self.feed_before: dict[PartitionKey, Rows] = {}

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
            self._undisturbed(Request(ALL, everything, self.world.now))
        elif load == "in batches":
            chunks = chunked(everything, [], 0)
            self._undisturbed(Request(ALL, everything, self.world.now, chunks=chunks), order, batch=1)

    # Runs ----------------------------------------------------------------------------------------

    @precondition(lambda self: not self.renaming)
    @rule(selected=often_all, asked=ranges(), happens=happenings(), force=seldom, order=seeds)
    def materialize(
        self, selected: frozenset[str], asked: PartitionSet, happens: Happening, force: bool, order: int
    ) -> None:
        """An undisturbed run."""
        asked = self._named(asked)
        self._happens(happens, asked)
        self._undisturbed(Request(selected, asked, self.world.now, force=force), order)

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
        self._undisturbed(Request(selected, asked, self.world.now, force=force, chunks=chunks), order, batch=batch)

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
        self._run(Request(selected, asked, self.world.now), order, failing=frozenset(failing)).to_the_end()

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
        run = self._run(Request(selected, asked, self.world.now, force=force), order)
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
        force: bool,
        rests: int,
        order: int,
    ) -> None:
        """Without a lock, a run rests a while; the world changes, and another run does the same before it."""
        asked = self._named(asked)
        self._happens((race[0], changed, PATTERNS[0], True), asked)
        request = Request(selected, asked, self.world.now, force=force)
        first = self._run(request, order).phases()
        go(first, rests)
        if race[1] == "delete":
            self._others_commit(changed, next(iter(asked)), next(iter(asked)), "delete")
        else:
            self._happens((race[1], changed, PATTERNS[1], True), asked)
        self._run(request).to_the_end()
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
            running.append(self._run(Request(selected, partitions, self.world.now, force=force), order).phases())
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
        lambda self: not self.renaming and any(version.doubted for version in self.storage.snapshot().values())
    )
    @rule(selected=often_all, asked=ranges(), order=seeds)
    def repair(self, selected: frozenset[str], asked: PartitionSet, order: int) -> None:
        """What others changed is adopted where it is as it was, and else made anew."""
        self._land()
        run = self._run(Request(selected, self._named(asked), self.world.now, repair=True), order).to_the_end()
        left_out = {(item.asset, key) for item in run.plan.left_out for key in item.partitions}
        for asset in selected:
            still = self.storage.state(asset).unrecorded & asked_of(asset, run.request)
            assert {(asset, key) for key in still} <= left_out, f"{asset} {still} is not repaired"

    # The world -----------------------------------------------------------------------------------

    @rule(happens=happenings(), at=ranges())
    def world_changes(self, happens: Happening, at: PartitionSet) -> None:
        """The provider revises days, or code or a contract is deployed."""
        self._happens(happens, self._named(at))

    def _named(self, partitions: PartitionSet) -> PartitionSet:
        """With the towns as they are called now."""
        return PartitionSet.from_keys(map(self._name, partitions))

    def _name(self, key: PartitionKey) -> PartitionKey:
        return PartitionKey(key.day, self.world.code.towns[TOWNS.index(str(key.location))])

    def _happens(self, happening: Happening, at: PartitionSet) -> None:
        """Days have other values, or none, or in the other column, or as before; code makes other rows, or not."""
        what, asset, pattern, fetched = happening
        feed, code = self.world.feed, self.world.code
        if what == "contract":
            self.world.code = code.with_contract(asset, retyped=fetched)
        elif what in ("code", "effect"):
            self.world.code = code.changed(asset, at.locations, really=what == "effect", reading=fetched)
        elif what == "grow":
            self.world.code = code.grown(CLEAN if fetched else HOURS, PATTERNS.index(pattern) % 3)
        elif what == "line":
            self.world.code = code.with_lines(asset)
        elif what == "revert":
            self.world.code = code.as_before(asset)
        elif what in ("nudge", "far"):
            self.world.code = code.with_place(at.locations[0], 0.03 if what == "nudge" else 1.0)
        elif what == "leave or come":
            self.world.code = code.with_configured(at.locations[0])
        elif what == "back":
            self.world.feed, self.feed_before = dict(self.feed_before or feed), feed
        elif what in ("move", "pattern", "withdraw"):
            self.feed_before = dict(feed)
            for key in at:
                feed[key] = moved(feed[key]) if what == "move" else day_of(pattern, key) if what == "pattern" else ()
        if what in ("move", "pattern", "withdraw", "back") and fetched and not self.renaming:
            self._undisturbed(Request(frozenset({FEED}), at, self.world.now, force=True))

    @rule(hours=st.sampled_from([0, 1, 5, 6, 13, 24]), minutes=st.sampled_from([0, 20]))
    def time_passes(self, hours: int, minutes: int) -> None:
        """The clock goes on, up to the last day."""
        later = self.world.now + timedelta(hours=hours, minutes=minutes)
        if later.date() <= DATES[-1]:
            self.world.now = later

    # Others --------------------------------------------------------------------------------------

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

    def _others_commit(self, asset: str, at: PartitionKey, other: PartitionKey, what: str, back: int = 1) -> None:
        log = self.storage.tables[asset]
        if not log or not PartitionSet.from_keys([at, other]) <= self.world.until_today:
            return
        at, other = (NULL_KEY, NULL_KEY) if asset == PLACES else (at, other)
        rows, spans = dict(self.storage.newest(asset).rows), [span_of([at, other])]
        if what == "write":
            width = len(next(iter(rows.values()))[0]) if rows else 4
            rows[at] = ((1, 170, 5, *[9] * (width - 3)),)
        elif what == "delete":
            rows.pop(at, None)
        elif what == "restore":
            then = log[max(0, len(log) - 1 - back)].rows
            differing = [key for key in {*rows, *then} if rows.get(key) != then.get(key)]
            rows, spans = dict(then), [span_of(differing)] if differing else []
        elif what == "optimize":
            spans = []
        self.storage.changed_by_others(asset, rows, spans)

    @precondition(lambda self: not self.renaming)
    @rule(selected=often_all, asked=ranges())
    def wipe(self, selected: frozenset[str], asked: PartitionSet) -> None:
        """Partitions are removed, downstream first."""
        self._land()
        asked = self._named(asked)
        for asset in reversed(LAKE.keys):
            gone = (PartitionSet.null() if asset == PLACES else asked) & self.storage.state(asset).present
            if asset in selected and gone:
                self.storage.wipe(asset, gone)

    # Changes -------------------------------------------------------------------------------------

    @precondition(lambda self: not self.renaming)
    @rule(
        asset=st.sampled_from([CLEAN, CLEAN, CLEAN, DAYS, *LAKE.keys]),
        sample=st.sampled_from([1, 3, 100]),
        what=st.sampled_from(["", "code", "code", "effect", "grow"]),
        at=towns,
        pattern=st.sampled_from(PATTERNS),
    )
    def accept(self, asset: str, sample: int, what: str, at: tuple[str, ...], pattern: Pattern) -> None:
        """What older code made is accepted where a sample comes out the same."""
        self._land()
        self._happens((what, asset, pattern, asset == CLEAN), self._named(PartitionSet.of(Days.of(*DATES[:2]), at)))
        self.runs += 1
        before = fresh_cells(self.storage.snapshot(), self.world.code, self.world.now)
        event(changes_model.accept(self.storage, self.world, asset, sample, f"accept {self.runs}"))
        assert before <= fresh_cells(self.storage.snapshot(), self.world.code, self.world.now), "accepted to be stale"

    @precondition(lambda self: not self.renaming)
    @rule(asset=st.sampled_from([CLEAN, CLEAN, HOURS]), asked=ranges(), how=st.sampled_from([0, 0, 1, 2]))
    def a_column_comes(self, asset: str, asked: PartitionSet, how: int) -> None:
        """A table gets a column, and its readers are made anew of rows that lack it."""
        self.world.code = self.world.code.grown(asset, how)
        reader = frozenset({HOURS if asset == CLEAN else DAYS})
        self._undisturbed(Request(reader, self._named(asked), self.world.now, force=True))

    @precondition(lambda self: not self.renaming)
    @rule(asked=ranges(), far=st.sampled_from([True, True, False]), order=seeds)
    def refetch(self, asked: PartitionSet, far: bool, order: int) -> None:
        """What lies behind its question, and that alone, is fetched; what follows from it is made."""
        self._land()
        asked = self._named(asked)
        self._happens(("far" if far else "", FEED, PATTERNS[0], False), asked)
        request = Request(ALL, asked, self.world.now, refetch=True)
        moved = self._moved()
        run = self._run(request, order).to_the_end()
        fetched = set(run.fetched)
        assert fetched == {key for key in moved if key in asked_of(FEED, run.request)}, "others were fetched"
        assert not self._moved() & fetched, "still behind their question"

    def _moved(self) -> set[PartitionKey]:
        """What is recorded, will not go on, and was asked for elsewhere."""
        code, table = self.world.code, self.storage.newest(FEED)
        return {
            key
            for key, making in table.makings.items()
            if code.is_configured(key.location) and key not in table.doubted
            if making.begun == hours_begun(key, self.world.now) and has_moved(key, making, code)
        }

    @precondition(lambda self: not self.renaming)
    @rule(asked=ranges(), happens=happenings())
    def plan_what_changed(self, asked: PartitionSet, happens: Happening) -> None:
        """What a change of code, contracts or configuration would cost: nothing that is not there, and no fetch."""
        self._land()
        asked = self._named(asked)
        self._happens(happens, asked)
        plan = self._run(Request(ALL, asked, self.world.now, changed=True)).plan
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
        self.renaming = changes_model.begin_rename(self.storage, old, new)
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

    def _go_on_renaming(self, tables: int) -> bool:
        """Whether it came to its end."""
        assert self.renaming is not None
        going = changes_model.go_on_with_rename(self.storage, self.world, self.renaming)
        if not all(next(going, None) for _ in range(tables)):
            self.renaming = None
        return not self.renaming

    # What holds ----------------------------------------------------------------------------------

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
        self._run(Request(frozenset({FEED}), everything, self.world.now, force=True)).to_the_end()
        self._run(Request(ALL, everything, self.world.now)).to_the_end()
        lacking = {asset for asset, key in self._check() if self._lacks(asset, key)}
        if lacking:  # what is fresh without some columns is filled if it is told so
            self._run(Request(frozenset(lacking), everything, self.world.now, force=True)).to_the_end()
            self._run(Request(ALL, everything, self.world.now)).to_the_end()
        fresh = self._check()
        there = {(asset, key) for asset in ALL for key in asked_of(asset, Request(ALL, everything, self.world.now))}
        assert there <= fresh, f"not fresh after everything was made: {sorted(map(str, there - fresh))}"
        clean = rebuilt(self.world)
        for asset, log in self.storage.tables.items():
            rows = {key: of for key, of in log[-1].rows.items() if self.world.code.is_configured(key.location)}
            assert rows == clean[asset], f"{asset} is not what a clean rebuild makes"
            assert fold(version.commit for version in log) == self.storage.state(asset), f"{asset} is folded otherwise"
        again = self._run(Request(ALL, everything, self.world.now)).plan
        assert not again.steps, f"planned again: {again.steps}"

    def teardown(self) -> None:
        if self.sound:
            if self.renaming:
                self._go_on_renaming(END)
            self.mend()

    # How -----------------------------------------------------------------------------------------

    def _check(self) -> set[Cell]:
        """Check all tables, those of which nothing changed since the last time aside; gives what is fresh.

        Nothing is judged of tables that are half renamed: runs on them are refused.
        """
        if self.renaming:
            return set()
        states, tables = self.storage.states(), self.storage.snapshot()
        for asset in LAKE:
            versions = [tables[key].commit.version for key in (asset.key, *asset.upstream_keys)]
            mark = (self.storage, versions, self.world.code, self.world.now if asset.source else None)
            if self.checked.get(asset.key, (None,))[0] != mark:
                self.checked[asset.key] = mark, checked(asset.key, states, tables, self.world)
        return {(asset, key) for asset, (_, fresh) in self.checked.items() for key in fresh}

    def _lacks(self, asset: str, key: PartitionKey) -> bool:
        """Whether a partition at a configured town lacks columns that were added."""
        code, making = self.world.code, self.storage.newest(asset).makings[key]
        return code.is_configured(key.location) and making.form.extras < code.extras(asset)

    def _land(self) -> None:
        """Late commits land before anything else is done to the storage: the lock sees to that, or they are refused."""
        late, self.late = self.late, []
        for proposal in late:
            self.storage.commit(proposal)

    def _run(
        self, request: Request, order: int = 0, *, failing: frozenset[Cell] = frozenset(), batch: int = BATCH
    ) -> Run:
        """A planned run of what is configured; the plan covers what it was asked for."""
        self.runs += 1
        there = request.partitions.restrict(locations=self.world.code.configured)
        chunks = tuple(Chunk(chunk.name, chunk.partitions & there) for chunk in request.chunks)
        request = replace(request, partitions=there, chunks=tuple(chunk for chunk in chunks if chunk.partitions))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(planner, "BATCH_PARTITIONS", batch)
            run = Run(self.storage, self.world, request, run_id=f"run {self.runs}", failing=failing, order=order)
        covers(run)
        return run

    def _undisturbed(self, request: Request, order: int = 0, *, batch: int = BATCH) -> None:
        """A run in which nothing goes wrong; afterwards what it was asked for is fresh, and what was fresh still is.

        But for what depends on partitions that somebody else changed and the run was not asked to mend: new content may
        let an episode reach into such a day. And for towns that are not configured: what they are made of may change.
        """
        self._land()
        before = fresh_cells(self.storage.snapshot(), self.world.code, self.world.now)
        run = self._run(request, order, batch=batch).to_the_end()
        assert not any(outcome.bad for outcome in run.outcomes.values())
        tables = self.storage.snapshot()
        left_out = {(item.asset, key) for item in run.plan.left_out for key in item.partitions}
        for asset in request.assets:
            asked = asked_of(asset, run.request)
            for key in keys_of(asset):
                if is_fresh(asset, key, tables, self.world.code, self.world.now):
                    continue
                if not self.world.code.is_configured(key.location):
                    continue
                doubted = any(one in tables[at].doubted for at, one in depends_on(asset, key, tables, self.world.code))
                assert doubted or (asset, key) not in before, f"{asset} {key} was fresh, and is not any more"
                assert key not in asked or doubted or (asset, key) in left_out, (
                    f"{asset} {key} is not fresh after a run"
                )


def asked_of(asset: str, request: Request) -> PartitionSet:
    """What a request asks of an asset: days after today do not count."""
    if asset == PLACES:
        return PartitionSet.null()
    return PartitionSet.from_keys(key for key in request.partitions if key.day is not None and key.day <= request.today)


def covers(run: Run) -> None:
    """Every asked partition is fresh, in a step, or left out; and what is left out lacks something indeed."""
    request, tables = run.request, run.storage.snapshot(run.tables)
    planned = {(step.asset, key) for step in run.plan.steps for key in step.all_partitions}
    left_out = {(item.asset, key) for item in run.plan.left_out for key in item.partitions}
    for asset in request.assets:
        for key in asked_of(asset, request):
            if request.repair and key not in tables[asset].doubted:
                continue
            if request.refetch or request.changed:
                continue
            fresh = is_fresh(asset, key, tables, run.code, run.current.now)
            assert fresh or (asset, key) in planned | left_out, f"{asset} {key} is neither fresh nor planned"
    for item in run.plan.left_out:
        for key in item.partitions if item.lacking else ():
            upstream = [(of, NULL_KEY if of == PLACES else key) for of in LAKE[item.asset].upstream_keys]
            sound = [cell in planned or tables[cell[0]].seen(cell[1]) not in (None, model.DOUBTED) for cell in upstream]
            assert not all(sound), f"{item.asset} {key} is left out and lacks nothing"


def checked(asset: str, states: Mapping[str, TableState], tables: Snapshot, world: World) -> set[PartitionKey]:
    """What is fresh of a table, by the core and by the shadow alike; asserts that the table is what the core says."""
    table, state = tables[asset], states.get(asset, TableState())
    judge = Judge(LAKE[asset], states, world.current())
    assert set(state.unrecorded) == table.doubted, f"{asset}: other partitions are doubted"
    assert state.records.keys() == table.makings.keys(), f"{asset}: other partitions are recorded"
    for key, rows in table.rows.items():
        assert key in table.makings or key in table.doubted, f"{asset} {key} has rows that nobody recorded: {rows}"
    code = world.code
    upstream = {
        at: {key: shown(at, rows, code.extras(at)) for key, rows in tables[at].rows.items()}
        for at in LAKE[asset].upstream_keys
    }
    if asset == FEED:
        upstream["raw"] = {key: making.raw for key, making in table.makings.items() if key.location in code.towns}
    now = transform(asset, upstream, code)
    fresh = set()
    for key in keys_of(asset):
        making = table.makings.get(key)
        if key in state.records and key not in table.doubted:
            recorded, rows = state.records[key], table.rows.get(key, ())
            assert rows == table.makings[key].rows, f"{asset} {key} has other rows than were made"
            assert recorded.rows == len(rows), f"{asset} {key} has another number of rows than is recorded"
            if asset == FEED:
                says_what_was_asked(key, recorded, table.makings[key], state)
        judgement = judge(key)
        if judgement.fresh:
            fresh.add(key)
        if judgement.fresh and making and code.is_configured(key.location):
            then, anew = (shown(asset, of.get(key, ()), making.form.extras) for of in (table.rows, now))
            assert then == anew, f"{asset} {key} is stale and called fresh"
        by_shadow = is_fresh(asset, key, tables, code, world.now)
        assert judgement.fresh == by_shadow, f"{asset} {key}: {judgement}, and the shadow says otherwise"
        if making and key not in table.doubted:
            assert judgement.marks == marks_of(asset, key, making, code), f"{asset} {key}: {judgement.marks}"
            if judgement.state is State.STALE:
                assert judgement.way is way_of(asset, key, making, world), f"{asset} {key}: {judgement}"
    return fresh


def says_what_was_asked(key: PartitionKey, record: PartitionRecord, making: Making, state: TableState) -> None:
    """The record of a fetched partition tells the answer that its rows are of, however often they were rewritten."""
    digest = model.fingerprint(making.raw)
    assert record.inputs == {"feed": {str(key): digest}}, f"{key}: another answer is recorded"
    assert [answer.digest for answer in record.answers] == [digest], f"{key}: another answer owns its hours"
    assert bool(record.as_of) == (making.begun < 25), f"{key}: the end of the day is recorded otherwise"
    assert state.questions[record.question].latitude == making.degrees, f"{key}: another question is recorded"


def marks_of(asset: str, key: PartitionKey, making: Making, code: Code) -> tuple[str, ...]:
    """What is to be said of a partition beside its state, by the shadow alone."""
    form = code.forms[asset]
    without = [f"x{number}" for number in range(making.form.extras, form.extras)] if form.takes(making.form) else []
    marks = [f"without {', '.join(without)}"] if without else []
    return tuple(marks if code.is_configured(key.location) else [*marks, freshness.NO_LONGER_CONFIGURED])


def way_of(asset: str, key: PartitionKey, making: Making, world: World) -> Way:
    """How a partition that is not fresh is brought up to date, by the shadow alone."""
    if asset != FEED or making.begun != hours_begun(key, world.now):
        return Way.MAKE
    return Way.REFETCH if has_moved(key, making, world.code) else Way.REWRITE


def quickly(examples: int, steps: int = 15) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def test_the_core_holds() -> None:
    run_state_machine_as_test(Lakehouse, settings=quickly(30))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_core_holds_for_long() -> None:
    run_state_machine_as_test(Lakehouse, settings=settings(quickly(500, 30), derandomize=False))


@settings(quickly(12))
@given(
    patterns=st.lists(st.sampled_from(PATTERNS), min_size=6, max_size=12),
    sizes=st.lists(st.integers(1, 3), max_size=4),
    shuffled=st.integers(0, 5),
    batch=st.sampled_from([1, 2, 4, BATCH]),
    order=seeds,
)
def test_chunks_do_not_matter(patterns: list[Pattern], sizes: list[int], shuffled: int, batch: int, order: int) -> None:
    """One range, a backfill in chunks, and a run per chunk: the same rows and the same records."""

    def loaded(*requests: Request) -> dict[str, tuple[Any, Any]]:
        machine = Lakehouse()
        machine.begin(patterns, locked=True, load="not yet", order=0)
        for request in requests:
            machine._undisturbed(request, order, batch=batch)
        records = {key: machine.storage.state(key).records for key in LAKE.keys}
        facts = {key: {one: record.facts() for one, record in of.items()} for key, of in records.items()}
        return {key: (machine.storage.newest(key).rows, facts[key]) for key in LAKE.keys}

    everything = PartitionSet.from_keys(key for key in KEYS if key.location in TOWNS)
    chunks = chunked(everything, sizes, shuffled)
    at_once = loaded(Request(ALL, everything, NOON))
    assert loaded(Request(ALL, everything, NOON, chunks=chunks)) == at_once
    assert loaded(*[Request(ALL, chunk.partitions, NOON) for chunk in chunks]) == at_once


def test_a_step_waits_for_the_last_step_that_makes_what_it_reads() -> None:
    """Found by the machine: the days of a later batch are made by the first batch's step too, because a dimension is
    made anew; what was made of them waited for that step alone, and was left stale by a run that came to its end."""
    machine = Lakehouse()
    machine.begin([PATTERNS[0]], locked=True, load="at once", order=0)
    asked = PartitionSet.from_keys(key for key in KEYS if key.location in TOWNS)
    run = machine._run(Request(ALL, asked, NOON, force=True, chunks=chunked(asked, [], 0)), batch=1)
    makers = run.plan.steps_of(HOURS)
    assert len(makers) > 1 and makers[-1].partitions & makers[0].may_rewrite
    last = run.plan.steps_of(DAYS)[-1]
    assert [item.step for item in last.inputs if item.partitions & last.partitions] == [makers[-1].id]


# --- planted bugs -----------------------------------------------------------------------------------------------------

Plant = Callable[[pytest.MonkeyPatch], None]
BUGS: dict[str, Plant] = {}


def bug(plant: Plant) -> Plant:
    """Register a bug; its docstring says what is wrong."""
    BUGS[plant.__name__] = plant
    return plant


@bug
def freshness_by_table_version(patch: pytest.MonkeyPatch) -> None:
    """A partition is stale as soon as there is a new version of an upstream table."""
    consulted = TableState.consulted

    def by_version(state: TableState, key: PartitionKey, lacking: Any = None) -> str:
        return str(state.version) if key in state.present else consulted(state, key, lacking)

    patch.setattr(TableState, "consulted", by_version)
    patch.setattr(TableState, "holds", lambda state, key, recorded, lacking=None: recorded == by_version(state, key))


@bug
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


@bug
def a_fingerprint_blind_to_the_column(patch: pytest.MonkeyPatch) -> None:
    """Nulls are left out of the hash, as Spark's own does: a value can move to the next column unseen."""
    patch.setattr(
        model, "fingerprint", lambda rows: repr(sorted(([v for v in row if v is not None] for row in rows), key=repr))
    )


@bug
def a_plan_that_forgets_the_day_before(patch: pytest.MonkeyPatch) -> None:
    """The run that reaches a changed day starts on a day before it."""
    patch.setattr(mappings, "_first_day_of_run", lambda town, first, flagged: first)


@bug
def a_step_that_does_not_read_the_day_before(patch: pytest.MonkeyPatch) -> None:
    """Whether an episode starts at midnight is said by the hour before."""

    def upstream_of(window: RunWindow, partitions: PartitionSet, flagged: Any) -> PartitionSet:
        return partitions.map_days(
            lambda town, of: Days.union_of(
                Days.of(first, mappings._last_day_of_run(town, last, flagged)) for first, last in of.pieces
            )
        )

    patch.setattr(RunWindow, "upstream_of", upstream_of)


@bug
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


@bug
def a_step_that_does_not_follow_a_run_into_the_next_day(patch: pytest.MonkeyPatch) -> None:
    """An episode ends where its day ends."""
    patch.setattr(mappings, "_last_day_of_run", lambda town, last, flagged: last)


def _records(patch: pytest.MonkeyPatch, change: Callable[[PartitionRecord], PartitionRecord]) -> None:
    records_of = decisions.records_of

    def changed(*arguments: Any) -> dict[PartitionKey, PartitionRecord]:
        return {key: change(record) for key, record in records_of(*arguments).items()}

    patch.setattr(decisions, "records_of", changed)


@bug
def absent_days_are_not_recorded(patch: pytest.MonkeyPatch) -> None:
    """What was not there when a partition was made is not missed when it comes."""

    def without_absent(record: PartitionRecord) -> PartitionRecord:
        there = {of: {key: fp for key, fp in seen.items() if fp != ABSENT} for of, seen in record.inputs.items()}
        return replace(record, inputs=there)

    _records(patch, without_absent)


def _ignore(patch: pytest.MonkeyPatch, reason: str) -> None:
    """Freshness without one of the reasons for being stale."""
    staleness = Judge._staleness

    def without(*arguments: Any) -> Iterator[Judgement]:
        return (judgement for judgement in staleness(*arguments) if reason not in judgement.reason)

    patch.setattr(Judge, "_staleness", without)


@bug
def the_code_version_does_not_count(patch: pytest.MonkeyPatch) -> None:
    """What old code made is called fresh."""
    _ignore(patch, "its code")


@bug
def the_contract_does_not_count(patch: pytest.MonkeyPatch) -> None:
    """What was checked by an old contract is called fresh."""
    _ignore(patch, "its contract")


@bug
def zero_rows_are_taken_for_missing(patch: pytest.MonkeyPatch) -> None:
    """A day that the provider withdrew is there, and empty."""
    patch.setattr(
        TableState,
        "present",
        property(
            lambda state: PartitionSet.from_keys(key for key, of in state.records.items() if of.rows) | state.unrecorded
        ),
    )


@bug
def provenance_apart_from_data(patch: pytest.MonkeyPatch) -> None:
    """Two commits, first what is said and then the rows: a crash between them leaves old rows with new provenance."""
    commit = model.Run._commit

    def in_two(run: Run, step: Any, proposal: Proposal) -> Any:
        if not (yield from commit(run, step, replace(proposal, replaced=NOTHING))):
            return False
        yield
        table = run.storage.newest(proposal.asset)
        rows = {**table.rows, **{key: proposal.rows.get(key, ()) for key in proposal.replaced}}
        at = run.storage.tables[proposal.asset]
        at[-1] = replace(at[-1], rows={key: of for key, of in rows.items() if of})
        return True

    patch.setattr(model.Run, "_commit", in_two)


@bug
def what_others_changed_upstream_counts_as_recorded(patch: pytest.MonkeyPatch) -> None:
    """The last record of an upstream partition is believed, though somebody else changed its rows."""
    begin = Judge.__init__

    def trusting(judge: Judge, asset: Asset, tables: Mapping[str, TableState], current: Current) -> None:
        trusted = {of: replace(state, unrecorded=NOTHING) for of, state in tables.items() if of != asset.key}
        begin(judge, asset, {**tables, **trusted}, current)

    patch.setattr(Judge, "__init__", trusting)


@bug
def a_day_fetched_too_early_is_fresh_for_ever(patch: pytest.MonkeyPatch) -> None:
    """More of the day has passed since it was fetched."""
    patch.setattr(freshness, "more_has_passed", lambda key, as_of, now: False)


@bug
def a_change_that_trusts_what_others_changed(patch: pytest.MonkeyPatch) -> None:
    """Rows that somebody else changed are taken for those that were recorded, and left as they are."""
    change_of = decisions.change_of
    patch.setattr(
        decisions,
        "change_of",
        lambda records, state: change_of(records, replace(state, unrecorded=NOTHING)),
    )


@bug
def a_retry_that_commits_its_old_change(patch: pytest.MonkeyPatch) -> None:
    """Another run came first; what has to be replaced was decided before it."""

    def stubborn(run: Run, step: Any, proposal: Proposal) -> Any:
        run.proposed[step.id] = proposal
        yield
        del run.proposed[step.id]
        if not run.storage.commit(proposal):
            yield
            again = replace(proposal, base=run.storage.state(proposal.asset))
            assert run.storage.commit(again)
        return True

    patch.setattr(model.Run, "_commit", stubborn)


@bug
def a_record_of_rows_that_were_not_read(patch: pytest.MonkeyPatch) -> None:
    """Steps of a run go on at once, and a step records its upstream tables as they are when it commits."""
    patch.setattr(model.Run, "_view", lambda run: run.tables)


@bug
def dependants_of_what_failed_are_made(patch: pytest.MonkeyPatch) -> None:
    """A partition is made although what it is made from is not there."""
    patch.setattr(decisions, "skipped", lambda *arguments: ())


@bug
def a_step_that_waits_for_nothing(patch: pytest.MonkeyPatch) -> None:
    """The plan's steps start before those that make their inputs are done."""
    patch.setattr(planner.Step, "upstream_steps", property(lambda step: () if step.after is None else (step.after,)))


@bug
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


@bug
def a_commit_that_is_never_refused(patch: pytest.MonkeyPatch) -> None:
    """Another run's commit in between is overlooked: what was to be kept is recorded, and is not there any more."""
    patch.setattr(Storage, "_overtaken", lambda storage, proposal: False)


def _in_part(patch: pytest.MonkeyPatch, of: Any, name: str, change: Callable[..., Any]) -> None:
    """Put ``change`` in place of a function; it is given the function first."""
    patch.setattr(of, name, partial(change, getattr(of, name)))


@bug
def what_was_accepted_holds_elsewhere_too(patch: pytest.MonkeyPatch) -> None:
    """A setting that made no difference at one town is believed to make none at the other."""
    patch.setattr(equivalence, "_concerns", lambda equal, asset, location: equal.asset == asset)


@bug
def lines_hold_whatever_the_settings_were(patch: pytest.MonkeyPatch) -> None:
    """Code that is declared to make the same rows is believed to make them of other settings, too."""
    same = Equivalences.same

    def careless(of: Equivalences, asset: str, at: str | None, one: str, other: str, accepted: Any = ()) -> bool:
        codes = {version.rpartition(":")[0] for version in (one, other)}
        return same(of, asset, at, one, other, accepted) or any(codes <= set(line) for line in of._lines.get(asset, ()))

    patch.setattr(Equivalences, "same", careless)


@bug
def an_accept_without_a_look_at_the_rows(patch: pytest.MonkeyPatch) -> None:
    """Whatever the sample comes out as, it is accepted."""
    patch.setattr(decisions, "comes_out_as", lambda record, fact: True)


@bug
def an_accept_that_compares_columns_which_were_not_there(patch: pytest.MonkeyPatch) -> None:
    """A sample is compared in the columns of today, of which the stored rows lack some."""
    patch.setattr(
        decisions,
        "comes_out_as",
        lambda record, fact: (record.rows, record.fingerprint) == (fact.rows, fact.fingerprint),
    )


@bug
def an_accept_by_partitions_whose_upstream_changed(patch: pytest.MonkeyPatch) -> None:
    """What proves that code makes the same is made of other rows than it was made of then."""
    fresh = Judgement(State.FRESH, "", "fresh")
    patch.setattr(accept, "_as_if_accepted", lambda *arguments: lambda key: fresh)


@bug
def a_retyped_contract_is_taken_for_a_grown_one(patch: pytest.MonkeyPatch) -> None:
    """A contract that has all columns of then demands nothing else of them, whatever their types are."""

    def by_name(contract: Any, shape: Any) -> tuple[str, ...] | None:
        then = {name for name, _, _ in shape.columns}
        return tuple(name for name in contract.column_names if name not in then)

    patch.setattr(shapes, "lacking", by_name)


@bug
def a_grown_contract_makes_everything_stale(patch: pytest.MonkeyPatch) -> None:
    """A contract with one more column is another contract."""
    patch.setattr(shapes, "lacking", lambda contract, shape: None)


@bug
def the_fingerprint_over_earlier_columns_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Readers of a partition become stale for a column that is filled, and that they did not know."""
    _records(patch, lambda record: replace(record, also={}))


@bug
def what_a_reader_had_to_do_without_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A reader that read null in place of a column is fresh still when the column is filled."""
    patch.setattr(TableState, "consulted", lambda state, key, lacking=None: state.fingerprint(key))


@bug
def a_second_column_makes_readers_of_the_first_stale(patch: pytest.MonkeyPatch) -> None:
    """Found by the machine: who had to do without a column was stale as soon as the table got a further one."""

    def exactly(state: TableState, key: PartitionKey, recorded: str, lacking: Any = None) -> bool:
        record = state.trusted(key)
        if record is not None and (recorded == record.fingerprint or recorded in record.also.values()):
            return True
        return recorded == state.consulted(key, lacking)

    patch.setattr(TableState, "holds", exactly)


@bug
def stored_rows_are_fetched_again(patch: pytest.MonkeyPatch) -> None:
    """Code of a fetched asset changed, and its source is asked."""
    patch.setattr(planner, "Step", lambda **given: Step(**{**given, "stored": NOTHING}))


@bug
def a_moved_question_is_rewritten(patch: pytest.MonkeyPatch) -> None:
    """Stored rows go through the function although they are of another place."""
    staleness = Judge._staleness

    def rewritten(*arguments: Any) -> Iterator[Judgement]:
        return (replace(one, way=Way.REWRITE if one.way is Way.REFETCH else one.way) for one in staleness(*arguments))

    patch.setattr(Judge, "_staleness", rewritten)


@bug
def a_moved_question_is_fetched_unasked(patch: pytest.MonkeyPatch) -> None:
    """A corrected coordinate fetches years again."""
    patch.setattr(planner._Planning, "_needed", lambda planning, asset, stale: PartitionSet.union_of(stale.values()))


@bug
def a_rewrite_forgets_the_answer(patch: pytest.MonkeyPatch) -> None:
    """Rows that went through the function again are not known to be of the answer that was recorded."""

    def forgetful(whole: Any, record: Any, source: Any, key: Any, fact: Any, brought: Any, before: Any) -> Any:
        said = whole(record, source, key, fact, brought, before)
        return said if brought.stored is None else replace(said, inputs={source: {str(key): ""}})

    _in_part(patch, decisions, "_from_source", forgetful)


@bug
def an_answer_to_the_question_of_before(patch: pytest.MonkeyPatch) -> None:
    """What was fetched at another place is recorded as if it had been asked for where the one before was."""

    def as_before(whole: Any, record: Any, source: Any, key: Any, fact: Any, brought: Any, before: Any) -> Any:
        said = whole(record, source, key, fact, brought, before)
        return replace(said, question=before.question) if brought.stored is None and before else said

    _in_part(patch, decisions, "_from_source", as_before)


@bug
def what_left_the_configuration_is_judged(patch: pytest.MonkeyPatch) -> None:
    """Partitions of a town that was taken out become stale by code that will never make them again."""
    patch.setattr(Current, "is_configured", lambda current, location: True)


@bug
def what_left_the_configuration_is_made_with_the_rest(patch: pytest.MonkeyPatch) -> None:
    """Found by the machine: what hangs on a dimension was made anew of towns that were taken out, too."""

    def of_all(whole: Any, lake: Any, request: Request, tables: Any, current: Current, flags: Any) -> Any:
        return whole(lake, request, tables, replace(current, configured=None), flags)

    _in_part(patch, planner, "make_plan", of_all)


@bug
def a_rename_that_forgets_inputs(patch: pytest.MonkeyPatch) -> None:
    """Records tell the fingerprints that upstream partitions had under the old key."""
    patch.setattr(Renaming, "_consulted", lambda renaming, of, key, fingerprint: fingerprint)


def _renamed(patch: pytest.MonkeyPatch, change: Callable[..., PartitionRecord]) -> None:
    """``change`` is given the renaming of a record, the renaming, the record and the facts."""
    record = Renaming.record
    patch.setattr(Renaming, "record", lambda of, then, fact, **more: change(partial(record, **more), of, then, fact))


@bug
def a_rename_that_keeps_the_fingerprint(patch: pytest.MonkeyPatch) -> None:
    """Records tell the fingerprint of the rows with the old key in them."""
    _renamed(patch, lambda whole, of, then, fact: replace(whole(of, then, fact), fingerprint=then.fingerprint))


@bug
def a_rename_that_forgets_earlier_columns(patch: pytest.MonkeyPatch) -> None:
    """Records of rows without a column tell the fingerprint of rows with a null there."""
    _renamed(patch, lambda whole, of, then, fact: whole(of, then, replace(fact, also={})))


@bug
def a_rename_that_forgets_what_was_accepted(patch: pytest.MonkeyPatch) -> None:
    """What was accepted at the old key is to be accepted anew."""
    patch.setattr(Renaming, "equal", lambda renaming, state, code: ())


@bug
def a_resumed_rename_takes_what_it_renamed_for_changed(patch: pytest.MonkeyPatch) -> None:
    """The states from before the rename are read when it is gone on with: of what was renamed there is nothing left."""
    patch.setattr(changes_model, "state_at", lambda storage, asset, version: storage.state(asset))


ROUNDS = 20
RARE = {
    "a_rename_that_forgets_earlier_columns",
    "a_resumed_rename_takes_what_it_renamed_for_changed",
    "dependants_of_what_failed_are_made",
    "a_record_of_rows_that_were_not_read",
    "the_first_step_that_makes_a_partition_is_read",
    "an_accept_by_partitions_whose_upstream_changed",
    "an_accept_that_compares_columns_which_were_not_there",
    "a_rename_that_forgets_what_was_accepted",
    "what_was_accepted_holds_elsewhere_too",
}
"""Bugs that need more than ten seconds to be found."""


@pytest.mark.planted
@pytest.mark.parametrize(
    "plant",
    [pytest.param(plant, id=name, marks=[pytest.mark.slow] if name in RARE else []) for name, plant in BUGS.items()],
)
def test_the_machine_finds(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """In rounds, because hypothesis begins each with its plainest examples and most bugs are found soon after."""
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        for number in range(ROUNDS):
            machine = seed(number)(type("Planted", (Lakehouse,), {}))
            run_state_machine_as_test(machine, settings=settings(quickly(50), phases=[Phase.generate]))
