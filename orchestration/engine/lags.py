"""Reads the lags of tables, and their incomplete partitions, from the tables' logs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from orchestration.core.errors import WarehouseError
from orchestration.core.partitions.keys import PartitionKey
from orchestration.core.state.completeness import Completeness
from orchestration.core.state.incomplete_days import Incomplete, incomplete
from orchestration.core.state.lags import Lag, lags
from orchestration.core.state.provenance import PartitionRecord, Provenance
from orchestration.core.state.table_state import TableState
from orchestration.engine.workspace import Workspace
from resources.delta.log import DeltaLog
from resources.delta.warehouse import Warehouse

LOOKED_THROUGH = 200
"""At most this many earlier commits are searched for a record: eight days of hourly runs."""


def read_lags(workspace: Workspace, keys: Sequence[str], tables: Mapping[str, TableState] | None = None) -> list[Lag]:
    """The lags of the dated assets among ``keys``, at every configured location.

    tables: states that are known already; further ones, also of upstream assets, are read.
    """
    known = dict(tables or {})
    dated = [key for key in keys if workspace.catalog[key].partitions is not None]
    needed = workspace.catalog.dag.upstream_of_any(dated) | set(dated)
    assets = [asset for asset in workspace.catalog if asset.key in needed]
    unread = [one.key for one in assets if one.partitions is not None and one.key not in known]
    known |= {key: state for key, state in workspace.states(unread).items() if key not in known} if unread else {}
    known = workspace.with_counts(known)
    current = workspace.current()
    locations = [location.key for location in workspace.settings.locations]
    counts = {asset.key: current.completeness_of(asset, known.get(asset.key, TableState())) for asset in assets}

    def completeness(asset: str, key: PartitionKey, record: PartitionRecord) -> Completeness | None:
        of = counts[asset]
        return None if of is None else of(key, record)

    earlier = EarlierRecords(workspace.warehouse, known)
    return lags(assets, dated, known, locations, current.now, earlier, completeness)


class EarlierRecords:
    """The records of earlier commits, the newest first. Only as many commits are read as are needed."""

    def __init__(self, warehouse: Warehouse, tables: Mapping[str, TableState]) -> None:
        self._warehouse, self._tables = warehouse, tables
        self._unread: dict[str, Iterator[Provenance]] = {}
        self._found: dict[tuple[str, PartitionKey, str], PartitionRecord] = {}

    def __call__(self, asset: str, key: PartitionKey, fingerprint: str) -> PartitionRecord | None:
        """The newest record of a partition with that fingerprint; None where none of the last commits has one."""
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


def read_incomplete(workspace: Workspace, keys: Sequence[str]) -> list[Incomplete]:
    """The partitions of ``keys`` that lack values, at the configured locations."""
    fetched = [asset for asset in workspace.project.fetched if asset.key in keys and asset.hours is not None]
    if not fetched:
        return []
    states, current = workspace.counted_states([asset.key for asset in fetched]), workspace.current()
    return [one for asset in fetched for one in incomplete(asset, states.get(asset.key, TableState()), current)]


def worst_lag_hours(found: Iterable[Lag], asset: str) -> float | None:
    """The largest lag of an asset at the locations where it was made; None where it was made at none."""
    return max((lag.lag_hours for lag in found if lag.asset == asset and lag.lag_hours is not None), default=None)
