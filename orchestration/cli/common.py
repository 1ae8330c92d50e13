"""What all commands share: the group `aqi`, options, errors as messages with exit statuses, and consoles."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, ParamSpec

import click
from rich.console import Console

from orchestration.cli.again import how_to_go_on, remember, with_days
from orchestration.cli.emit import emit
from orchestration.cli.parameters import option_of
from orchestration.cli.unquoted import Quoting, hinted
from orchestration.core.errors import LakehouseError, RunError, SelectionError, UsageError, in_a_line
from orchestration.core.planning.parameters import Materialize
from resources.machine.interrupts import Terminated, heed_signals
from resources.machine.leaving import INTERRUPTED, leaving
from resources.machine.memory import choose_pool
from resources.machine.package import VERSION
from resources.machine.proxies import settle
from resources.machine.secrets import hidden, hide_in
from resources.machine.shell import begin
from resources.machine.standard_output import output_failure, watch_standard_output

if TYPE_CHECKING:
    from orchestration.engine.project import Project
    from orchestration.engine.workspace import Workspace

TERMINATED = 143
P = ParamSpec("P")
NO_OUTPUT = "Make room where it goes, or send it elsewhere; nothing is wrong with the tables."
_JSON = "orchestration.json"
"""In a context: whether the call has --json, even if the call cannot be read otherwise."""


def command(function: Callable[P, int | None]) -> Callable[P, None]:
    """Turns a function into a command: errors become messages on standard error, and every end an exit status."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            status = function(*args, **kwargs)
        except LakehouseError as found:
            error = hinted(found) if isinstance(found, SelectionError) else found
            click.echo(f"error: {hidden(str(error))}", err=True)
            say_in_json(error.message, error.remedy)
            sys.exit(error.exit_status)
        except KeyboardInterrupt as error:
            _say_interrupted()
            sys.exit(_status_of(error))
        except BrokenPipeError:
            sys.stderr.close()
            sys.exit(1)
        except Exception as error:
            if why := output_failure(error):
                _leave_without_output(why)
            if not _of_storage(error):
                hide_in(error)
                raise
            remedy = "`aqi doctor` says what is wrong with the tables."
            if "Permission denied" in in_a_line(error):
                remedy = f"Give this user rights to read and write it. {remedy}"
            click.echo(f"error: {hidden(in_a_line(error))}\n  {remedy}", err=True)
            say_in_json(in_a_line(error), remedy)
            sys.exit(RunError.exit_status)
        sys.exit(status or 0)

    return run


def say_in_json(error: str, remedy: str) -> None:
    """``{"error", "remedy"}`` on standard output, where the call has --json; standard error has them in words."""
    if click.get_current_context().params.get("as_json"):
        with suppress(OSError):  # standard output may be what is wrong
            _print_error(error, remedy)


def _print_error(error: str, remedy: str) -> None:
    emit(lambda: {"error": hidden(error), "remedy": hidden(remedy)}, as_json=True)


def _leave_without_output(why: str) -> NoReturn:
    """End because standard output cannot be written. The work is done; no table is concerned."""
    click.echo(f"error: standard output cannot be written ({why})\n  {NO_OUTPUT}", err=True)
    sys.exit(RunError.exit_status)


def _say_interrupted() -> None:
    click.echo(f"interrupted; {how_to_go_on()}", err=True)
    say_in_json("interrupted", how_to_go_on())


def _of_storage(error: BaseException) -> bool:
    """Whether a disk, a file system or a table causes the error, rather than this program."""
    library = type(error).__module__.partition(".")[0]
    return isinstance(error, OSError) or library in ("deltalake", "_internal", "pyarrow")


profile_option = option_of(Materialize, "profile")
yarn_check_option = click.option(
    "--no-yarn-check", is_flag=True, help="Run elsewhere too than on YARN, with a profile that is for YARN."
)
engine_option = click.option(
    "--engine", type=click.Choice(["embedded", "spark"]), help="What makes the rows (default: as the profile says)."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Only JSON on standard output.")
partitions_option = option_of(Materialize, "partitions")
locations_option = option_of(Materialize, "locations")


def or_printed(context: click.Context, parameter: click.Parameter, output: Path | None) -> Path | None:
    """A callback of options with the name of a file: None for ``-``, which means standard output."""
    return None if output is None or str(output) == "-" else output


dry_run_option = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
force_option = option_of(Materialize, "force")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


def confirm(question: str) -> None:
    """Ask the user. Raises UsageError if nobody can answer; ends with status 1 if the answer is no."""
    if not sys.stdin.isatty():
        raise UsageError(
            "this has to be confirmed, and there is no terminal to ask on",
            "Add --yes, or --dry-run to see what would be done.",
        )
    if not click.confirm(question, err=True):
        raise RunError("nothing was done")


def console_for_people(*, to_stderr: bool = False) -> Console:
    console = Console(stderr=to_stderr, soft_wrap=False)
    if not console.is_terminal:
        console = Console(stderr=to_stderr, width=200)
    return console


def project() -> Project:
    """The project of this command: the one with which it was called, or that of this repository.

    Raises DeclarationError if its assets are declared wrongly.
    """
    given: Project | None = click.get_current_context().find_root().obj
    if given is not None:
        return given
    return _of_this_repository()


def _of_this_repository() -> Project:
    from orchestration.engine.importing import importing

    with importing("assets", Path(__file__).parents[2] / "assets"):
        from orchestration.project import PROJECT
    return PROJECT


def served_project() -> Project:
    """The project of deployments, workers and watches: that of this repository.

    Raises UsageError if the command was called with another one.
    """
    if project() is not (ours := _of_this_repository()):
        raise UsageError(
            "deployments, workers and watches are of the project in orchestration/project.py",
            "Give this project a copy of orchestration/service with its own.",
        )
    return ours


def open_workspace(profile: str | None, *, no_yarn_check: bool = False, engine: str | None = None) -> Workspace:
    from orchestration.engine.workspace import Workspace

    flags: dict[str, object] = {"yarn": {"check": False}} if no_yarn_check else {}
    if engine is not None:
        flags["engine"] = engine
    workspace = Workspace.open(project(), project().load(profile, flags=flags))
    days = click.get_current_context().params.get("days")
    if isinstance(days, str) and days.strip().startswith("last:"):  # means other days tomorrow
        with suppress(LakehouseError):  # which is for the command to tell
            remember(with_days(workspace.days(days)))
    return workspace


def check_there(workspace: Workspace) -> None:
    """Raises UsageError if there is no warehouse. For commands that create none; called after the call itself is
    checked."""
    from orchestration.engine.whereabouts import check_there as check

    check(workspace)


def location_names(locations: str) -> list[str]:
    return [name.strip() for name in locations.split(",") if name.strip()]


class OfAProject(click.Group):
    """The group `aqi`. Its help says which project it is for. With --json, a wrong call is reported as JSON too."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_JSON] = "--json" in itertools.takewhile(lambda word: word != "--", args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except click.ClickException as error:  # which says itself on standard error
            if ctx.meta[_JSON]:
                of = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx is not None else "aqi"
                _print_error(error.format_message(), f"`{of} -h` shows how it is called.")
            raise

    command_class = Quoting

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        ours = self.help or ""
        if ctx.obj is not None:
            self.help = f"{ctx.obj.title}\n{ours.partition(chr(10))[2]}"
        super().format_help_text(ctx, formatter)
        self.help = ours


@click.group(cls=OfAProject, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(VERSION, prog_name="aqi")
def main() -> None:
    """An air-quality lakehouse as an asset graph, on Spark or without it, Delta Lake and Prefect.

    SELECTION: '*', a key (gold.fact_city_daily), a glob ('gold.fact_*'), +x (with all upstream), x+ (with all
    downstream), 2+x, x+1, layer:gold, tag:daily, and, or, not, parentheses. RANGE: see --partitions.
    """


def run(of: Project | None = None) -> None:
    """The entry point of the installed command: runs `main`, and then ends the process itself.


    of: the project of the command; None: the one of this repository.
    """
    with leaving():
        begin()  # of another project than this one, whose command this may be the first of
        watch_standard_output()
        choose_pool()
        settle()
        heed_signals()
        try:
            main(obj=of)
        except OSError as error:  # of what click prints itself: help, and calls that cannot be read
            if not (why := output_failure(error)):
                raise
            _leave_without_output(why)


def _status_of(error: KeyboardInterrupt) -> int:
    return TERMINATED if isinstance(error, Terminated) else INTERRUPTED


def leave_interrupted(error: KeyboardInterrupt) -> NoReturn:
    """End this process after an interrupted run. Spark and the run's server are stopped by now; Prefect's own exit
    would wait for that server until its requests give up."""
    _say_interrupted()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_status_of(error))
