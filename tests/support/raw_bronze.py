"""A warehouse on 2025-08-20, 06:00 UTC, whose bronze table has records of kept raw answers, and no rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console

from assets.variables import VARIABLES
from orchestration.cli.progress import Quiet
from orchestration.core.calendar import iso
from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet
from orchestration.core.source import RawAnswer
from orchestration.core.state.partition_record import Answer, PartitionRecord, TurnedAway
from orchestration.core.state.provenance import Provenance
from orchestration.project import load, open_workspace
from orchestration.service.maintenance import MaintenanceSummary, TableUpkeep, run_maintenance
from resources.open_meteo.variables import UNITS
from resources.raw.answers import RawAnswers
from resources.raw.moments import Moments

BRONZE = "bronze.open_meteo_hourly"
NOW = datetime.fromisoformat("2025-08-20T06:00:00Z")
PM25 = next(name for name, column in VARIABLES.items() if column == "pm25")
INDEX = next(name for name, column in VARIABLES.items() if column == "aqi")
ALL_HOURS = (1 << 24) - 1


def ago(days: float) -> str:
    """So many days before NOW."""
    return iso(NOW - timedelta(days=days))


def key(day: str, location: str = "hanoi") -> PartitionKey:
    return PartitionKey(date.fromisoformat(day), location)


def record(
    *owners: tuple[str, int | None], turned_away: tuple[tuple[str, int], ...] = (), rows: int = 24
) -> PartitionRecord:
    """Of answers by moment, with the hours that they own; and of hours that they did not get to replace."""
    return PartitionRecord(
        rows,
        "f",
        {"open_meteo": {}},
        "code",
        "contract",
        answers=tuple(Answer(asked, "d", False, hours) for asked, hours in owners),
        turned_away=tuple(TurnedAway(asked, "d", hours, ("pm25",)) for asked, hours in turned_away),
    )


def document(day: date, hours: int, values: Mapping[tuple[int, str], float | None]) -> dict[str, Any]:
    """What the API sends of a day: zeros, and other ``values`` by hour and variable."""
    midnight = datetime(day.year, day.month, day.day)
    hourly: dict[str, list[Any]] = {
        "time": [(midnight + timedelta(hours=hour)).strftime("%Y-%m-%dT%H:%M") for hour in range(hours)]
    }
    hourly |= {name: [values.get((hour, name), 0) for hour in range(hours)] for name in VARIABLES}
    return {"utc_offset_seconds": 0, "hourly_units": {name: UNITS[name] for name in VARIABLES}, "hourly": hourly}


class RawBronze:
    """A warehouse in ``folder``; its bronze table is made by the first commit."""

    def __init__(self, folder: Path, **raw: Any) -> None:
        self.folder = folder
        flags = {"warehouse": {"uri": str(folder), "lock_wait_seconds": 0}, "clock": {"now": NOW}, "raw": raw}
        self.workspace = open_workspace(load(environment={}, flags=flags))
        self.asset = self.workspace.catalog[BRONZE]
        self.raw = RawAnswers(str(folder))
        self.moments = Moments(str(folder))

    def keep(
        self,
        asked: str,
        day: str = "2025-08-18",
        values: Mapping[tuple[int, str], float | None] | None = None,
        *,
        locations: tuple[str, ...] = ("hanoi",),
        hours: int = 24,
        **more: Any,
    ) -> str:
        """A kept answer about a day of some locations; the values are those of the first one."""
        source = self.workspace.sources["open_meteo"]
        wanted = PartitionSet.of(Days.of(date.fromisoformat(day)), locations)
        (request,) = source.requests(wanted, self.workspace.settings.configured_locations)
        sent = [
            document(request.days.first, hours, (values or {}) if at.key == locations[0] else {})
            for at in request.locations
        ]
        said = {
            "asset": BRONZE,
            "source": "open_meteo",
            "asked": asked,
            "run_id": "run-1",
            "forced": False,
            "first": request.days.first,
            "last": request.days.last,
            "locations": tuple(at.key for at in request.locations),
            "request": source.described(request),
            "body": json.dumps(sent if len(sent) > 1 else sent[0]).encode("utf-8"),
        }
        return self.raw.keep(RawAnswer(**(said | more)))

    def commit(
        self,
        records: Mapping[PartitionKey, PartitionRecord],
        at: str = "2025-08-20T05:00:00Z",
        wiped: PartitionSet | None = None,
        run_id: str = "run-1",
    ) -> None:
        """A commit of a run, without rows."""
        warehouse = self.workspace.warehouse
        if warehouse.state(self.asset).version is None:
            warehouse.create(self.asset, self.workspace.contracts[BRONZE])
        said = Provenance(run_id, BRONZE, at, records, wiped or PartitionSet.empty())
        warehouse.record(self.asset, said)

    def maintain(self, *, dry_run: bool = False) -> MaintenanceSummary:
        return run_maintenance(self.workspace, Quiet(Console(stderr=True)), [BRONZE], dry_run=dry_run)

    def upkeep(self) -> TableUpkeep:
        """What a maintenance did for the table."""
        (done,) = self.maintain().tables
        assert done.error == ""
        return done

    @property
    def kept(self) -> list[str]:
        """The moments of the answers that are there."""
        return [file.asked for file in self.raw.all(BRONZE).files]
