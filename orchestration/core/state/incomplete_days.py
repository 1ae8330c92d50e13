"""Incomplete partitions of a fetched asset: which they are, and how they are shown to people.

Pure: table states and today's settings come in as values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from orchestration.core.declarations.asset import Asset
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.state.completeness import Completeness
from orchestration.core.state.freshness import Current
from orchestration.core.state.table_state import TableState


@dataclass(frozen=True, slots=True)
class Incomplete:
    """A partition that lacks values."""

    asset: str
    key: PartitionKey
    completeness: Completeness
    ended: bool
    """Whether its period is over."""
    given_up: bool
    """Whether the source is not asked for it again."""

    @property
    def partition(self) -> str:
        return str(self.key)

    @property
    def location(self) -> str:
        return str(self.key.location)

    @property
    def in_words(self) -> str:
        """``0 of 24 hours``."""
        return self.completeness.in_words


def incomplete(
    asset: Asset, own: TableState, current: Current, keys: Iterable[PartitionKey] | None = None
) -> Iterator[Incomplete]:
    """Those of ``keys`` (None: all partitions) that lack values, at configured locations.

    own: the state of the asset's table. Left out are partitions that somebody else changed, and days that the source
    does not offer.
    """
    completeness = current.completeness_of(asset, own)
    if completeness is None or asset.partitions is None:
        return
    for key in completeness.may_lack(own.records) if keys is None else keys:
        record = own.trusted(key)
        hours = None if record is None else completeness(key, record)
        if hours is None or hours.whole or not current.is_configured(key.location):
            continue
        yield Incomplete(asset.key, key, hours, asset.partitions.is_over(key, current.now), current.is_given_up(key))


def incomplete_notes(asset: Asset, keys: Iterable[PartitionKey], state: TableState, current: Current) -> list[str]:
    """A line for each group of ``keys`` that lack the same values: ``2025-09-10/north is incomplete: 0 of 24 hours``.

    state: of the asset's table after the run.
    """
    groups: dict[tuple[str, bool], list[PartitionKey]] = {}
    for one in incomplete(asset, state, current, keys):
        groups.setdefault((one.in_words, one.given_up), []).append(one.key)
    return [
        f"{_named(of)} incomplete: {words}{' (given up: it is not asked for again)' if given_up else ''}"
        for (words, given_up), of in groups.items()
    ]


def incomplete_hours(asset: Asset, keys: Iterable[PartitionKey], state: TableState, current: Current) -> dict[str, str]:
    """Those of ``keys`` that lack values, as in a run's summary: ``{"2025-09-10/north": "0 of 24 hours"}``."""
    return {one.partition: one.in_words for one in incomplete(asset, state, current, keys)}


def _named(keys: Sequence[PartitionKey]) -> str:
    return f"{keys[0]} is" if len(keys) == 1 else f"{PartitionSet.from_keys(keys)} are"
