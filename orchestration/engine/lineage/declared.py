"""Compares the declarations of an asset with its column lineage, from a step or as recorded."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.contract import Contract
from orchestration.core.declarations.origins import declared_columns, tables_of
from orchestration.core.lineage.columns import ColumnLineage
from orchestration.core.lineage.compare import Difference, all_differences


def compared(
    asset: Asset, contracts: Mapping[str, Contract], lineage: ColumnLineage, run: Collection[str] | None = None
) -> tuple[Difference, ...]:
    """Where declarations, column lineage, and what a run read differ."""
    columns = declared_columns(asset, contracts[asset.key])
    return all_differences(asset.key, tables_of(asset), columns, lineage, run)
