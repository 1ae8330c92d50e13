"""A warehouse whose episodes runs committed day by day, by deltalake, and that maintenance looks after."""

from __future__ import annotations

import json
import os
import time
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from deltalake import DeltaTable
from rich.console import Console

from orchestration.cli.progress import Quiet
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.state.table_state import TableState
from orchestration.project import load, open_workspace
from orchestration.service.maintenance import MaintenanceSummary, TableUpkeep, run_maintenance
from tests.support.cli_calls import EPISODE, episode, write

QUIET = Quiet(Console(stderr=True))
NOW = datetime.fromisoformat("2025-08-20T06:00:00Z")
LONG_AGO = time.time() - timedelta(days=40).total_seconds()
JULY = tuple(date(2025, 7, day) for day in (21, 3, 14, 30, 9, 12, 1))
AUGUST = tuple(date(2025, 8, day) for day in (2, 16, 5, 8))


class Tables:
    """A warehouse in ``folder`` on 2025-08-20, with episodes that runs committed day by day."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        flags = {"warehouse": {"uri": str(folder), "lock_wait_seconds": 0}, "clock": {"now": NOW}}
        self.workspace = open_workspace(load(environment={}, flags=flags))
        self.asset = self.workspace.catalog[EPISODE]

    def create(self, key: str = EPISODE) -> None:
        """As a run does it: with comments and properties."""
        of = self.workspace.catalog[key]
        self.workspace.warehouse.create(of, self.workspace.contracts[key])

    def day(self, day: date, key: str = EPISODE) -> None:
        """A commit of a run with that day of two locations."""
        rows = [episode(location, 1, hour, start_date_utc=day) for location in ("hue", "hanoi") for hour in (0, 7)]
        for row in rows:
            row["start_ts_utc"] = datetime.fromisoformat(f"{day}T{row['start_ts_utc']:%H}:30:00.123456Z")
        write(self.workspace, key, rows, **{f"{day}/hanoi": 2, f"{day}/hue": 2})

    def old_log(self) -> None:
        for file in (Path(self.table.table_uri.removeprefix("file://")) / "_delta_log").iterdir():
            os.utime(file, (LONG_AGO, LONG_AGO))

    @property
    def table(self) -> DeltaTable:
        return DeltaTable(self.workspace.warehouse.table_uri(EPISODE))

    @property
    def table_folder(self) -> Path:
        return self.folder / "gold" / "fact_episode"

    @property
    def state(self) -> TableState:
        """As a new command sees it."""
        return open_workspace(self.workspace.settings).warehouse.state(self.asset)

    def rows(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.table.to_pyarrow_table().to_pylist()
        return sorted(found, key=lambda row: (row["start_ts_utc"], row["location_key"]))

    def spans(self) -> list[tuple[str, str, str, str]]:
        ends = ((of.first_day, of.last_day, of.first_location, of.last_location) for of in self.state.files.values())
        return sorted((str(first), str(last), str(low), str(high)) for first, last, low, high in ends)

    def maintain(self, *, dry_run: bool = False) -> MaintenanceSummary:
        return run_maintenance(self.workspace, QUIET, dry_run=dry_run)

    def upkeep(self) -> TableUpkeep:
        """What a maintenance does for the episodes."""
        summary = self.maintain()
        assert summary.ok, summary.in_words()
        return next(table for table in summary.tables if table.table == EPISODE)


def filled(folder: Path) -> Tables:
    """With thirteen days of one file each, in no order."""
    tables = Tables(folder)
    tables.create()
    for day in (*JULY, *AUGUST, date(2025, 8, 18), date(2025, 8, 19)):
        tables.day(day)
    return tables


def says(state: TableState) -> tuple[dict[PartitionKey, Any], PartitionSet]:
    return dict(state.records), state.unrecorded


def commits(tables: Tables) -> list[dict[str, Any]]:
    """The actions of each commit, by kind."""
    found = []
    for file in sorted((tables.table_folder / "_delta_log").glob("*.json")):
        actions: dict[str, Any] = {"add": [], "remove": []}
        for action in map(json.loads, file.read_text(encoding="utf-8").splitlines()):
            ((kind, said),) = action.items()
            if kind in ("add", "remove"):
                actions[kind].append(said)
            else:
                actions[kind] = said
        found.append(actions)
    return found
