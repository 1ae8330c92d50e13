"""The flagged hours of a table, read from the table in blocks of days, and only for days that are needed."""

from __future__ import annotations

from datetime import date

from orchestration.core.calendar import DAY
from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.parameters import Parameters, value_at
from orchestration.core.partitions.keys import Days, PartitionKey
from orchestration.core.partitions.mappings import ALL_DAY, FlaggedHours, RunWindow, nothing_flagged
from orchestration.core.state.table_state import TableState
from resources.delta.warehouse import Warehouse

BLOCK_DAYS = 16


class TableFlags:
    """The flagged hours of a table: those whose ``window.column`` is at least ``at_least``.

    It reads only as many days as are asked for, however long the history is. state: of the table. In a damaged
    partition every hour counts as flagged.
    """

    def __init__(
        self, warehouse: Warehouse, asset: Asset, state: TableState, window: RunWindow, at_least: float
    ) -> None:
        assert state.version is not None, "it is there"
        assert asset.partitions is not None
        self._warehouse = warehouse
        self._key = asset.key
        self._scheme = asset.partitions
        self._version = state.version
        self._damaged = state.damaged
        self._lost = () if state.damage is None else tuple(one.path for one in state.damage.lost)
        self._window = window
        self._at_least = at_least
        self._masks: dict[tuple[str, date], int] = {}
        self._read_days = Days.empty()

    def __call__(self, location: str, day: date) -> int:
        if day not in self._read_days:
            first = date.fromordinal(day.toordinal() // BLOCK_DAYS * BLOCK_DAYS)
            self.read(Days.of(first, first + (BLOCK_DAYS - 1) * DAY))
        if self._damaged and PartitionKey(day, location) in self._damaged:
            return ALL_DAY
        return self._masks.get((location, day), 0)

    def read(self, days: Days) -> None:
        """Read what is not read yet of ``days``, for all locations at once."""
        scheme, window = self._scheme, self._window
        for first, last in (days - self._read_days).pieces:
            rows = self._warehouse.read_arrow(
                self._key,
                self._version,
                columns=[scheme.columns.location, window.instant, window.column],
                filters=[
                    (scheme.columns.day, ">=", first),
                    (scheme.columns.day, "<=", last),
                    (window.column, ">=", self._at_least),
                ],
                without=self._lost,
            )
            locations, instants = (rows.column(name).to_pylist() for name in (scheme.columns.location, window.instant))
            for location, instant in zip(locations, instants, strict=True):
                at = (location, scheme.day_of(location, instant))
                self._masks[at] = self._masks.get(at, 0) | 1 << scheme.hour_of(location, instant)
        self._read_days |= days


def flags_of_tables(
    warehouse: Warehouse, assets: dict[str, Asset], parameters: Parameters, window: RunWindow, state: TableState
) -> FlaggedHours:
    """The flagged hours of the upstream table of ``window``, with the state ``state``."""
    if state.version is None or not state.present:
        return nothing_flagged
    if state.damage is not None and state.damage.trouble is not None and not state.damage.trouble.readable:
        return nothing_flagged  # and nothing is made from it
    at_least = value_at(parameters, window.at_least)
    assert isinstance(at_least, int | float)
    return TableFlags(warehouse, assets[window.of], state, window, at_least)
