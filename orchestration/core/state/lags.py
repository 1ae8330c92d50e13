"""Lags: up to which instant a table covers what happened at a location, and how far that instant lies behind now.

A fetched partition covers its period up to the moment when the source was asked. If it lacks values, it covers as many
hours from its beginning as have all values. A partition that is made from others covers what those covered with the
content that it was made from. So the lag of a table does not grow because only its upstream tables were made; and it
does not shrink because the table was made late, from old content. If no record says what the earlier content covered,
the partition covers nothing. No partition covers more than its own period, and none covers the future.

Pure: table states, earlier records and the clock come in as values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from orchestration.core.calendar import HOUR, instant_of
from orchestration.core.declarations.asset import Asset
from orchestration.core.partitions.keys import Days, PartitionKey
from orchestration.core.partitions.scheme import PartitionScheme
from orchestration.core.state.completeness import Completeness
from orchestration.core.state.provenance import ABSENT, PartitionRecord
from orchestration.core.state.table_state import TableState

Earlier = Callable[[str, PartitionKey, str], PartitionRecord | None]
"""(asset, partition, fingerprint) → the newest record with that fingerprint; None where no commit is left that has
one.
"""


def none_left(_asset: str, _key: PartitionKey, _fingerprint: str) -> None:
    """``Earlier`` of tables whose log has no earlier commits."""


CompletenessAt = Callable[[str, PartitionKey, PartitionRecord], Completeness | None]
"""(asset, partition, record) → how complete the partition was by that record; None where that is not known, or where
the asset does not keep hours."""


def nobody_minds(_asset: str, _key: PartitionKey, _record: PartitionRecord) -> None:
    """``CompletenessAt`` of assets that do not keep hours."""


@dataclass(frozen=True, slots=True)
class Lag:
    """How far an asset lies behind now at a location."""

    asset: str
    location: str
    covered_until: datetime | None
    """The instant up to which the asset covers the location (UTC); None where it was never made there."""
    lag_hours: float | None
    """Hours from that instant to now; None where it was never made there."""
    target_hours: float | None
    """The largest lag that the asset declares as fine; None where it declares none."""

    @property
    def missed(self) -> bool:
        """Whether there is a target, and the lag is above it or unknown."""
        return self.target_hours is not None and (self.lag_hours is None or self.lag_hours > self.target_hours)


def lags(
    assets: Iterable[Asset],
    keys: Iterable[str],
    tables: Mapping[str, TableState],
    locations: Sequence[str],
    now: datetime,
    earlier: Earlier = none_left,
    completeness: CompletenessAt = nobody_minds,
) -> list[Lag]:
    """The lag of each dated asset of ``keys`` at each of ``locations``.

    assets: those of ``keys`` and all assets upstream of them. tables: their states. earlier: called only for upstream
    partitions that changed since something was made from them. completeness: called for fetched assets.
    """
    by_key = {asset.key: asset for asset in assets}
    coverage = _Coverage(by_key, tables, now, earlier, completeness)
    found = []
    for key in keys:
        if by_key[key].partitions is None:
            continue
        until = coverage.of(key, locations)
        for location in locations:
            covered = until.get(location)
            hours = None if covered is None else max(now - covered, timedelta()) / HOUR
            found.append(Lag(key, location, covered, hours, by_key[key].fresh_within_hours))
    return found


class _Coverage:
    """Finds out up to which instant partitions and tables cover a location. It remembers what it has found."""

    def __init__(
        self,
        assets: Mapping[str, Asset],
        tables: Mapping[str, TableState],
        now: datetime,
        earlier: Earlier,
        completeness: CompletenessAt,
    ) -> None:
        self._assets = assets
        self._tables = tables
        self._now = now
        self._earlier = earlier
        self._completeness = completeness
        self._known: dict[tuple[str, PartitionKey], datetime | None] = {}

    def of(self, asset: str, locations: Iterable[str]) -> dict[str, datetime]:
        """The instant up to which ``asset`` covers each of ``locations``. Locations at which it was never made are left
        out."""
        there = self._table(asset).present
        latest = {one: self._latest(asset, one, _newest_first(there.days_of(one))) for one in dict.fromkeys(locations)}
        return {location: until for location, until in latest.items() if until is not None}

    def _latest(self, asset: str, location: str, days: Iterable[date]) -> datetime | None:
        """The latest instant that any of ``days`` covers. The days come newest first."""
        best: datetime | None = None
        ends = self._scheme(asset).ends
        for day in days:
            key = PartitionKey(day, location)
            if best is not None and best >= ends(key):
                break  # no older period can cover more
            until = self._partition(asset, key)
            if until is not None and (best is None or until > best):
                best = until
        return best

    def _partition(self, asset: str, key: PartitionKey) -> datetime | None:
        """The instant up to which a partition covers; None where it does not exist, or somebody else changed it."""
        at = (asset, key)
        if at not in self._known:
            state = self._table(asset)
            record = None if key in state.unrecorded else state.records.get(key)
            self._known[at] = None if record is None else self._recorded(asset, key, record)
        return self._known[at]

    def _recorded(self, asset: str, key: PartitionKey, record: PartitionRecord) -> datetime | None:
        limit = min(self._scheme(asset).ends(key), self._now)
        upstream = [one for one in self._assets[asset].upstream_keys if self._assets[one].partitions is not None]
        if not upstream:
            made = record.as_of if self._assets[asset].source is not None else record.at
            limit = min(limit, instant_of(made)) if made else limit
            return self._with_values(asset, key, record, limit)
        found = []
        for one in upstream:
            consulted = record.inputs.get(one, {}).get(str(key), "")
            consulted = consulted.partition(" without ")[0]
            if self._table(one).holds(key, consulted):
                until = self._partition(one, key)
            else:
                until = self._as_consulted(one, key, consulted)
            if until is None:
                return None
            found.append(until)
        return min(limit, *found)

    def _with_values(self, asset: str, key: PartitionKey, record: PartitionRecord, limit: datetime) -> datetime | None:
        """``limit``; but where the partition lacks values, the end of as many hours from its beginning as have all
        values."""
        hours = self._completeness(asset, key, record)
        if hours is None or hours.whole:
            return limit
        return min(limit, self._scheme(asset).begins(key) + hours.hours * HOUR) if hours.hours else None

    def _as_consulted(self, asset: str, key: PartitionKey, fingerprint: str) -> datetime | None:
        """The instant up to which a partition covered when it had the content of ``fingerprint``, which it no longer
        has."""
        if fingerprint == ABSENT:
            return None
        record = self._table(asset).records.get(key)  # it holds no more where somebody else changed the partition
        if record is None or fingerprint not in (record.fingerprint, *record.also.values()):
            record = self._earlier(asset, key, fingerprint)
        return self._scheme(asset).begins(key) if record is None else self._recorded(asset, key, record)

    def _scheme(self, asset: str) -> PartitionScheme:
        scheme = self._assets[asset].partitions
        assert scheme is not None, "only dated assets come here"
        return scheme

    def _table(self, asset: str) -> TableState:
        return self._tables.get(asset, _NO_TABLE)


def _newest_first(days: Days) -> Iterator[date]:
    for first, last in reversed(days.pieces):
        yield from map(date.fromordinal, range(last.toordinal(), first.toordinal() - 1, -1))


_NO_TABLE = TableState()
