"""`aqi demo`: the whole pipeline on the bundled simulator, and a report of what came out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from orchestration.cli.printing import print_summary
from orchestration.cli.progress import Live, Quiet
from orchestration.engine.executor import materialize
from orchestration.engine.workspace import Workspace
from orchestration.reports.rows import read_rows
from resources.settings.load import load
from resources.simulator.server import Simulator


def run_demo(console: Console, errors: Console, profile: str | None, days: int, folder: Path) -> int:
    """Materialize every asset for the last ``days`` days from the simulator; gives the exit status."""
    with Simulator(now=load(profile).now) as simulator:
        flags = {"warehouse": {"uri": str(folder)}, "open_meteo": {"base_url": simulator.url}}
        workspace = Workspace.open(load(profile, flags=flags))
        request = workspace.requested(workspace.catalog.keys, f"last:{days}")
        with Live(errors) if errors.is_terminal else Quiet(errors) as listener:
            summary = materialize(workspace, request, listener, title=f"demo last:{days}")
    print_summary(console, summary)
    if not summary.ok:
        return summary.exit_status
    console.print()
    console.print(f"Ten tables in {workspace.warehouse.uri} (made-up values of the bundled simulator):")
    console.print(_tables(workspace))
    for line in insights(workspace):
        console.print(f"• {line}", highlight=False)
    console.print()
    console.print("Look further:", highlight=False)
    console.print(f"  export AQI_WAREHOUSE__URI={folder}", highlight=False)
    console.print("  .venv/bin/aqi show gold.fact_episode", highlight=False)
    console.print("  .venv/bin/aqi status; .venv/bin/aqi lineage", highlight=False)
    return 0


def _tables(workspace: Workspace) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("table")
    table.add_column("rows", justify="right")
    table.add_column("version", justify="right")
    for asset in workspace.catalog:
        state = workspace.warehouse.state(asset)
        rows = sum(record.rows for record in state.records.values())
        table.add_row(asset.key, str(rows), str(state.version))
    return table


def insights(workspace: Workspace) -> list[str]:
    """A few sentences about the air, from the gold tables."""
    names = {row["location_key"]: row["location_name"] for row in _rows(workspace, "gold.dim_location")}
    days = _rows(workspace, "gold.fact_city_daily")
    episodes = _rows(workspace, "gold.fact_episode")
    lines = []
    measured = [day for day in days if day["aqi_daily_max"] is not None]
    if measured:
        worst = max(measured, key=lambda day: day["aqi_daily_max"])
        lines.append(
            f"The worst day was {worst['date_utc']} in {names[worst['location_key']]}: US AQI "
            f"{worst['aqi_daily_max']}, driven by {worst['dominant_pollutant_daily']}."
        )
    for key, name in sorted(names.items(), key=lambda item: item[1]):
        own = [day for day in days if day["location_key"] == key]
        hours = sum(day["hours_measured"] for day in own)
        if hours:
            lines.append(f"{name}: {_share_unhealthy(own) / hours:.0%} of {hours} hours were unhealthy or worse.")
    if episodes:
        longest = max(episodes, key=lambda episode: episode["duration_hours"])
        over_midnight = sum(episode["start_ts_utc"].date() != episode["end_ts_utc"].date() for episode in episodes)
        lines.append(
            f"{len(episodes)} episodes, {over_midnight} of them over midnight; the longest lasted "
            f"{longest['duration_hours']} hours in {names[longest['location_key']]}, from "
            f"{longest['start_ts_utc']:%Y-%m-%d %H:%M} UTC, peak {longest['peak_aqi']}."
        )
        causes = Counter(episode["dominant_pollutant"] for episode in episodes).most_common(1)
        lines.append(f"Most episodes are driven by {causes[0][0]} ({causes[0][1]} of {len(episodes)}).")
    return lines


def _share_unhealthy(days: list[dict[str, Any]]) -> int:
    names = ("hours_in_cat_unhealthy", "hours_in_cat_very_unhealthy", "hours_in_cat_hazardous")
    return sum(day[name] for day in days for name in names)


def _rows(workspace: Workspace, key: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read_rows(workspace, key).to_pylist()
    return rows
