"""What commands that run steps can be asked of where the time of the run went."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from orchestration.core.errors import UsageError

F = TypeVar("F", bound=Callable[..., object])


def profile_run_options(function: F) -> F:
    """What a command that runs steps can say of where their time went."""
    to_file = click.option(
        "-o",
        "--output",
        type=click.Path(dir_okay=False, path_type=Path),
        help="With --profile-run: write it to a file instead (NAME.json, .svg, .html, .txt).",
    )
    said = click.option("--profile-run", is_flag=True, help="Say where the time of the run went.")
    return said(to_file(function))


def check_profile_run(profile_run: bool, output: Path | None, *, dry_run: bool) -> None:
    """Raises UsageError for what cannot be said, before any work."""
    if output is not None and not profile_run:
        raise UsageError("--output is where the profile of the run goes", "Add --profile-run, or leave out --output.")
    if profile_run and dry_run:
        raise UsageError("--dry-run runs nothing that could be measured", "Leave out --profile-run.")
    if output is not None:
        from orchestration.reports.run_profile import check_profile_output

        check_profile_output(output)
