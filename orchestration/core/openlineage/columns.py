"""Where columns come from, as OpenLineage tells it: the facet ``columnLineage`` of what a step wrote.

What was read of a plan in part alone is not told: the facet has no word for *there may be more*, and would be taken for
the whole. So a column that is not in it is one of which not all is known; one that comes from nothing is in it, without
input fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from orchestration.core.lineage.columns import ColumnLineage, Sources
from orchestration.core.openlineage.naming import Dataset

NameOf = Callable[[str], Dataset | None]
"""What a table or a source is called, by asset key or name of the source; None for what is not told of."""


class SourceField(NamedTuple):
    """A column that another is made from. type: DIRECT or INDIRECT; subtype: IDENTITY, AGGREGATION, FILTER, …"""

    namespace: str
    dataset: str
    field: str
    type: str
    subtype: str


@dataclass(frozen=True, slots=True)
class ToldColumns:
    """What columns are made from. fields: by output column. whole: what decides about rows, whatever the column."""

    fields: Mapping[str, Sequence[SourceField]] = field(default_factory=dict)
    whole: Sequence[SourceField] = ()

    def facet(self) -> dict[str, Any]:
        """The facet. A source column that is used in several ways is named once, with all of them."""
        fields = {name: {"inputFields": _fields(sources)} for name, sources in self.fields.items()}
        return {"fields": fields, **({"dataset": _fields(self.whole)} if self.whole else {})}


def told_columns(lineage: ColumnLineage, named: NameOf) -> ToldColumns:
    """Column lineage under the names of datasets; without what is not known whole."""
    return ToldColumns(
        {name: _named(sources, named) for name, sources in lineage.columns.items() if not sources.unknown},
        () if lineage.rows.unknown else _named(lineage.rows, named),
    )


def _named(sources: Sources, named: NameOf) -> tuple[SourceField, ...]:
    return tuple(
        SourceField(*dataset, edge.column, edge.kind.type, edge.kind.value)
        for edge in sorted(sources.edges)
        if (dataset := named(edge.of)) is not None
    )


def _fields(sources: Sequence[SourceField]) -> list[dict[str, Any]]:
    ways: dict[tuple[str, str, str], list[dict[str, str]]] = {}
    for source in dict.fromkeys(sources):
        way = {"type": source.type, "subtype": source.subtype}
        ways.setdefault((source.namespace, source.dataset, source.field), []).append(way)
    return [
        {"namespace": namespace, "name": name, "field": column, "transformations": how}
        for (namespace, name, column), how in ways.items()
    ]
