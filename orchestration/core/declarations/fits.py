"""Checks that contract and asset fit each other, before anything is made."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.contract import Contract, describe
from orchestration.core.declarations.origins import declared_columns
from orchestration.core.errors import DeclarationError

NUMBERS = ("byte", "short", "integer", "long", "float", "double")


def check_fits(asset: Asset, contract: Contract, rule_parameters: Collection[str] | None = None) -> None:
    """Raises DeclarationError, naming asset, contract, column and remedy, where a contract does not fit its asset.

    rule_parameters: the names of the parameters with row rules: an asset applies rules only if it takes one of them.
    None where they are not known.
    """
    columns = {column.name: column for column in contract.columns}
    for name in contract.key:
        if name not in columns:
            raise _wrong(
                asset,
                contract,
                f"has no column {name!r}, which its key names",
                f"Name columns of it in unique = […]: {', '.join(columns)}.",
            )
        if columns[name].nullable:
            raise _wrong(
                asset,
                contract,
                f"lets {name} of its key be null",
                "Leave out nullable=True, or take it out of the key.",
            )
    if asset.partitions is not None:
        day, location = asset.partitions.columns
        for name, kind, written, what in ((day, "date", "T.DateType", "day"), (location, "string", "T.StringType", "")):
            argument = f"{what or 'location'}_column"
            if name not in columns:
                raise _wrong(
                    asset,
                    contract,
                    f"has no column {name!r}, which says of which partition a row is",
                    f"Add {name}: {written}, and make it; or name another: partitions=DailyByLocation({argument}=…).",
                )
            if columns[name].type != kind or columns[name].nullable:
                got = f"{columns[name].type}{', nullable' if columns[name].nullable else ''}"
                raise _wrong(
                    asset,
                    contract,
                    f"says that {name} is {got}, and it says of which partition a row is",
                    f"It must be {kind} and not null: {name}: {written}.",
                )
    for name in asset.identifiers:
        if name not in columns:
            raise _wrong(
                asset, contract, f"has no column {name!r}, which identifiers names", f"Add {name}: T.StringType to it."
            )
    if contract.rules and rule_parameters is not None and not {*asset.parameters} & {*rule_parameters}:
        raise _wrong(
            asset,
            contract,
            f"has a row rule ({describe(contract.rules[-1])}), and nothing applies it",
            "Declare a check instead: checks=[Check(…)] in @asset counts such rows.",
        )


def check_reads(asset: Asset, contracts: Mapping[str, Contract]) -> None:
    """Raises DeclarationError if an asset names a column of an upstream asset that is not in that asset's contract.

    contracts: by asset key.
    """
    contract = contracts[asset.key]
    for column, made_of in declared_columns(asset, contract).items():
        for of, name in sorted(made_of):
            if of in contracts and of != asset.key and name not in contracts[of].column_names:
                raise _wrong(
                    asset,
                    contract,
                    f"says that {column} is made of {of}.{name}, which is no column",
                    f"{_near(name, contracts[of])} Say a list of columns; of other than the first upstream asset "
                    f"layer.name.column.",
                )
    for mapping in asset.upstream:
        if (window := mapping.window) is None:
            continue
        types = {column.name: column.type for column in contracts[window.of].columns}
        for name, what, must, kinds in (
            (window.column, "column", "a number", NUMBERS),
            (window.instant, "instant", "the timestamp of a row's hour", ("timestamp",)),
        ):
            if types.get(name) not in kinds:
                got = f"is {types[name]} in" if name in types else "is no column of"
                near = "" if name in types else f" {_near(name, contracts[window.of])}"
                raise DeclarationError(
                    f"asset {asset.key}: the mapping RunWindow has {what}={name!r}, which {got} {window.of}",
                    f"It must be {must}.{near}",
                )


def _near(name: str, contract: Contract) -> str:
    near = get_close_matches(name, contract.column_names, n=1)
    return f"Did you mean {near[0]}?" if near else f"Its columns are {', '.join(contract.column_names)}."


def _wrong(asset: Asset, contract: Contract, what: str, remedy: str) -> DeclarationError:
    return DeclarationError(f"asset {asset.key}: its contract {contract.name} {what}", remedy)
