"""What is fresh by the shadow alone: without a fingerprint or a mapping, from whole rows and what they were made of."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

from orchestration.core.partitions.keys import NULL_KEY, PartitionKey
from tests.support.machine.deployed import (
    BLOCKS,
    CLEAN,
    DAYS,
    FEED,
    HOURS,
    LAKE,
    LOCATIONS,
    QUARANTINE,
    RUNS,
    SAME_LOCATION,
    Code,
    Made,
    keys_of,
)
from tests.support.machine.rows import block_number
from tests.support.machine.storage import Accepted, Cell, Making, Seen, Sight, Snapshot
from tests.support.machine.world import hours_begun


def depends_on(asset: str, key: PartitionKey, tables: Snapshot, code: Code) -> list[Cell]:
    """The upstream partitions that a partition depends on, by the rows of ``tables``."""
    if asset in (CLEAN, QUARANTINE):
        return [(FEED, key)]
    if asset == HOURS:
        return [(CLEAN, key), (LOCATIONS, NULL_KEY)]
    if asset == DAYS:
        return [(HOURS, key)]
    if asset != RUNS:
        return []
    assert key.day is not None
    limit, content = code.threshold(key.location), tables[HOURS].rows

    def flagged(at: int) -> bool:
        rows = content.get(PartitionKey(date.fromordinal(at // BLOCKS), key.location), ())
        return any(row[0] == at % BLOCKS and row[1] is not None and row[1] >= limit for row in rows)

    end = block_number(key.day, BLOCKS - 1)
    while flagged(end):
        end += 1
    days = range(key.day.toordinal() - 1, end // BLOCKS + 1)
    return [(HOURS, PartitionKey(date.fromordinal(day), key.location)) for day in days]


def is_fresh(asset: str, key: PartitionKey, tables: Snapshot, code: Code, now: datetime) -> bool:
    """Whether a partition would come out as it did, by the shadow alone; of a town that is not configured, as it would
    have by the code that made it."""
    table = tables[asset]
    making = table.makings.get(key)
    if making is None or key in table.unrecorded:
        return False
    if code.is_configured(key.location):
        if not counts_as(asset, key.location, making.code, code, table.accepted):
            return False
        if not code.forms[asset].takes(making.form):
            return False
        if asset == FEED and (making.begun != hours_begun(key, now) or has_moved(key, making, code)):
            return False
    return all(still_seen(at, then, tables[at].seen(one)) for (at, one), then in making.seen.items())


def still_seen(asset: str, then: Seen, now: Seen) -> bool:
    """Whether a reader sees what it saw of a partition."""
    if isinstance(then, Sight) and isinstance(now, Sight):
        return then.holds(asset, now)
    return then is None and now is None


def has_moved(key: PartitionKey, making: Making, code: Code) -> bool:
    """Whether the town lies elsewhere than where a fetched partition was asked for."""
    return abs(making.degrees - code.locations[str(key.location)]) > SAME_LOCATION


def counts_as(asset: str, town: str | None, then: Made, code: Code, accepted: frozenset[Accepted]) -> bool:
    """Whether what a partition was made by is known to make what today's code makes."""
    now, group, before = code.made(asset, town), {then}, 0
    while now not in group and len(group) > before:
        before = len(group)
        for one in tuple(group):
            lines = [line for line in code.lines.get(asset, ()) if one.code in line]
            group |= {replace(one, code=number) for line in lines for number in line}
            pairs = [{a, b} for at, a, b in accepted if at in (None, town)]
            group = group.union(*[pair for pair in pairs if one in pair])
    return now in group


def fresh_cells(tables: Snapshot, code: Code, now: datetime) -> set[Cell]:
    """All fresh partitions, by the shadow alone."""
    return {(asset, key) for asset in LAKE.keys for key in keys_of(asset) if is_fresh(asset, key, tables, code, now)}
