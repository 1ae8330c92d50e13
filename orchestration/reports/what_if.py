"""What a change would make stale, for people."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from orchestration.core.planning.what_if import NOT_RECORDED, Reached
from orchestration.engine.changes.what_if import WhatIf
from orchestration.reports.fitting import Column, Kind, print_table

NAMES = 8
"""At most this many columns are named."""


def print_what_if(console: Console, found: WhatIf) -> None:
    """Print a line for each asset that a change would reach, then the deployments and targets that depend on them."""
    what = found.asset if found.column is None else f"{found.asset}.{found.column}"
    if not found.partitions:
        console.print(f"Nothing of {found.asset} is there that could change.", soft_wrap=True)
        return
    there = f"{_count(len(found.partitions), 'partition')}, {_count(found.rows, 'row')}: {found.partitions}"
    console.print(f"If {what} changed ({there}):", soft_wrap=True, highlight=False)
    if not found.reached:
        console.print("Nothing that is there is made from it.")
        return
    _print_reached(console, found)
    for line in _below(found):
        console.print(escape(line), soft_wrap=True, highlight=False)


def _print_reached(console: Console, found: WhatIf) -> None:
    columns = [Column("asset", Kind.KEY), Column("made again", Kind.KEY)]
    columns += [Column(name, Kind.NUMBER) for name in ("partitions", "of", "rows")]
    columns += [*([] if found.column is None else [Column("differs in")]), Column("by way of")]
    table = []
    for one in found.reached:
        way = " → ".join(one.path[1:-1])
        for partitions, rows, same in ((one.partitions, one.rows, False), (one.same, one.same_rows, True)):
            if partitions:
                word = "[green]comes out the same[/green]" if same else "[yellow]may differ[/yellow]"
                cells = [one.asset, word, str(len(partitions)), str(one.there), str(rows)]
                if found.column is not None:
                    cells.append(escape("reads it, and none of this column" if same else _differs_in(one)))
                table.append([*cells, escape(way)])
    print_table(console, columns, table, markup=True, group=True)


def _differs_in(one: Reached) -> str:
    if one.unknown:
        return f"anything: {one.unknown}"
    names = ", ".join(one.columns[:NAMES]) + (f" and {len(one.columns) - NAMES} more" * (len(one.columns) > NAMES))
    if not one.whole:
        return names
    return f"which rows there are; {names}" if names else "which rows there are"


def _below(found: WhatIf) -> list[str]:
    stale = [one for one in found.reached if one.partitions]
    same = [one for one in found.reached if one.same]
    partitions, rows = sum(len(one.partitions) for one in stale), sum(one.rows for one in stale)
    lines = []
    if stale:
        lines.append(
            f"In all {_count(partitions, 'partition')} of {_count(len(stale), 'asset')} with {_count(rows, 'row')} "
            "would be stale and may come out otherwise, at the most: what does not, ends it there."
        )
    if same:
        also = sum(len(one.same) for one in same)
        lines.append(
            f"{_count(also, 'partition')} would be stale and made again for nothing; after them nothing is stale."
        )
    if lacking := [one.asset for one in found.reached if one.unknown == NOT_RECORDED]:
        lines.append(
            f"Of {', '.join(lacking)} no columns are recorded, so they count as concerned. The next step of an asset "
            "records them, and so does `aqi materialize SELECTION --record-columns` where all is fresh."
        )
    if found.of_older_code:
        lines.append(f"Of earlier code than now's are the recorded columns of {', '.join(found.of_older_code)}.")
    if found.deployments:
        lines.append(f"Deployments that make these tables: {', '.join(found.deployments)}.")
    if found.targets:
        targets = (f"{asset} ({hours:g} h)" for asset, hours in found.targets.items())
        lines.append(f"Freshness targets that wait: {', '.join(targets)}.")
    return lines


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
