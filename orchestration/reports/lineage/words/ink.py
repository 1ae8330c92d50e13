"""Styled text for terminals: dim, bold, or coloured. For other outputs ``plain`` removes the styles."""

from __future__ import annotations

import re
from collections.abc import Sequence

_CODES = {"dim": "2", "bold": "1", "red": "31", "green": "32", "yellow": "33"}
_STYLES = re.compile(r"\x1b\[[0-9;]*m")


def styled(text: str, style: str) -> str:
    """The text in a style: ``dim``, ``bold``, ``red``, ``green`` or ``yellow``. An empty text stays empty."""
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if text else text


def plain(text: str) -> str:
    """The text without styles."""
    return _STYLES.sub("", text)


def in_columns(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> list[str]:
    """One line for each row, its cells aligned in columns, two blanks apart. right: columns that are aligned to the
    right."""
    widths = [max(len(plain(row[at])) for row in rows) for at in range(len(rows[0]))] if rows else []
    lines = []
    for row in rows:
        cells = []
        for at, cell in enumerate(row):
            blanks = " " * (widths[at] - len(plain(cell)))
            cells.append(blanks + cell if at in right else cell + blanks)
        lines.append("  ".join(cells).rstrip())
    return lines
