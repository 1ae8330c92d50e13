"""Questions about one column in a SELECTION: which column, and how far its lineage is followed.

The language is that of selections (``core.selection.parser``), with a column in place of an asset:

=========================  ======================================================
``gold.days.peak``         from what it is made, back to the source
``gold.days.peak+``        what is made from it
``+gold.days.peak+``       both
``2+gold.days.peak``       from what it is made, at most two edges away
``0+gold.days.peak``       only the column itself
``gold.days.peak+1``       what is made from it, at most one edge away
=========================  ======================================================
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches

from orchestration.core.selection.expressions import Name, Walk
from orchestration.core.selection.parser import parse


@dataclass(frozen=True, slots=True)
class ColumnQuery:
    """A question about one column."""

    column: str
    """The column as it was written."""
    up: int | None
    """At most this many edges upstream; None for all the way, 0 for none."""
    down: int | None
    """At most this many edges downstream; None for all the way, 0 for none."""


def column_query(selection: str, assets: Collection[str], sources: Collection[str]) -> ColumnQuery | None:
    """The question about a column that a selection asks; None where the selection is about assets.

    A name means a column if the part before its last dot is an asset or a source, or more similar to a source than to a
    layer; or if it has more dots than the key of an asset. Raises SelectionError for a text that cannot be read.
    """
    read = parse(selection).expression
    alone = 0 if "+" in selection else None  # a walk of no hop (0+x) is read as the name alone
    expression, up, down = (read.start, read.up, read.down) if isinstance(read, Walk) else (read, alone, 0)
    if not isinstance(expression, Name) or expression.key in assets:
        return None
    of = expression.key.rpartition(".")[0]
    if of not in assets and of not in sources and "." not in of:
        near = get_close_matches(of, [*sources, *{key.partition(".")[0] for key in assets}], n=1)
        if not near or near[0] not in sources:
            return None
    return ColumnQuery(expression.key, up, down)
