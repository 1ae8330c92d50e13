"""Kinds of source: keeps made-up rows of a simulator out of tables with real rows, and the other way round.

The commits of a fetched table say from which kind of source its rows are. The answers themselves say it, not an
address: recorded real answers are real wherever they are served. A table without such a record, or without partitions,
takes any kind. With the setting ``warehouse.mixed_sources`` a table may have several kinds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.catalog import Catalog
from orchestration.core.errors import SourceOfOtherKind, UsageError
from orchestration.core.source import Kinded, kind_in_words
from orchestration.core.state.table_state import TableState

REMEDY = (
    "Name another warehouse in AQI_WAREHOUSE__URI, or the source that this one is of; "
    "AQI_WAREHOUSE__MIXED_SOURCES=true lets both lie in one table."
)
ANYTHING: frozenset[str] = frozenset()


class SourceKinds:
    """The kinds of source of a warehouse's tables, and those that a run meets. Safe to call from several threads.

    state_of: gives the state of a table, by asset key. uri: of the warehouse, for people. mixed: whether kinds may be
    mixed.
    """

    def __init__(self, state_of: Callable[[str], TableState], uri: str, *, mixed: bool) -> None:
        self._state_of, self._uri, self._mixed = state_of, uri, mixed
        self._lock = threading.Lock()
        self._there: dict[str, frozenset[str]] = {}
        self._met: dict[str, frozenset[str]] = {}

    def begin(self, states: Mapping[str, TableState]) -> None:
        """A run begins, with tables in these states. What earlier runs met does not matter any more."""
        with self._lock:
            self._there, self._met = {key: kinds_of(state) for key, state in states.items()}, {}

    def of(self, asset: str) -> frozenset[str]:
        """The kinds of the rows of a table; empty for a table that takes any kind."""
        if asset not in self._there:
            self._there[asset] = kinds_of(self._state_of(asset))
        return self._there[asset]

    def meet(self, asset: str, kinds: Iterable[str]) -> None:
        """Answers of these kinds arrived for a table. Raises SourceOfOtherKind if the table does not take them."""
        with self._lock:
            met = self._met.get(asset, ANYTHING) | frozenset(kinds)
            others = met - (self.of(asset) or frozenset(sorted(met)[:1]))
            if others and not self._mixed:
                there = self.of(asset) or met - others
                raise SourceOfOtherKind(self._told(asset, there, others), REMEDY)
            self._met[asset] = met

    def to_say(self, asset: Asset, state: TableState) -> tuple[str, ...]:
        """The kinds that a commit to a table has to record. Raises SourceOfOtherKind if another run has recorded
        another kind meanwhile."""
        met, there = self._met.get(asset.key, ANYTHING), kinds_of(state)
        if there and met - there and not self._mixed:
            raise SourceOfOtherKind(self._told(asset.key, there, met - there), REMEDY)
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
                raise UsageError(f"{self._told(asset.key, there, {kind})} ({source.address})", REMEDY)

    def _told(self, asset: str, there: Iterable[str], others: Iterable[str]) -> str:
        return f"{asset} in {self._uri} has {kinds_in_words(there)}, and its source sends {kinds_in_words(others)}"


def kinds_of(state: TableState) -> frozenset[str]:
    """The kinds of the rows of a table with this state; empty for a table that takes any kind."""
    return state.kinds if state.kinds and state.present else ANYTHING


def kinds_in_words(kinds: Iterable[str]) -> str:
    """``made-up values of a simulator and real answers``."""
    return " and ".join(kind_in_words(kind) for kind in sorted(kinds))
