"""A model of the warehouse and of runs over it, without Spark and files, around the project's real pure core.

``World`` is what runs find: the provider's feed, the clock, code and contracts. ``Storage`` keeps tables as logs of
commits, with their rows at every version. ``Run`` does with the functions of the core what ``orchestration.steps`` does
with them, phase by phase, so that it can be broken off or mixed with another run at every one of them.

Beside what the core records, the storage keeps a *shadow*: of every partition the code, the contract and the whole rows
upstream that it was made from. From it follows, without a fingerprint or a mapping, what is fresh.

Left out: rows that a run keeps in memory for its later steps (here they read the table, at the version that the step
goes by), and conflicts of files beyond those of partitions.

A day has four blocks of six hours in place of 24 hours: a row stands for six hours of equal values.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from orchestration import decisions, planner
from orchestration.asset import Asset, DailyByLocation
from orchestration.catalog import Catalog
from orchestration.decisions import Change, PartitionFacts, Sourced
from orchestration.freshness import Current
from orchestration.mappings import (
    AllPartitions,
    FlaggedHours,
    Identity,
    PartitionMapping,
    RunWindow,
    nothing_flagged,
)
from orchestration.outcome import Outcome, Problem, StepOutcome, union
from orchestration.partitions import NULL_KEY, PartitionKey, PartitionSet
from orchestration.planner import Plan, Request, Step
from orchestration.provenance import Commit, FileSpan, PartitionRecord, Provenance, TableState, fold

FEED, CLEAN, QUARANTINE = "bronze.feed", "silver.clean", "silver.quarantine"
PLACES, HOURS, DAYS, RUNS = "gold.places", "gold.hours", "gold.days", "gold.runs"
WINDOW = RunWindow(HOURS, column="aqi", at_least="episode_rule.threshold")


def _table(key: str, *upstream: PartitionMapping, source: str | None = None, dated: bool = True) -> Asset:
    partitions = DailyByLocation() if dated else None
    return Asset(key, "Text.", lambda: None, upstream, source, partitions, "C", (), frozenset(), ())


LAKE = Catalog(
    [
        _table(RUNS, WINDOW),
        _table(DAYS, Identity(HOURS)),
        _table(HOURS, Identity(CLEAN), AllPartitions(PLACES)),
        _table(CLEAN, Identity(FEED)),
        _table(QUARANTINE, Identity(FEED)),
        _table(FEED, source="feed"),
        _table(PLACES, dated=False),
    ]
)
ALL = frozenset(LAKE.keys)

TOWNS = ("hanoi", "hue")
FIRST, LAST = date(2025, 8, 1), date(2025, 8, 5)
DAY = timedelta(days=1)
BLOCKS, BLOCK_HOURS = 4, 6
DATES = tuple(FIRST + n * DAY for n in range((LAST - FIRST).days + 1))
KEYS = tuple(PartitionKey(day, town) for day in DATES for town in TOWNS)

Row = tuple[Any, ...]
Rows = tuple[Row, ...]
"""Rows of one partition in their order; the first value of a dated row is its block."""
Content = Mapping[PartitionKey, Rows]
Cell = tuple[str, PartitionKey]
"""A partition of an asset."""

DOUBTED = "doubted"
"""In the shadow: a partition that somebody else changed. One that was never made is None there."""
Seen = Rows | None | str


def keys_of(asset: str) -> tuple[PartitionKey, ...]:
    """All partitions that an asset can have here."""
    return (NULL_KEY,) if asset == PLACES else KEYS


def fingerprint(rows: Rows) -> str:
    """Of the content: independent of the order of rows; nulls are values."""
    return repr(sorted(rows, key=repr))


# --- what runs find ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Code:
    """Deployed code.

    versions, effects: by asset and town, its version and what it does differently. contracts: digests by asset.
    """

    versions: Mapping[tuple[str, str | None], int] = field(default_factory=dict)
    effects: Mapping[tuple[str, str | None], int] = field(default_factory=dict)
    contracts: Mapping[str, str] = field(default_factory=lambda: dict.fromkeys(ALL, "contract 0"))

    def version(self, asset: Asset, town: str | None) -> str:
        return f"{asset.name} {self.versions.get((asset.key, town), 0)}"

    def effect(self, asset: str, town: str | None) -> int:
        return self.effects.get((asset, town), 0)

    def threshold(self, town: str | None) -> int:
        """From which index on an hour is flagged: a parameter of the runs, part of their code."""
        return 101 if self.effect(RUNS, town) % 2 else 151

    def changed(self, asset: str, towns: Iterable[str | None], *, really: bool) -> Code:
        """With a new version of an asset's code, which makes other rows, or the same."""
        versions, effects = dict(self.versions), dict(self.effects)
        for at in ((asset, town) for town in towns):
            versions[at] = versions.get(at, 0) + 1
            effects[at] = effects.get(at, 0) + really
        return Code(versions, effects, self.contracts)

    def with_contract(self, asset: str) -> Code:
        """With another contract of an asset."""
        number = int(self.contracts[asset].split()[-1]) + 1
        return Code(self.versions, self.effects, {**self.contracts, asset: f"contract {number}"})


@dataclass
class World:
    """The provider, the clock and the code as they are now; they change while runs go on.

    feed: per day and town the provider's blocks (block, aqi, pm), also those that lie ahead of the clock.
    """

    feed: dict[PartitionKey, Rows]
    now: datetime
    code: Code = field(default_factory=Code)

    def current(self) -> Current:
        return Current(self.code.version, self.code.contracts, self.now)

    def sent(self, key: PartitionKey) -> Rows:
        """What the provider sends of a day now: blocks that have begun."""
        begun = hours_begun(key, self.now)
        return tuple(row for row in self.feed.get(key, ()) if row[0] * BLOCK_HOURS < begun)

    @property
    def until_today(self) -> PartitionSet:
        return PartitionSet.from_keys(key for key in KEYS if key.day is not None and key.day <= self.now.date())


def hours_begun(key: PartitionKey, now: datetime) -> int:
    """How many hours of a day have begun, 1 more once it is over."""
    assert key.day is not None
    since = now - datetime.combine(key.day, time(), UTC)
    return max(0, min(25, since // timedelta(hours=1) + 1))


# --- transformations --------------------------------------------------------------------------------------------------


def transform(asset: str, read: Mapping[str, Content], code: Code) -> dict[PartitionKey, Rows]:
    """What an asset's transformation makes of the rows that were read, by upstream asset; partitions with rows only."""
    if asset == PLACES:
        return {NULL_KEY: tuple((town, number, code.effect(PLACES, None)) for number, town in enumerate(TOWNS))}
    made: dict[PartitionKey, Rows] = {}
    if asset == RUNS:
        for key, row in _runs(read[HOURS], code):
            made[key] = (*made.get(key, ()), row)
        return made
    if asset == HOURS:
        numbers = {row[0]: row[1:] for row in read[PLACES].get(NULL_KEY, ())}
    (upstream, *_) = LAKE[asset].upstream_keys or ("raw",)
    for key, rows in read[upstream].items():
        twist = code.effect(asset, key.location)
        if asset == FEED:
            made[key] = tuple((*row, twist) for row in rows)
        elif asset == CLEAN:
            made[key] = tuple((*row[:3], twist) for row in rows if (row[1] or 0) >= 0)
        elif asset == QUARANTINE:
            made[key] = tuple((*row, "negative", twist) for row in rows if (row[1] or 0) < 0)
        elif asset == HOURS:
            made[key] = tuple((*row[:3], numbers.get(key.location), twist) for row in rows)
        else:
            indexes, dust = [row[1] or 0 for row in rows], [row[2] or 0 for row in rows]
            made[key] = ((max(indexes), max(dust), len(rows), twist),) if rows else ()
    return {key: rows for key, rows in made.items() if rows}


def _runs(hours: Content, code: Code) -> Iterator[tuple[PartitionKey, Row]]:
    """Runs of at least two adjacent flagged blocks: the day on which each starts, and its row."""
    for town in TOWNS:
        values = {
            block_number(key.day, row[0]): row[1:3]
            for key, rows in hours.items()
            if key.location == town and key.day is not None
            for row in rows
        }
        limit = code.threshold(town)
        flagged = sorted(at for at, (aqi, _) in values.items() if aqi is not None and aqi >= limit)
        for start in (at for at in flagged if at - 1 not in values or at - 1 not in flagged):
            end = start
            while end + 1 in flagged:
                end += 1
            if end > start:
                peak = max((values[at] for at in range(start, end + 1)), key=lambda value: value[0])
                day, block = divmod(start, BLOCKS)
                yield PartitionKey(date.fromordinal(day), town), (block, end - start + 1, *peak)


def block_number(day: date, block: int) -> int:
    """Blocks counted through all days."""
    return day.toordinal() * BLOCKS + block


def rebuilt(world: World) -> dict[str, dict[PartitionKey, Rows]]:
    """All tables, made anew and whole from what the provider sends now."""
    tables: dict[str, dict[PartitionKey, Rows]] = {"raw": {key: world.sent(key) for key in world.until_today}}
    for asset in LAKE.keys:
        tables[asset] = transform(asset, tables, world.code)
    return tables


# --- the storage ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Making:
    """In the shadow: what one partition was made from.

    seen: per upstream partition that it depends on, its rows then. begun: of a fetched day, how many hours had begun.
    raw: what the provider had sent.
    """

    rows: Rows
    code: str
    contract: str
    seen: Mapping[Cell, Seen] = field(default_factory=dict)
    begun: int = 0
    raw: Rows = ()


@dataclass(frozen=True)
class Version:
    """A table at one version: the commit that made it, its rows, and the shadow: makings and doubted partitions.

    touched: the partitions that the commit names, or that somebody else's commit may have changed.
    """

    commit: Commit
    rows: Content = field(default_factory=dict)
    makings: Mapping[PartitionKey, Making] = field(default_factory=dict)
    doubted: frozenset[PartitionKey] = frozenset()
    touched: frozenset[PartitionKey] = frozenset()

    def seen(self, key: PartitionKey) -> Seen:
        if key in self.doubted:
            return DOUBTED
        return self.rows.get(key, ()) if key in self.makings else None


NO_TABLE = Version(Commit(-1, None))
Snapshot = Mapping[str, Version]


@dataclass(frozen=True)
class Proposal:
    """A commit of ours that is about to happen: what it replaces and says, and the state on which that was decided."""

    asset: str
    provenance: Provenance
    replaced: PartitionSet
    rows: Content
    makings: Mapping[PartitionKey, Making]
    base: TableState


class Storage:
    """Tables as logs of commits.

    locked: only one run at a time can be there, as on a local warehouse; then rows of new partitions are appended,
    which never conflicts. Otherwise a commit is refused if another one touched its partitions since it was decided.
    """

    def __init__(self, *, locked: bool) -> None:
        self.locked = locked
        self.tables: dict[str, list[Version]] = {key: [] for key in LAKE.keys}
        self._folded: dict[str, TableState] = {}

    def newest(self, asset: str) -> Version:
        return self.tables[asset][-1] if self.tables[asset] else NO_TABLE

    def snapshot(self, states: Mapping[str, TableState] | None = None) -> dict[str, Version]:
        """All tables as they are now, or as ``states`` have them."""
        if states is None:
            return {key: self.newest(key) for key in LAKE.keys}
        versions = {key: states[key].version if key in states else None for key in LAKE.keys}
        return {key: NO_TABLE if at is None else self.tables[key][at] for key, at in versions.items()}

    def state(self, asset: str, start: TableState | None = None) -> TableState:
        """The state of a table by the core, from its log; ``start``: an earlier state to go on from."""
        if start is None:
            start = self._folded.get(asset)
            self._folded[asset] = state = self.state(asset, start or TableState())
            return state
        after = 0 if start.version is None else start.version + 1
        return fold((version.commit for version in self.tables[asset][after:]), start)

    def states(self) -> dict[str, TableState]:
        return {key: self.state(key) for key in LAKE.keys if self.tables[key]}

    def create(self, asset: str) -> None:
        """A commit without data, unless the table is there."""
        if not self.tables[asset]:
            self.tables[asset].append(Version(Commit(0, None)))

    def commit(self, proposal: Proposal) -> bool:
        """Data and provenance in one commit; False where it is refused."""
        appends = self.locked and not proposal.replaced & proposal.base.present
        if not appends and self._overtaken(proposal):
            return False
        self._land(proposal, appends=appends)
        return True

    def _overtaken(self, proposal: Proposal) -> bool:
        """Whether a commit that came after the proposal's base touched one of its partitions."""
        assert proposal.base.version is not None
        since = self.tables[proposal.asset][proposal.base.version + 1 :]
        return any(not version.touched.isdisjoint(proposal.provenance.records) for version in since)

    def _land(self, proposal: Proposal, *, appends: bool) -> None:
        before, said = self.newest(proposal.asset), proposal.provenance
        rows = dict(before.rows)
        for key in proposal.replaced:
            kept = rows.pop(key, ()) if appends else ()
            rows[key] = kept + proposal.rows.get(key, ())
        version = len(self.tables[proposal.asset])
        self.tables[proposal.asset].append(
            Version(
                Commit(version, Provenance.from_json(said.to_json(), version)),
                {key: content for key, content in rows.items() if content},
                {**before.makings, **proposal.makings},
                before.doubted - said.records.keys(),
                frozenset(said.records),
            )
        )

    def wipe(self, asset: str, partitions: PartitionSet) -> None:
        """Remove partitions as if they had never been made."""
        before, gone = self.newest(asset), frozenset(partitions)
        version = len(self.tables[asset])
        self.tables[asset].append(
            Version(
                Commit(version, Provenance("wipe", asset, "", {}, partitions)),
                {key: rows for key, rows in before.rows.items() if key not in gone},
                {key: making for key, making in before.makings.items() if key not in gone},
                before.doubted - gone,
                gone,
            )
        )

    def changed_by_others(self, asset: str, rows: Content, spans: Iterable[FileSpan]) -> None:
        """Somebody else's commit: ``rows`` in place of what was there, in files that can hold ``spans``."""
        before, spans = self.newest(asset), tuple(spans)
        touched = frozenset(key for key in keys_of(asset) if any(span.covers(key) for span in spans))
        self.tables[asset].append(
            Version(
                Commit(len(self.tables[asset]), None, spans),
                {key: content for key, content in rows.items() if content},
                before.makings,
                before.doubted | touched,
                touched,
            )
        )

    def flags(self, asset: str, at: TableState, code: Code) -> FlaggedHours:
        """The flagged hours of a table at a version, read from its rows."""
        if at.version is None or not at.present:
            return nothing_flagged
        content = self.tables[asset][at.version].rows

        def flagged(town: str, day: date) -> int:
            mask = 0
            for row in content.get(PartitionKey(day, town), ()):
                if row[1] is not None and row[1] >= code.threshold(town):
                    mask |= 0b111111 << row[0] * BLOCK_HOURS
            return mask

        return flagged


def span_of(keys: Sequence[PartitionKey]) -> FileSpan:
    """The narrowest span that covers ``keys``."""
    days = [key.day for key in keys if key.day is not None]
    towns = [key.location for key in keys if key.location is not None]
    return FileSpan(min(days), max(days), min(towns), max(towns)) if days else FileSpan(has_null=True)


# --- the shadow -------------------------------------------------------------------------------------------------------


def depends_on(asset: str, key: PartitionKey, tables: Snapshot, code: Code) -> list[Cell]:
    """The upstream partitions that a partition depends on, by the rows of ``tables``."""
    if asset in (CLEAN, QUARANTINE):
        return [(FEED, key)]
    if asset == HOURS:
        return [(CLEAN, key), (PLACES, NULL_KEY)]
    if asset == DAYS:
        return [(HOURS, key)]
    if asset != RUNS:
        return []
    assert key.day is not None
    limit, content = code.threshold(key.location), tables[HOURS].rows

    def flagged(at: int) -> bool:
        rows = content.get(PartitionKey(date.fromordinal(at // BLOCKS), key.location), ())
        return any(row[0] == at % BLOCKS and row[1] is not None and row[1] >= limit for row in rows)

    end = block_number(key.day, BLOCKS - 1)
    while flagged(end):
        end += 1
    days = range(key.day.toordinal() - 1, end // BLOCKS + 1)
    return [(HOURS, PartitionKey(date.fromordinal(day), key.location)) for day in days]


def is_fresh(asset: str, key: PartitionKey, tables: Snapshot, code: Code, now: datetime) -> bool:
    """Whether a partition would come out as it did, by the shadow alone."""
    making = tables[asset].makings.get(key)
    if making is None or key in tables[asset].doubted:
        return False
    if (making.code, making.contract) != (code.version(LAKE[asset], key.location), code.contracts[asset]):
        return False
    if asset == FEED and making.begun != hours_begun(key, now):
        return False
    return all(then != DOUBTED and tables[at].seen(one) == then for (at, one), then in making.seen.items())


def fresh_cells(tables: Snapshot, code: Code, now: datetime) -> set[Cell]:
    """All fresh partitions, by the shadow alone."""
    return {(asset, key) for asset in LAKE.keys for key in keys_of(asset) if is_fresh(asset, key, tables, code, now)}


# --- a run ------------------------------------------------------------------------------------------------------------

COMMIT_ATTEMPTS = 5


class Run:
    """One run of the model: a plan, and its steps in any order that the plan allows, several at once.

    failing: partitions that cannot be fetched, or break a blocking check. order: 0 goes through the plan as it stands;
    with any other number steps fall behind now and then, so that others overtake them where the plan allows it.
    """

    def __init__(
        self,
        storage: Storage,
        world: World,
        request: Request,
        *,
        run_id: str = "run",
        failing: frozenset[Cell] = frozenset(),
        order: int = 0,
    ) -> None:
        self.storage, self.world, self.request, self.run_id, self.failing = storage, world, request, run_id, failing
        self.code, self.current = world.code, world.current()
        self.tables = storage.states()
        self.plan: Plan = planner.make_plan(
            LAKE, request, self.tables, self.current, lambda window, state: storage.flags(window.of, state, self.code)
        )
        self.outcomes: dict[str, StepOutcome] = {}
        self.proposed: dict[str, Proposal] = {}
        self.commits = 0
        self._order = random.Random(order) if order else None

    def phases(self) -> Iterator[None]:
        """Goes through the run; yields wherever it can be broken off, or another run can come between."""
        waiting, active = list(self.plan.steps), dict[str, Iterator[None]]()
        ranks = {step.id: -float(number) for number, step in enumerate(self.plan.steps)}
        while waiting or active:
            for step in [step for step in waiting if all(before in self.outcomes for before in step.upstream_steps)]:
                waiting.remove(step)
                active[step.id] = self._step(step)
            assert active, "steps wait for steps that never come"
            at = max(active, key=ranks.__getitem__)
            if self._order is not None and self._order.random() < 0.3:
                ranks[at] = self._order.uniform(-len(ranks), 0)
            for _ in active[at]:
                yield
                break
            else:
                del active[at]

    def to_the_end(self) -> Run:
        for _ in self.phases():
            pass
        return self

    def _state(self, asset: str) -> TableState:
        return self.tables.get(asset, TableState())

    def _view(self) -> dict[str, TableState]:
        """The states of all tables that a step goes by, whatever other steps and runs commit meanwhile."""
        return dict(self.tables)

    def _step(self, step: Step) -> Iterator[None]:
        """As ``StepRunner._run``; upstream tables are read and recorded as they are when the step starts."""
        asset, view = LAKE[step.asset], self._view()

        def flagged(mapping: PartitionMapping) -> FlaggedHours:
            if not isinstance(mapping, RunWindow):
                return nothing_flagged
            return self.storage.flags(mapping.of, view.get(mapping.of, TableState()), self.code)

        problems = decisions.skipped(step, asset, self.plan, self.outcomes, flagged)
        targets = step.all_partitions - union(problem.partitions for problem in problems)
        needed = decisions.to_make(step, asset, targets, view, self.current)
        unchanged = targets - needed
        if needed and step.verify:
            adopted = yield from self._adopt(step, asset, needed)
            unchanged |= adopted
            needed = needed - adopted
        failing = PartitionSet.from_keys(key for key in needed if (asset.key, key) in self.failing)
        if failing:
            problems += (Problem(Outcome.FAILED, failing, "made to fail"),)
            needed = needed - failing
        written = PartitionSet.empty()
        if needed:
            self._nothing_fresh(step, needed, view)
            yield
            made, sourced, raw = self._transform(asset, needed, view, flagged)
            facts = {key: PartitionFacts(len(rows), fingerprint(rows)) for key, rows in made.items()}
            makings = self._makings(asset, needed, made, view, raw)
            yield
            records = decisions.records_of(asset, needed, facts, view, self.current, flagged, sourced)
            for _ in range(COMMIT_ATTEMPTS):
                change = self._change(asset, records)
                written = change.written
                if not change.news or (yield from self._try_commit(step, asset, made, makings, change)):
                    break
            else:
                raise AssertionError("other runs committed first, too often")
        self.outcomes[step.id] = StepOutcome(
            step, written=written, unchanged=unchanged | (needed - written), problems=problems
        )

    def _change(self, asset: Asset, records: Mapping[PartitionKey, PartitionRecord]) -> Change:
        """What is to be committed, decided on a table that is there: another run may have made it first."""
        if records and self._state(asset.key).version is None:
            self.storage.create(asset.key)
            self.tables[asset.key] = self.storage.state(asset.key)
        return decisions.change_of(records, self._state(asset.key))

    def _nothing_fresh(self, step: Step, needed: PartitionSet, view: Mapping[str, TableState]) -> None:
        """Nothing is made that the shadow calls fresh, unless it is forced."""
        snapshot = self.storage.snapshot(view)
        for key in needed:
            forced = step.force and key in step.partitions
            if not forced and is_fresh(step.asset, key, snapshot, self.code, self.current.now):
                raise AssertionError(f"{step.asset} {key} is fresh and made again")

    def _transform(
        self,
        asset: Asset,
        needed: PartitionSet,
        view: Mapping[str, TableState],
        flagged: decisions.FlagsBehind,
    ) -> tuple[dict[PartitionKey, Rows], dict[PartitionKey, Sourced], dict[PartitionKey, Rows]]:
        """The rows of ``needed``, what was fetched for them by digest, and whole."""
        raw: dict[PartitionKey, Rows] = {}
        sourced: dict[PartitionKey, Sourced] = {}
        read: dict[str, Content] = {"raw": raw}
        if asset.source is not None:
            raw |= {key: self.world.sent(key) for key in needed}
            as_of = self.world.now.isoformat()
            for key, rows in raw.items():
                sourced[key] = Sourced(fingerprint(rows), as_of if hours_begun(key, self.world.now) < 25 else "")
        snapshot = self.storage.snapshot(view)
        for mapping in asset.upstream:
            present = view.get(mapping.of, TableState()).present
            there = mapping.upstream_of(needed, flagged(mapping)) & present
            read[mapping.of] = {key: rows for key, rows in snapshot[mapping.of].rows.items() if key in there}
        made = transform(asset.key, read, self.code)
        if any(isinstance(mapping, RunWindow) for mapping in asset.upstream):
            made = {key: rows for key, rows in made.items() if key in needed}
        assert all(key in needed for key in made), "rows of partitions that were not asked for"
        return made, sourced, raw

    def _makings(
        self, asset: Asset, needed: PartitionSet, made: Content, view: Mapping[str, TableState], raw: Content
    ) -> dict[PartitionKey, Making]:
        """For the shadow: what was made from what."""
        snapshot = self.storage.snapshot(view)
        makings = {}
        for key in needed:
            seen = {(at, one): snapshot[at].seen(one) for at, one in depends_on(asset.key, key, snapshot, self.code)}
            assert all(seen[at, one] is not None for at, one in seen if one in (key, NULL_KEY)), f"{key}: of nothing"
            makings[key] = Making(
                made.get(key, ()),
                self.code.version(asset, key.location),
                self.code.contracts[asset.key],
                seen,
                hours_begun(key, self.world.now) if asset.source is not None else 0,
                raw.get(key, ()),
            )
        return makings

    def _adopt(self, step: Step, asset: Asset, partitions: PartitionSet) -> Generator[None, None, PartitionSet]:
        """Record again what somebody else left as it was; gives what was adopted. As ``StepRunner._adopt``."""
        state = self._state(asset.key)
        version = self.storage.snapshot(self.tables)[asset.key]
        there = {key: rows for key, rows in version.rows.items() if key in partitions}
        facts = {key: PartitionFacts(len(rows), fingerprint(rows)) for key, rows in there.items()}
        records = decisions.adoptable(partitions, facts, state)
        if records:
            makings = {key: version.makings[key] for key in records}
            assert all(makings[key].rows == there.get(key, ()) for key in records), "adopted other rows"
            said = Provenance(self.run_id, asset.key, "at", records)
            proposal = Proposal(asset.key, said, PartitionSet.empty(), {}, makings, state)
            if not (yield from self._commit(step, proposal)):
                records = {}
            self.tables[asset.key] = self.storage.state(asset.key, state)
        return PartitionSet.from_keys(records)

    def _try_commit(
        self, step: Step, asset: Asset, made: Content, makings: Mapping[PartitionKey, Making], change: Change
    ) -> Generator[None, None, bool]:
        """One commit with ``change``; False, with the table's state read again, where another run came first."""
        before = self._state(asset.key)
        said = Provenance(self.run_id, asset.key, "at", change.news)
        news = {key: makings[key] for key in change.news}
        yield from self._commit(step, Proposal(asset.key, said, change.replaced, made, news, before))
        yield
        state = self.storage.state(asset.key, before)
        self.tables[asset.key] = state
        committed = (state.records.get(key) for key in change.news)
        return all(record is not None and record.run_id == self.run_id for record in committed)

    def _commit(self, step: Step, proposal: Proposal) -> Generator[None, None, bool]:
        """Commit; while it is proposed, it may still land after the run has died."""
        self.proposed[step.id] = proposal
        yield
        del self.proposed[step.id]
        self.commits += 1
        return self.storage.commit(proposal)
