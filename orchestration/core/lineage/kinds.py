"""How a column is made from another one, in OpenLineage's words: the subtypes of a transformation, and the type of
each.

Source: facet ColumnLineageDatasetFacet of https://openlineage.io, its ``transformations``.
"""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """How an input column affects an output column.

    DIRECT kinds: the output value is computed from it. INDIRECT kinds: it affects the value, or which rows exist,
    without being a part of the value.
    """

    IDENTITY = "IDENTITY"
    """Direct: the value as it is."""
    TRANSFORMATION = "TRANSFORMATION"
    """Direct: computed row by row."""
    AGGREGATION = "AGGREGATION"
    """Direct: computed over several rows."""
    JOIN = "JOIN"
    """Indirect: in the condition of a join."""
    GROUP_BY = "GROUP_BY"
    """Indirect: a key of a group."""
    FILTER = "FILTER"
    """Indirect: in the condition of a filter."""
    SORT = "SORT"
    """Indirect: in an order of rows."""
    WINDOW = "WINDOW"
    """Indirect: in the partition or order of a window."""
    CONDITIONAL = "CONDITIONAL"
    """Indirect: in the condition of a choice."""

    @property
    def is_direct(self) -> bool:
        return self in _DIRECT

    @property
    def type(self) -> str:
        """``DIRECT`` or ``INDIRECT``."""
        return "DIRECT" if self.is_direct else "INDIRECT"


_DIRECT = (Kind.IDENTITY, Kind.TRANSFORMATION, Kind.AGGREGATION)
"""From the weakest to the strongest."""


def along(first: Kind, then: Kind) -> Kind:
    """The kind of two consecutive edges together. ``first`` is nearer to the source, ``then`` to the result.

    ===============  ===============  ==============================================================
    first            then             together
    ===============  ===============  ==============================================================
    direct           direct           the stronger kind: an identity changes nothing, and anything
                                      that is aggregated is an aggregation
    any              indirect         ``then``: an indirect edge passes on no value
    indirect         direct           ``first``: it stays indirect
    ===============  ===============  ==============================================================

    Associative, and IDENTITY is neutral: the kind of a path does not depend on where it is cut.
    """
    if not then.is_direct:
        return then
    if not first.is_direct:
        return first
    return max(first, then, key=_DIRECT.index)
