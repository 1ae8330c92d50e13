"""Plans a new asset: its upstream assets, its partitions, and the smallest contract that fits.

The new asset has the columns of the key of its *base*, with a row for each row of the base. The base is the first
upstream asset with the same partitions. The author writes everything further. ``source_text`` writes function, contract
and test.

Must not know: in which files assets are declared, and how files are written.
"""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Literal

from orchestration.core.declarations.asset import LAYERS, Asset
from orchestration.core.declarations.catalog import Catalog
from orchestration.core.declarations.contract import Column, Contract
from orchestration.core.errors import UsageError
from orchestration.core.partitions.mappings import AllPartitions, Identity, PartitionMapping
from orchestration.core.partitions.scheme import PartitionScheme

Cut = Literal["daily", "unpartitioned"]
CUTS: tuple[Cut, ...] = ("daily", "unpartitioned")
KEY_COLUMN = Column("key", "string", False, "", "What a row is about")
"""The only column of a table without upstream assets."""
MOST_CHARACTERS = 60
"""The longest name: the names of contract, test and table folder are made from it."""
MOST_DESCRIBED = 100
"""The longest description, in characters."""

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class NewAsset:
    """An asset that is to be declared."""

    key: str
    description: str
    upstream: tuple[PartitionMapping, ...]
    """For each upstream asset a mapping, in the order of the function's arguments. The first one is the base."""
    scheme: PartitionScheme | None
    """Its partitions; None for an unpartitioned asset."""
    joined: Mapping[str, tuple[tuple[str, str], ...]]
    """Upstream asset besides the base → the pairs (column of the base, column of that asset) on which it is joined.
    Without pairs its rows are only counted."""
    columns: tuple[Column, ...]
    """The columns of its contract."""
    unique: tuple[str, ...]
    """The key of its contract."""

    @property
    def layer(self) -> str:
        return self.key.partition(".")[0]

    @property
    def name(self) -> str:
        return self.key.partition(".")[2]

    @property
    def contract(self) -> str:
        """The name of its contract: ``DailyLevels`` for ``gold.daily_levels``."""
        return "".join(part.capitalize() for part in self.name.split("_"))


def new_asset(
    catalog: Catalog,
    contracts: Mapping[str, Contract],
    key: str,
    upstream: Sequence[str] = (),
    cut: Cut | None = None,
    description: str = "",
) -> NewAsset:
    """Plan a new asset. Raises UsageError, with what can be declared, where it cannot be declared.

    contracts: by asset key. cut: None for the partitions of its upstream assets.
    """
    _check_key(catalog, key)
    _check_description(key, description)
    above = [_upstream(catalog, one) for one in upstream]
    _check_distinct(key, above)
    dated = [one for one in above if one.partitions is not None]
    _check_cut(key, above, dated, cut)
    base = next(iter(dated or above), None)
    others = [one for one in above if one is not base]
    joined: dict[str, tuple[tuple[str, str], ...]] = {}
    columns: tuple[Column, ...] = (KEY_COLUMN,)
    unique: tuple[str, ...] = (KEY_COLUMN.name,)
    if base is not None:
        joined = {one.key: _joined(base, one, contracts) for one in others}
        unique = contracts[base.key].key
        columns = (*_columns_of(base, contracts[base.key]), *_counts(joined))
    return NewAsset(
        key=key,
        description=f"{description.removesuffix('.')}." if description else _described(base, joined),
        upstream=tuple(_mapping(one) for one in ([] if base is None else [base, *others])),
        scheme=None if base is None else base.partitions,
        joined=joined,
        columns=columns,
        unique=unique,
    )


def _mapping(upstream: Asset) -> PartitionMapping:
    """The mapping of an upstream asset with the same partitions as the new asset, or with none."""
    return Identity(upstream.key) if upstream.partitions is not None else AllPartitions(upstream.key)


def _check_key(catalog: Catalog, key: str) -> None:
    layer, dot, name = key.partition(".")
    if not dot or layer not in LAYERS:
        near = f" For instance {LAYERS[-1]}.{key}." if _NAME.fullmatch(key) else ""
        raise UsageError(f"{key}: must be LAYER.NAME", f"Layers are {', '.join(LAYERS)}.{near}")
    if key in catalog:
        raise UsageError(f"{key} is there already", f"Take another name, or change it: `aqi lineage {key}` shows it.")
    if namesake := next((one for one in catalog.keys if one.partition(".")[2] == name), None):
        raise UsageError(
            f"{key}: {namesake} has the same name",
            "A function takes upstream assets by their names, and contracts are found by them: take another.",
        )
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{key}: a name must be lower-case letters, digits and single _ between them (got {name!r})",
            f"For instance {layer}.{_proposed(name)}.",
        )
    if len(name) > MOST_CHARACTERS:
        raise UsageError(
            f"{key}: a name must be at most {MOST_CHARACTERS} characters (got {len(name)})", "Take a shorter one."
        )
    if keyword.iskeyword(name) or keyword.issoftkeyword(name) or hasattr(builtins, name):
        raise UsageError(f"{key}: {name!r} is a word of Python's", f"For instance {layer}.{name}_table.")


def _check_description(key: str, text: str) -> None:
    if len(text) > MOST_DESCRIBED or not text.isprintable() or {*text} & {*'"\\'} or text != text.strip():
        raise UsageError(
            f"{key}: a description must be one line of at most {MOST_DESCRIBED} characters, without quotes and \\",
            "Say what a row of it is; more goes into the docstring of its function.",
        )


def _proposed(name: str) -> str:
    """The nearest valid name."""
    words = re.findall(r"[a-z0-9]+", re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower())
    found = "_".join(words)[:MOST_CHARACTERS]
    return found if _NAME.fullmatch(found) else "my_table"


def _upstream(catalog: Catalog, key: str) -> Asset:
    if key in catalog:
        return catalog[key]
    near = get_close_matches(key, catalog.keys, n=1) or [
        one for one in catalog.keys if one.partition(".")[2] == key.rpartition(".")[2]
    ]
    remedy = f"Did you mean {near[0]}?" if near else f"Known are {', '.join(catalog.keys)}."
    raise UsageError(f"upstream {key!r} is unknown", remedy)


def _check_distinct(key: str, above: Sequence[Asset]) -> None:
    for number, one in enumerate(above):
        for other in above[:number]:
            if one.key == other.key:
                raise UsageError(f"{key}: upstream {one.key} is named twice", "Name it once.")
            if one.name == other.name:
                raise UsageError(
                    f"{key}: upstream {other.key} and {one.key} have the same name, and a function takes them by it",
                    "Make an asset of another name of one of them, and take that.",
                )


def _check_cut(key: str, above: Sequence[Asset], dated: Sequence[Asset], cut: Cut | None) -> None:
    if cut == "unpartitioned" and dated:
        raise UsageError(
            f"{key}: an unpartitioned table of {dated[0].key}, which is partitioned, cannot be declared",
            "It would be made anew from all days at every run. Leave out --partitions: it is then cut as its upstream "
            "is, and whoever reads it adds up.",
        )
    if cut == "daily" and not above:
        raise UsageError(
            f"{key}: a daily table is made from others, or fetched from a source",
            "Name one with --upstream; what is fetched is written by hand: CONTRIBUTING.md, Add a source.",
        )
    if cut == "daily" and not dated:
        raise UsageError(
            f"{key}: none of {', '.join(one.key for one in above)} has days, so nothing says which rows a day has",
            "Name an upstream asset that is partitioned by day, or leave out --partitions.",
        )
    kinds = {type(one.partitions): one for one in dated}
    if len(kinds) > 1:
        first, second, *_ = kinds.values()
        raise UsageError(
            f"{key}: {first.key} and {second.key} have partitions of other periods, which no mapping joins",
            "Name one of them.",
        )


def _joined(base: Asset, other: Asset, contracts: Mapping[str, Contract]) -> tuple[tuple[str, str], ...]:
    """The pairs of columns by which rows of ``other`` belong to a row of ``base``; empty where no columns say so."""
    if base.partitions is not None and other.partitions is not None:
        return tuple(zip(base.partitions.columns, other.partitions.columns, strict=True))
    types = {column.name: column.type for column in contracts[base.key].columns}
    theirs = {column.name: column.type for column in contracts[other.key].columns}
    key = contracts[other.key].key
    return tuple((name, name) for name in key) if all(types.get(name) == theirs[name] for name in key) else ()


def _columns_of(base: Asset, contract: Contract) -> list[Column]:
    """The columns of the key, and those that say to which partition a row belongs."""
    there = {column.name: column for column in contract.columns}
    names = dict.fromkeys((*contract.key, *(base.partitions.columns if base.partitions is not None else ())))
    return [replace(there[name], nullable=False, made_of=(name,)) for name in names]


def _counts(joined: Mapping[str, tuple[tuple[str, str], ...]]) -> list[Column]:
    """For each upstream asset without common columns, a column with its number of rows."""
    return [
        Column(f"{key.partition('.')[2]}_rows", "long", False, "", f"Rows of {key}", ())
        for key, on in joined.items()
        if not on
    ]


def _described(base: Asset | None, joined: Mapping[str, tuple[tuple[str, str], ...]]) -> str:
    if base is None:
        return "What a row of it says."
    others = [key for key, on in joined.items() if on]
    return f"A row for each of {base.key}" + (f" that {' and '.join(others)} has too." if others else ".")
