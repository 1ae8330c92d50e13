"""How a column is made of another one, in OpenLineage's words: subtypes of a transformation, and the type of each.

Source: facet ColumnLineageDatasetFacet of https://openlineage.io, its ``transformations``.
"""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """DIRECT, the value is made of it: as it is; of it, row by row; of it, over several rows.

    INDIRECT, it has a say in the value or in which rows there are, and gives none: as the condition of a join, the key
    of a group, the condition of a filter, the order, the partition or order of a window, the condition of a choice.
    """

    IDENTITY = "IDENTITY"
    TRANSFORMATION = "TRANSFORMATION"
    AGGREGATION = "AGGREGATION"
    JOIN = "JOIN"
    GROUP_BY = "GROUP_BY"
    FILTER = "FILTER"
    SORT = "SORT"
    WINDOW = "WINDOW"
    CONDITIONAL = "CONDITIONAL"

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
    """What two steps of a path are together; ``first`` is nearer to the source, ``then`` to the result.

    ===============  ===============  ==============================================================
    first            then             together
    ===============  ===============  ==============================================================
    direct           direct           the stronger: an identity changes nothing, a transformation of
                                      an identity is one, whatever is aggregated is an aggregation
    any              indirect         ``then``: what only has a say gives no value, however it was made
    indirect         direct           ``first``: nothing on the way makes a value of it again
    ===============  ===============  ==============================================================

    Associative, and IDENTITY is neutral: the kind of a path does not depend on where it is cut.
    """
    if not then.is_direct:
        return then
    if not first.is_direct:
        return first
    return max(first, then, key=_DIRECT.index)
