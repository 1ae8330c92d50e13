"""A run of the model: the product's own steps (``core.runs.step``) over the model's storage, phase by phase.

Every step runs in a greenlet of its own, which rests wherever a run can be broken off or another can come between. So
several steps and several runs go on at once without threads, and a run that dies is just not gone on with.

Left out: conflicts of files beyond those of partitions.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime

from greenlet import getcurrent, greenlet

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.checks import NOT_NULL
from orchestration.core.errors import CheckFailed, LakehouseError, SourceError
from orchestration.core.partitions.keys import NULL_KEY, PartitionKey, PartitionSet
from orchestration.core.partitions.mappings import FlaggedHours, RunWindow
from orchestration.core.planning import planner
from orchestration.core.planning.plan import Plan, Step
from orchestration.core.planning.request import Refetch, Request
from orchestration.core.runs import step_parts
from orchestration.core.runs.decisions import Fetched, Made, Sourced
from orchestration.core.runs.decisions import Proposal as Commitment
from orchestration.core.runs.outcome import StepOutcome
from orchestration.core.runs.step import Steps
from orchestration.core.runs.step_world import Reading, Readings
from orchestration.core.state.table_state import TableState
from tests.support.machine import rows as rows_of_the_model
from tests.support.machine.deployed import FEED, KEYS, LAKE, Content, Known, Rows
from tests.support.machine.rows import facts_of, shown, transform
from tests.support.machine.shadow import depends_on, has_moved, is_fresh
from tests.support.machine.storage import NO_TABLE, Cell, Making, Proposal, Snapshot, Storage, Version
from tests.support.machine.world import World, hours_begun


@dataclass(frozen=True, eq=False)
class Frame:
    """Rows with, for the shadow, what they were made of. adopted: they are the table's own."""

    rows: Content
    makings: Mapping[PartitionKey, Making]
    adopted: bool = False


@dataclass(frozen=True)
class Faults:
    """What goes wrong in a run. failing: partitions that cannot be fetched, or break a blocking check.

    straying: of this asset, the code makes rows of a partition that it was not asked for. altering: the code of the
    fetched asset changes what was fetched.
    """

    failing: frozenset[Cell] = frozenset()
    straying: str = ""
    altering: bool = False


NONE = Faults()


@dataclass
class Answers:
    """What was brought for a step, and when it was asked."""

    rows: Mapping[PartitionKey, Rows]
    asked: datetime


@dataclass
class Run:
    """One run: a plan, and its steps in any order that the plan allows, several at once. A ``StepWorld``.

    order: 0 goes through the plan as it stands; with any other number steps fall behind now and then, so that others
    overtake them where the plan allows it. proposed: commits that are under way, by step: they may still land after the
    run has died. tables: as the plan was made on them.
    """

    storage: Storage
    world: World
    request: Request
    run_id: str = "run"
    faults: Faults = field(default_factory=Faults)
    order: int = 0

    def __post_init__(self) -> None:
        self.code, self.current = self.world.code, self.world.current()
        self.tables = self.storage.states()
        self.plan: Plan = planner.make_plan(LAKE, self.request, self.tables, self.current, self.flagged)
        self.proposed: dict[str, Proposal] = {}
        self.commits = 0
        self.fetched_keys: list[PartitionKey] = []
        self._steps = Steps(self, self.plan, LAKE, self.tables, self.current, Known(self.code), self.run_id)
        self._answers: dict[str, Answers] = {}
        self._bad: dict[str, set[PartitionKey]] = {}
        self._adopted: set[Cell] = set()
        self._landed: set[Cell] = set()
        self._gone: list[Frame] = []
        self._committing: set[str] = set()
        self._ranks = {step.id: -float(number) for number, step in enumerate(self.plan.steps)}
        self._at = ""

    @property
    def outcomes(self) -> Mapping[str, StepOutcome]:
        return self._steps.outcomes

    # How it goes on -----------------------------------------------------------------------------------------------

    def phases(self) -> Iterator[None]:
        """Goes through the run; yields wherever it can be broken off, or another run can come between."""
        waiting, active = list(self.plan.steps), dict[str, greenlet]()
        by_chance = random.Random(self.order) if self.order else None
        try:
            while waiting or active:
                for step in [one for one in waiting if all(before in self.outcomes for before in one.upstream_steps)]:
                    waiting.remove(step)
                    active[step.id] = greenlet(lambda step=step: self._run(step))
                assert active, "steps wait for steps that never come"
                self._at = at = max(active, key=self._ranks.__getitem__)
                if by_chance is not None and by_chance.random() < 0.3:
                    self._ranks[at] = by_chance.uniform(-len(self._ranks), 0)
                active[at].parent = getcurrent()
                active[at].switch()
                if active[at].dead:
                    del active[at]
                else:
                    yield
        finally:
            for dying in active.values():  # nobody goes on with them
                dying.parent = getcurrent()
                dying.throw()

    def to_the_end(self) -> Run:
        for _ in self.phases():
            pass
        return self

    def _pause(self) -> None:
        here = getcurrent().parent
        assert here is not None, "steps run in greenlets"
        here.switch()

    def _run(self, step: Step) -> None:
        """A step; afterwards every partition of it is accounted for, and what was to fail did."""
        self._bad[step.id] = set()
        outcome = self._steps.run(step)
        good, bad, failed = outcome.succeeded, outcome.not_made, outcome.failed
        assert not good & bad, f"{step.id}: {good & bad} came out, and did not"
        assert good | bad == step.all_partitions, f"{step.id}: nothing is said of {step.all_partitions - good - bad}"
        for key in self._bad[step.id]:
            assert key in failed, f"{step.id}: {key} is bad, and not said to have failed"
        part = step_parts.code_part(self.current, LAKE[step.asset], step.all_partitions)
        known = self.storage.state(step.asset, TableState()).columns_of
        assert not outcome.written or known[part] == _columns(part), (
            f"{step.id}: what columns are made of is not recorded"
        )
        for key in outcome.written:
            assert (step.asset, key) in self._landed, f"{step.id}: {key} is said to be written, and was not"

    # Tables -------------------------------------------------------------------------------------------------------

    @property
    def alone(self) -> bool:
        return self.storage.locked

    def state(self, asset: Asset, known: TableState) -> TableState:
        return self.storage.state(asset.key, known)

    def flagged(self, window: RunWindow, state: TableState) -> FlaggedHours:
        return self.storage.flags(window.of, state, self.code)

    @contextmanager
    def committing(self, asset: Asset) -> Iterator[None]:
        while asset.key in self._committing:
            self._ranks[self._at] = min(self._ranks.values()) - 1
            self._pause()
        self._committing.add(asset.key)
        try:
            yield
        finally:
            self._committing.discard(asset.key)

    def checking(self) -> AbstractContextManager[None]:
        return nullcontext()

    def create(self, asset: Asset) -> None:
        self._pause()
        self.storage.create(asset.key)

    def commit(self, asset: Asset, proposed: Commitment[Frame]) -> None:
        """While it is proposed, it may still land after the run has died."""
        frame, step, change, said, before = (
            proposed.made.frame,
            self._at,
            proposed.change,
            proposed.said,
            proposed.before,
        )
        assert not said.columns_of.keys() & before.columns_of, f"{asset.key}: columns are recorded once more"
        for key in said.records:
            assert key not in self._bad[step], f"{asset.key} {key} is bad, and committed"
            if key in change.replaced and before.trusted(key) is not None:
                rows = self._version(asset.key, before.version).rows
                assert rows.get(key, ()) != frame.rows.get(key, ()), f"{asset.key} {key} is written again as it was"
            if frame.adopted:
                making = frame.makings[key]
                left, then = (shown(asset.key, of, making.form.extras) for of in (frame.rows.get(key, ()), making.rows))
                assert then == left, "adopted other rows"
        makings = {key: frame.makings[key] for key in said.records}
        self.proposed[step] = proposal = Proposal(asset.key, said, change.replaced, frame.rows, makings, before)
        self._pause()
        del self.proposed[step]
        self.commits += 1
        over = self.storage.newest(asset.key)
        if self.storage.commit(proposal):
            cells = {(asset.key, key) for key in said.records}
            (self._adopted if frame.adopted else self._landed).update(cells)
            for key in change.replaced - PartitionSet.from_keys(over.unrecorded):
                then, now = over.makings.get(key, makings[key]), makings[key]
                later = then.raw == now.raw or then.asked <= now.asked
                assert later, f"{asset.key} {key}: an older answer is put over a newer one"

    # Rows ---------------------------------------------------------------------------------------------------------

    def fetched(self, step: Step) -> Fetched:
        now, failing = self.world.now, PartitionSet.from_keys(key for at, key in self.faults.failing if at == FEED)
        brought = step.fetched - failing
        answers = self._answers[step.id] = Answers({key: self.world.sent(key, self.code) for key in brought}, now)
        sourced = {
            key: Sourced(rows_of_the_model.fingerprint(rows), now.isoformat()) for key, rows in answers.rows.items()
        }
        missed = step.fetched & failing
        return Fetched(brought, sourced, ((missed, SourceError("made to fail")),) if missed else ())

    def make(
        self,
        step: Step,
        asset: Asset,
        targets: PartitionSet,
        readings: Readings[Frame],
        own: TableState,
        code_part: str = "",
    ) -> Made[Frame]:
        inputs = readings(targets)
        tables = {reading.of: self._version(reading.of, reading.version) for reading in inputs}
        tables[asset.key] = self._version(asset.key, own.version)
        self._nothing_fresh(step, targets, tables)
        assert not any((asset.key, key) in self._adopted for key in targets), f"{step.id}: adopted, and made again"
        self._pause()
        read: dict[str, Content] = {reading.of: self._read(reading) for reading in inputs}
        if asset.source is not None:
            self._fetches_no_record(step, targets, tables)
            self.fetched_keys += targets - step.stored
            read["raw"] = self._raw(step, targets, tables)
        made = transform(asset.key, read, self.code)
        if any(mapping.window is not None for mapping in asset.upstream):
            made = {key: rows for key, rows in made.items() if key in targets}
        makings = self._makings(step, asset, targets, made, tables, read.get("raw", {}), own)
        made = self._faulty(step, asset, targets, made)
        facts = facts_of(asset.key, made, self.code, own)
        for at, key in self.faults.failing:
            if at == asset.key and key in facts and key in targets:
                facts[key] = replace(facts[key], violations={NOT_NULL: 1})
                self._bad[step.id].add(key)
        return Made(Frame(made, makings), facts, columns_of={code_part: _columns(code_part)} if code_part else {})

    def stored(self, step: Step, asset: Asset, partitions: PartitionSet, own: TableState) -> Made[Frame]:
        version = self._version(asset.key, own.version)
        there = {key: rows for key, rows in version.rows.items() if key in partitions}
        makings = {key: making for key, making in version.makings.items() if key in partitions}
        return Made(Frame(there, makings, adopted=True), facts_of(asset.key, there, self.code, own))

    def altered(
        self, asset: Asset, made: Made[Frame], partitions: PartitionSet, own: TableState
    ) -> tuple[PartitionSet, str]:
        then, now = self._version(asset.key, own.version).rows, made.frame.rows
        differ = (key for key in partitions if _as_fetched(then.get(key, ())) != _as_fetched(now.get(key, ())))
        return PartitionSet.from_keys(differ), "other values"

    def let_go(self, frame: Frame) -> None:
        self._gone.append(frame)

    def forget(self, step: Step) -> None:
        self._answers.pop(step.id, None)

    # Beside -------------------------------------------------------------------------------------------------------

    def at(self) -> str:
        return "at"

    def explain(self, error: Exception) -> str:
        """Only what was made to fail may fail."""
        if isinstance(error, SourceError) or (self.faults.straying and isinstance(error, CheckFailed)):
            return str(error)
        if isinstance(error, LakehouseError):
            raise AssertionError(f"{self._at} failed: {error}") from error
        raise error

    def reached(self, point: str) -> None:
        self._pause()

    # What is read and made ----------------------------------------------------------------------------------------

    def _version(self, asset: str, version: int | None) -> Version:
        return NO_TABLE if version is None else self.storage.tables[asset][version]

    def _read(self, reading: Reading[Frame]) -> Content:
        rows = self._version(reading.of, reading.version).rows
        found = {key: of for key, of in rows.items() if key in reading.stored}
        for frame, partitions in reading.kept:
            assert not any(frame is gone for gone in self._gone), f"{reading.of} is read, and was let go of"
            found |= {key: of for key, of in frame.rows.items() if partitions is None or key in partitions}
        return {key: shown(reading.of, of, self.code.extras(reading.of)) for key, of in found.items()}

    def _raw(self, step: Step, targets: PartitionSet, tables: Snapshot) -> Content:
        """What the function of the fetched asset is given: what was brought, or what is stored of it."""
        stored, brought = tables[FEED].rows, self._answers[step.id].rows
        assert targets - step.stored <= PartitionSet.from_keys(brought), f"{step.id}: made of what was not fetched"
        return {key: _as_fetched(stored.get(key, ())) if key in step.stored else brought[key] for key in targets}

    def _faulty(self, step: Step, asset: Asset, targets: PartitionSet, made: Content) -> Content:
        """The rows as faulty code makes them."""
        elsewhere = [key for key in KEYS if key not in targets]
        if asset.key == self.faults.straying and made and elsewhere and asset.partitions is not None:
            self._bad[step.id] |= set(targets)
            return {**made, elsewhere[0]: next(iter(made.values()))}
        if asset.source is not None and self.faults.altering:
            changed = {key for key in targets & step.stored if made.get(key)}
            self._bad[step.id] |= changed
            return {
                key: tuple((block, 7, *rest) for block, _, *rest in rows) if key in changed else rows
                for key, rows in made.items()
            }
        return made

    def _makings(
        self,
        step: Step,
        asset: Asset,
        targets: PartitionSet,
        made: Content,
        tables: Snapshot,
        raw: Content,
        own: TableState,
    ) -> dict[PartitionKey, Making]:
        """For the shadow: what was made from what."""
        knew, makings = frozenset(Known(self.code).shapes(asset.key, own)), {}
        for key in targets:
            cells = depends_on(asset.key, key, tables, self.code)
            seen = {(at, one): tables[at].seen(one, self.code.extras(at)) for at, one in cells}
            assert all(seen[at, one] is not None for at, one in seen if one in (key, NULL_KEY)), f"{key}: of nothing"
            code = self.code.made(asset.key, key.location)
            makings[key] = making = Making(made.get(key, ()), code, self.code.forms[asset.key], seen, knew=knew)
            if key in step.stored:
                then = tables[asset.key].makings[key]
                makings[key] = replace(making, begun=then.begun, raw=then.raw, degrees=then.degrees, asked=then.asked)
            elif asset.source is not None:
                degrees = self.code.locations[str(key.location)]
                sent, asked, table = raw.get(key, ()), self._answers[step.id].asked, tables[asset.key]
                begun = hours_begun(key, asked)
                if key in table.makings and key not in table.unrecorded and table.makings[key].raw == sent:
                    asked = table.makings[key].asked  # the answer that was there first stays
                makings[key] = replace(making, begun=begun, raw=sent, degrees=degrees, asked=asked)
        return makings

    def _nothing_fresh(self, step: Step, needed: PartitionSet, tables: Snapshot) -> None:
        """Nothing is made that the shadow calls fresh, unless it is forced, and nothing of towns that left."""
        for key in needed:
            assert self.code.is_configured(key.location), f"{step.asset} {key} is made and not configured"
            forced = key in step.forced
            if not forced and is_fresh(step.asset, key, tables, self.code, self.current.now):
                raise AssertionError(f"{step.asset} {key} is fresh and made again")

    def _fetches_no_record(self, step: Step, needed: PartitionSet, tables: Snapshot) -> None:
        """A source is asked for what was never fetched or may have gone on; for what is recorded only if told so."""
        table = tables[step.asset]
        for key in needed - step.stored:
            making = table.makings.get(key)
            if making is None or key in table.unrecorded or key in step.forced:
                continue
            moved = isinstance(self.request, Refetch) and has_moved(key, making, self.code)
            assert moved or making.begun != hours_begun(key, self.current.now), f"{key} is recorded, and fetched again"


def _columns(code_part: str) -> str:
    return f"columns by {code_part}"


def _as_fetched(rows: Rows) -> Rows:
    """Rows of the fetched asset in the columns that its source sends."""
    return tuple(row[:3] for row in rows)
