"""What would become stale if partitions of an asset changed, or only one of their columns.

The partition mappings say which partitions are reached, as for *may rewrite* in a plan. Where one column changes, only
columns made of it change. Another asset that reads the table is made again with the same rows, and nothing downstream
of that asset becomes stale.

Pure: what storage holds comes in as ``TableState`` values, how columns are made as ``ColumnLineage``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.catalog import Catalog
from orchestration.core.lineage.columns import ColumnLineage, Sources
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.partitions.mappings import FlaggedHours, nothing_flagged
from orchestration.core.planning.planner import FlagsOf
from orchestration.core.state.table_state import TableState

NOTHING = PartitionSet.empty()
NOT_RECORDED = "its columns are not recorded"


@dataclass(frozen=True, slots=True)
class Reached:
    """The partitions of one asset that a change reaches. All of them have a record, fresh or not."""

    asset: str
    partitions: PartitionSet
    """Partitions whose content may change."""
    same: PartitionSet
    """Partitions that read what changed, but none of the changed columns. They are made again with the same content."""
    rows: int
    """Recorded rows of ``partitions``."""
    same_rows: int
    """Recorded rows of ``same``."""
    there: int
    """All partitions of the asset that have a record."""
    path: tuple[str, ...]
    """A shortest way of assets from the changed one to this one, both included."""
    columns: tuple[str, ...] = ()
    """Where one column changed: the columns whose values may change."""
    whole: bool = False
    """Where one column changed: whether rows may appear or vanish, so that any column may change."""
    unknown: str = ""
    """Why the asset counts as reached although that is not certain; empty where it is certain."""

    def to_json(self) -> dict[str, Any]:
        """Partitions as a number and as intervals, ``[location, first day, last day]``; null for the null key."""
        return {
            "asset": self.asset,
            "partitions": len(self.partitions),
            "rows": self.rows,
            "intervals": self.partitions.to_json(),
            "same_partitions": len(self.same),
            "same_rows": self.same_rows,
            "same_intervals": self.same.to_json(),
            "there": self.there,
            "path": list(self.path),
            "columns": list(self.columns),
            "whole": self.whole,
            "unknown": self.unknown,
        }


def reached_by(
    catalog: Catalog,
    start: str,
    changed: PartitionSet,
    tables: Mapping[str, TableState],
    flags_of: FlagsOf,
    column: str | None = None,
    lineages: Mapping[str, ColumnLineage] | None = None,
) -> tuple[Reached, ...]:
    """What a change of the partitions ``changed`` of ``start`` reaches downstream of it, asset by asset in topological
    order.

    column: the only column that changes; None: any column may change. lineages: column lineage by asset key; an asset
    without one counts as reached.
    """
    walk = _Walk(tables, flags_of, None if column is None else lineages or {})
    columns = frozenset(() if column is None else (column,))
    walk.changed[start] = _Changed(changed, (start,), columns, whole=column is None)
    return tuple(found for key in catalog.dag.downstream(start) if (found := walk.reach(catalog[key])) is not None)


@dataclass(frozen=True, slots=True)
class _Changed:
    """What may change of one asset. columns: whose values may change. whole: whether rows may appear or vanish, so that
    any column may change."""

    partitions: PartitionSet
    path: tuple[str, ...]
    columns: frozenset[str]
    whole: bool = False


class _Walk:
    """Visits assets, upstream ones first. lineages: None where the question is not about one column."""

    def __init__(
        self, tables: Mapping[str, TableState], flags_of: FlagsOf, lineages: Mapping[str, ColumnLineage] | None
    ) -> None:
        self._tables, self._flags_of, self._lineages = tables, flags_of, lineages
        self.changed: dict[str, _Changed] = {}

    def reach(self, asset: Asset) -> Reached | None:
        """What of ``asset`` is reached through its upstream assets; None where nothing of it is."""
        records = self._tables.get(asset.key, _NO_TABLE).records
        by_upstream = self._by_upstream(asset, records.partitions)
        if not by_upstream:
            return None
        columns, whole, unknown = self._columns(asset.key, by_upstream)
        through = [of for of in by_upstream if unknown or self._uses(asset.key, of)]
        partitions = PartitionSet.union_of(by_upstream[of] for of in through)
        same = PartitionSet.union_of(by_upstream.values()) - partitions
        path = (*min((self.changed[of].path for of in through or by_upstream), key=len), asset.key)
        self.changed[asset.key] = _Changed(partitions, path, frozenset(columns), whole)
        return Reached(
            asset.key,
            partitions,
            same,
            records.rows_of(partitions),
            records.rows_of(same),
            len(records),
            path,
            () if self._lineages is None else columns,
            self._lineages is not None and whole,
            unknown,
        )

    def _by_upstream(self, asset: Asset, there: PartitionSet) -> dict[str, PartitionSet]:
        """By changed upstream asset: those of the partitions ``there`` that depend on its change."""
        found = {}
        for mapping in asset.upstream:
            above = self.changed.get(mapping.of)
            if above is None:
                continue
            flagged: FlaggedHours = nothing_flagged
            if mapping.window is not None:  # as stored: what changes is no piece of a way to what changes
                flagged = self._flags_of(mapping.window, self._tables.get(mapping.of, _NO_TABLE))
            if affected := mapping.affected_by(above.partitions, there, flagged):
                found[mapping.of] = affected
        return found

    def _columns(self, asset: str, upstream: Mapping[str, PartitionSet]) -> tuple[tuple[str, ...], bool, str]:
        """The columns of an asset whose values may change; whether rows may appear or vanish; and what of that is not
        known."""
        if self._lineages is None:
            return (), True, ""
        lineage = self._lineages.get(asset)
        if lineage is None:
            return (), True, NOT_RECORDED
        columns = tuple(name for name, of in lineage.columns.items() if of.unknown or self._from_changed(of, upstream))
        whole = self._rows_differ(lineage, upstream)
        lost = ", ".join(sorted(lineage.unknown))
        return columns, whole, f"its plan could not be read whole ({lost})" if lost else ""

    def _uses(self, asset: str, upstream: str) -> bool:
        """Whether the change of an upstream asset can change rows or values of ``asset``."""
        lineage = None if self._lineages is None else self._lineages.get(asset)
        if lineage is None:
            return True
        only = (upstream,)
        return self._rows_differ(lineage, only) or any(self._from_changed(of, only) for of in lineage.columns.values())

    def _rows_differ(self, lineage: ColumnLineage, upstream: Mapping[str, Any] | tuple[str, ...]) -> bool:
        if lineage.rows.unknown or self._from_changed(lineage.rows, upstream):
            return True
        return any(self.changed[of].whole and of in lineage.reads for of in upstream)

    def _from_changed(self, sources: Sources, upstream: Mapping[str, Any] | tuple[str, ...]) -> bool:
        """Whether an edge comes from a column whose values may differ."""
        return any(edge.of in upstream and edge.column in self.changed[edge.of].columns for edge in sources.edges)


_NO_TABLE = TableState()
