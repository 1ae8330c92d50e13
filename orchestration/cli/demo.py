"""`aqi demo`: the whole pipeline on the bundled simulator, and a report of what came out."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

from rich.console import Console
from rich.table import Table

from orchestration.cli.printing import print_summary
from orchestration.cli.progress import Live, Quiet
from orchestration.core.errors import UsageError
from orchestration.engine.executor import materialize
from orchestration.engine.project import Project
from orchestration.engine.workspace import Workspace
from orchestration.reports.rows import read_rows


def run_demo(project: Project, console: Console, errors: Console, profile: str | None, days: int, folder: Path) -> int:
    """Materialize every asset for the last ``days`` days from what stands in for the sources; gives the exit status.

    Raises UsageError where nothing does.
    """
    if project.simulated is None:
        raise UsageError("this project has nothing that stands in for its sources", "Call `aqi materialize` instead.")
    with project.simulated(project.load(profile).now) as simulated:
        flags = {**simulated, "warehouse": {"uri": str(folder)}}
        workspace = Workspace.open(project, project.load(profile, flags=flags))
        request = workspace.requested(workspace.catalog.keys, f"last:{days}")
        with Live(errors) if errors.is_terminal else Quiet(errors) as listener:
            summary = materialize(workspace, request, listener, title=f"demo · last {days} days")
    print_summary(console, summary)
    if not summary.ok:
        return summary.exit_status
    console.print()
    console.print(
        f"{len(workspace.catalog)} tables in {workspace.warehouse.uri} (made-up values of the bundled simulator):"
    )
    console.print(_tables(workspace))
    for line in insights(workspace):
        console.print(f"• {line}", highlight=False)
    console.print()
    console.print("Look further:", highlight=False)
    console.print(f"  export AQI_WAREHOUSE__URI={quote(str(folder))}", highlight=False)
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
    """A few sentences about what the gold tables say, where the project has some."""
    said = workspace.project.insights
    return [] if said is None else said(lambda key: read_rows(workspace, key).to_pylist())
