"""Five declared assets, records and tables of them, and what a partition of theirs is judged to be."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime

from orchestration.core.declarations.asset import Asset
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.partitions.mappings import AllPartitions, Identity, PartitionMapping, RunWindow
from orchestration.core.partitions.scheme import DailyByLocation
from orchestration.core.state.freshness import (
    Current,
    Judgement,
    State,
    judge,
)
from orchestration.core.state.provenance import PartitionRecord
from orchestration.core.state.table_state import TableState

FEED, CLEAN, LOCATIONS, HOURS, RUNS = "bronze.feed", "silver.clean", "gold.locations", "gold.hours", "gold.runs"
DAY = PartitionKey(date(2025, 8, 8), "hue")
BEFORE, AFTER = PartitionKey(date(2025, 8, 7), "hue"), PartitionKey(date(2025, 8, 9), "hue")
NOW = datetime(2025, 8, 20, 10, 30, tzinfo=UTC)
NOTHING, NULL = PartitionSet.empty(), PartitionSet.null()


def asset(key: str, *upstream: PartitionMapping, source: str | None = None, dated: bool = True) -> Asset:
    partitions = DailyByLocation() if dated else None
    return Asset(key, "Text.", lambda: None, upstream, source, partitions, "C", (), frozenset(), ())


feed = asset(FEED, source="api")
clean = asset(CLEAN, Identity(FEED))
locations = asset(LOCATIONS, dated=False)
hours = asset(HOURS, Identity(CLEAN), AllPartitions(LOCATIONS))
runs = asset(RUNS, RunWindow(HOURS, "aqi", "episode_rule.threshold"))
LAKE = {one.key: one for one in (feed, clean, locations, hours, runs)}


def code(of: Asset, location: str | None) -> str:
    """A code version that differs from asset to asset and from location to location."""
    return f"code of {of.key} at {location}"


CURRENT = Current(code, {key: f"contract of {key}" for key in LAKE}, NOW)
Inputs = Mapping[str, Mapping[str, str]]


def record(
    of: Asset,
    inputs: Inputs | None = None,
    key: PartitionKey = DAY,
    rows: int = 24,
    fingerprint: str = "",
    as_of: str = "",
) -> PartitionRecord:
    """A record of ``key`` that was made by today's code under today's contract."""
    return PartitionRecord(
        rows,
        fingerprint or f"rows of {of.key}",
        inputs or {},
        code(of, key.location),
        CURRENT.contracts[of.key],
        as_of=as_of,
    )


def state(*keys: PartitionKey, unrecorded: PartitionSet = NOTHING, **fingerprints: str) -> TableState:
    """A table of somebody's: ``keys`` with the fingerprint ``f``, further days of August by number (``d7="g"``)."""
    held = dict.fromkeys(keys, "f")
    held |= {PartitionKey(date(2025, 8, int(day[1:])), "hue"): text for day, text in fingerprints.items()}
    return TableState(3, {key: PartitionRecord(24, text, {}, "", "") for key, text in held.items()}, unrecorded)


def judged(
    of: Asset, own: PartitionRecord | None, tables: Mapping[str, TableState] | None = None, key: PartitionKey = DAY
) -> Judgement:
    """What ``key`` is where its table holds just the record ``own``."""
    table = TableState(5, {} if own is None else {key: own})
    return judge(of, key, {of.key: table, **(tables or {})}, CURRENT)


def stale(reason: str, in_short: str = "") -> Judgement:
    return Judgement(State.STALE, reason, in_short or reason)


FRESH = Judgement(State.FRESH, "", "fresh")
FROM_FEED = {FEED: {str(DAY): "f"}}
