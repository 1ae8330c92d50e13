"""The planner: a selection of assets and partitions, and what storage holds → a frozen plan.

Only what is not fresh becomes a step, and what earlier steps of the plan may change; such a step looks again when its
turn comes, and does nothing where nothing changed.

The plan is a value: ``aqi plan`` prints it, the executor runs it, the run's summary reports on its very steps.
Pure: what storage holds comes in as ``TableState`` values, and hours that reach over midnight as ``FlaggedHours``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.catalog import Catalog
from orchestration.core.partitions.keys import Days, PartitionSet
from orchestration.core.partitions.mappings import ALL_DAY, FlaggedHours, PartitionMapping, RunWindow, nothing_flagged
from orchestration.core.state.freshness import Current, Judgement, Way, not_fresh
from orchestration.core.state.provenance import TableState

FlagsOf = Callable[[RunWindow, TableState], FlaggedHours]
"""Gives, for a window and the state of its upstream table, the hours that are flagged in that table."""


@dataclass(frozen=True, slots=True)
class Input:
    """What a step reads of one upstream asset: a pinned version of its table, or the output of an earlier step.

    version: the version of the table before the run; None where there is none, or a step's output is read.
    step: id of the step whose output is read; None for a table.
    partitions: what may be read, absent partitions included.
    """

    asset: str
    version: int | None
    step: str | None
    partitions: PartitionSet

    def to_json(self) -> dict[str, Any]:
        return {
            "asset": self.asset,
            "version": self.version,
            "step": self.step,
            "partitions": str(self.partitions),
        }


@dataclass(frozen=True, slots=True)
class Step:
    """One asset to materialize.

    partitions: what was asked for and is not fresh, or may not be when the step's turn comes.
    may_rewrite: further partitions that exist and may come out otherwise.
    base_version: the version of the asset's own table before the run, None where there is none.
    after: the plan's step before this one that may write the same partitions. chunk: the one that it belongs to alone.
    force: make ``partitions`` even where they are fresh. verify: first see whether the table's rows are those that were
    recorded last, and adopt them if so. stored: of a fetched asset, those of ``partitions`` whose stored rows go
    through its function again, without the network.
    """

    id: str
    asset: str
    partitions: PartitionSet
    may_rewrite: PartitionSet
    inputs: tuple[Input, ...]
    base_version: int | None
    reason: str
    after: str | None = None
    chunk: str = ""
    force: bool = False
    verify: bool = False
    stored: PartitionSet = field(default_factory=PartitionSet.empty)

    @property
    def fetched(self) -> PartitionSet:
        """Of a fetched asset: what its source is asked for."""
        return self.all_partitions - self.stored

    @property
    def all_partitions(self) -> PartitionSet:
        return self.partitions | self.may_rewrite

    @property
    def upstream_steps(self) -> tuple[str, ...]:
        """Ids of the steps that have to end before this one can start."""
        upstream = tuple(item.step for item in self.inputs if item.step is not None)
        return upstream if self.after is None else (*upstream, self.after)

    def to_json(self) -> dict[str, Any]:
        """The form of ``aqi plan --json``; partitions as lists of keys."""
        return {
            "id": self.id,
            "asset": self.asset,
            "partitions": self.partitions.keys(),
            "may_rewrite": self.may_rewrite.keys(),
            "inputs": [item.to_json() for item in self.inputs],
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Partitions of a selected asset that the plan does not make, and why, as a sentence.

    lacking: something that they need is missing; otherwise there is nothing to be made yet. refetch: only the source
    could give them as they would be asked for today.
    """

    asset: str
    partitions: PartitionSet
    reason: str
    lacking: bool = False
    refetch: bool = False

    def to_json(self) -> dict[str, Any]:
        return {"asset": self.asset, "partitions": self.partitions.keys(), "reason": self.reason}


@dataclass(frozen=True, slots=True)
class TableChange:
    """A table whose columns or texts are brought to its contract before any step, by one commit without files.

    added: names of nullable columns, in which rows of before have null. text: what is done, in words.
    """

    asset: str
    added: tuple[str, ...]
    text: str

    def to_json(self) -> dict[str, Any]:
        return {"asset": self.asset, "added": list(self.added), "reason": self.text}


@dataclass(frozen=True, slots=True)
class Plan:
    """Tables to be changed first, steps in topological order, and what was left out."""

    steps: tuple[Step, ...]
    left_out: tuple[LeftOut, ...]
    tables: tuple[TableChange, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.steps and not self.tables

    def steps_of(self, asset: str) -> tuple[Step, ...]:
        """The steps that make ``asset``, in their order."""
        return tuple(step for step in self.steps if step.asset == asset)

    def to_json(self) -> dict[str, Any]:
        """``tables`` is there only where tables are changed."""
        said = {
            "steps": [step.to_json() for step in self.steps],
            "left_out": [item.to_json() for item in self.left_out],
        }
        return said | {"tables": [change.to_json() for change in self.tables]} if self.tables else said


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a backfill."""

    name: str
    partitions: PartitionSet


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for: selected assets (keys), days × locations, and the current moment.

    force: make what is fresh too. chunks: the parts of ``partitions`` that are fetched and written one by one.
    repair: only what somebody else changed, and compare before making it anew.
    compare: of these, sources are asked what they send now; what they send as it is recorded is not fetched again.
    beyond: what an hourly request does not catch up with, see ``HourlyWindow``.
    refetch: only what lies behind its question is fetched, and what follows from it made. changed: only what is there
    and would come out otherwise by a change of code, contracts or configuration.
    """

    assets: frozenset[str]
    partitions: PartitionSet
    now: datetime
    force: bool = False
    chunks: tuple[Chunk, ...] = ()
    repair: bool = False
    compare: PartitionSet = field(default_factory=PartitionSet.empty)
    beyond: PartitionSet = field(default_factory=PartitionSet.empty)
    refetch: bool = False
    changed: bool = False

    @property
    def today(self) -> date:
        return self.now.date()


NOTHING = PartitionSet.empty()
BATCH_PARTITIONS = 80_000
"""As many day × places at the most go through one step: some two million hourly rows, a large file."""


def make_plan(
    catalog: Catalog,
    request: Request,
    tables: Mapping[str, TableState],
    current: Current,
    flags_of: FlagsOf = lambda _window, _state: nothing_flagged,
    *,
    changes: Sequence[TableChange] = (),
    blocked: Mapping[str, str] | None = None,
) -> Plan:
    """The plan for ``request`` over ``tables`` (a state per asset that has a table).

    changes: tables that are brought to their contracts first. blocked: assets whose tables cannot be written, with why.

    Every asked partition is fresh, or in a step, or in ``left_out`` with a reason. Steps stand in topological order; a
    step takes as inputs the outputs of earlier steps and, for the rest, its upstream table as it is now.

    A request in chunks has a step per chunk for every fetched asset. What is made from these is made once for as many
    chunks together as one step can bear (``BATCH_PARTITIONS``): every step costs a commit, and rows hardly anything.
    """
    planning = _Planning(catalog, request, tables, current, flags_of, blocked or {})
    for number, batch in enumerate(_batches(request)):
        for key in catalog.keys:
            if key in request.assets and (number == 0 or catalog[key].partitions is not None):
                planning.plan(catalog[key], batch)
        planning.end_batch()
    return Plan(tuple(planning.steps), _merged(planning.left_out), tuple(changes))


def _batches(request: Request) -> list[tuple[Chunk, ...]]:
    """The chunks in groups, each as large as one step can bear; without chunks, all in one."""
    if not request.chunks:
        return [(Chunk("", request.partitions),)]
    batches: list[list[Chunk]] = []
    size = 0
    for chunk in request.chunks:
        size += len(chunk.partitions)
        if not batches or size > BATCH_PARTITIONS:
            batches.append([])
            size = len(chunk.partitions)
        batches[-1].append(chunk)
    return [tuple(batch) for batch in batches]


@dataclass
class _Planning:
    """Steps as they are added. made, changed: what they make of each asset, in all and in the batch at hand."""

    catalog: Catalog
    request: Request
    tables: Mapping[str, TableState]
    current: Current
    flags_of: FlagsOf
    blocked: Mapping[str, str]
    steps: list[Step] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    made: dict[str, PartitionSet] = field(default_factory=dict)
    changed: dict[str, PartitionSet] = field(default_factory=dict)
    last: dict[str, str] = field(default_factory=dict)

    def end_batch(self) -> None:
        self.changed.clear()

    def plan(self, asset: Asset, batch: Sequence[Chunk]) -> None:
        """Add what ``asset`` needs for a batch of chunks."""
        if asset.source is not None and asset.partitions is not None:
            for chunk in batch:
                self._add(asset, chunk.partitions, chunk.name, f"{asset.key}#{chunk.name}" if chunk.name else asset.key)
            return
        together = _union(chunk.partitions for chunk in batch)
        whole = len(batch) == max(1, len(self.request.chunks)) or asset.partitions is None
        self._add(asset, together, "", asset.key if whole else f"{asset.key}#{batch[0].name}..{batch[-1].name}")

    def _add(self, asset: Asset, partitions: PartitionSet, chunk: str, name: str) -> None:
        asked = PartitionSet.null() if asset.partitions is None else partitions.without_null()
        future = asked - _until(asked, self.request.today)
        if future:
            self.left_out.append(LeftOut(asset.key, future, f"These days lie after today ({self.request.today}, UTC)."))
            asked = asked - future
        own = self._present(asset.key)
        if self.request.repair:
            asked &= self.tables.get(asset.key, TableState()).unrecorded
        if self.request.changed:
            asked &= self.tables.get(asset.key, TableState()).present
        stale = {} if self.request.force else not_fresh(asset, asked, self.tables, self.current)
        needed = asked if self.request.force else self._needed(asset, stale)
        stored = NOTHING if self.request.force else _union(of for why, of in stale.items() if why.way is Way.REWRITE)
        rewrite = NOTHING
        for mapping in asset.upstream:
            changed = self.changed.get(mapping.of)
            if changed and not self.request.repair:
                touched = mapping.affected_by(changed, own | asked, self._flagged(mapping))
                needed |= touched & asked
                rewrite |= touched - asked
        if self.current.configured is not None:  # what others are made of by today's code, these are not
            rewrite = rewrite.restrict(locations=self.current.configured)
        needed = self._with_upstream(asset, needed)
        for mapping in asset.upstream:
            rewrite = mapping.makeable(rewrite, self._available(mapping.of))
        if not needed and not rewrite:
            return
        if asset.key in self.blocked:
            self.left_out.append(LeftOut(asset.key, needed | rewrite, self.blocked[asset.key], lacking=True))
            return
        inputs = tuple(item for mapping in asset.upstream for item in self._inputs(mapping, needed | rewrite))
        base_version = self.tables.get(asset.key, TableState()).version
        stored &= needed
        if stored:
            inputs = (Input(asset.key, base_version, None, stored),)
        self.steps.append(
            Step(
                id=name,
                asset=asset.key,
                partitions=needed,
                may_rewrite=rewrite,
                inputs=inputs,
                base_version=base_version,
                reason=_reason(needed, rewrite, {why.in_short: found for why, found in stale.items()}, self.request),
                after=None if chunk else self.last.get(asset.key),
                chunk=chunk,
                force=self.request.force,
                verify=self.request.repair,
                stored=stored,
            )
        )
        self.last[asset.key] = name
        for sets in (self.made, self.changed):
            sets[asset.key] = sets.get(asset.key, NOTHING) | needed | rewrite

    def _needed(self, asset: Asset, stale: Mapping[Judgement, PartitionSet]) -> PartitionSet:
        """What is to be made of what is not fresh; what only the source could give is left out unless it is told."""
        if self.request.refetch:
            return _union(of for why, of in stale.items() if why.way is Way.REFETCH)
        for why, partitions in stale.items():
            if why.way is Way.REFETCH:
                self.left_out.append(LeftOut(asset.key, partitions, _outdated(asset.key, why.in_short), refetch=True))
        if self.request.changed:  # what would be fetched whatever code and configuration are
            kept = [of for why, of in stale.items() if asset.source is None or why.way is Way.REWRITE]
        else:
            kept = [of for why, of in stale.items() if why.way is not Way.REFETCH]
        return _union(kept)

    def _with_upstream(self, asset: Asset, needed: PartitionSet) -> PartitionSet:
        """Those of ``needed`` that can be made; the others are left out, with the reason."""
        for mapping in asset.upstream:
            makeable = mapping.makeable(needed, self._available(mapping.of))
            lacking = needed - makeable
            if lacking:
                doubted = lacking & mapping.makeable(lacking, self._present(mapping.of))
                selected = mapping.of in self.request.assets
                for partitions, why in (
                    (doubted, _doubted(asset.key, mapping.of)),
                    (lacking - doubted, _lacks(asset.key, mapping.of, selected=selected)),
                ):
                    if partitions:
                        self.left_out.append(LeftOut(asset.key, partitions, why, lacking=True))
                needed = makeable
        return needed

    def _present(self, key: str) -> PartitionSet:
        return self.tables.get(key, TableState()).present | self.made.get(key, NOTHING)

    def _available(self, key: str) -> PartitionSet:
        """What can be built upon: partitions that somebody else changed cannot, unless they are made anew first."""
        state = self.tables.get(key, TableState())
        return (state.present - state.unrecorded) | self.made.get(key, NOTHING)

    def _flagged(self, mapping: PartitionMapping) -> FlaggedHours:
        """The flagged hours behind a mapping; of days that are made in this plan, any hour may be."""
        if not isinstance(mapping, RunWindow):
            return nothing_flagged
        made, there = (
            self.made.get(mapping.of, NOTHING),
            self.flags_of(mapping, self.tables.get(mapping.of, TableState())),
        )
        days = dict(made.parts)
        return lambda place, day: ALL_DAY if place in days and day in days[place] else there(place, day)

    def _inputs(self, mapping: PartitionMapping, partitions: PartitionSet) -> list[Input]:
        state = self.tables.get(mapping.of, TableState())
        rest = mapping.upstream_of(partitions, self._flagged(mapping))
        inputs: list[Input] = []
        for step in reversed(self.steps):  # of several steps that make a partition, the last one's is read
            if step.asset == mapping.of and rest & step.all_partitions:
                inputs.insert(0, Input(mapping.of, None, step.id, rest & step.all_partitions))
                rest = rest - step.all_partitions
        if rest and (rest & state.present or not inputs):
            inputs.append(Input(mapping.of, state.version, None, rest))
        return inputs


def _union(sets: Iterable[PartitionSet]) -> PartitionSet:
    result = PartitionSet.empty()
    for partitions in sets:
        result |= partitions
    return result


def _merged(left_out: Sequence[LeftOut]) -> tuple[LeftOut, ...]:
    """One entry per asset and reason."""
    groups: dict[LeftOut, PartitionSet] = {}
    for item in left_out:
        of = replace(item, partitions=NOTHING)
        groups[of] = groups.get(of, NOTHING) | item.partitions
    return tuple(replace(of, partitions=partitions) for of, partitions in groups.items())


def _until(partitions: PartitionSet, today: date) -> PartitionSet:
    if not partitions.locations:
        return partitions
    first = partitions.days.first
    return partitions.restrict(days=Days.of(first, today)) if first <= today else PartitionSet.empty()


def _lacks(asset: str, upstream: str, *, selected: bool) -> str:
    if selected:
        return f"{asset} needs {upstream}, which is missing there and left out of this plan itself."
    return (
        f"{asset} needs {upstream}, which is missing there and not selected: "
        f"select it too, for instance with '+{asset}'."
    )


def _doubted(asset: str, upstream: str) -> str:
    return (
        f"{asset} needs {upstream}, which somebody else changed there: "
        f"`aqi repair {upstream}` compares and mends it, or select it too, for instance with '+{asset}'."
    )


def _outdated(asset: str, why: str) -> str:
    return (
        f"{why[0].upper()}{why[1:]}. What is stored stays as it is; `aqi repair --refetch {asset}` fetches it anew "
        "(so does `aqi materialize --force`)."
    )


def _reason(needed: PartitionSet, rewrite: PartitionSet, kinds: Mapping[str, PartitionSet], request: Request) -> str:
    """Why a step is there, in counts: ``2 missing, 1 stale (its contract changed)``."""
    if request.force:
        parts = [f"{len(needed)} forced"] if needed else []
    else:
        counts = {kind: len(found & needed) for kind, found in kinds.items()}
        parts = [
            f"{count} {kind}" if kind in PLAIN_KINDS else f"{count} stale ({kind})"
            for kind, count in counts.items()
            if count
        ]
        fresh = len(needed - _union(kinds.values()))
        if fresh:
            parts.append(f"{fresh} fresh unless an upstream step changes them")
    reason = ", ".join(parts) if parts else "not asked for"
    if rewrite:
        reason += f"; {len(rewrite)} around may come out otherwise"
    return reason


PLAIN_KINDS = ("missing", "changed by somebody else")
