"""The planner: a selection of assets and partitions, and what storage holds → a frozen plan.

A partition becomes part of a step if it is not fresh, or if an earlier step of the plan may change it. When such a
step's turn comes it checks once more, and makes nothing where nothing changed.

Pure: what storage holds comes in as ``TableState`` values, streaks of hours across midnight as ``FlaggedHours``, and
the clock with the versions of now as ``Current``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, assert_never

from orchestration.core.calendar import day_of
from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.catalog import Catalog
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.partitions.mappings import ALL_DAY, FlaggedHours, PartitionMapping, RunWindow, nothing_flagged
from orchestration.core.partitions.scheme import PartitionScheme
from orchestration.core.planning.plan import Input, LeftOut, Obstacle, Plan, Step, TableChange
from orchestration.core.planning.request import (
    ApplyChanges,
    Chunk,
    Hourly,
    Refetch,
    Refold,
    Refresh,
    Remake,
    Repair,
    Request,
)
from orchestration.core.state.freshness import NOT_MENDED, Current, Judgement, State, Way
from orchestration.core.state.judged import not_fresh
from orchestration.core.state.table_state import TableState

FlagsOf = Callable[[RunWindow, TableState], FlaggedHours]
"""Gives the flagged hours of an upstream table: for a window on the table, and the table's state."""

NOTHING = PartitionSet.empty()


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
    What is damaged is made anew only where the request is a repair, or forced; nothing is made from it before.

    Every asked partition is fresh, or in a step, or in ``left_out`` with a reason. Steps stand in topological order; a
    step takes as inputs the outputs of earlier steps and, for the rest, its upstream table as it is now.

    A request in chunks has a step per chunk for every fetched asset. What is made from these is made once for as many
    chunks together as one step can bear (``request.batch``): every step costs a commit, and rows hardly anything.
    """
    planning = _Planning(catalog, request, tables, current, flags_of, blocked or {})
    for number, chunks in enumerate(_batches(request)):
        batch = _Batch(chunks, PartitionSet.union_of(chunk.partitions for chunk in chunks))
        for key in catalog.keys:
            if key in request.assets and (number == 0 or catalog[key].partitions is not None):
                planning.plan(catalog[key], batch)
        planning.end_batch()
    return Plan(tuple(planning.steps), _merged(planning.left_out), (*changes, *planning.mended()))


def _batches(request: Request) -> list[tuple[Chunk, ...]]:
    """The chunks in groups, each as large as one step can bear; without chunks, all in one."""
    if not request.chunks:
        return [(Chunk("", request.partitions),)]
    batches: list[list[Chunk]] = []
    size = 0
    for chunk in request.chunks:
        size += len(chunk.partitions)
        if not batches or size > request.batch:
            batches.append([])
            size = len(chunk.partitions)
        batches[-1].append(chunk)
    return [tuple(batch) for batch in batches]


class _Batch(NamedTuple):
    """Chunks that are planned together."""

    chunks: tuple[Chunk, ...]
    together: PartitionSet
    """The partitions of all these chunks."""


class _Asked(NamedTuple):
    """The partitions that a request for days means under one partition scheme: ``begun`` have begun, ``future`` lie
    ahead."""

    begun: PartitionSet
    future: PartitionSet


@dataclass
class _Planning:
    """The planner at work: it collects steps and what is left out.

    made, changed: by asset, the partitions that the steps so far make: in the whole plan, and in the current batch.
    steps_of: by asset, its steps. asked: a cache of ``_asked``, by scheme and identity of the request's partitions, as
    many assets share both. no_table: the state of a table that does not exist.
    """

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
    steps_of: dict[str, list[Step]] = field(default_factory=dict)
    asked: dict[tuple[PartitionScheme | None, int], _Asked] = field(default_factory=dict)
    no_table: TableState = field(default_factory=TableState)

    def end_batch(self) -> None:
        self.changed.clear()
        self.asked.clear()

    def mended(self) -> list[TableChange]:
        """A change for each table whose log names lost files, if a step writes there: these leave the log first."""
        found, repairs = [], isinstance(self.request, Repair)
        for key in self.catalog.keys:
            damage = self._table(key).damage if key in self.request.assets and key not in self.blocked else None
            if damage is None:
                continue
            made, there = self.made.get(key, NOTHING) & self._table(key).unrecorded, self._table(key).present
            lost = tuple(
                one for one in damage.lost if one.span.covered(made) or (repairs and not one.span.covered(there))
            )
            if lost:
                text = f"{key}: {lost[0].in_words}{f' (and {len(lost) - 1} more)' if len(lost) > 1 else ''}: its log is"
                text += " told so, in one commit; rows that may have been in it are compared, or made anew."
                found.append(TableChange(key, (), text, tuple(one.path for one in lost)))
        return found

    def plan(self, asset: Asset, batch: _Batch) -> None:
        """Add the steps that make ``asset`` for one batch of chunks."""
        if asset.source is not None and asset.partitions is not None:
            for chunk in batch.chunks:
                self._add(asset, chunk.partitions, chunk.name, f"{asset.key}#{chunk.name}" if chunk.name else asset.key)
            return
        chunks = batch.chunks
        whole = len(chunks) == max(1, len(self.request.chunks)) or asset.partitions is None
        name = asset.key if whole else f"{asset.key}#{chunks[0].name}..{chunks[-1].name}"
        self._add(asset, batch.together, "", name)

    def _add(self, asset: Asset, partitions: PartitionSet, chunk: str, name: str) -> None:
        asked, future = self._asked(asset, partitions)
        if future:
            today = day_of(self.current.now)
            self._leave_out(asset, future, f"These days lie after today ({today}, UTC).", Obstacle.FUTURE)
        own = self._present(asset.key)
        asked = self.request.scope(asked, self._table(asset.key))
        from_raw = isinstance(self.request, Refold) and asset.hours is not None
        forced = self.request.forced(asset.key, asked)
        judged = asked - forced if forced else asked
        stale = not_fresh(asset, judged, self.tables, self.current) if judged else {}
        needed = forced | self._needed(asset, stale)
        if from_raw:  # but what answers another question than today's is told, and stays
            needed = asked - PartitionSet.union_of(of for why, of in stale.items() if why.way is Way.REFETCH)
        stored = PartitionSet.union_of(of for why, of in stale.items() if why.way is Way.REWRITE)
        rewrite = NOTHING
        for mapping in asset.upstream:
            changed = self.changed.get(mapping.of)
            if changed and not isinstance(self.request, Repair):
                touched = mapping.affected_by(changed, own | asked, self._flagged(mapping))
                needed |= touched & asked
                rewrite |= touched - asked
        if self.current.configured is not None:  # what others are made of by today's code, these are not
            rewrite = rewrite.restrict(locations=self.current.configured)
        rewrite = rewrite - self._table(asset.key).damaged
        if not self.request.mends and asset.key not in self.blocked:
            needed = needed - self._table(asset.key).damaged
        needed = self._with_upstream(asset, needed)
        for mapping in asset.upstream if rewrite else ():
            rewrite = mapping.makeable(rewrite, self._available(mapping.of))
        if not needed and not rewrite:
            return
        if asset.key in self.blocked:
            obstacle = Obstacle.BLOCKED if self._table(asset.key).damage is None else Obstacle.DAMAGED
            self._leave_out(asset, needed | rewrite, self.blocked[asset.key], obstacle)
            return
        inputs = tuple(item for mapping in asset.upstream for item in self._inputs(mapping, needed | rewrite))
        base_version = self._table(asset.key).version
        stored &= needed
        if stored:
            inputs = (Input(asset.key, base_version, None, stored),)
        why = {_in_counts(why): found for why, found in stale.items()}
        earlier = self.steps_of.setdefault(asset.key, [])
        step = Step(
            id=name,
            asset=asset.key,
            partitions=needed,
            may_rewrite=rewrite,
            inputs=inputs,
            base_version=base_version,
            reason=_reason(needed, rewrite, why, self.request, from_raw=from_raw),
            after=earlier[-1].id if earlier and not chunk else None,
            chunk=chunk,
            manner=self.request.manner,
            stored=stored,
            raw=needed if from_raw else self._from_kept(asset, needed),
        )
        self.steps.append(step)
        earlier.append(step)
        for sets in (self.made, self.changed):
            sets[asset.key] = sets.get(asset.key, NOTHING) | needed | rewrite

    def _asked(self, asset: Asset, partitions: PartitionSet) -> _Asked:
        """The partitions of ``asset`` that are asked for. Assets of one scheme get the same objects."""
        at = asset.partitions, id(partitions)
        if at not in self.asked:
            asked = asset.asked_by(partitions)
            begun = asked if asset.partitions is None else asset.partitions.begun(asked, self.current.now)
            self.asked[at] = _Asked(begun, asked - begun)
        return self.asked[at]

    def _from_kept(self, asset: Asset, needed: PartitionSet) -> PartitionSet:
        """The partitions that a repair makes from kept raw answers instead of asking the source: those that lost rows
        in any case, also where an earlier repair has told the log of that and then failed."""
        if not isinstance(self.request, Repair) or asset.hours is None:
            return NOTHING
        table = self._table(asset.key)
        return needed & (table.damaged | table.taken_out | self.request.kept.get(asset.key, NOTHING))

    def _needed(self, asset: Asset, stale: Mapping[Judgement, PartitionSet]) -> PartitionSet:
        """The partitions to be made among those that are not fresh. Those that only the source could give are left out,
        unless the request is to refetch."""
        if isinstance(self.request, Refetch):
            lost = {State.DAMAGED} if asset.source is None else {State.DAMAGED, State.UNRECORDED}
            anew = [of for why, of in stale.items() if why.way is Way.REFETCH or why.state in lost]
            return PartitionSet.union_of(anew)
        if not self.request.mends and asset.key not in self.blocked:
            for why, partitions in stale.items():
                if why.state is State.DAMAGED:
                    self._leave_out(
                        asset, partitions, f"{asset.key} is damaged there: {why.in_short}", Obstacle.DAMAGED
                    )
            stale = {why: of for why, of in stale.items() if why.state is not State.DAMAGED}
        for why, partitions in stale.items():
            if why.way is Way.REFETCH:
                self._leave_out(asset, partitions, _outdated(asset.key, why.in_short), Obstacle.REFETCH)
        match self.request:
            case ApplyChanges():  # what would be fetched whatever code and configuration are
                kept = [of for why, of in stale.items() if asset.source is None or why.way is Way.REWRITE]
            case Refresh() | Remake() | Hourly() | Repair() | Refold():
                kept = [of for why, of in stale.items() if why.way is not Way.REFETCH]
            case _:
                assert_never(self.request)
        return PartitionSet.union_of(kept)

    def _with_upstream(self, asset: Asset, needed: PartitionSet) -> PartitionSet:
        """Those of ``needed`` that can be made; the others are left out, with the reason."""
        for mapping in asset.upstream:
            makeable = mapping.makeable(needed, self._available(mapping.of))
            missing = needed - makeable
            if missing:
                unrecorded = missing & mapping.makeable(missing, self._present(mapping.of))
                sound = self._present(mapping.of) - self._table(mapping.of).damaged
                damaged = unrecorded - mapping.makeable(unrecorded, sound)
                given_up = self._table(mapping.of).taken_out - self.made.get(mapping.of, NOTHING)
                unmended = unrecorded - damaged - mapping.makeable(unrecorded, self._present(mapping.of) - given_up)
                selected = mapping.of in self.request.assets
                changed_by_others = unrecorded - damaged - unmended
                self._leave_out(asset, damaged, self._damaged(asset.key, mapping.of), Obstacle.DAMAGED)
                self._leave_out(asset, changed_by_others, _unrecorded(asset.key, mapping.of), Obstacle.BLOCKED)
                self._leave_out(asset, unmended, _unmended(asset.key, mapping.of), Obstacle.BLOCKED)
                lacks = _lacks(asset.key, mapping.of, selected=selected)
                self._leave_out(asset, missing - unrecorded, lacks, Obstacle.BLOCKED)
                needed = makeable
        return needed

    def _leave_out(self, asset: Asset, partitions: PartitionSet, reason: str, obstacle: Obstacle) -> None:
        if partitions:
            self.left_out.append(LeftOut(asset.key, partitions, reason, obstacle))

    def _damaged(self, asset: str, upstream: str) -> str:
        damage = self._table(upstream).damage
        if damage is None:
            return ""
        return f"{asset} needs {upstream}, which is damaged there: {damage.in_short}. {damage.remedy(upstream)}"

    def _table(self, key: str) -> TableState:
        return self.tables.get(key, self.no_table)

    def _present(self, key: str) -> PartitionSet:
        return self._table(key).present | self.made.get(key, NOTHING)

    def _available(self, key: str) -> PartitionSet:
        """The upstream partitions that can be built upon. Partitions that somebody else changed are not among them,
        unless this plan makes them again first."""
        state = self._table(key)
        return (state.present - state.unrecorded) | self.made.get(key, NOTHING)

    def _flagged(self, mapping: PartitionMapping) -> FlaggedHours:
        """The flagged hours behind a mapping. On days that this plan makes every hour counts as flagged, as their rows
        are not known yet."""
        if mapping.window is None:
            return nothing_flagged
        there = self.flags_of(mapping.window, self._table(mapping.of))
        days = dict(self.made.get(mapping.of, NOTHING).parts)
        return lambda location, day: ALL_DAY if day in days.get(location, ()) else there(location, day)

    def _inputs(self, mapping: PartitionMapping, partitions: PartitionSet) -> list[Input]:
        state = self._table(mapping.of)
        rest = mapping.upstream_of(partitions, self._flagged(mapping))
        inputs: list[Input] = []
        for step in reversed(self.steps_of.get(mapping.of, ())):  # of those that make a partition, the last one is read
            made = step.all_partitions
            if read := rest & made:
                inputs.append(Input(mapping.of, None, step.id, read))
                rest = rest - made
        inputs.reverse()
        if rest and (rest & state.present or not inputs):
            inputs.append(Input(mapping.of, state.version, None, rest))
        return inputs


def _merged(left_out: Sequence[LeftOut]) -> tuple[LeftOut, ...]:
    """One entry per asset and reason."""
    groups: dict[LeftOut, PartitionSet] = {}
    for item in left_out:
        of = replace(item, partitions=NOTHING)
        groups[of] = groups.get(of, NOTHING) | item.partitions
    return tuple(replace(of, partitions=partitions) for of, partitions in groups.items())


def _lacks(asset: str, upstream: str, *, selected: bool) -> str:
    if selected:
        return f"{asset} needs {upstream}, which is missing there and left out of this plan itself."
    return (
        f"{asset} needs {upstream}, which is missing there and not selected: "
        f"select it too, for instance with '+{asset}'."
    )


def _unrecorded(asset: str, upstream: str) -> str:
    return (
        f"{asset} needs {upstream}, which somebody else changed there: "
        f"`aqi repair {upstream}` compares and mends it, or select it too, for instance with '+{asset}'."
    )


def _unmended(asset: str, upstream: str) -> str:
    return f"{asset} needs {upstream}, of which a repair is not done there: `aqi repair {upstream}` goes on."


def _outdated(asset: str, why: str) -> str:
    return (
        f"{why[0].upper()}{why[1:]}. What is stored stays as it is; `aqi repair --refetch {asset}` fetches it anew "
        "(so does `aqi materialize --force`)."
    )


def _reason(
    needed: PartitionSet, rewrite: PartitionSet, kinds: Mapping[str, PartitionSet], request: Request, *, from_raw: bool
) -> str:
    """Why a step is there, in counts: ``2 missing, 1 stale (its contract changed)``."""
    if isinstance(request, Remake) or from_raw:
        parts = [f"{len(needed)} {'from kept answers' if from_raw else 'forced'}"] if needed else []
    else:
        counts = {kind: len(found & needed) for kind, found in kinds.items()}
        parts = [
            f"{count} {kind}" if kind in PLAIN_KINDS else f"{count} stale ({kind})"
            for kind, count in counts.items()
            if count
        ]
        fresh = len(needed - PartitionSet.union_of(kinds.values()))
        if fresh:
            parts.append(f"{fresh} fresh unless an upstream step changes them")
    reason = ", ".join(parts) if parts else "not asked for"
    if rewrite:
        reason += f"; {len(rewrite)} around may come out otherwise"
    return reason


def _in_counts(why: Judgement) -> str:
    """A judgement as it is named in the reason of a step."""
    if why.state is State.DAMAGED:
        return "damaged"
    return "lost, or not compared yet" if why.in_short.startswith(NOT_MENDED) else why.in_short


PLAIN_KINDS = ("missing", "changed by somebody else", "damaged", "lost, or not compared yet")
