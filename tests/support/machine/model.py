"""A model of the warehouse and of runs over it, without Spark and files, around the project's real pure core.

``World`` is what runs find: the provider's feed, the clock, code and contracts. ``Storage`` keeps tables as logs of
commits, with their rows at every version. ``Run`` does with the functions of the core what ``engine.steps`` does with
them, phase by phase, so that it can be broken off or mixed with another run at every one of them.

Beside what the core records, the storage keeps a *shadow*: of every partition the code, the contract and the whole rows
upstream that it was made from. From it follows, without a fingerprint or a mapping, what is fresh.

Left out: rows that a run keeps in memory for its later steps (here they read the table, at the version that the step
goes by), and conflicts of files beyond those of partitions.

What is deployed, and how rows are made of what, is ``tests.support.machine.deployed``.

A day has four blocks of six hours in place of 24 hours: a row stands for six hours of equal values.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta

from orchestration.core.declarations.asset import Asset
from orchestration.core.partitions.keys import NULL_KEY, PartitionKey, PartitionSet
from orchestration.core.partitions.mappings import FlaggedHours, PartitionMapping, RunWindow, nothing_flagged
from orchestration.core.planning import planner
from orchestration.core.planning.planner import Plan, Request, Step
from orchestration.core.runs import decisions
from orchestration.core.runs.decisions import Change, PartitionFacts, Sourced
from orchestration.core.runs.outcome import Outcome, Problem, StepOutcome, union
from orchestration.core.state.freshness import Current
from orchestration.core.state.provenance import Commit, FileSpan, PartitionRecord, Provenance, TableState, fold
from tests.support.machine.deployed import (
    BLOCK_HOURS,
    BLOCKS,
    CLEAN,
    DAYS,
    FEED,
    HOME,
    HOURS,
    KEYS,
    LAKE,
    PLACES,
    QUARANTINE,
    RUNS,
    SAME_PLACE,
    Code,
    Content,
    Form,
    Known,
    Made,
    Rows,
    block_number,
    digest_of,
    keys_of,
    shown,
    transform,
)

Cell = tuple[str, PartitionKey]
"""A partition of an asset."""

DOUBTED = "doubted"
"""In the shadow: a partition that somebody else changed. One that was never made is None there."""


@dataclass(frozen=True)
class Sight:
    """In the shadow: what a reader saw of a partition, its rows and how many added columns it read of them."""

    rows: Rows
    extras: int = 0

    def holds(self, asset: str, now: Sight) -> bool:
        """Whether a reader that saw this sees the same now."""
        return shown(asset, self.rows, self.extras) == shown(asset, now.rows, self.extras)


Seen = Sight | None | str


def fingerprint(rows: Rows) -> str:
    """Of the content: independent of the order of rows; nulls are values."""
    return repr(sorted(rows, key=repr))


def facts_of(asset: str, content: Content, code: Code, own: TableState) -> dict[PartitionKey, PartitionFacts]:
    """What the aggregation says of every partition that has rows."""
    earlier, extras = Known(code).earlier(asset, own), code.extras(asset)
    facts = {}
    for key, rows in content.items():
        whole = shown(asset, rows, extras)
        also = {digest: fingerprint(tuple(row[: len(of)] for row in whole)) for digest, of in earlier.items()}
        facts[key] = PartitionFacts(len(rows), fingerprint(whole), also=also)
    return {key: fact for key, fact in facts.items() if fact.rows}


# --- what runs find ---------------------------------------------------------------------------------------------------


@dataclass
class World:
    """The provider, the clock and the code as they are now; they change while runs go on.

    feed: per day and town the provider's blocks (block, aqi, pm), also those that lie ahead of the clock.
    """

    feed: dict[PartitionKey, Rows]
    now: datetime
    code: Code = field(default_factory=Code)

    def current(self) -> Current:
        code = self.code
        contracts = {asset: digest_of(asset, form) for asset, form in code.forms.items()}
        return Current(code.version, contracts, self.now, history=Known(code), configured=code.configured)

    def sent(self, key: PartitionKey, code: Code | None = None) -> Rows:
        """What the provider sends of a day now: blocks that have begun; a town that lies far from home has other dust.

        code: the settings of who asks, those of now by default.
        """
        begun, far = hours_begun(key, self.now), int((code or self.code).places[str(key.location)] - HOME)
        return tuple(
            (block, aqi, None if dust is None else dust + far)
            for block, aqi, dust in self.feed.get(key, ())
            if block * BLOCK_HOURS < begun
        )

    @property
    def until_today(self) -> PartitionSet:
        return PartitionSet.from_keys(
            key
            for key in KEYS
            if key.location in self.code.towns and key.day is not None and key.day <= self.now.date()
        )

    @property
    def asked(self) -> PartitionSet:
        """All that can be asked for: days until today at configured towns."""
        return self.until_today.restrict(locations=self.code.configured)


def hours_begun(key: PartitionKey, now: datetime) -> int:
    """How many hours of a day have begun, 1 more once it is over."""
    assert key.day is not None
    since = now - datetime.combine(key.day, time(), UTC)
    return max(0, min(25, since // timedelta(hours=1) + 1))


def rebuilt(world: World) -> dict[str, dict[PartitionKey, Rows]]:
    """All tables at configured towns, made anew and whole from what the provider sends now."""
    tables: dict[str, dict[PartitionKey, Rows]] = {"raw": {key: world.sent(key) for key in world.asked}}
    for asset in LAKE.keys:
        tables[asset] = transform(asset, tables, world.code)
    return tables


# --- the storage ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Making:
    """In the shadow: what one partition was made from.

    seen: per upstream partition that it depends on, its rows then. begun: of a fetched day, how many hours had begun.
    raw: what the provider had sent; degrees: where the place lay that was asked for.
    """

    rows: Rows
    code: Made
    form: Form
    seen: Mapping[Cell, Seen] = field(default_factory=dict)
    begun: int = 0
    raw: Rows = ()
    degrees: float = HOME


Accepted = tuple[str | None, Made, Made]
"""In the shadow: what was accepted of an asset, at a town or everywhere."""


@dataclass(frozen=True)
class Version:
    """A table at one version: the commit that made it, its rows, and the shadow: makings and doubted partitions.

    touched: the partitions that the commit names, or that somebody else's commit may have changed. accepted: by this
    commit and those before.
    """

    commit: Commit
    rows: Content = field(default_factory=dict)
    makings: Mapping[PartitionKey, Making] = field(default_factory=dict)
    doubted: frozenset[PartitionKey] = frozenset()
    touched: frozenset[PartitionKey] = frozenset()
    accepted: frozenset[Accepted] = frozenset()

    def seen(self, key: PartitionKey, extras: int = 0) -> Seen:
        """What a reader sees that reads so many added columns, or as many as the rows have."""
        if key in self.doubted:
            return DOUBTED
        if key not in self.makings:
            return None
        return Sight(self.rows.get(key, ()), max(extras, self.makings[key].form.extras))


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
            replace(
                before,
                commit=Commit(version, Provenance.from_json(said.to_json(), version)),
                rows={key: content for key, content in rows.items() if content},
                makings={**before.makings, **proposal.makings},
                doubted=before.doubted - said.records.keys(),
                touched=frozenset(said.records),
            )
        )

    def wipe(self, asset: str, partitions: PartitionSet) -> None:
        """Remove partitions as if they had never been made."""
        self.turn(asset, Provenance("wipe", asset, "", {}, partitions), {}, {})

    def turn(
        self,
        asset: str,
        said: Provenance,
        rows: Content,
        makings: Mapping[PartitionKey, Making],
        accepted: Iterable[Accepted] = (),
    ) -> None:
        """A commit of maintenance: what it wipes is gone, ``rows`` and ``makings`` are there in its place."""
        before, gone, version = self.newest(asset), frozenset(said.wiped), len(self.tables[asset])
        kept = {key: content for key, content in before.rows.items() if key not in gone}
        left = {key: making for key, making in before.makings.items() if key not in gone}
        self.tables[asset].append(
            Version(
                Commit(version, Provenance.from_json(said.to_json(), version)),
                kept | {key: content for key, content in rows.items() if content},
                {**left, **makings},
                before.doubted - gone - makings.keys(),
                gone | makings.keys(),
                before.accepted.union(accepted),
            )
        )

    def changed_by_others(self, asset: str, rows: Content, spans: Iterable[FileSpan]) -> None:
        """Somebody else's commit: ``rows`` in place of what was there, in files that can hold ``spans``."""
        before, spans = self.newest(asset), tuple(spans)
        touched = frozenset(key for key in keys_of(asset) if any(span.covers(key) for span in spans))
        self.tables[asset].append(
            replace(
                before,
                commit=Commit(len(self.tables[asset]), None, spans),
                rows={key: content for key, content in rows.items() if content},
                doubted=before.doubted | touched,
                touched=touched,
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
    """Whether a partition would come out as it did, by the shadow alone; of a town that is not configured, as it would
    have by the code that made it."""
    table = tables[asset]
    making = table.makings.get(key)
    if making is None or key in table.doubted:
        return False
    if code.is_configured(key.location):
        if not counts_as(asset, key.location, making.code, code, table.accepted):
            return False
        if not code.forms[asset].takes(making.form):
            return False
        if asset == FEED and (making.begun != hours_begun(key, now) or has_moved(key, making, code)):
            return False
    return all(still_seen(at, then, tables[at].seen(one)) for (at, one), then in making.seen.items())


def still_seen(asset: str, then: Seen, now: Seen) -> bool:
    """Whether a reader sees what it saw of a partition."""
    if isinstance(then, Sight) and isinstance(now, Sight):
        return then.holds(asset, now)
    return then is None and now is None


def has_moved(key: PartitionKey, making: Making, code: Code) -> bool:
    """Whether the town lies elsewhere than where a fetched partition was asked for."""
    return abs(making.degrees - code.places[str(key.location)]) > SAME_PLACE


def counts_as(asset: str, town: str | None, then: Made, code: Code, accepted: frozenset[Accepted]) -> bool:
    """Whether what a partition was made by is known to make what today's code makes."""
    now, group, before = code.made(asset, town), {then}, 0
    while now not in group and len(group) > before:
        before = len(group)
        for one in tuple(group):
            lines = [line for line in code.lines.get(asset, ()) if one.code in line]
            group |= {replace(one, code=number) for line in lines for number in line}
            pairs = [{a, b} for at, a, b in accepted if at in (None, town)]
            group = group.union(*[pair for pair in pairs if one in pair])
    return now in group


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
        self.fetched: list[PartitionKey] = []
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
            made, sourced, raw = self._transform(step, asset, needed, view, flagged)
            own = view.get(asset.key, TableState())
            facts = facts_of(asset.key, made, self.code, own)
            makings = self._makings(step, asset, needed, made, view, raw)
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
        """Nothing is made that the shadow calls fresh, unless it is forced, and nothing of towns that left."""
        snapshot = self.storage.snapshot(view)
        for key in needed:
            assert self.code.is_configured(key.location), f"{step.asset} {key} is made and not configured"
            forced = step.force and key in step.partitions
            if not forced and is_fresh(step.asset, key, snapshot, self.code, self.current.now):
                raise AssertionError(f"{step.asset} {key} is fresh and made again")

    def _transform(
        self,
        step: Step,
        asset: Asset,
        needed: PartitionSet,
        view: Mapping[str, TableState],
        flagged: decisions.FlagsBehind,
    ) -> tuple[dict[PartitionKey, Rows], dict[PartitionKey, Sourced], dict[PartitionKey, Rows]]:
        """The rows of ``needed``, what was fetched for them by digest, and whole."""
        raw: dict[PartitionKey, Rows] = {}
        sourced: dict[PartitionKey, Sourced] = {}
        read: dict[str, Content] = {"raw": raw}
        own, snapshot = view.get(asset.key, TableState()), self.storage.snapshot(view)
        if asset.source is not None:
            self._fetches_no_record(step, needed, snapshot)
            as_of = self.world.now.isoformat()
            for key in needed:
                if key in step.stored:
                    raw[key] = tuple(row[:3] for row in snapshot[FEED].rows.get(key, ()))
                    then = own.records[key]
                    sourced[key] = Sourced("", question=own.questions[then.question], stored=then)
                    continue
                raw[key] = rows = self.world.sent(key, self.code)
                self.fetched.append(key)
                sourced[key] = Sourced(
                    fingerprint(rows),
                    as_of if hours_begun(key, self.world.now) < 25 else "",
                    as_of,
                    step.force,
                    Known(self.code).question(key.location),
                )
        for mapping in asset.upstream:
            present = view.get(mapping.of, TableState()).present
            there = mapping.upstream_of(needed, flagged(mapping)) & present
            rows_of, extras = snapshot[mapping.of].rows, self.code.extras(mapping.of)
            read[mapping.of] = {key: shown(mapping.of, rows, extras) for key, rows in rows_of.items() if key in there}
        made = transform(asset.key, read, self.code)
        if any(isinstance(mapping, RunWindow) for mapping in asset.upstream):
            made = {key: rows for key, rows in made.items() if key in needed}
        assert all(key in needed for key in made), "rows of partitions that were not asked for"
        return made, sourced, raw

    def _fetches_no_record(self, step: Step, needed: PartitionSet, snapshot: Snapshot) -> None:
        """A source is asked for what was never fetched or may have gone on; for what is recorded only if told so."""
        table = snapshot[step.asset]
        for key in needed - step.stored:
            making = table.makings.get(key)
            if making is None or key in table.doubted or (step.force and key in step.partitions):
                continue
            moved = self.request.refetch and has_moved(key, making, self.code)
            assert moved or making.begun != hours_begun(key, self.current.now), f"{key} is recorded, and fetched again"

    def _makings(
        self,
        step: Step,
        asset: Asset,
        needed: PartitionSet,
        made: Content,
        view: Mapping[str, TableState],
        raw: Content,
    ) -> dict[PartitionKey, Making]:
        """For the shadow: what was made from what."""
        snapshot, makings = self.storage.snapshot(view), {}
        for key in needed:
            cells = depends_on(asset.key, key, snapshot, self.code)
            seen = {(at, one): snapshot[at].seen(one, self.code.extras(at)) for at, one in cells}
            assert all(seen[at, one] is not None for at, one in seen if one in (key, NULL_KEY)), f"{key}: of nothing"
            makings[key] = making = Making(
                made.get(key, ()), self.code.made(asset.key, key.location), self.code.forms[asset.key], seen
            )
            if key in step.stored:
                then = snapshot[asset.key].makings[key]
                makings[key] = replace(making, begun=then.begun, raw=then.raw, degrees=then.degrees)
            elif asset.source is not None:
                degrees = self.code.places[str(key.location)]
                begun = hours_begun(key, self.world.now)
                makings[key] = replace(making, begun=begun, raw=raw.get(key, ()), degrees=degrees)
        return makings

    def _adopt(self, step: Step, asset: Asset, partitions: PartitionSet) -> Generator[None, None, PartitionSet]:
        """Record again what somebody else left as it was; gives what was adopted. As ``StepRunner._adopt``."""
        state = self._state(asset.key)
        version = self.storage.snapshot(self.tables)[asset.key]
        there = {key: rows for key, rows in version.rows.items() if key in partitions}
        facts = facts_of(asset.key, there, self.code, state)
        records = decisions.adoptable(partitions, facts, state)
        if records:
            makings = {key: version.makings[key] for key in records}
            for key, making in makings.items():
                left = shown(asset.key, there.get(key, ()), making.form.extras)
                assert shown(asset.key, making.rows, making.form.extras) == left, "adopted other rows"
            said = self._said(asset, records, state)
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
        said = self._said(asset, change.news, before)
        news = {key: makings[key] for key in change.news}
        yield from self._commit(step, Proposal(asset.key, said, change.replaced, made, news, before))
        yield
        state = self.storage.state(asset.key, before)
        self.tables[asset.key] = state
        committed = (state.records.get(key) for key in change.news)
        return all(record is not None and record.run_id == self.run_id for record in committed)

    def _said(self, asset: Asset, records: Mapping[PartitionKey, PartitionRecord], state: TableState) -> Provenance:
        known = Known(self.code)
        questions = [known.question(key.location) for key in records] if asset.source is not None else []
        shapes = known.shapes(asset.key, state)
        return decisions.provenance_of(self.run_id, asset, "at", records, state, shapes, questions=questions)

    def _commit(self, step: Step, proposal: Proposal) -> Generator[None, None, bool]:
        """Commit; while it is proposed, it may still land after the run has died."""
        self.proposed[step.id] = proposal
        yield
        del self.proposed[step.id]
        self.commits += 1
        return self.storage.commit(proposal)
