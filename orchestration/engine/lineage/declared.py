"""Whether an asset is made of what it declares, by its lineage: of a step as it goes on, or as it was recorded."""

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
    """Where an asset's declarations, its lineage, and what a run read do not agree."""
    columns = declared_columns(asset, contracts[asset.key])
    return all_differences(asset.key, tables_of(asset), columns, lineage, run)
