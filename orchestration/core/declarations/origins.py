"""The declared origins of an asset: the tables from which it is made, and by its contract the columns of each
column.
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.contract import Contract

Declared = Mapping[str, frozenset[tuple[str, str]]]
"""Column → the columns of upstream assets, or of the source, from which it is made."""


def tables_of(asset: Asset) -> tuple[str, ...]:
    """The tables that an asset declares to read: its upstream assets; or its source, and its own table if it keeps
    hours."""
    if asset.source is None:
        return asset.upstream_keys
    return (asset.source,) if asset.hours is None else (asset.source, asset.key)


def declared_columns(asset: Asset, contract: Contract) -> Declared:
    """The declared origins of the columns. Columns about which the contract says nothing are left out."""
    first = next(iter(tables_of(asset)), "")
    return {
        column.name: frozenset((one.rpartition(".")[0] or first, one.rpartition(".")[2]) for one in column.made_of)
        for column in contract.columns
        if column.made_of is not None
    }
