"""Kinds of source: keeps made-up rows of a simulator out of tables with real rows, and the other way round.

The commits of a fetched table say from which kind of source its rows are. The answers themselves say it, not an
address: recorded real answers are real wherever they are served. A table without such a record takes any kind. So does
a table whose partitions were all removed, once those that were made from them are removed too: days of tables
downstream stay of the kind of their source. With ``warehouse.mixed_sources`` a table may have several kinds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.catalog import Catalog
from orchestration.core.errors import SourceOfOtherKind, UsageError
from orchestration.core.partitions.hulls import hulls_of
from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.source import Kinded, kind_in_words
from orchestration.core.state.table_state import TableState

REMEDY = (
    "Name another warehouse in AQI_WAREHOUSE__URI, or the source that this one is of; "
    "AQI_WAREHOUSE__MIXED_SOURCES=true lets both lie in one table."
)
ANYTHING: frozenset[str] = frozenset()


class SourceKinds:
    """The kinds of source of a warehouse's tables, and those that a run meets. Safe to call from several threads.

    state_of: gives the state of a table, by asset key. downstream_of: the assets that are made from one, over any
    number of steps. uri: of the warehouse, for people. mixed: whether kinds may be mixed.
    """

    def __init__(
        self,
        state_of: Callable[[str], TableState],
        uri: str,
        *,
        mixed: bool,
        downstream_of: Callable[[str], Iterable[str]] = lambda _asset: (),
    ) -> None:
        self._state_of, self._downstream_of, self._uri, self._mixed = state_of, downstream_of, uri, mixed
        self._lock = threading.Lock()
        self._there: dict[str, frozenset[str]] = {}
        self._met: dict[str, frozenset[str]] = {}

    def begin(self, states: Mapping[str, TableState]) -> None:
        """A run begins, with tables in these states. What earlier runs met does not matter any more."""
        with self._lock:
            self._there, self._met = {key: self._of(key, state) for key, state in states.items()}, {}

    def of(self, asset: str) -> frozenset[str]:
        """The kinds of the rows of a table, or of what was made from them; empty for a table that takes any kind."""
        if asset not in self._there:
            self._there[asset] = self._of(asset, self._state_of(asset))
        return self._there[asset]

    def _of(self, asset: str, state: TableState) -> frozenset[str]:
        return kinds_of(state) or (state.kinds if state.kinds and self._left(asset) else ANYTHING)

    def _left(self, asset: str) -> dict[str, PartitionSet]:
        """If a table is empty: the partitions of downstream tables that were made from it, by asset; else empty."""
        if self._state_of(asset).present:
            return {}
        states = {key: self._state_of(key).present.without_null() for key in self._downstream_of(asset)}
        return {key: present for key, present in states.items() if present}

    def meet(self, asset: str, kinds: Iterable[str]) -> None:
        """Answers of these kinds arrived for a table. Raises SourceOfOtherKind if the table does not take them."""
        with self._lock:
            met = self._met.get(asset, ANYTHING) | frozenset(kinds)
            others = met - (self.of(asset) or frozenset(sorted(met)[:1]))
            if others and not self._mixed:
                there = self.of(asset) or met - others
                raise SourceOfOtherKind(self._message(asset, there, others), self._remedy(asset))
            self._met[asset] = met

    def to_say(self, asset: Asset, state: TableState) -> tuple[str, ...]:
        """The kinds that a commit to a table has to record. Raises SourceOfOtherKind if another run has recorded
        another kind meanwhile."""
        met, there = self._met.get(asset.key, ANYTHING), kinds_of(state)
        if there and met - there and not self._mixed:
            raise SourceOfOtherKind(self._message(asset.key, there, met - there), REMEDY)
        return () if met <= there else tuple(sorted(met | there))

    def check_all(self, catalog: Catalog, keys: Iterable[str], sources: Mapping[str, object]) -> None:
        """Raises UsageError if the source of one of these assets says that its kind is not that of the table. A source
        that does not say its kind is checked by its answers. Nothing is fetched."""
        for asset in (catalog[key] for key in sorted(keys)):
            source = None if asset.source is None else sources[asset.source]
            if self._mixed or not isinstance(source, Kinded) or not (there := self.of(asset.key)):
                continue
            kind = source.kind
            if kind and kind not in there:
                message = f"{self._message(asset.key, there, {kind})} ({source.address})"
                raise UsageError(message, self._remedy(asset.key))

    def _message(self, asset: str, there: Iterable[str], others: Iterable[str]) -> str:
        if left := self._left(asset):
            made = f"{', '.join(sorted(left))} in {self._uri} were made of {kinds_in_words(there)}"
            return f"{made}, which are not in {asset} any more, and its source sends {kinds_in_words(others)}"
        return f"{asset} in {self._uri} has {kinds_in_words(there)}, and its source sends {kinds_in_words(others)}"

    def _remedy(self, asset: str) -> str:
        """What makes room for the other kind; first of all the removal of what is left of tables downstream."""
        days = hulls_of(self._left(asset))
        if not days:
            return REMEDY
        reach = f"{min(hull.first for hull in days)}..{max(hull.last for hull in days)}"
        return f"Remove these too: `aqi wipe '{asset}+' --partitions {reach}`. Or name {REMEDY.removeprefix('Name ')}"


def kinds_of(state: TableState) -> frozenset[str]:
    """The kinds of the rows of a table with this state; empty where it has no rows, or no record of their kind."""
    return state.kinds if state.kinds and state.present else ANYTHING


def kinds_in_words(kinds: Iterable[str]) -> str:
    """``made-up values of a simulator and real answers``."""
    return " and ".join(kind_in_words(kind) for kind in sorted(kinds))
