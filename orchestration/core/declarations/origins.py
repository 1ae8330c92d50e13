"""What contracts say that columns are made of, column by column; and whether there are such columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.contract import Contract
from orchestration.core.errors import DeclarationError

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


def check_origins(assets: Iterable[Asset], contracts: Mapping[str, Contract]) -> None:
    """Raises DeclarationError for a contract that says that a column is made of one that is not there. contracts: by
    asset key. What columns a source has, only the source knows."""
    for asset in assets:
        contract = contracts[asset.key]
        for column in contract.columns:
            for one in column.made_of or ():
                _check(asset, f"contract {contract.name}: column {column.name!r} is made of {one!r}", one, contracts)


def _check(asset: Asset, what: str, one: str, contracts: Mapping[str, Contract]) -> None:
    of, _, column = one.rpartition(".")
    upstream = asset.upstream_keys if asset.source is None else (asset.source,)
    if not upstream:
        raise DeclarationError(f"{what}, and {asset.key} is made from no table", 'Say "from": [], or nothing.')
    if of and of not in upstream:
        raise DeclarationError(
            f"{what}, and {of} is not upstream of {asset.key}", f"It is made from {', '.join(upstream)}."
        )
    table = of or upstream[0]
    known = contracts[table].column_names if asset.source is None else (column,)
    if column not in known:
        near = get_close_matches(column, known, n=1)
        raise DeclarationError(
            f"{what}, and {table} has no such column",
            f"Did you mean {near[0]!r}?" if near else f"It has {', '.join(known)}.",
        )
