"""Finds changes of a source's scale in the rows of its table: in what a run wrote, and in the newest days.

Nothing about scales is recorded. So changes are found in old tables too, whoever wrote them, in whatever chunks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestration.core.calendar import DAY, HOURS_A_DAY
from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.scales import WatchedScale
from orchestration.core.errors import LakehouseError, in_a_line
from orchestration.core.partitions.keys import Days, PartitionSet
from orchestration.core.runs.outcome import StepOutcome
from orchestration.core.state.scales import LOOK_BACK, ScaleChange, changes, in_words
from orchestration.core.state.table_state import TableState
from orchestration.engine.hourly_rows import as_numbers, hours_since_1970
from resources.delta.warehouse import Warehouse

if TYPE_CHECKING:
    import pyarrow as pa

    from orchestration.engine.workspace import Workspace

NEWEST_DAYS = 14
"""A change is reported as an incident while its day is among this many newest days."""
ROWS_AT_ONCE = 1_000_000
"""So many rows are read at once."""
DAYS_BESIDE = 2
"""To find out which scale a day follows, this many days before and after it are read too."""
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class ChangedScale:
    """Changes of a scale of an asset among its newest days. title: the name of the scale. first: the first such day.
    sentences: for people."""

    asset: str
    title: str
    first: date
    locations: tuple[str, ...]
    sentences: tuple[str, ...]


def told_of_run(
    workspace: Workspace,
    outcomes: tuple[StepOutcome, ...],
    before: Mapping[str, TableState],
    after: Mapping[str, TableState],
) -> tuple[StepOutcome, ...]:
    """``outcomes``, with notes on changes that the tables did not have before the run. before, after: states of
    tables.
    """
    for key, scale in workspace.project.scales.items():
        written = PartitionSet.union_of(outcome.written for outcome in outcomes if outcome.step.asset == key)
        if not written:
            continue
        asset, was, now = workspace.catalog[key], before.get(key, TableState()), after[key]
        try:
            found = _new(workspace.warehouse, asset, scale, written, was, now)
            notes = in_words(found, scale, key, now.present)
        except (LakehouseError, OSError) as error:
            notes = [f"whether {scale.title} changed could not be told ({in_a_line(error)})"]
        if notes:
            last = max(at for at, of in enumerate(outcomes) if of.step.asset == key and of.written)
            noted = replace(outcomes[last], notes=(*outcomes[last].notes, *notes))
            outcomes = (*outcomes[:last], noted, *outcomes[last + 1 :])
    return outcomes


def _new(
    warehouse: Warehouse, asset: Asset, scale: WatchedScale, written: PartitionSet, was: TableState, now: TableState
) -> list[ScaleChange]:
    """The changes that depend on written partitions and were not there before."""
    found = [
        one
        for one in scale_changes(warehouse, asset, now, scale, _around(written.days))
        if written.days_of(one.location) & one.rests_on
    ]
    if not found:
        return []
    days = _around(Days.from_dates(one.day for one in found))
    known = {one.at for one in scale_changes(warehouse, asset, was, scale, days)}
    return [one for one in found if one.at not in known]


def read_changed_scales(workspace: Workspace) -> list[ChangedScale]:
    """The changes among the newest days of each table with a watched scale, at the configured locations."""
    found = []
    scales = workspace.project.scales
    states = workspace.states(tuple(scales)) if scales else {}
    for key, scale in scales.items():
        state = states.get(key, TableState())
        present = state.present.restrict([location.key for location in workspace.settings.locations]).without_null()
        if not present:
            continue
        newest = present.days.last
        first = newest - (NEWEST_DAYS - 1) * DAY
        read = scale_changes(workspace.warehouse, workspace.catalog[key], state, scale, Days.of(first, newest))
        of = [one for one in read if one.at in present]
        if of:
            locations = tuple(sorted({one.location for one in of}))
            sentences = tuple(in_words(of, scale, key, present))
            found.append(ChangedScale(key, scale.title, min(one.day for one in of), locations, sentences))
    return found


def scale_changes(
    warehouse: Warehouse, asset: Asset, state: TableState, scale: WatchedScale, days: Days
) -> list[ScaleChange]:
    """The changes of ``scale`` on ``days``, by day. state: of the table.

    Raises WarehouseError where the table cannot be read.
    """
    if state.version is None or not _is_readable(state):
        return []
    found: list[ScaleChange] = []
    needed = _with_those_before(days) & Days.of(*_reach(state)) if state.present.days else Days.empty()
    for first, last in needed.pieces:
        followed = _followed(warehouse, asset, state, scale, first, last)
        found += changes(followed, first, scale.any)
    return [one for one in sorted(found) if one.day in days]


def _reach(state: TableState) -> tuple[date, date]:
    days = state.present.days
    return days.first, days.last


def _is_readable(state: TableState) -> bool:
    return state.damage is None or state.damage.trouble is None or state.damage.trouble.readable


def _around(days: Days) -> Days:
    """``days``, and the days whose changes depend on them."""
    return Days.union_of(Days.of(first, last + LOOK_BACK * DAY) for first, last in days.pieces)


def _with_those_before(days: Days) -> Days:
    """``days``, and the days on which their changes depend. To know which scale these follow, the days beside them are
    needed."""
    return Days.union_of(Days.of(first - LOOK_BACK * DAY, last) for first, last in days.pieces)


def _followed(
    warehouse: Warehouse, asset: Asset, state: TableState, scale: WatchedScale, first: date, last: date
) -> dict[str, Any]:
    """Location → the scales that each of the days ``first``..``last`` can follow, as masks."""
    length = (last - first).days + 1
    found: dict[str, Any] = {}
    for begin, end in _blocks(first, last, len(state.present.locations)):
        lead, tail = begin - DAYS_BESIDE * DAY, end + DAYS_BESIDE * DAY
        rows = _rows(warehouse, asset, state, scale, lead, tail)
        if not rows.num_rows:
            continue
        names, hours = _by_hour(rows, asset, scale, lead, (tail - lead).days + 1)
        masks = np.asarray(scale.follows(hours))[:, DAYS_BESIDE:-DAYS_BESIDE]
        at = (begin - first).days
        for number, name in enumerate(names):
            of = found.setdefault(name, np.full(length, scale.any, dtype=np.int64))
            of[at : at + masks.shape[1]] = masks[number]
    return found


def _blocks(first: date, last: date, locations: int) -> Iterator[tuple[date, date]]:
    at_once = max(LOOK_BACK, ROWS_AT_ONCE // (HOURS_A_DAY * max(locations, 1)))
    while first <= last:
        end = min(last, first + (at_once - 1) * DAY)
        yield first, end
        first = end + DAY


def _rows(
    warehouse: Warehouse, asset: Asset, state: TableState, scale: WatchedScale, first: date, last: date
) -> pa.Table:
    columns = asset.partition_columns
    assert columns is not None and asset.hours is not None and state.version is not None, "it keeps hours of days"
    return warehouse.read_arrow(
        asset.key,
        state.version,
        columns=[columns.location, asset.hours.instant, *scale.columns],
        filters=[(columns.day, ">=", first), (columns.day, "<=", last)],
        without=() if state.damage is None else tuple(one.path for one in state.damage.lost),
    )


def _by_hour(
    rows: pa.Table, asset: Asset, scale: WatchedScale, first: date, days: int
) -> tuple[Sequence[str], dict[str, Any]]:
    """The locations of the rows; and column → array (locations, hours) of numbers, from ``first`` on."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = asset.partition_columns
    assert columns is not None and asset.hours is not None, "it keeps hours of days"
    coded = pc.dictionary_encode(rows[columns.location].cast(pa.string()).combine_chunks())
    coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
    names = coded.dictionary.to_pylist()
    codes = coded.indices.to_numpy(zero_copy_only=False)
    length = days * HOURS_A_DAY
    at = hours_since_1970(rows[asset.hours.instant]) - (first - EPOCH).days * HOURS_A_DAY
    inside = (at >= 0) & (at < length)  # somebody else's row may say another day than its instant
    found = {}
    for name in scale.columns:
        values, present = as_numbers(rows[name])
        whole = np.full((len(names), length), np.nan)
        whole[codes[inside], at[inside]] = np.where(present, values, np.nan)[inside]
        found[name] = whole
    return names, found
