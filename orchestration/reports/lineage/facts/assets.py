"""Facts of an asset for every format, besides its declaration: the states of its partitions, rows, the last run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestration.core.state.freshness import State

if TYPE_CHECKING:
    from orchestration.core.declarations.asset import Asset
    from orchestration.core.state.partition_record import Stamp
    from orchestration.engine.workspace import Workspace

WORST_FIRST = (State.DAMAGED, State.FAILED, State.UNRECORDED, State.STALE, State.MISSING, State.FRESH)


@dataclass(frozen=True, slots=True)
class AssetFacts:
    """The facts of one asset."""

    asset: Asset
    states: Mapping[State, int] = field(default_factory=dict)
    """State → number of partitions."""
    marks: Mapping[str, int] = field(default_factory=dict)
    """Mark without its details, as ``incomplete`` → number of partitions."""
    rows: int | None = None
    """The number of rows of all partitions; None where nothing is recorded."""
    version: int | None = None
    """The table's version; None without a table."""
    last: Stamp | None = None
    """The newest commit that recorded partitions."""

    @property
    def worst(self) -> State | None:
        """The worst state of any partition; None without partitions."""
        return next((state for state in WORST_FIRST if self.states.get(state)), None)

    @property
    def in_words(self) -> str:
        """``10957 fresh, 2 stale, 1 incomplete``; ``nothing yet``."""
        counts = [f"{self.states[state]:,} {state}" for state in reversed(WORST_FIRST) if self.states.get(state)]
        return ", ".join([*counts, *(f"{count:,} {mark}" for mark, count in self.marks.items())]) or "nothing yet"

    @property
    def rows_in_words(self) -> str:
        """``263,016 rows``; empty where nothing is recorded."""
        return "" if self.rows is None else f"{self.rows:,} row{'' if self.rows == 1 else 's'}"


def asset_facts(workspace: Workspace, keys: Sequence[str]) -> dict[str, AssetFacts]:
    """The facts of each of the assets ``keys``."""
    from orchestration.reports.status import read_status

    states: dict[str, Counter[State]] = {key: Counter() for key in keys}
    marks: dict[str, Counter[str]] = {key: Counter() for key in keys}
    rows: dict[str, int] = {}
    for group in read_status(workspace, keys).groups:
        count = len(group.partitions)
        states[group.asset][group.state] += count
        for mark in group.marks:
            marks[group.asset][mark.partition(":")[0]] += count
        if group.rows is not None:
            rows[group.asset] = rows.get(group.asset, 0) + group.rows
    tables = workspace.states(keys)
    found = {}
    for key in keys:
        table = tables.get(key)
        stamps = () if table is None or not table.records else table.records.stamps
        last = max(stamps, key=lambda stamp: stamp.version, default=None)
        version = None if table is None else table.version
        found[key] = AssetFacts(workspace.catalog[key], states[key], marks[key], rows.get(key), version, last)
    return found


def moment_in_words(at: str) -> str:
    """``2025-08-20 06:00`` of ``2025-08-20T06:00:00Z``: to the minute, UTC."""
    return at[:16].replace("T", " ")
