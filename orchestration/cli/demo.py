"""`aqi demo`: runs the whole pipeline on the bundled simulator, and prints a report."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import NamedTuple

from rich.console import Console

from orchestration.cli.emit import emit
from orchestration.cli.printing import print_summary
from orchestration.cli.progress import Live, Quiet
from orchestration.core.counted import counted
from orchestration.core.errors import UsageError
from orchestration.core.json_value import JsonValue
from orchestration.engine.executor import materialize
from orchestration.engine.project import Project
from orchestration.engine.whereabouts import shown
from orchestration.engine.workspace import Workspace
from orchestration.reports.fitting import Column, Kind, print_table
from orchestration.reports.rows import read_rows


def run_demo(
    project: Project, console: Console | None, errors: Console, profile: str | None, days: int, folder: Path
) -> int:
    """Materialize every asset for the last ``days`` days from the simulator. Gives the exit status.

    console: for the output; None: JSON is printed, ``{"warehouse", "summary", "tables", "insights"}``. Raises
    UsageError if the project has no simulator.
    """
    if project.simulated is None:
        raise UsageError("this project has nothing that stands in for its sources", "Call `aqi materialize` instead.")
    with project.simulated(project.load(profile).now) as simulated:
        flags = {**simulated, "warehouse": {"uri": str(folder)}}
        workspace = Workspace.open(project, project.load(profile, flags=flags))
        request = workspace.requested(workspace.catalog.keys, f"last:{days}")
        tables_of = f"{len(workspace.catalog)} tables of the last {counted(days, 'day')}"
        first = f"Making {tables_of} in {shown(workspace)}, from a bundled simulator of the source."
        kind = Live if errors.is_terminal and console is not None else Quiet
        with kind(errors, first) as listener:
            summary = materialize(
                workspace, request, listener, title=f"demo · last {counted(days, 'day')}", where_told=True
            )
    if console is None:
        said: dict[str, JsonValue] = {
            "warehouse": workspace.warehouse.uri,
            "summary": summary.to_json(),
            "tables": [made._asdict() for made in tables(workspace)],
            "insights": insights(workspace) if summary.ok else [],
        }
        emit(lambda: said, as_json=True)
        return summary.exit_status
    print_summary(console, summary)
    if not summary.ok:
        return summary.exit_status
    console.print()
    console.print(
        f"{len(workspace.catalog)} tables in {workspace.warehouse.uri} (made-up values of the bundled simulator):"
    )
    found = tables(workspace)
    if set(found) - {Made(one.step.asset, one.rows, one.version) for one in summary.outcomes}:  # not all said above
        columns = [Column("table", Kind.KEY), Column("rows", Kind.NUMBER), Column("version", Kind.NUMBER)]
        print_table(console, columns, [(made.asset, str(made.rows), str(made.version)) for made in found])
    for line in insights(workspace):
        console.print(f"• {line}", highlight=False)
    console.print()
    console.print("Look further:", highlight=False)
    for call in ("show gold.fact_episode", "status", "lineage"):
        console.print(f"  AQI_WAREHOUSE__URI={quote(str(folder))} .venv/bin/aqi {call}", highlight=False)
    console.print("Real air, into a warehouse of its own:", highlight=False)
    console.print("  .venv/bin/aqi materialize '*' --partitions last:7", highlight=False)
    return 0


class Made(NamedTuple):
    """An existing table. version: None where there is no table."""

    asset: str
    rows: int
    version: int | None


def tables(workspace: Workspace) -> list[Made]:
    """Every table, in the order of the catalog."""
    states = {asset.key: workspace.warehouse.state(asset) for asset in workspace.catalog}
    return [
        Made(key, sum(record.rows for record in state.records.values()), state.version) for key, state in states.items()
    ]


def insights(workspace: Workspace) -> list[str]:
    """A few sentences about the gold tables, if the project has some."""
    said = workspace.project.insights
    return [] if said is None else said(lambda key: read_rows(workspace, key).to_pylist())
