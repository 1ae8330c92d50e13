"""The command `aqi`: reads the call, hands over to what does the work, prints, and sets the exit status.

Imports of what takes time (Spark, Prefect, deltalake) are left to the commands that need it.
"""

from __future__ import annotations

from pathlib import Path

import click

from orchestration.cli import (
    changes,
    checks,
    config,
    deploy,
    lineage,
    mending,
    new,
    plans,
    report,
    run_history,
    runs,
    show,
    upkeep,
    verify,
    watch,
    worker,
)
from orchestration.cli.common import (
    check_there,
    command,
    console_for_people,
    json_option,
    leave_interrupted,
    location_names,
    locations_option,
    main,
    open_workspace,
    partitions_option,
    profile_option,
    project,
    run,
)
from orchestration.cli.emit import emit
from resources.prefect.quiet import quiet_prefect

__all__ = [
    "changes",
    "checks",
    "config",
    "deploy",
    "lineage",
    "main",
    "mending",
    "new",
    "plans",
    "report",
    "run",
    "run_history",
    "runs",
    "show",
    "upkeep",
    "verify",
    "watch",
    "worker",
]


@main.command()
@click.argument("selection", default="*")
@partitions_option
@locations_option
@profile_option
@json_option
@command
def status(selection: str, days: str | None, locations: str, profile: str | None, as_json: bool) -> int:
    """Print whether partitions are there, fresh or stale, and why.

    Read from the logs of the tables. Needs no JVM.
    """
    from orchestration.reports.holes import in_words as holes_in_words
    from orchestration.reports.status import print_status, read_status, told_of_pending

    workspace = open_workspace(profile)
    keys = workspace.select(selection)
    found = read_status(workspace, keys, days, location_names(locations))
    check_there(workspace)
    if under_way := told_of_pending(workspace, keys):
        click.echo(under_way, err=True)
    for trouble in found.troubles.values():
        click.echo(trouble.in_words, err=True)

    def print_all() -> None:
        print_status(console_for_people(), found)
        for line in holes_in_words(workspace, found.holes):
            click.echo(line)

    emit(lambda: (item.to_json() for item in found), as_json, print_all)
    return 0


@main.command()
@click.option(
    "--replay",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Answer from the recorded answers (*.json) in this folder, or from WAREHOUSE/_aqi/raw/ASSET.",
)
@click.option("--newest-wins", is_flag=True, help="Where recorded answers disagree, the last by name counts.")
@click.option(
    "--record",
    type=click.Path(file_okay=False, path_type=Path),
    help="Pass requests on to the configured source, and keep its answers in this folder.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0: any free port.")
@click.option(
    "--fault", "faults", default="", metavar="NAME[:RATE][@ONLY],…", help="Go wrong on purpose, see `--fault help`."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of what is drawn for --fault.")
@click.option(
    "--limits",
    default="",
    metavar="MINUTE,HOUR,DAY",
    help="Count calls as the provider does, and refuse more than these; `free`: 600,5000,10000.",
)
@profile_option
@json_option
@command
def simulate(
    replay: Path | None,
    newest_wins: bool,
    record: Path | None,
    port: int,
    faults: str,
    seed: int,
    limits: str,
    profile: str | None,
    as_json: bool,
) -> int:
    """Serve the provider's API here, made up or recorded.

    On 127.0.0.1: made-up values for any location and day, or recorded ones. With --json a line says where it serves.
    """
    from orchestration.cli.simulate import Wrong, serve
    from resources.simulator.faults import FAULTS, GRAMMAR

    if faults == "help":
        lines = [GRAMMAR, "", *(f"{name}: {text}" for name, text in FAULTS.items())]
        emit(lambda: {"grammar": GRAMMAR, "faults": dict(FAULTS)}, as_json, lambda: click.echo("\n".join(lines)))
        return 0
    wrong = Wrong(faults, seed, limits)
    settings = project().load(profile)
    return serve(settings, port, wrong, replay=replay, newest_wins=newest_wins, record=record, as_json=as_json)


@main.command()
@profile_option
@click.option("--offline", is_flag=True, help="Do not ask the source.")
@json_option
@command
def doctor(profile: str | None, offline: bool, as_json: bool) -> int:
    """Say what is missing on this machine, and how to get it. Needs no JVM.

    Asks the source one small question, which costs a call or two.
    """
    from orchestration.reports.doctor import examine

    findings = examine(project, profile, offline)
    emit(
        lambda: [finding.to_json() for finding in findings],
        as_json,
        lambda: click.echo("".join(f"{finding.in_words()}\n" for finding in findings), nl=False),
    )
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
@json_option
@command
def demo(days: int, warehouse: Path, profile: str | None, as_json: bool) -> int:
    """Run the whole pipeline on the bundled simulator.

    Then tables and a few findings are printed.
    """
    quiet_prefect()
    from orchestration.cli.demo import run_demo

    try:
        console = None if as_json else console_for_people()
        return run_demo(project(), console, console_for_people(to_stderr=True), profile, days, warehouse)
    except KeyboardInterrupt as error:
        leave_interrupted(error)
