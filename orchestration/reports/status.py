"""`aqi status`: the state of every partition (fresh, stale, missing, failed, unrecorded or damaged), and why.

The states are those of the tables. The journal of runs adds only why the last attempt at a partition failed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape

from orchestration.core.declarations.asset import Asset
from orchestration.core.partitions.arrays import as_arrays
from orchestration.core.partitions.keys import NULL_KEY, PartitionKey, PartitionSet
from orchestration.core.planning.ranges import in_range
from orchestration.core.runs.causes import shape
from orchestration.core.runs.journal import LastAttempt
from orchestration.core.runs.names import partitions_in_words
from orchestration.core.state.completeness import Completeness, hours_withdrawn
from orchestration.core.state.damage import Trouble
from orchestration.core.state.freshness import GIVEN_UP, NO_LONGER_CONFIGURED, Current, Judge, State
from orchestration.core.state.holes import Holes
from orchestration.core.state.judged import Alike, judged
from orchestration.core.state.record_texts import Numbers
from orchestration.core.state.table_state import TableState
from orchestration.engine.changes.tables import troubles
from orchestration.engine.holes import read_holes
from orchestration.engine.workspace import Workspace
from orchestration.reports.fitting import Column, Kind, print_table
from orchestration.reports.holes import marked
from orchestration.reports.last_attempts import LastAttempts, explained
from resources.delta.pending import Pending

AT_ONCE = 10_000
"""At most this many partitions are in memory at a time in an iteration over all."""
STYLES = {
    State.FRESH: "green",
    State.STALE: "yellow",
    State.MISSING: "yellow",
    State.FAILED: "red",
    State.UNRECORDED: "red",
    State.DAMAGED: "bold red",
}


@dataclass(frozen=True, slots=True)
class PartitionStatus:
    """The state of one partition."""

    asset: str
    partition: PartitionKey
    state: State
    reason: str
    """Why the partition has this state."""
    marks: tuple[str, ...] = ()
    """Further facts about the partition, as ``incomplete``."""
    rows: int | None = None
    """The number of its rows in its record; None without a record."""
    version: int | None = None
    """The version of the table that recorded it."""
    run_id: str | None = None
    """The run that recorded it."""
    completeness: Completeness | None = None
    """How many of its hours have values; None where rows are not hours, or this is unknown."""

    def to_json(self) -> dict[str, Any]:
        return {
            "asset": self.asset,
            "partition": str(self.partition),
            "state": str(self.state),
            "reason": self.reason,
            "marks": list(self.marks),
            "rows": self.rows,
            "version": self.version,
            "run_id": self.run_id,
        }


@dataclass(frozen=True, slots=True)
class StatusGroup:
    """Partitions of an asset with the same state, the same reason in short, and the same marks."""

    asset: str
    state: State
    in_short: str
    """The reason in short."""
    marks: tuple[str, ...]
    partitions: PartitionSet
    rows: int | None = None
    """The number of rows of all partitions together; None where none is recorded."""
    completeness: Completeness | None = None
    """The completeness of each of the partitions."""
    withdrawn: Mapping[str, int] = field(default_factory=dict)
    """Location → number of hours whose values a later answer of the source no longer had."""

    @property
    def lacks_values(self) -> bool:
        """Whether the partitions are known to have fewer values than hours."""
        return self.completeness is not None and not self.completeness.whole

    @property
    def given_up(self) -> bool:
        """Whether the source is not asked again for the missing values."""
        return any(mark.startswith(GIVEN_UP) for mark in self.marks)


class Statuses:
    """The result of `aqi status`: ``groups``; or, by iteration, the partitions one by one, made as they are needed.

    holes: key of an asset with days → its missing partitions and gaps. troubles: key → what is wrong with a table that
    cannot be read or written.
    """

    def __init__(self, assets: Sequence[_OfAsset], holes: Mapping[str, Holes], troubles: Mapping[str, Trouble]) -> None:
        self._assets, self.holes, self.troubles = assets, holes, troubles
        self.groups = tuple(part.group for asset in assets for part in asset.parts)

    def __iter__(self) -> Iterator[PartitionStatus]:
        for asset in self._assets:
            yield from asset


def read_status(
    workspace: Workspace,
    keys: Sequence[str],
    days: str | None = None,
    locations: Sequence[str] = (),
) -> Statuses:
    """The states of the partitions of the assets ``keys`` in a RANGE.

    Without a RANGE: of all partitions that one of the assets has, whose last attempt failed, that are wanted
    (``history.since``), or that lie in a gap. If nothing of a table can be read, of all partitions that any table has;
    if there are none, the partition ``null`` stands for the table.

    Existing partitions of locations that are no longer configured are included. Assets without days are included with a
    RANGE, too: assets with days depend on them. Raises UsageError if a RANGE is given and none of ``keys`` has days.
    """
    in_range(workspace.catalog, keys, days)
    tables = workspace.counted_states(keys)
    current = workspace.current()
    attempts = LastAttempts(workspace, current)
    partitions = PartitionSet.union_of(tables[key].present for key in keys if key in tables).without_null()
    known = partitions.locations
    workspace.check_locations(locations, known)
    if days is not None:
        gone = [location for location in known if not current.is_configured(location)]
        asked = workspace.partitions(days)
        partitions = asked | partitions.restrict(locations=gone, days=workspace.days(days))
    else:
        partitions |= attempts.failed(keys).restrict(locations=[one.key for one in workspace.settings.locations])
    if locations:
        partitions = partitions.restrict(locations=locations)
    holes = read_holes(workspace, keys, tables, locations)
    found = []
    for key in keys:
        asset, of = workspace.catalog[key], holes.get(key)
        asked = asset.asked_by(partitions)
        if of is not None and days is None:
            asked |= of.missing | of.gaps
        if not asked and _is_unknown(tables.get(key)):
            asked = asset.asked_by(_anywhere(workspace, locations)) or PartitionSet.null()
        alike = marked(judged(Judge(asset, tables, current), asked), of, workspace.settings.since)
        found.append(_OfAsset(asset, tables.get(key, TableState()), alike, current, attempts))
    return Statuses(found, holes, {key: one for key, one in troubles(tables).items() if key in keys})


def _is_unknown(state: TableState | None) -> bool:
    """Whether a table exists, and its content cannot be found out."""
    trouble = None if state is None or state.damage is None else state.damage.trouble
    return trouble is not None and not trouble.recorded


def _anywhere(workspace: Workspace, locations: Sequence[str]) -> PartitionSet:
    """The partitions that any table has."""
    states = workspace.states(workspace.catalog.keys)
    found = PartitionSet.union_of(state.present for state in states.values()).without_null()
    return found.restrict(locations=locations) if locations else found


@dataclass(frozen=True, slots=True)
class _Part:
    """A group, with the judgement and the last attempt from which the reasons of its partitions follow."""

    group: StatusGroup
    alike: Alike
    attempt: LastAttempt | None

    def reason(self, key: PartitionKey, made: str) -> str:
        """Why a partition of the group has its state. made: when its record was made; empty without one."""
        judgement = self.alike.judgement_of(key)
        _, reason, _ = explained(
            judgement, f"made {made}" if made and judgement.fresh else judgement.reason, self.attempt
        )
        if NO_LONGER_CONFIGURED in judgement.marks:
            return f"{reason}; its location is no longer configured: it is kept as it is"
        return reason


class _OfAsset:
    """The states of the partitions of one asset."""

    def __init__(
        self, asset: Asset, own: TableState, found: Iterable[Alike], current: Current, attempts: LastAttempts
    ) -> None:
        self._asset, self._records = asset, own.records
        found = list(found)
        lagging = PartitionSet.union_of(alike.partitions for alike in found if not alike.judgement.fresh)
        known = attempts.at(asset.key, lagging)
        self.parts = [
            self._part(alike, partitions, attempt)
            for alike in found
            for partitions, attempt in self._by_attempt(self._wanted(alike, current), known)
        ]

    def _wanted(self, alike: Alike, current: Current) -> Alike:
        """Without missing partitions at locations that are no longer configured: they are not wanted."""
        if alike.judgement.state is not State.MISSING:
            return alike
        here = [one for one in alike.partitions.locations if current.is_configured(one)]
        return replace(alike, partitions=alike.partitions.restrict(locations=here))

    def _by_attempt(
        self, alike: Alike, known: Iterable[tuple[PartitionSet, LastAttempt]]
    ) -> Iterator[tuple[PartitionSet, LastAttempt | None]]:
        """The partitions of the group, split by their last attempts. An attempt before a partition was made does not
        count."""
        records, left = self._records, alike.partitions
        for concerned, attempt in known if not alike.judgement.fresh else ():
            tried = left & concerned
            if tried and alike.recorded:
                at = records.index(tried)
                made = np.array([attempt.at < stamp.at for stamp in records.stamps], dtype=bool)[records.stamp[at]]
                tried = records.set_of(at[~made])
            if tried:
                yield tried, attempt
                left -= tried
        if left:
            yield left, None

    def _part(self, alike: Alike, partitions: PartitionSet, attempt: LastAttempt | None) -> _Part:
        judgement, at = alike.judgement, self._records.index(partitions)
        state, _, in_short = explained(judgement, judgement.reason, attempt)
        if NO_LONGER_CONFIGURED in judgement.marks:
            in_short = in_short or NO_LONGER_CONFIGURED
        group = StatusGroup(
            self._asset.key,
            state,
            in_short,
            judgement.marks,
            partitions,
            int(self._records.rows[at].sum()) if alike.recorded else None,
            alike.completeness,
            {} if self._asset.hours is None else self._withdrawn(at),
        )
        return _Part(group, alike, attempt)

    def _withdrawn(self, positions: Numbers) -> dict[str, int]:
        """Location → number of withdrawn hours."""
        records = self._records
        kinds = enumerate(records.columns.kinds)
        by_kind = np.array([hours_withdrawn(records.kinds[at]) if kind.turned_away else 0 for at, kind in kinds])
        hours = by_kind[records.kind[positions]]
        some = positions[hours > 0]
        counts = np.bincount(records.location[some], hours[hours > 0], len(records.locations)).astype(int).tolist()
        return {name: count for name, count in zip(records.locations, counts, strict=True) if count}

    def __iter__(self) -> Iterator[PartitionStatus]:
        """The partitions in the order of their keys."""
        records, names = self._records, sorted({one for part in self.parts for one in part.group.partitions.locations})
        columns = [as_arrays(part.group.partitions, names) for part in self.parts]
        if not columns:
            return
        location, day = (np.concatenate(of) for of in zip(*columns, strict=True))
        number = np.repeat(np.arange(len(self.parts)), [len(part.group.partitions) for part in self.parts])
        at = records.find(names, location, day)
        in_order = np.lexsort((location, day))
        for start in range(0, len(in_order), AT_ONCE):
            some = in_order[start : start + AT_ONCE]
            of = (column[some].tolist() for column in (number, at, location, day))
            for part, record, where, ordinal in zip(*of, strict=True):
                key = NULL_KEY if where < 0 else PartitionKey(date.fromordinal(ordinal), names[where])
                yield self._status(self.parts[part], key, record)

    def _status(self, part: _Part, key: PartitionKey, position: int) -> PartitionStatus:
        """The state of one partition of a group. position: that of its record; -1 without one."""
        group, records = part.group, self._records
        if position < 0:
            return PartitionStatus(group.asset, key, group.state, part.reason(key, ""), group.marks)
        stamp = records.stamps[records.stamp[position]]
        return PartitionStatus(
            group.asset,
            key,
            group.state,
            part.reason(key, stamp.at),
            group.marks,
            int(records.rows[position]),
            stamp.version,
            stamp.run_id,
            group.completeness,
        )


def told_of_pending(workspace: Workspace, keys: Sequence[str]) -> str:
    """A sentence about a change of tables that is under way; empty where there is none."""
    found = Pending(workspace.warehouse.uri).read()
    concerned = [] if found is None else [key for key in keys if key in found.tables]
    if found is None or not concerned:
        return ""
    return f"`{found.command}` is under way, or was broken off: call it again; until then these tables are between two."


def cause_of(state: State, why: str, names: Collection[str]) -> str:
    """What reasons with the same cause have in common: of one source that is away there is a message for each location
    and range that was asked for. names: of locations."""
    return shape(why, "", names) if state is State.FAILED else why


def first_of(reasons: Iterable[str]) -> str:
    """The first of the reasons of one kind, with the number of the others."""
    first, *more = dict.fromkeys(reasons)
    return f"{first} (and {len(more)} more like it)" if more else first


def print_status(console: Console, found: Statuses) -> None:
    """Print a line for each asset, state and reason, with the number of its partitions and their rows."""
    lines: dict[tuple[str, State, str], list[tuple[StatusGroup, str]]] = {}
    names = {name for group in found.groups for name in group.partitions.locations}
    for group in found.groups:
        why = "; ".join(dict.fromkeys([part for part in (group.in_short, *group.marks) if part]))
        lines.setdefault((group.asset, group.state, cause_of(group.state, why, names)), []).append((group, why))
    columns = [Column("asset", Kind.KEY), Column("state", Kind.KEY), Column("partitions")]
    columns += [Column("count", Kind.NUMBER), Column("rows", Kind.NUMBER), Column("why")]
    table = []
    for (asset, state, _), groups in lines.items():
        why = first_of(why for _, why in groups)
        partitions = PartitionSet.union_of(group.partitions for group, _ in groups)
        rows = [group.rows for group, _ in groups if group.rows is not None]
        style = STYLES[state]
        shown = str(sum(rows)) if rows else ""
        words = "" if why == str(state) else escape(why)
        coloured = f"[{style}]{state}[/{style}]"
        where = escape(partitions_in_words(partitions))
        table.append([asset, coloured, where, str(len(partitions)), shown, words])
    if found.groups:
        print_table(console, columns, table, markup=True, group=True)
    else:
        console.print("There is nothing yet.")
