"""What an asset declares that it is made of: tables, and by its contract, column by column, columns of these."""

from __future__ import annotations

from collections.abc import Mapping

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.contract import Contract

Declared = Mapping[str, frozenset[tuple[str, str]]]
"""By column: the columns of upstream assets, or of the source, of which it is made."""


def tables_of(asset: Asset) -> tuple[str, ...]:
    """What an asset declares that it reads: upstream assets; or its source, and its own table if it keeps hours."""
    if asset.source is None:
        return asset.upstream_keys
    return (asset.source,) if asset.hours is None else (asset.source, asset.key)


def declared_columns(asset: Asset, contract: Contract) -> Declared:
    """What the contract of an asset says of its columns; those of which it says nothing are left out."""
    first = next(iter(tables_of(asset)), "")
    return {
        column.name: frozenset((one.rpartition(".")[0] or first, one.rpartition(".")[2]) for one in column.made_of)
        for column in contract.columns
        if column.made_of is not None
    }
