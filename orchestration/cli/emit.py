"""The one way in which commands print facts: as JSON, or for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TextIO

import click

from orchestration.core.json_value import JsonValue
from orchestration.reports.json_text import list_to_json, to_json


def emit(
    value: Callable[[], JsonValue | Iterator[JsonValue]],
    as_json: bool,
    printer: Callable[[], None] | None = None,
    *,
    to: TextIO | None = None,
) -> None:
    """Print facts on standard output: as JSON (``value``), or for people (``printer``). Only one of the two is called.

    value: gives the facts; an iterator is written as a list, item by item. printer: prints for people; None where
    people were told already. to: where JSON goes; None: standard output.
    """
    if as_json:
        facts = value()
        for part in list_to_json(facts) if isinstance(facts, Iterator) else (to_json(facts),):
            click.echo(part, to, nl=False)
        click.echo(file=to)
    elif printer is not None:
        printer()


def emit_line(value: Mapping[str, JsonValue]) -> None:
    """Print facts at once, as JSON in one line of standard output: for programs that read lines while the command
    runs.
    """
    click.echo(json.dumps(value, ensure_ascii=False, allow_nan=False))
    sys.stdout.flush()
