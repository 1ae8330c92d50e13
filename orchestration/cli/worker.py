"""The command `aqi worker start`: Prefect's process worker, set up for our flows."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from orchestration.cli.common import command, main, profile_option, served_project

HEARTBEAT_SECONDS = 30


@main.group()
def worker() -> None:
    """The process that runs what the Prefect server schedules."""


@worker.command()
@click.option("--pool", metavar="NAME", help="Work pool on the server (default: deploy.pool of the profile).")
@click.option("--limit", type=click.IntRange(min=1), help="Runs at once (default: as many as the pool lets).")
@profile_option
@command
def start(pool: str | None, limit: int | None, profile: str | None) -> None:
    """Run what is scheduled in a work pool, until it is ended.

    By Ctrl-C or SIGTERM. Every run is a process of its own. Its profile is that of its deployment, else the one that is
    named here; a relative path, the warehouse's too, starts in this folder.
    """
    from orchestration.service.deployments import pool_name
    from resources.prefect.pools import check_pool
    from resources.prefect.server import api_to_work_with

    settings = served_project().load(profile)
    name = pool or pool_name(settings)
    check_pool(api_to_work_with(), name)
    os.environ.setdefault("AQI_WORKER_FOLDER", str(Path.cwd()))
    if profile is not None:
        os.environ["AQI_PROFILE"] = str(Path(profile).resolve()) if Path(profile).is_file() else profile
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "INFO")
    os.environ.setdefault("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", str(HEARTBEAT_SECONDS))
    arguments = ["worker", "start", "--pool", name, "--type", "process", "--name", f"{name} {os.uname().nodename}"]
    if limit is not None:
        arguments += ["--limit", str(limit)]
    sys.stdout.flush()
    module = "orchestration.service.worker"
    # -P: a module in the folder that it is started in is none of Prefect's
    os.execv(sys.executable, [sys.executable, "-P", "-m", module, *arguments])  # noqa: S606  # its signals are its own
