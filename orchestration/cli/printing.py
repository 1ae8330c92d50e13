"""How plans, summaries, statuses and rows look on a terminal and as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestration.cli.again import how_to_mend
from orchestration.cli.progress import STYLE_OF_STATE
from orchestration.core.planning.plan import LeftOut, Plan
from orchestration.core.runs.causes import causes_of, shape
from orchestration.core.runs.outcome import ChunkOutcome, RunSummary, done_in_words

if TYPE_CHECKING:
    pass

CAUSES = 20
"""So many causes of failures are shown; the summary as JSON has every problem of every step."""
NOTES = 12
"""So many notes of a step are shown; the summary as JSON has all."""


def print_plan(console: Console, plan: Plan) -> None:
    """The steps in their order, with what they read and why."""
    table = Table(box=None, pad_edge=False)
    for name in ("step", "partitions", "may rewrite", "reads", "why"):
        table.add_column(name, overflow="fold")
    for step in plan.steps:
        reads = [
            f"{item.asset} (step)" if item.step else f"{item.asset} (version {item.version})" for item in step.inputs
        ]
        table.add_row(
            step.asset, str(step.partitions), str(step.may_rewrite or ""), "\n".join(reads), escape(step.reason)
        )
    if plan.steps or plan.is_empty:
        console.print(table if plan.steps else "Nothing to do.")
    _print_tables(console, plan)
    _print_left_out(console, plan.left_out)


def _print_tables(console: Console, plan: Plan) -> None:
    for change in plan.tables:
        console.print(f"table {escape(change.text)}", soft_wrap=True)


def _print_left_out(console: Console, left_out: Sequence[LeftOut]) -> None:
    for item in left_out:
        console.print(f"[yellow]left out[/yellow] {item.asset} {item.partitions}: {escape(item.reason)}")


def print_summary(console: Console, summary: RunSummary) -> None:
    """What became of each step, every failure with its reason, and how to go on."""
    table = Table(box=None, pad_edge=False)
    table.add_column("asset")
    table.add_column("state")
    for name in ("written", "unchanged", "failed", "skipped", "rows", "version", "seconds"):
        table.add_column(name, justify="right")
    shown = [outcome for outcome in summary.outcomes if not (summary.chunks and outcome.step.chunk)]
    for outcome in shown:
        style = STYLE_OF_STATE[outcome.state]
        table.add_row(
            outcome.step.asset,
            f"[{style}]{outcome.state}[/{style}]",
            *(
                str(len(partitions) or "")
                for partitions in (outcome.written, outcome.unchanged, outcome.failed, outcome.skipped)
            ),
            str(outcome.rows or ""),
            "" if outcome.version is None else str(outcome.version),
            f"{outcome.seconds:.1f}",
        )
    if summary.chunks:
        _print_chunks(console, summary.chunks)
    if shown:
        console.print(table)
    _print_causes(console, summary)
    for outcome in summary.outcomes:
        if outcome.rewritten:
            console.print(f"rewritten too: {outcome.step.asset} {outcome.rewritten}", soft_wrap=True)
        for name, count in outcome.warnings.items():
            console.print(f"[yellow]warning[/yellow] {outcome.step.asset}: {name} {count}", soft_wrap=True)
        for note in outcome.notes[:NOTES]:
            console.print(f"[yellow]warning[/yellow] {outcome.step.asset}: {escape(note)}", soft_wrap=True)
        if len(outcome.notes) > NOTES:
            console.print(f"[yellow]warning[/yellow] {outcome.step.asset}: and {len(outcome.notes) - NOTES} more")
    _print_tables(console, summary.plan)
    _print_left_out(console, summary.plan.left_out)
    if not summary.plan.steps:
        if summary.plan.tables and summary.ok:
            return
        console.print("Nothing to do." if summary.ok else "[red]Nothing could be made.[/red]")
        return
    word = "[green]completed[/green]" if summary.ok else "[red]failed[/red]"
    done = f" {done_in_words(summary.outcomes)}." if summary.ok else ""
    console.print(f"Run {summary.run_id} {word} in {summary.seconds:.1f} s.{done}")
    if not summary.ok:
        console.print(how_to_mend(), soft_wrap=True, highlight=False)


def _print_causes(console: Console, summary: RunSummary) -> None:
    """Each once, with what went with it; what the plan left out is told with the plan."""
    found = causes_of(replace(summary.plan, left_out=()), summary.outcomes)
    told, more = found.foremost(CAUSES)
    for cause in told:
        style = STYLE_OF_STATE[cause.what]
        console.print(
            f"[{style}]{cause.what}[/{style}] {cause.asset} {cause.partitions}: {escape(cause.message)}",
            soft_wrap=True,
        )
        for line in cause.consequences:
            console.print(f"  {line}", soft_wrap=True, highlight=False)
    for line in [*([f"and {more} more"] if more else []), *found.at_last]:
        console.print(line, soft_wrap=True, highlight=False)


def _print_chunks(console: Console, chunks: Sequence[ChunkOutcome]) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("chunk", no_wrap=True)
    table.add_column("state")
    for name in ("partitions", "rows", "seconds"):
        table.add_column(name, justify="right")
    table.add_column("error", overflow="fold")
    first: dict[str, str] = {}
    told_below = any(chunk.untried for chunk in chunks)
    for untried, together in groupby(chunks, key=lambda chunk: chunk.untried):
        some = list(together)
        if untried:
            name = " … ".join(dict.fromkeys([some[0].name, some[-1].name]))
            number = str(sum(len(chunk.partitions) for chunk in some))
            table.add_row(name, f"[{STYLE_OF_STATE['failed']}]failed[/]", number, "", "", "not asked")
            continue
        _add_chunks(table, some, first, told_below=told_below)
    console.print(table)
    console.print()


def _add_chunks(table: Table, chunks: Sequence[ChunkOutcome], first: dict[str, str], *, told_below: bool) -> None:
    """first: the chunk that each kind of error was told of first. told_below: with all that was not asked after it."""
    for chunk in chunks:
        kind = shape(chunk.error, "", chunk.partitions.locations)
        error = chunk.error if first.setdefault(kind, chunk.name) == chunk.name else f"as in {first[kind]}"
        style = STYLE_OF_STATE[chunk.state]
        seconds = "" if chunk.seconds is None else f"{chunk.seconds:.1f}"
        table.add_row(
            chunk.name,
            f"[{style}]{chunk.state}[/{style}]",
            str(len(chunk.partitions)),
            str(chunk.rows or ""),
            seconds,
            "" if not chunk.error else "told below" if told_below else escape(error),
        )
