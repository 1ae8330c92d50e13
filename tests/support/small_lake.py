"""A warehouse in a temporary folder, a simulator to fill it, and runs on a shared engine without Prefect."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from assets import CATALOG
from orchestration.core.partitions.keys import ChunkMode
from orchestration.core.planning.request import BATCH_PARTITIONS, Request
from orchestration.core.runs.outcome import RunSummary, chunk_outcomes
from orchestration.engine.backfill import backfill_request
from orchestration.engine.changes.tables import change_tables
from orchestration.engine.engines.engine import Engine
from orchestration.engine.executor import prepare, run_in_order
from orchestration.engine.observation import observe_sources
from orchestration.engine.workspace import Workspace
from orchestration.project import load, open_workspace
from orchestration.reports.rows import read_rows
from orchestration.reports.status import read_status
from tests.support import oracle
from tests.support.engines import SharedEngine, SharedSpark

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
ALL = "*"
DATED = tuple(asset.key for asset in CATALOG if asset.partitions is not None and asset.key in oracle.COLUMNS)
"""The dated tables that the oracle makes, too."""
FETCHED = " or ".join(DATED)
"""These tables as a SELECTION: they need no other table, while a table that somebody adds may need a dimension."""


@dataclass
class Lake:
    """flags: settings that win over the profile. now: the clock. sessions_wanted: how often a run asked for its engine.

    shared: the engine. adapt: what a test changes in every workspace.
    """

    folder: Path
    shared: SharedEngine
    base_url: str
    flags: dict[str, Any] = field(default_factory=dict)
    now: datetime = NOW
    sessions_wanted: int = 0
    adapt: Callable[[Workspace], Workspace] = lambda workspace: workspace

    @property
    def workspace(self) -> Workspace:
        """A fresh workspace: what a new command would see."""
        api = {"base_url": self.base_url, "backoff_seconds": 0.01, "attempts": 2, **self.flags.get("open_meteo", {})}
        flags = {
            **{name: value for name, value in self.flags.items() if name != "open_meteo"},
            "open_meteo": api,
            "engine": self.shared.name,
            "warehouse": {"uri": str(self.folder)},
            "clock": {"now": self.now},
        }
        return self.adapt(open_workspace(load(environment={}, flags=flags)))

    def materialize(
        self, days: str | None, selection: str = ALL, locations: Iterable[str] = (), *, force: bool = False
    ) -> RunSummary:
        """days: of what has days; where nothing that is selected has, they mean nothing."""
        workspace = self.workspace
        keys = workspace.select(selection)
        of = days if any(workspace.catalog[key].partitions is not None for key in keys) else None
        return self.run(workspace.requested(keys, of, list(locations), force=force))

    def backfill(
        self,
        start: str,
        end: str,
        mode: ChunkMode,
        selection: str = ALL,
        *,
        restart: bool = False,
        batch: int = BATCH_PARTITIONS,
    ) -> RunSummary:
        workspace = self.workspace
        first, last = date.fromisoformat(start), date.fromisoformat(end)
        request = backfill_request(workspace, workspace.select(selection), first, last, mode, restart=restart)
        return self.run(replace(request, batch=batch))

    def repair(self, selection: str = ALL) -> RunSummary:
        workspace = self.workspace
        return self.run(workspace.repair(workspace.select(selection), None))

    def hourly(self, selection: str = ALL) -> RunSummary:
        workspace = self.workspace
        return self.run(workspace.hourly(workspace.select(selection)))

    def run(self, request: Request) -> RunSummary:
        """One run, without Prefect and the lock."""
        workspace = self.workspace
        observed = observe_sources(workspace, request)
        current = workspace.current(None if observed is None else observed.sent)
        plan, tables = workspace.plan(request, current)
        run_id = f"run-{datetime.now(UTC).timestamp()}"
        change_tables(workspace, plan, tables, run_id)
        tables = workspace.states(tuple(request.assets))
        engine = self.shared.engine(workspace.warehouse)
        runner, source = prepare(workspace, plan, tables, run_id, lambda: self._wanted(engine), current, observed)
        outcomes = run_in_order(plan, runner, source)
        return RunSummary(run_id, plan, outcomes, 0.0, chunks=chunk_outcomes(request, plan, outcomes, runner.tables))

    def _wanted(self, engine: Engine) -> Engine:
        self.sessions_wanted += 1
        return engine

    @property
    def spark(self) -> Any:
        """The Spark session, for a lake that is on Spark."""
        assert isinstance(self.shared, SharedSpark)
        return self.shared.session

    def states(self, selection: str = ALL, days: str | None = None) -> dict[str, dict[str, list[str]]]:
        """What `aqi status` says: by asset and state, the partition keys."""
        workspace = self.workspace
        found: dict[str, dict[str, list[str]]] = {}
        for item in read_status(workspace, workspace.select(selection), days):
            found.setdefault(item.asset, {}).setdefault(str(item.state), []).append(str(item.partition))
        return found

    def uri(self, key: str) -> str:
        return self.workspace.warehouse.table_uri(key)

    def rows(self, key: str) -> list[dict[str, Any]]:
        """All rows of a table, by deltalake, without ``_ingested_at``; instants in UTC."""
        table = read_rows(self.workspace, key)
        return table.drop_columns([name for name in table.column_names if name.startswith("_")]).to_pylist()

    def canonical(self, key: str) -> Any:
        """A table in the form in which tables are compared."""
        return oracle.canonical(self.rows(key), oracle.COLUMNS[key])

    def tables(self, keys: Iterable[str] = DATED) -> dict[str, Any]:
        return {key: self.canonical(key) for key in keys}

    def files(self) -> dict[str, tuple[str, ...]]:
        """The data files that every table's newest version has, by table."""
        from deltalake import DeltaTable

        workspace = self.workspace
        return {
            asset.key: tuple(sorted(DeltaTable(workspace.warehouse.table_uri(asset.key)).file_uris()))
            for asset in workspace.catalog
        }

    def versions(self) -> dict[str, int | None]:
        workspace = self.workspace
        return {asset.key: workspace.warehouse.state(asset).version for asset in workspace.catalog}
