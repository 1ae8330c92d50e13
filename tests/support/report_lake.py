"""A warehouse to be looked at in a report, written by deltalake in a second: all tables, a few days, two locations.

One location is *named* as markup is, and a run failed with a message like that. Partitions are in every state.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from orchestration.core.declarations.contract import Column
from orchestration.core.lineage.columns import ColumnLineage, Edge, Sources
from orchestration.core.lineage.kinds import Kind
from orchestration.core.partitions.keys import Days, PartitionSet
from orchestration.core.runs.journal import Attempt, RunEntry, RunState
from orchestration.core.runs.outcome import Outcome, Problem
from orchestration.core.state.provenance import Provenance, dumps
from orchestration.engine.workspace import Workspace
from orchestration.project import load, open_workspace
from resources.storage.journal import Journal
from tests.support.cli_calls import AT, DAILY, EPISODE, write

NOW = "2025-08-20T06:00:00Z"
MARKUP = "<script>alert(1)</script>"
BROKEN = '<img src=x onerror=alert(2)> & "quoted" </script><script>alert(3)</script>'
LOCATIONS = ("hanoi", "odd")
FIRST, LAST = date(2025, 8, 10), date(2025, 8, 18)
LACKING = "gold.dim_time"
"""The asset of which no columns are recorded; those of ``OLDER`` are of other code."""
OLDER = "gold.dim_location"


def report_workspace(uri: str) -> Workspace:
    """A workspace of this project on the warehouse, with its two locations."""
    locations = [
        {"key": "hanoi", "name": "Hà Nội", "latitude": 21.0, "longitude": 105.8, "timezone": "Asia/Ho_Chi_Minh"},
        {"key": "odd", "name": MARKUP, "latitude": 10.8, "longitude": 106.6, "timezone": "Asia/Ho_Chi_Minh"},
    ]
    flags = {"warehouse": {"uri": uri}, "locations": locations, "clock": {"now": NOW}}
    return open_workspace(load(environment={}, flags=flags))


def make_report_lake(uri: str) -> Workspace:
    """Fill the warehouse at ``uri``. Of one day of the episodes, another writer has changed rows."""
    workspace = report_workspace(uri)
    for key in workspace.catalog.keys:
        rows = _rows(workspace, key)
        counts: dict[str, int] = {}
        for day, location, _ in rows:
            text = "null" if day is None else f"{day.isoformat()}/{location}"
            counts[text] = counts.get(text, 0) + 1
        write(workspace, key, [row for *_, row in rows], **counts)
        _say_columns(workspace, key)
    write(workspace, DAILY, [], **{f"{LAST + timedelta(1)}/odd": 0})
    write(workspace, EPISODE, [_rows(workspace, EPISODE)[-1][2]])
    _keep_a_failed_run(workspace)
    return workspace


def _rows(workspace: Workspace, key: str) -> list[tuple[date | None, str, dict[str, Any]]]:
    """Made-up rows by day and location: of each day two hours, or one row."""
    asset, columns = workspace.catalog[key], workspace.contracts[key].columns
    if asset.partitions is None:
        return [
            (None, "", {column.name: _value(column, FIRST, location, at) for column in columns})
            for at, location in enumerate(LOCATIONS)
        ]
    hours = (3, 9) if "ts_utc" in workspace.contracts[key].column_names else (5,)
    days = [FIRST + timedelta(number) for number in range((LAST - FIRST).days + 1)]
    return [
        (day, location, {column.name: _value(column, day, location, hour) for column in columns})
        for day in days
        for location in LOCATIONS
        for hour in hours
    ]


def _value(column: Column, day: date, location: str, hour: int) -> Any:
    at = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
    named: dict[str, Any] = {
        "location_key": location,
        "location_name": MARKUP if location == "odd" else "Hà Nội",
        "timezone": "Asia/Ho_Chi_Minh",
        "end_ts_utc": at + timedelta(hours=4),
        "model_domain": "cams_global",
        "latitude": 21.0 if location == "hanoi" else 10.8,
        "longitude": 105.8 if location == "hanoi" else 106.6,
        "dominant_pollutant": "pm25",
        "dominant_pollutant_daily": "pm25",
        "duration_hours": 4,
        "is_open": day == LAST,
    }
    if column.name in named:
        return named[column.name]
    number = 20 + (day.day * 37 + hour * 11 + len(location) * 5) % 190
    of_type: dict[str, Any] = {
        "string": f"{column.name}-{location}-{day}-{hour}",
        "integer": number,
        "long": number,
        "double": float(number),
        "boolean": True,
        "date": day,
        "timestamp": at,
        "array<string>": ["negative"],
    }
    return of_type[column.type]


def _say_columns(workspace: Workspace, key: str) -> None:
    """Record columns: those of the same name are the upstream's, all others made of its first one."""
    if key == LACKING:
        return
    asset, names = workspace.catalog[key], workspace.contracts[key].column_names
    columns = {name: Sources() for name in names}
    rows = Sources()
    if asset.source is not None:
        columns = {name: Sources(frozenset({Edge(asset.source, f"sent_{name}", Kind.IDENTITY)})) for name in names}
    elif asset.upstream:
        of = asset.upstream_keys[0]
        theirs = workspace.contracts[of].column_names
        columns = {
            name: Sources(
                frozenset(
                    {Edge(of, name, Kind.IDENTITY) if name in theirs else Edge(of, "ts_utc", Kind.TRANSFORMATION)}
                )
            )
            for name in names
        }
        rows = Sources(frozenset({Edge(of, "aqi", Kind.FILTER)}))
    if key == EPISODE:
        of = asset.upstream_keys[0]
        columns["peak_aqi"] = Sources(frozenset({Edge(of, "aqi", Kind.AGGREGATION), Edge(of, "ts_utc", Kind.WINDOW)}))
    part = "2:0000000000000000" if key == OLDER else workspace.code_parts([key])[key]
    said = dumps(ColumnLineage(columns, rows).to_json())
    workspace.warehouse.record(asset, Provenance("run-1", key, AT, {}, columns_of={part: said}))


def _keep_a_failed_run(workspace: Workspace) -> None:
    """The day after the last could not be fetched, nor what is made of it."""
    day = PartitionSet.of(Days.of(LAST + timedelta(1)), LOCATIONS)
    failed = Attempt(problems=(Problem(Outcome.FAILED, day, BROKEN),), planned=day)
    entry = RunEntry(
        "20250819T070000-abcdef",
        f"* hourly {MARKUP}",
        "2025-08-19T07:00:00Z",
        "2025-08-19T07:00:09Z",
        RunState.FAILED,
        seconds=9.0,
        attempts={asset.key: failed for asset in workspace.project.fetched},
    )
    Journal(workspace.warehouse.uri).write(entry)
