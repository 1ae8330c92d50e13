"""A `*` that nobody quoted: the shell made names of files of it before the command saw it. What to say then."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from orchestration.core.errors import SelectionError

SHOWN = 3
"""So many names of files are shown."""


class Quoting(click.Command):
    """A command that says of arguments too many, where they are names of files, how to write a `*`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption:
            raise
        except click.UsageError as error:
            names = names_of_files(given)
            if error.message.startswith("Got unexpected extra argument") and names:
                raise click.UsageError(told_of(names), ctx) from error
            raise


def names_of_files(words: Sequence[str]) -> list[str]:
    """Those of ``words`` that are names of files or folders here, as a shell makes them of ``*``."""
    return [word for word in words if word and "/" not in word and Path(word).exists()]


def told_of(names: Sequence[str]) -> str:
    """``a.txt, b.txt are files here …: quote it: '*'``."""
    shown = ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
    return f"{shown}: the shell made names of files of an unquoted *; quote it: '*'"


def hinted(error: SelectionError) -> SelectionError:
    """The error of a selection, with how to write a `*` where the selection is the name of a file here."""
    context = click.get_current_context(silent=True)
    given = "" if context is None else context.params.get("selection") or context.params.get("asset")
    if not isinstance(given, str) or not (names := names_of_files([given])):
        return error
    near = f"; {error.remedy}" if error.remedy.startswith("did you mean") else ""
    return SelectionError(error.message, f"{told_of(names)}{near}")
