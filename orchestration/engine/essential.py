"""The essential columns of fetched assets, as settings have them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from orchestration.core.declarations.asset import Asset
from orchestration.core.errors import ConfigurationError
from orchestration.core.source import Source


def essential_columns(
    configured: Mapping[str, Sequence[str]], assets: Iterable[Asset], sources: Mapping[str, Source[Any]]
) -> dict[str, tuple[str, ...]]:
    """Asset key → the essential columns that the settings name instead of the declared ones.

    Raises ConfigurationError for an asset that does not keep hours, for a column that its source does not send, and for
    an empty list.
    """
    hourly = {asset.key: asset for asset in assets if asset.hours is not None and asset.source is not None}
    found = {}
    for key, columns in configured.items():
        if key not in hourly:
            raise ConfigurationError(
                f"essential: {key!r} is no fetched asset whose rows are hours", _nearest(key, hourly.keys())
            )
        if not columns:
            raise ConfigurationError(
                f"essential.{key}: must name at least one column (got none)",
                f"Leave it out, and these are: {', '.join(_declared(hourly[key]))}.",
            )
        known = _values(hourly[key], sources[str(hourly[key].source)])
        for name in columns:
            if name not in known:
                raise ConfigurationError(
                    f"essential.{key}: {hourly[key].source} brings no column {name!r}", _nearest(name, known)
                )
        found[key] = tuple(dict.fromkeys(columns))
    return found


def _declared(asset: Asset) -> tuple[str, ...]:
    return () if asset.hours is None else asset.hours.essential


def _values(asset: Asset, source: Source[Any]) -> list[str]:
    """The columns of a source that can have no value: all but those that identify the row."""
    key = {*(asset.partition_columns or ()), *(() if asset.hours is None else (asset.hours.instant,))}
    return [name for name, _ in source.columns if name not in key]


def _nearest(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known are {', '.join(sorted(known)) or 'none'}."
