"""Tables that fit a terminal: keys and numbers are never shortened or broken, and empty columns are left out.

A column that does not fit beside the others is printed below its row, with its name. If a single key is wider than the
terminal, its line is too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from rich.console import Console
from rich.text import Text

GAP = 2
INDENT = 4
WIDEST_WORD = 40
"""A longer word of a text, for instance an address, is broken where there is no room. Keys are shorter."""


class Kind(Enum):
    """What a column holds. It decides how the column is fitted."""

    KEY = auto()
    """Never broken."""
    NUMBER = auto()
    """Never broken; aligned to the right."""
    TEXT = auto()
    """Continues in further lines, broken at spaces."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a printed table."""

    name: str
    kind: Kind = Kind.TEXT


Cell = str | Text


def print_table(
    console: Console,
    columns: Sequence[Column],
    rows: Sequence[Sequence[Cell]],
    *,
    markup: bool = False,
    group: bool = False,
) -> None:
    """Print a table that is no wider than the console, if possible.

    markup: whether texts in cells are Rich markup. group: if the table is too wide, equal values of the first column
    are printed once, in lines of their own.
    """
    for line in fitted(columns, rows, console.width, markup=markup, group=group):
        console.print(line, soft_wrap=True, highlight=False)


def fitted(
    columns: Sequence[Column],
    rows: Sequence[Sequence[Cell]],
    width: int,
    *,
    markup: bool = False,
    group: bool = False,
) -> list[Text]:
    """The lines of a table. width: of the terminal, in characters."""
    table = [[_as_text(cell, markup=markup) for cell in row] for row in rows]
    there = [at for at in range(len(columns)) if at == 0 or any(row[at].plain for row in table)]
    headed = group and len(there) > 1 and _together(columns, table, there) > width
    indent = " " * GAP if headed else ""
    beside, below = _placed(columns, table, there[1:] if headed else there, width - len(indent))
    widths = _widths(columns, table, beside, width - len(indent))
    shown = [columns[at] for at in beside]
    names = [Text(column.name, "bold") for column in shown]
    lines = [Text.assemble(indent, line) for line in _row(names, shown, widths)]
    before = None
    for row in table:
        if headed and row[0].plain != before:
            lines.append(row[0])
            before = row[0].plain
        of_row = _row([row[at] for at in beside], shown, widths)
        of_row += _all_below([(columns[at], row[at]) for at in below], width - len(indent))
        if not headed or any(line.plain for line in of_row):
            lines += [Text.assemble(indent, line) if line.plain else line for line in of_row]
    return lines


def _as_text(cell: Cell, *, markup: bool) -> Text:
    if isinstance(cell, Text):
        return cell
    return Text.from_markup(cell) if markup else Text(cell)


def _placed(
    columns: Sequence[Column], table: Sequence[Sequence[Text]], there: Sequence[int], width: int
) -> tuple[list[int], list[int]]:
    """The columns that are printed side by side, and those that are printed below. Texts are moved below first, the
    last one before others."""
    beside = list(there)
    below: list[int] = []
    while len(beside) > 1 and _together(columns, table, beside) > width:
        last = max(beside[1:], key=lambda at: (columns[at].kind is Kind.TEXT, at))
        beside.remove(last)
        below.append(last)
    return beside, sorted(below)


def _together(columns: Sequence[Column], table: Sequence[Sequence[Text]], some: Sequence[int]) -> int:
    """The smallest width of some columns side by side."""
    return sum(_least(columns, table, at) + GAP for at in some) - GAP


def _least(columns: Sequence[Column], table: Sequence[Sequence[Text]], at: int) -> int:
    """The smallest width of a column."""
    if columns[at].kind is not Kind.TEXT:
        return _most(columns, table, at)
    words = [word for row in table for word in row[at].plain.split()]
    return max(len(columns[at].name), min(max(map(len, words), default=0), WIDEST_WORD))


def _most(columns: Sequence[Column], table: Sequence[Sequence[Text]], at: int) -> int:
    """The width of a column in which nothing is broken."""
    lines = [line for row in table for line in row[at].split("\n")]
    return max(len(columns[at].name), max((line.cell_len for line in lines), default=0))


def _widths(columns: Sequence[Column], table: Sequence[Sequence[Text]], beside: Sequence[int], width: int) -> list[int]:
    """The widths of the columns side by side. Texts share the rest."""
    widths = [_least(columns, table, at) for at in beside]
    left = width - sum(widths) - GAP * (len(widths) - 1)
    wanted = [_most(columns, table, at) - widths[number] for number, at in enumerate(beside)]
    for number in sorted(range(len(beside)), key=lambda number: wanted[number]):
        open_ = sum(1 for one in wanted if one > 0)
        if wanted[number] <= 0 or left <= 0:
            continue
        more = min(wanted[number], left // open_ if open_ > 1 else left)
        widths[number] += more
        left -= more
        wanted[number] = 0
    return widths


def _row(cells: Sequence[Text], columns: Sequence[Column], widths: Sequence[int]) -> list[Text]:
    """The lines of a row."""
    parts = [
        _wrapped(cell, width if column.kind is Kind.TEXT else None)
        for cell, column, width in zip(cells, columns, widths, strict=True)
    ]
    lines = []
    for number in range(max(map(len, parts))):
        line = Text()
        for part, column, width in zip(parts, columns, widths, strict=True):
            cell = part[number] if number < len(part) else Text()
            room = " " * max(0, width - cell.cell_len)
            line.append_text(Text.assemble(room, cell) if column.kind is Kind.NUMBER else Text.assemble(cell, room))
            line.append(" " * GAP)
        line.rstrip()
        lines.append(line)
    return lines


def _all_below(cells: Sequence[tuple[Column, Text]], width: int) -> list[Text]:
    """The lines of the cells below their row: first numbers and keys together, then one text after the other. A key
    that needs the room is below its name."""
    lines: list[Text] = []
    for of, cell in cells:
        if of.kind is Kind.TEXT or not cell.plain:
            continue
        named = Text.assemble((f"{of.name} ", "dim"), cell)
        if lines and lines[-1].cell_len + GAP + named.cell_len <= width:
            lines[-1] = Text.assemble(lines[-1], " " * GAP, named)
        elif INDENT + named.cell_len <= width:
            lines.append(Text.assemble(" " * INDENT, named))
        else:
            lines += [Text.assemble(" " * INDENT, (of.name, "dim")), Text.assemble(" " * (INDENT + GAP), cell)]
    texts = [_below(of.name, cell, width) for of, cell in cells if of.kind is Kind.TEXT]
    return [*lines, *(line for part in texts for line in part)]


def _below(name: str, cell: Text, width: int) -> list[Text]:
    """The lines of a cell that stands below its row: beside its name, or below that where a word needs the room."""
    if not cell.plain:
        return []
    room = max(1, width - INDENT - len(name) - GAP)
    if max(map(len, cell.plain.split()), default=0) > room:
        indent = " " * (INDENT + GAP)
        below = _wrapped(cell, max(1, width - len(indent)))
        return [Text.assemble(" " * INDENT, (name, "dim")), *(Text.assemble(indent, part) for part in below)]
    parts = _wrapped(cell, room)
    indent = " " * (INDENT + len(name) + GAP)
    first = Text.assemble(" " * INDENT, (name, "dim"), " " * GAP, parts[0])
    return [first, *(Text.assemble(indent, part) for part in parts[1:])]


def _wrapped(cell: Text, width: int | None) -> list[Text]:
    """A cell in lines of at most ``width``, broken at spaces alone; None: only where it is broken already."""
    lines: list[Text] = []
    for line in cell.split("\n") if cell.plain else [Text()]:
        lines += [line] if width is None else _broken(line, width)
    return lines


def _broken(line: Text, width: int) -> list[Text]:
    """A line in parts of at most ``width`` cells, cut at the last space within reach, else anywhere."""
    parts: list[Text] = []
    while line.cell_len > width:
        reach = next(at for at in range(len(line), 0, -1) if line[:at].cell_len <= width or at == 1)
        space = line.plain.rfind(" ", 1, reach + 1)
        at = space if space > 0 else reach
        parts.append(line[:at])
        line = line[at + 1 :] if space > 0 else line[at:]
    for part in (*parts, line):
        part.rstrip()
    return [*parts, line]


def columns_that_fit(columns: Sequence[tuple[str, int]], width: int, needed: int) -> set[str]:
    """The names of the columns that have room side by side. columns: (name, width), the most wanted first. The first
    ``needed`` of them are always included."""
    chosen = {name for name, _ in columns[:needed]}
    taken = sum(of + GAP for _, of in columns[:needed])
    for name, of in columns[needed:]:
        if taken + of <= width:
            chosen.add(name)
            taken += of + GAP
    return chosen
