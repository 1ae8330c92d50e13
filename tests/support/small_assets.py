"""Five small assets with their tables and steps, on plain values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.checks import Check
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.partitions.mappings import (
    AllPartitions,
    FlaggedHours,
    Identity,
    PartitionMapping,
    RunWindow,
    nothing_flagged,
)
from orchestration.core.partitions.scheme import DailyByLocation
from orchestration.core.planning.plan import Manner, Step
from orchestration.core.state.freshness import Current
from orchestration.core.state.provenance import PartitionRecord
from orchestration.core.state.table_state import TableState

FEED, CLEAN, LOCATIONS, HOURS, RUNS = "bronze.feed", "silver.clean", "gold.locations", "gold.hours", "gold.runs"
NOTHING, NULL = PartitionSet.empty(), PartitionSet.null()
NOW = datetime(2025, 8, 20, 10, 30, tzinfo=UTC)
CHECKS = (
    Check("broken", True, lambda _: None),
    Check("odd", False, lambda _: None),
    Check("hours_missing", False, lambda _: None, ended_days_only=True),
    Check("day_broken", True, lambda _: None, ended_days_only=True),
)


def asset(
    key: str,
    *upstream: PartitionMapping,
    source: str | None = None,
    dated: bool = True,
    checks: tuple[Check, ...] = (),
) -> Asset:
    partitions = DailyByLocation() if dated else None
    return Asset(key, "Text.", lambda: None, upstream, source, partitions, "C", (), frozenset(), checks)


feed = asset(FEED, source="api")
clean = asset(CLEAN, Identity(FEED), checks=CHECKS)
locations = asset(LOCATIONS, dated=False, checks=CHECKS)
hours = asset(HOURS, Identity(CLEAN), AllPartitions(LOCATIONS))
runs = asset(RUNS, RunWindow(HOURS, "aqi", "episode_rule.threshold"))


def code(of: Asset, location: str | None) -> str:
    return f"code of {of.key} at {location}"


CURRENT = Current(code, {key: f"contract of {key}" for key in (FEED, CLEAN, LOCATIONS, HOURS, RUNS)}, NOW)


def key(number: int, location: str = "hue") -> PartitionKey:
    """A day of August 2025."""
    return PartitionKey(date(2025, 7, 31) + timedelta(days=number), location)


def august(*numbers: int, location: str = "hue") -> PartitionSet:
    return PartitionSet.from_keys(key(number, location) for number in numbers)


def flags(masks: Mapping[int, int]) -> FlaggedHours:
    by_key = {key(number): mask for number, mask in masks.items()}
    return lambda location, day: by_key.get(PartitionKey(day, location), 0)


def state(partitions: PartitionSet, fingerprint: str = "f", unrecorded: PartitionSet = NOTHING) -> TableState:
    """A table with records of ``partitions``."""
    record = PartitionRecord(24, fingerprint, {}, "", "")
    return TableState(7, dict.fromkeys(partitions, record), unrecorded)


def step_of(
    of: Asset, partitions: PartitionSet, may_rewrite: PartitionSet = NOTHING, name: str = "", force: bool = False
) -> Step:
    manner = Manner.FORCED if force else Manner.USUAL
    return Step(name or of.key, of.key, partitions, may_rewrite, (), 7, "reason", manner=manner)


def no_flags(_mapping: PartitionMapping) -> FlaggedHours:
    return nothing_flagged
