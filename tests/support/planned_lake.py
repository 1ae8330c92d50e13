"""A lake of seven declared tables, what storage may hold of them, and plans for it.

``LAKE`` is the shape of the real one: feed → clean → hours → days, runs; locations stands beside them. Tables are
*settled* unless a test says otherwise: every record holds what the upstream tables have, so every partition that is
there is fresh. ``changed`` then makes a table differ from what its readers recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import settings

from orchestration.core.declarations.asset import Asset
from orchestration.core.declarations.catalog import Catalog
from orchestration.core.partitions.keys import Days, PartitionKey, PartitionSet
from orchestration.core.partitions.mappings import (
    AllPartitions,
    FlaggedHours,
    Identity,
    PartitionMapping,
    RunWindow,
    nothing_flagged,
)
from orchestration.core.partitions.scheme import DailyByLocation
from orchestration.core.planning.plan import Plan, Step
from orchestration.core.planning.planner import make_plan
from orchestration.core.planning.request import Chunk, Repair
from orchestration.core.state.freshness import Current
from orchestration.core.state.provenance import PartitionRecord
from orchestration.core.state.table_state import TableState
from tests.support.asking import kind_of

quick = settings(max_examples=60, deadline=None)
FEED, CLEAN, LOCATIONS = "bronze.feed", "silver.clean", "gold.locations"
HOURS, DAILY, RUNS, SUMMARY = "gold.hours", "gold.days", "gold.runs", "gold.summary"
WINDOW = RunWindow(HOURS, column="aqi", at_least="episode_rule.threshold")
NOTHING, NULL = PartitionSet.empty(), PartitionSet.null()
TODAY = date(2025, 8, 20)
NOW = datetime(2025, 8, 20, 10, 30, tzinfo=UTC)
Tables = Mapping[str, TableState]


def table(key: str, *upstream: PartitionMapping, source: str | None = None, dated: bool = True) -> Asset:
    partitions = DailyByLocation() if dated else None
    return Asset(key, "Text.", lambda: None, upstream, source, partitions, "C", (), frozenset(), ())


LAKE = Catalog(
    [
        table(RUNS, WINDOW),
        table(DAILY, Identity(HOURS)),
        table(HOURS, Identity(CLEAN), AllPartitions(LOCATIONS)),
        table(CLEAN, Identity(FEED)),
        table(FEED, source="feed"),
        table(LOCATIONS, dated=False),
    ]
)
WITH_SUMMARY = Catalog([*LAKE, table(SUMMARY, Identity(RUNS))])
ALL = frozenset(LAKE.keys)
CURRENT = Current(lambda _asset, _location: "code", dict.fromkeys(WITH_SUMMARY.keys, "contract"), NOW)


def at(location: str, *numbers: int) -> PartitionSet:
    """Days of August 2025 (0 is the last of July) at ``location``."""
    days = (date(2025, 7, 31) + timedelta(days=number) for number in numbers)
    return PartitionSet.from_keys(PartitionKey(day, location) for day in days)


def august(*numbers: int) -> PartitionSet:
    return at("hue", *numbers)


def there(partitions: PartitionSet, version: int = 7, unrecorded: PartitionSet = NOTHING) -> TableState:
    """A table with records of ``partitions``; what they were made from is filled in by ``settled``."""
    record = PartitionRecord(1, "f", {}, "code", "contract")
    return TableState(version, dict.fromkeys(partitions, record), unrecorded)


def everything(partitions: PartitionSet, keys: Iterable[str] = ALL) -> dict[str, TableState]:
    return {key: there(NULL if key == LOCATIONS else partitions) for key in keys}


def flagged_on(masks: Mapping[int, int]) -> FlaggedHours:
    days = {date(2025, 7, 31) + timedelta(days=number): mask for number, mask in masks.items()}
    return lambda location, day: days.get(day, 0) if location == "hue" else 0


def settled(tables: Tables, flagged: Mapping[int, int] | None = None, catalog: Catalog = LAKE) -> dict[str, TableState]:
    """``tables`` with records that hold the fingerprints of the upstream partitions that each depends on."""
    flags = flagged_on(flagged or {})

    def made_from(asset: Asset, key: PartitionKey) -> dict[str, dict[str, str]]:
        return {
            mapping.of: {
                str(one): tables.get(mapping.of, TableState()).fingerprint(one)
                for one in mapping.consulted_by(key, flags if mapping.window else nothing_flagged)
            }
            for mapping in asset.upstream
        }

    return {
        name: replace(
            state,
            records={
                key: replace(record, inputs=made_from(catalog[name], key)) for key, record in state.records.items()
            },
        )
        for name, state in tables.items()
    }


def changed(tables: Tables, asset: str, partitions: PartitionSet = NULL, **facts: str) -> dict[str, TableState]:
    """``tables`` with other ``facts`` of some partitions of ``asset``; another fingerprint, unless others are named."""
    facts = facts or {"fingerprint": "g"}
    state = tables[asset]
    assert partitions <= state.present
    records = {key: replace(state.records[key], **facts) for key in partitions}
    return {**tables, asset: replace(state, records={**state.records, **records})}


def plan(
    assets: Iterable[str],
    asked: PartitionSet,
    tables: Tables | None = None,
    flagged: Mapping[int, int] | None = None,
    catalog: Catalog = LAKE,
    *,
    force: bool = False,
    repair: bool = False,
    chunks: Sequence[Chunk] = (),
    batch: int | None = None,
) -> Plan:
    flags = flagged_on(flagged or {})
    kind = Repair if repair else kind_of(force=force)
    request = kind(frozenset(assets), asked, chunks=tuple(chunks))
    request = request if batch is None else replace(request, batch=batch)
    return make_plan(catalog, request, tables or {}, CURRENT, lambda _window, _state: flags)


def step(made: Plan, asset: str) -> Step:
    found = made.steps_of(asset)
    assert len(found) == 1, f"{len(found)} steps for {asset}"
    return found[0]


def read(of: Step) -> PartitionSet:
    """All that a step may read."""
    return PartitionSet.union_of(item.partitions for item in of.inputs)


def lacks(asset: str, upstream: str) -> str:
    return (
        f"{asset} needs {upstream}, which is missing there and not selected: "
        f"select it too, for instance with '+{asset}'."
    )


def lost(asset: str, upstream: str) -> str:
    return f"{asset} needs {upstream}, which is missing there and left out of this plan itself."


def changed_by_others(asset: str, upstream: str) -> str:
    return (
        f"{asset} needs {upstream}, which somebody else changed there: "
        f"`aqi repair {upstream}` compares and mends it, or select it too, for instance with '+{asset}'."
    )


BEFORE = august(*range(1, 15))


def with_news(*days: int, flagged: Mapping[int, int] | None = None, **tables: TableState) -> dict[str, TableState]:
    """All days of BEFORE everywhere, or ``tables`` by the end of their keys; then CLEAN changed on ``days``."""
    others = {next(key for key in ALL if key.endswith(f".{name}")): state for name, state in tables.items()}
    return changed(settled(everything(BEFORE) | others, flagged), CLEAN, august(*days))


def locations_anew(**tables: TableState) -> dict[str, TableState]:
    """All days of BEFORE everywhere, all fresh, apart from LOCATIONS."""
    return changed(with_news(**tables), LOCATIONS, code="another")


def chunks_of(*days: Iterable[int], locations: Sequence[str] = ("hue",)) -> list[Chunk]:
    """Chunks named c1, c2, … of days of August."""
    return [
        Chunk(f"c{number}", PartitionSet.union_of(at(location, *numbers) for location in locations))
        for number, numbers in enumerate(days, 1)
    ]


def days_as_chunks(asked: PartitionSet) -> list[Chunk]:
    """A chunk per day of ``asked``."""
    return [Chunk(str(day), asked.restrict(days=Days.of(day))) for day in asked.days]


def in_chunks(
    assets: Iterable[str],
    chunks: Sequence[Chunk],
    tables: Tables | None = None,
    flagged: Mapping[int, int] | None = None,
    catalog: Catalog = LAKE,
    *,
    batch: int | None = None,
    force: bool = False,
) -> Plan:
    """The plan of a backfill. batch: as many partitions at the most go through one step."""
    asked = PartitionSet.union_of(chunk.partitions for chunk in chunks)
    return plan(assets, asked, tables, flagged, catalog, chunks=chunks, force=force, batch=batch)
