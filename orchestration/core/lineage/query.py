"""Which column a SELECTION asks about, and how far its lineage is to be walked.

The language is that of selections (``core.selection.parser``): a column stands where an asset would.

=========================  ================================================
``gold.days.peak``         what it comes from, to the source
``gold.days.peak+``        what is made of it
``+gold.days.peak+``       both
``2+gold.days.peak``       what it comes from, two hops far at most
``0+gold.days.peak``       itself
``gold.days.peak+1``       what is made of it, one hop far at most
=========================  ================================================
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches

from orchestration.core.selection.expressions import Name, Walk
from orchestration.core.selection.parser import parse


@dataclass(frozen=True, slots=True)
class ColumnQuery:
    """column: as it was written. up, down: so many hops at most, None for all the way, 0 for none."""

    column: str
    up: int | None
    down: int | None


def column_query(selection: str, assets: Collection[str], sources: Collection[str]) -> ColumnQuery | None:
    """The column that a selection names; None where it means assets, or what should be one.

    A name is that of a column where what stands before its last dot is an asset or a source, or is more like a source
    than like a layer; and where it has more dots than an asset's. Raises SelectionError for what cannot be read.
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
