"""Which hours of a table are flagged, read from the table itself, a block of days at a time and only where asked."""

from __future__ import annotations

from datetime import date, timedelta

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.parameters import Parameters
from orchestration.core.partitions.keys import Days
from orchestration.core.partitions.mappings import FlaggedHours, RunWindow, nothing_flagged
from orchestration.core.state.provenance import TableState
from resources.delta.warehouse import Warehouse

BLOCK_DAYS = 16
TIMESTAMP_COLUMN = "ts_utc"


class TableFlags:
    """The flagged hours of ``asset``'s table at ``version``: hours whose ``column`` is at least ``at_least``.

    What is read grows with the days that are asked for, not with the history of the table.
    """

    def __init__(self, warehouse: Warehouse, asset: Asset, version: int, column: str, at_least: float) -> None:
        assert asset.partitions is not None
        self._warehouse = warehouse
        self._key = asset.key
        self._columns = asset.partitions
        self._version = version
        self._column = column
        self._at_least = at_least
        self._masks: dict[tuple[str, date], int] = {}
        self._read_days = Days.empty()
        self.rows_read = 0

    def __call__(self, location: str, day: date) -> int:
        if day not in self._read_days:
            first = date.fromordinal(day.toordinal() // BLOCK_DAYS * BLOCK_DAYS)
            self.read(Days.of(first, first + timedelta(days=BLOCK_DAYS - 1)))
        return self._masks.get((location, day), 0)

    def read(self, days: Days) -> None:
        """Read what is not read yet of ``days``, for all places at once."""
        for first, last in (days - self._read_days).pieces:
            rows = self._warehouse.read_arrow(
                self._key,
                self._version,
                columns=[self._columns.location_column, TIMESTAMP_COLUMN, self._column],
                filters=[
                    (self._columns.day_column, ">=", first),
                    (self._columns.day_column, "<=", last),
                    (self._column, ">=", self._at_least),
                ],
            )
            self.rows_read += rows.num_rows
            locations = rows.column(self._columns.location_column).to_pylist()
            instants = rows.column(TIMESTAMP_COLUMN).to_pylist()
            for location, instant in zip(locations, instants, strict=True):
                at = (location, instant.date())
                self._masks[at] = self._masks.get(at, 0) | 1 << instant.hour
        self._read_days |= days


def flags_of_tables(
    warehouse: Warehouse, assets: dict[str, Asset], parameters: Parameters, window: RunWindow, state: TableState
) -> FlaggedHours:
    """The flagged hours behind ``window`` in its upstream table as ``state`` has it."""
    if state.version is None or not state.present:
        return nothing_flagged
    at_least = parameters.value(window.at_least)
    assert isinstance(at_least, int | float)
    return TableFlags(warehouse, assets[window.of], state.version, window.column, at_least)
