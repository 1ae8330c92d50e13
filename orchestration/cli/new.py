"""The command that begins something new: new asset."""

from __future__ import annotations

import click

from orchestration.cli.common import command, dry_run_option, json_option, main, profile_option, project
from orchestration.cli.emit import emit
from orchestration.core.declarations.new_asset import CUTS, Cut
from orchestration.core.json_value import JsonValue


@main.group()
def new() -> None:
    """Begin something new in the project's sources."""


@new.command()
@click.argument("name", metavar="LAYER.NAME")
@click.option("--upstream", multiple=True, metavar="ASSET", help="An asset that it is made from; several: repeat it.")
@click.option("--partitions", "cut", type=click.Choice(CUTS), help="How it is cut (default: as its upstream is).")
@click.option("--description", default="", metavar="TEXT", help="What a row of it is.")
@dry_run_option
@profile_option
@json_option
@command
def asset(
    name: str,
    upstream: tuple[str, ...],
    cut: Cut | None,
    description: str,
    dry_run: bool,
    profile: str | None,
    as_json: bool,
) -> int:
    """Write a new table: function, contract and test.

    The test passes at once; docs/ADDING.md goes on from there. The table has a row for each row of its (first) upstream
    asset, in the columns of that one's key; the rest is yours.
    """
    from orchestration.engine.new_asset import new_sources

    of = project()
    found = new_sources(of, of.load(profile), name, upstream, cut, description)
    if not dry_run:
        found.write()
    begun = found.new
    mappings = [(one.of, type(one).__name__) for one in begun.upstream]
    files = [
        (found.module, f"its function {begun.name}" + "".join(f", from {of} [{how}]" for of, how in mappings)),
        (found.contracts, f"its contract {begun.contract}, key {', '.join(begun.unique)}"),
        (found.test, "its test"),
    ]
    following = [f".venv/bin/pytest {found.test}", "make docs", f"aqi plan {name}"]
    if begun.scheme is not None:
        following[-1] += " --partitions last:7"

    def facts() -> JsonValue:
        return {
            "asset": name,
            "partitions": "unpartitioned" if begun.scheme is None else "daily",
            "upstream": [{"asset": of, "mapping": how} for of, how in mappings],
            "contract": begun.contract,
            "files": [file for file, _ in files],
            "written": not dry_run,
            "next": [*following],
        }

    def told() -> None:
        for file, what in files:
            click.echo(f"{'would write' if dry_run else 'wrote'} {file}: {what}")
        if not dry_run:
            click.echo("Next: write what it makes, and its columns, into these three; docs/ADDING.md says how. Then")
            for line in following:
                click.echo(f"  {line}")

    emit(facts, as_json, told)
    return 0
