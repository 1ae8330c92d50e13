"""How plans, summaries, states and rows are printed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from rich.console import Console
from rich.markup import escape

from orchestration.cli.again import how_to_mend
from orchestration.cli.progress import STYLE_OF_STATE
from orchestration.core.planning.plan import LeftOut, Plan
from orchestration.core.runs.causes import causes_of, shape
from orchestration.core.runs.names import at_partitions, partitions_in_words
from orchestration.core.runs.outcome import ChunkOutcome, RunSummary, done_in_words
from orchestration.reports.fitting import Column, Kind, print_table
from orchestration.reports.run_told import logs_of

CAUSES = 20
"""At most this many causes of failures are printed; the JSON summary has every problem of every step."""
NOTES = 12
"""At most this many notes of a step are printed; the JSON summary has all."""


def print_plan(console: Console, plan: Plan) -> None:
    """Print the steps in their order, with what they read and why."""
    rows = []
    for step in plan.steps:
        reads = Counter(
            f"{item.asset} (step)" if item.step else f"{item.asset} (version {item.version})" for item in step.inputs
        )
        lines = [what if times == 1 else f"{what[:-1]}s: {times})" for what, times in reads.items()]
        rows.append(
            [
                step.asset,
                partitions_in_words(step.partitions),
                str(step.may_rewrite or ""),
                "\n".join(lines),
                step.reason,
            ]
        )
    if rows:
        columns = [Column("step", Kind.KEY), *map(Column, ("partitions", "may rewrite", "reads", "why"))]
        print_table(console, columns, rows)
    elif plan.is_empty and not any(item.is_blocked for item in plan.left_out):
        console.print("Nothing to do.")
    _print_tables(console, plan)
    _print_left_out(console, plan.left_out)


def _print_tables(console: Console, plan: Plan) -> None:
    for change in plan.tables:
        console.print(f"table {escape(change.text)}", soft_wrap=True)


def _print_left_out(console: Console, left_out: Sequence[LeftOut]) -> None:
    for item in left_out:
        why = item.reason.removeprefix(f"{item.asset}: ")
        where = at_partitions(item.asset, item.partitions)
        console.print(f"[yellow]left out[/yellow] {where}: {escape(why)}", soft_wrap=True)


def print_summary(console: Console, summary: RunSummary) -> None:
    """Print the outcome of each step, every failure with its reason, and how to go on."""
    columns = [Column("asset", Kind.KEY), Column("state", Kind.KEY)]
    names = ("written", "unchanged", "failed", "skipped", "rows", "version", "seconds")
    columns += [Column(name, Kind.NUMBER) for name in names]
    rows = []
    shown = [outcome for outcome in summary.outcomes if not (summary.chunks and outcome.step.chunk)]
    for outcome in shown:
        style = STYLE_OF_STATE[outcome.state]
        counted = (outcome.written, outcome.unchanged, outcome.failed, outcome.skipped)
        cells = [outcome.step.asset, f"[{style}]{outcome.state}[/{style}]"]
        cells += [str(len(partitions) or "") for partitions in counted]
        version = "" if outcome.version is None else str(outcome.version)
        rows.append([*cells, str(outcome.rows or ""), version, f"{outcome.seconds:.1f}"])
    if summary.chunks:
        _print_chunks(console, summary.chunks)
    if rows:
        print_table(console, columns, rows, markup=True)
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
        for line in where_to_look(summary.run_id):
            console.print(escape(line), soft_wrap=True, highlight=False)
        console.print(how_to_mend(), soft_wrap=True, highlight=False)


def where_to_look(run_id: str) -> list[str]:
    """Lines for a failed run: the command that shows it again, and its log files."""
    return [*(f"log: {path}" for path in logs_of(run_id)), f"aqi runs {run_id} tells this again."]


def _print_causes(console: Console, summary: RunSummary) -> None:
    """Each once, with what went with it; what the plan left out is told with the plan."""
    found = causes_of(replace(summary.plan, left_out=()), summary.outcomes)
    shown, more = found.foremost(CAUSES)
    for cause in shown:
        style, where = STYLE_OF_STATE[cause.what], at_partitions(cause.asset, cause.partitions)
        console.print(
            f"[{style}]{cause.what}[/{style}] {where}: {escape(cause.message)}",
            soft_wrap=True,
        )
        for line in cause.consequences:
            console.print(f"  {line}", soft_wrap=True, highlight=False)
    for line in [*([f"and {more} more"] if more else []), *found.at_last]:
        console.print(line, soft_wrap=True, highlight=False)


def _print_chunks(console: Console, chunks: Sequence[ChunkOutcome]) -> None:
    """A line per chunk. A step's table counts partitions of one table; here rows of all tables are counted, and days at
    locations once, however many tables have them."""
    columns = [Column("chunk", Kind.KEY), Column("state", Kind.KEY)]
    columns += [
        *(Column(name, Kind.NUMBER) for name in ("days × locations", "rows of all tables", "seconds")),
        Column("error"),
    ]
    rows: list[list[str]] = []
    first: dict[str, str] = {}
    told_below = any(chunk.untried for chunk in chunks)
    for untried, together in groupby(chunks, key=lambda chunk: chunk.untried):
        some = list(together)
        if untried:
            name = " … ".join(dict.fromkeys([some[0].name, some[-1].name]))
            number = str(sum(len(chunk.partitions) for chunk in some))
            rows.append([name, f"[{STYLE_OF_STATE['failed']}]failed[/]", number, "", "", "not asked"])
            continue
        rows += _rows_of_chunks(some, first, told_below=told_below)
    print_table(console, columns, rows, markup=True)
    console.print()


def _rows_of_chunks(chunks: Sequence[ChunkOutcome], first: dict[str, str], *, told_below: bool) -> Iterator[list[str]]:
    """first: the chunk that each kind of error was told of first. told_below: with all that was not asked after it."""
    for chunk in chunks:
        kind = shape(chunk.error, "", chunk.partitions.locations)
        error = chunk.error if first.setdefault(kind, chunk.name) == chunk.name else f"as in {first[kind]}"
        style = STYLE_OF_STATE[chunk.state]
        seconds = "" if chunk.seconds is None else f"{chunk.seconds:.1f}"
        problem = "" if not chunk.error else "told below" if told_below else escape(error)
        state = f"[{style}]{chunk.state}[/{style}]"
        yield [chunk.name, state, str(len(chunk.partitions)), str(chunk.rows or ""), seconds, problem]
