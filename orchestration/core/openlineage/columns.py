"""Column lineage as an OpenLineage facet: ``columnLineage`` of the table that a step wrote.

A column whose origins are only partly known is left out: the facet cannot say *there may be more*, and would be taken
for complete. A column without origins is in the facet, with no input fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from orchestration.core.lineage.columns import ColumnLineage, Sources
from orchestration.core.openlineage.naming import Dataset

NameOf = Callable[[str], Dataset | None]
"""Asset key or name of a source → its dataset; None if nothing is to be reported about it."""


class SourceField(NamedTuple):
    """An input column. type: DIRECT or INDIRECT. subtype: IDENTITY, AGGREGATION, FILTER, …"""

    namespace: str
    dataset: str
    field: str
    type: str
    subtype: str


@dataclass(frozen=True, slots=True)
class ReportedColumns:
    """The column lineage that is reported."""

    fields: Mapping[str, Sequence[SourceField]] = field(default_factory=dict)
    """Output column → its input columns."""
    whole: Sequence[SourceField] = ()
    """The input columns that decide which rows exist, and so affect every column."""

    def facet(self) -> dict[str, Any]:
        """The facet. An input column that is used in several ways is named once, with all of these ways."""
        fields = {name: {"inputFields": _fields(sources)} for name, sources in self.fields.items()}
        return {"fields": fields, **({"dataset": _fields(self.whole)} if self.whole else {})}


def reported_columns(lineage: ColumnLineage, named: NameOf) -> ReportedColumns:
    """The column lineage with the names of datasets. Columns whose origins are not fully known are left out."""
    return ReportedColumns(
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
