"""The command `aqi`: reads the call, hands over to what does the work, prints, and sets the exit status.

Imports of what takes time (Spark, Prefect, deltalake) are left to the commands that need it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console

from orchestration.errors import AqiError, UsageError

INTERRUPTED = 130


def command(function: Callable[..., int | None]) -> Callable[..., None]:
    """Turns errors into messages on standard error and everything into an exit status."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            status = function(*args, **kwargs)
        except AqiError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(error.exit_status)
        except KeyboardInterrupt:
            click.echo("interrupted; call the same command again to go on", err=True)
            sys.exit(INTERRUPTED)
        except BrokenPipeError:
            sys.stderr.close()
            sys.exit(1)
        sys.exit(status or 0)

    return run


profile_option = click.option(
    "--profile", metavar="NAME|FILE", help="local (default), or a YAML file with your own settings."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Only JSON on standard output.")
partitions_option = click.option(
    "--partitions",
    "days",
    metavar="RANGE",
    help="2025-08-08, 2025-08-08..2025-08-14 (both ends in), 2025-08, or last:7 (seven ended days and today).",
)
locations_option = click.option(
    "--locations", metavar="A,B", default="", help="Only these places (default: all configured)."
)


def _console(*, to_stderr: bool = False) -> Console:
    console = Console(stderr=to_stderr, soft_wrap=False)
    if not console.is_terminal:
        console = Console(stderr=to_stderr, width=200)
    return console


def _workspace(profile: str | None, flags: dict[str, Any] | None = None) -> Any:
    from orchestration.workspace import Workspace
    from resources.settings import load

    return Workspace.open(load(profile, flags=flags))


def _names(locations: str) -> list[str]:
    return [name.strip() for name in locations.split(",") if name.strip()]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="air-quality-lakehouse", prog_name="aqi")
def main() -> None:
    """An air-quality lakehouse as an asset graph, on Spark, Delta Lake and Prefect.

    SELECTION: '*', a key (gold.fact_city_daily), a glob ('gold.fact_*'), +x (with all upstream), x+ (with all
    downstream), 2+x, x+1, layer:gold, tag:daily, and, or, not, parentheses. RANGE: see --partitions.
    """


@main.command()
@click.argument("selection")
@partitions_option
@locations_option
@click.option("--dry-run", is_flag=True, help="Print the plan and do nothing.")
@profile_option
@json_option
@command
def materialize(
    selection: str, days: str | None, locations: str, dry_run: bool, profile: str | None, as_json: bool
) -> int:
    """Make the selected assets for a range of partitions, in one Spark session and one Prefect flow."""
    workspace = _workspace(profile)
    keys = workspace.select(selection)
    request = workspace.requested(keys, days, _names(locations))
    if dry_run:
        return _show_plan(workspace, request, as_json)
    return _run(workspace, request, f"{selection} {days or ''}".strip(), as_json)


def _run(workspace: Any, request: Any, title: str, as_json: bool) -> int:
    _quiet_prefect()
    from orchestration.executor import materialize as run
    from orchestration.printing import print_summary, to_json
    from orchestration.progress import Live, Quiet

    console = _console(to_stderr=True)
    try:
        with Live(console) if console.is_terminal and not as_json else Quiet(console) as listener:
            summary = run(workspace, request, listener, title=title)
    except KeyboardInterrupt:
        leave_interrupted()
    if as_json:
        click.echo(to_json(summary.to_json()))
    else:
        print_summary(_console(), summary)
    return summary.exit_status


def leave_interrupted() -> NoReturn:
    """End this process after an interrupted run. Spark and the server of the run are stopped by now; Prefect's own
    exit would wait for that server until its requests give up."""
    click.echo("interrupted; call the same command again to go on", err=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(INTERRUPTED)


def _quiet_prefect() -> None:
    """Prefect's own lines go to its API, not to the console; to be called before Prefect is imported."""
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    os.environ.setdefault("PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW", "ignore")


@main.command()
@click.argument("selection")
@partitions_option
@locations_option
@profile_option
@json_option
@command
def plan(selection: str, days: str | None, locations: str, profile: str | None, as_json: bool) -> int:
    """Print what `materialize` would do, and why. Needs no JVM."""
    workspace = _workspace(profile)
    return _show_plan(workspace, workspace.requested(workspace.select(selection), days, _names(locations)), as_json)


def _show_plan(workspace: Any, request: Any, as_json: bool) -> int:
    from orchestration.printing import print_plan, to_json

    made, _ = workspace.plan(request)
    if as_json:
        click.echo(to_json(made.to_json()))
    else:
        print_plan(_console(), made)
    return 0


@main.command()
@click.argument("selection", default="*")
@partitions_option
@locations_option
@profile_option
@json_option
@command
def status(selection: str, days: str | None, locations: str, profile: str | None, as_json: bool) -> int:
    """Print, per asset and partition, whether it is there, from the tables' logs. Needs no JVM."""
    from orchestration.printing import to_json
    from orchestration.status import print_status, read_status

    workspace = _workspace(profile)
    keys = workspace.select(selection)
    partitions = workspace.partitions(days, _names(locations)) if days is not None else None
    found = read_status(workspace, keys, partitions, _names(locations))
    if as_json:
        click.echo(to_json([item.to_json() for item in found]))
    else:
        print_status(_console(), found)
    return 0


@main.command()
@click.argument("asset")
@partitions_option
@locations_option
@click.option("--limit", default=20, show_default=True, type=click.IntRange(min=1), help="Rows at the most.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="How to print.",
)
@profile_option
@json_option
@command
def show(
    asset: str, days: str | None, locations: str, limit: int, form: str, profile: str | None, as_json: bool
) -> int:
    """Print rows of an asset's table in the order of its key. Needs no JVM."""
    from orchestration.printing import print_rows, rows_as_csv, rows_as_json, to_json
    from orchestration.rows import read_rows

    workspace = _workspace(profile)
    keys = workspace.select(asset)
    if len(keys) != 1:
        raise UsageError(f"{asset} means {len(keys)} assets", f"Name one of {', '.join(keys) or 'the assets'}.")
    names = _names(locations)
    partitions = workspace.partitions(days, names) if days is not None else None
    rows = read_rows(workspace, keys[0], partitions, names, limit)
    if as_json or form == "json":
        click.echo(to_json(rows_as_json(rows)))
    elif form == "csv":
        click.echo(rows_as_csv(rows), nl=False)
    else:
        print_rows(Console(width=400), rows)
    return 0


@main.command()
@click.argument("selection", default="*")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file instead.")
@profile_option
@json_option
@command
def lineage(selection: str, form: str, output: Path | None, profile: str | None, as_json: bool) -> int:
    """Print which asset is made from which, from the declarations. Needs no JVM."""
    from orchestration.lineage import as_json as lineage_json
    from orchestration.lineage import as_text
    from orchestration.printing import to_json

    workspace = _workspace(profile)
    keys = workspace.select(selection)
    wants_json = as_json or form == "json"
    text = to_json(lineage_json(workspace.catalog, keys)) + "\n" if wants_json else as_text(workspace.catalog, keys)
    if output is None:
        click.echo(text, nl=False)
        return 0
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{output} cannot be written ({error.strerror})", "Name a file that can.") from error
    return 0


@main.command()
@click.option(
    "--replay",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Answer from the recorded answers (*.json) in this folder.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0: any free port.")
@click.option("--fault", "faults", default="", metavar="NAME[:RATE],…", help="Go wrong on purpose, see `--fault help`.")
@profile_option
@command
def simulate(replay: Path | None, port: int, faults: str, profile: str | None) -> int:
    """Serve the provider's API on 127.0.0.1: made-up values for any place and day, or recorded ones."""
    from resources.settings import load
    from resources.simulator import Simulator
    from resources.simulator_faults import FAULTS, parse_faults

    if faults == "help":
        click.echo("\n".join(f"{name}: {text}" for name, text in FAULTS.items()))
        return 0
    settings = load(profile)
    server = Simulator(now=settings.now, port=port, replay=replay, faults=parse_faults(faults))
    click.echo(f"Open-Meteo's API is simulated at {server.url} (Ctrl-C ends it)", err=True)
    click.echo(f"use it: export AQI_OPEN_METEO__BASE_URL={server.url}", err=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        return 0
    finally:
        server.stop()
    return 0


@main.command()
@profile_option
@json_option
@command
def doctor(profile: str | None, as_json: bool) -> int:
    """Say what is missing on this machine, and how to get it. Needs no JVM."""
    from orchestration.doctor import examine
    from orchestration.printing import to_json

    findings = examine(profile)
    if as_json:
        click.echo(to_json([finding.to_json() for finding in findings]))
    else:
        for finding in findings:
            click.echo(finding.in_words())
    return 0 if all(finding.ok for finding in findings) else 1


@main.command()
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, 365), help="Ended days to make.")
@click.option(
    "--warehouse",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo-warehouse"),
    show_default=True,
    help="Where the tables go.",
)
@profile_option
@command
def demo(days: int, warehouse: Path, profile: str | None) -> int:
    """Run the whole pipeline on the bundled simulator, then report what came out."""
    _quiet_prefect()
    from orchestration.demo import run_demo

    try:
        return run_demo(_console(), _console(to_stderr=True), profile, days, warehouse)
    except KeyboardInterrupt:
        leave_interrupted()
