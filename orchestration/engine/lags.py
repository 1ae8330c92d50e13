"""Targets and lags of the tables in the warehouse, and how they look on a terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from rich.console import Console
from rich.table import Table

from orchestration.core.errors import WarehouseError
from orchestration.core.partitions.keys import PartitionKey
from orchestration.core.state.lags import Lag, lags
from orchestration.core.state.provenance import PartitionRecord, Provenance, TableState
from orchestration.engine.workspace import Workspace
from resources.delta.log import DeltaLog
from resources.delta.warehouse import Warehouse
from resources.machine.clock import iso

LOOKED_THROUGH = 200
"""So many commits of ours back is looked for what a table once recorded: eight days of hourly runs."""
SHOWN = 3
"""So many groups of places of an asset, and so many names in one."""


def read_lags(workspace: Workspace, keys: Sequence[str], tables: Mapping[str, TableState] | None = None) -> list[Lag]:
    """The lags of those of ``keys`` that have days, at every configured place.

    tables: states that are known already; what is missing of the assets and of all that is upstream of them is read.
    """
    known = dict(tables or {})
    dated = [key for key in keys if workspace.catalog[key].partitions is not None]
    needed = workspace.catalog.dag.upstream_of_any(dated) | set(dated)
    assets = [asset for asset in workspace.catalog if asset.key in needed]
    known |= workspace.warehouse.states(one for one in assets if one.partitions is not None and one.key not in known)
    places = [place.key for place in workspace.settings.locations]
    return lags(assets, dated, known, places, workspace.settings.now(), EarlierRecords(workspace.warehouse, known))


class EarlierRecords:
    """What commits recorded up to ``tables``, newest first; read only as far back as somebody asks."""

    def __init__(self, warehouse: Warehouse, tables: Mapping[str, TableState]) -> None:
        self._warehouse, self._tables = warehouse, tables
        self._unread: dict[str, Iterator[Provenance]] = {}
        self._found: dict[tuple[str, PartitionKey, str], PartitionRecord] = {}

    def __call__(self, asset: str, key: PartitionKey, fingerprint: str) -> PartitionRecord | None:
        """The newest record of a partition with that content; None where none of the last commits has one."""
        wanted = asset, key, fingerprint
        if asset not in self._unread:
            self._unread[asset] = islice(self._newest_first(asset), LOOKED_THROUGH)
        while wanted not in self._found:
            said = next(self._unread[asset], None)
            if said is None:
                return None
            for of, record in said.records.items():
                self._found.setdefault((asset, of, record.fingerprint), record)
        return self._found[wanted]

    def _newest_first(self, asset: str) -> Iterator[Provenance]:
        log, state = DeltaLog(self._warehouse.table_uri(asset)), self._tables.get(asset, TableState())
        for version in reversed(log.versions()):
            if state.version is not None and version <= state.version:
                with contextlib.suppress(OSError, WarehouseError):  # gone, or damaged: the table lies no less behind
                    said = log.commit(version).provenance
                    if said is not None:
                        yield said


def worst_lag_hours(found: Iterable[Lag], asset: str) -> float | None:
    """The largest lag of an asset at the places where it was made; None where it was made at none."""
    return max((lag.lag_hours for lag in found if lag.asset == asset and lag.lag_hours is not None), default=None)


def to_json(lag: Lag) -> dict[str, Any]:
    """JSON values of a lag. An instant is as of the second, hours are as of the thousandth."""
    return {
        "asset": lag.asset,
        "location": lag.location,
        "covered_until": None if lag.covered_until is None else iso(lag.covered_until),
        "lag_hours": None if lag.lag_hours is None else round(lag.lag_hours, 3),
        "target_hours": lag.target_hours,
        "missed": lag.missed,
    }


def print_lags(console: Console, found: Sequence[Lag]) -> None:
    """Per asset a line for all places that agree, the worst first; the rest of many lines as one."""
    table = Table(box=None, pad_edge=False)
    for name in ("asset", "place", "covered until"):
        table.add_column(name, overflow="fold")
    for name in ("lag", "target"):
        table.add_column(name, justify="right")
    table.add_column("")
    by_asset: dict[str, list[Lag]] = {}
    for lag in found:
        by_asset.setdefault(lag.asset, []).append(lag)
    for asset, of_asset in by_asset.items():
        for row in _rows(of_asset):
            table.add_row(asset, *row)
    console.print(table if found else "None of these assets has days.")


def _rows(of_asset: Sequence[Lag]) -> list[tuple[str, ...]]:
    groups: dict[datetime | None, list[Lag]] = {}
    for lag in of_asset:
        groups.setdefault(lag.covered_until, []).append(lag)
    worst_first = sorted(groups.values(), key=lambda of: -_hours(of[0]))
    rows = [_row(places, len(of_asset)) for places in worst_first[:SHOWN]]
    if rest := worst_first[SHOWN:]:
        missed = sum(lag.missed for places in rest for lag in places)
        count = sum(len(places) for places in rest)
        worst = rest[0][0]
        rows.append(
            (f"{count} more", f"{_until(worst)} or later", f"≤ {_lag(worst)}", "", _missed(worst, missed, count))
        )
    return rows


def _row(places: Sequence[Lag], configured: int) -> tuple[str, ...]:
    first = places[0]
    if len(places) == configured > 1:
        where = f"all {configured} places"
    else:
        names = [lag.location for lag in places[:SHOWN]]
        where = ", ".join(names) + (f" and {len(places) - SHOWN} more" if len(places) > SHOWN else "")
    target = "" if first.target_hours is None else f"{first.target_hours:g} h"
    missed = sum(lag.missed for lag in places)
    return where, _until(first), _lag(first), target, _missed(first, missed, len(places))


def _missed(lag: Lag, missed: int, count: int) -> str:
    if lag.target_hours is None:
        return ""
    if not missed:
        return "[green]ok[/green]"
    return "[red]missed[/red]" if missed == count else f"[red]{missed} missed[/red]"


def _until(lag: Lag) -> str:
    return "never made" if lag.covered_until is None else iso(lag.covered_until)


def _lag(lag: Lag) -> str:
    if lag.lag_hours is None:
        return ""
    return f"{lag.lag_hours:.1f} h" if lag.lag_hours < 100 else f"{lag.lag_hours / 24:.0f} days"


def _hours(lag: Lag) -> float:
    return float("inf") if lag.lag_hours is None else lag.lag_hours
