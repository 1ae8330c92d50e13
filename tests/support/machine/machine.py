"""The machine without its rules: the world, the storage, and how things happen to both."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine

from orchestration.core.partitions.keys import NULL_KEY, PartitionKey, PartitionSet
from orchestration.core.planning.request import Chunk, Remake, Request
from tests.support.machine import changes
from tests.support.machine.changes import Rename
from tests.support.machine.deployed import (
    CLEAN,
    FEED,
    HOURS,
    LAKE,
    LOCATIONS,
    TOWNS,
    Rows,
    keys_of,
)
from tests.support.machine.happenings import (
    BATCH,
    NOON,
    PATTERNS,
    Happening,
    day_of,
    moved,
)
from tests.support.machine.invariants import asked_of, checked, covers
from tests.support.machine.run import NONE, Faults, Run
from tests.support.machine.shadow import depends_on, fresh_cells, has_moved, is_fresh
from tests.support.machine.storage import Cell, Proposal, Storage, span_of
from tests.support.machine.world import World, hours_begun


class Machine(RuleBasedStateMachine):
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
            self.world.code = code.with_location(at.locations[0], 0.03 if what == "nudge" else 1.0)
        elif what == "leave or come":
            self.world.code = code.with_configured(at.locations[0])
        elif what == "back":
            self.world.feed, self.feed_before = dict(self.feed_before or feed), feed
        elif what in ("move", "pattern", "withdraw"):
            self.feed_before = dict(feed)
            for key in at:
                feed[key] = moved(feed[key]) if what == "move" else day_of(pattern, key) if what == "pattern" else ()
        if what in ("move", "pattern", "withdraw", "back") and fetched and not self.renaming:
            self._undisturbed(Remake(frozenset({FEED}), at))

    def _others_commit(self, asset: str, at: PartitionKey, other: PartitionKey, what: str, back: int = 1) -> None:
        log = self.storage.tables[asset]
        if not log or not PartitionSet.from_keys([at, other]) <= self.world.until_today:
            return
        at, other = (NULL_KEY, NULL_KEY) if asset == LOCATIONS else (at, other)
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

    def _moved(self) -> set[PartitionKey]:
        """What is recorded, will not go on, and was asked for elsewhere."""
        code, table = self.world.code, self.storage.newest(FEED)
        return {
            key
            for key, making in table.makings.items()
            if code.is_configured(key.location) and key not in table.unrecorded
            if making.begun == hours_begun(key, self.world.now) and has_moved(key, making, code)
        }

    def _go_on_renaming(self, tables: int) -> bool:
        """Whether it came to its end."""
        assert self.renaming is not None
        going = changes.go_on_with_rename(self.storage, self.world, self.renaming)
        if not all(next(going, None) for _ in range(tables)):
            self.renaming = None
        return not self.renaming

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

    def _run(self, request: Request, order: int = 0, *, faults: Faults = NONE, batch: int = BATCH) -> Run:
        """A planned run of what is configured; the plan covers what it was asked for."""
        self.runs += 1
        there = request.partitions.restrict(locations=self.world.code.configured)
        chunks = tuple(Chunk(chunk.name, chunk.partitions & there) for chunk in request.chunks)
        chunks = tuple(chunk for chunk in chunks if chunk.partitions)
        request = replace(request, partitions=there, chunks=chunks, batch=batch)
        run = Run(self.storage, self.world, request, run_id=f"run {self.runs}", faults=faults, order=order)
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
        assert not any(outcome.not_made for outcome in run.outcomes.values())
        tables = self.storage.snapshot()
        left_out = {(item.asset, key) for item in run.plan.left_out for key in item.partitions}
        for asset in request.assets:
            asked = asked_of(asset, run.request, run.current.now)
            for key in keys_of(asset):
                if is_fresh(asset, key, tables, self.world.code, self.world.now):
                    continue
                if not self.world.code.is_configured(key.location):
                    continue
                unrecorded = any(
                    one in tables[at].unrecorded for at, one in depends_on(asset, key, tables, self.world.code)
                )
                assert unrecorded or (asset, key) not in before, f"{asset} {key} was fresh, and is not any more"
                assert key not in asked or unrecorded or (asset, key) in left_out, (
                    f"{asset} {key} is not fresh after a run"
                )
