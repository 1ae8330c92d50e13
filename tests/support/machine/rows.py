"""Rows of the model: what transformations make of them, how they look in other columns, and their facts.

Contracts may grow: rows are tuples of a table's columns, the added ones at their end, so a row without them is shorter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from orchestration.core.partitions.keys import NULL_KEY, PartitionKey
from orchestration.core.runs.decisions import PartitionFacts
from orchestration.core.state.table_state import TableState
from tests.support.machine.deployed import (
    BLOCKS,
    CLEAN,
    FEED,
    HOURS,
    LAKE,
    LOCATIONS,
    NAME_AT,
    NAMES,
    QUARANTINE,
    RUNS,
    TOWNS,
    WIDTH,
    Code,
    Content,
    Known,
    Row,
    Rows,
)


def shown(asset: str, rows: Rows, extras: int) -> Rows:
    """Rows in the first columns of a table and so many added ones: null where they do not have them."""
    width = WIDTH[asset] + extras
    if all(len(row) == width for row in rows):
        return rows
    return tuple((*row, *[None] * (width - len(row)))[:width] for row in rows)


def renamed_rows(asset: str, rows: Rows, old: str, new: str) -> Rows:
    """With another name of the town."""
    at = NAME_AT[asset]
    return tuple((*row[:at], new if row[at] == old else row[at], *row[at + 1 :]) for row in rows)


def fingerprint(rows: Rows) -> str:
    """Of the content: independent of the order of rows; nulls are values."""
    return repr(sorted(rows, key=repr))


def facts_of(asset: str, content: Content, code: Code, own: TableState) -> dict[PartitionKey, PartitionFacts]:
    """What the aggregation says of every partition that has rows."""
    earlier, extras = Known(code).earlier(asset, own), code.extras(asset)
    facts = {}
    for key, rows in content.items():
        whole = shown(asset, rows, extras)
        also = {digest: fingerprint(tuple(row[: len(of)] for row in whole)) for digest, of in earlier.items()}
        facts[key] = PartitionFacts(len(rows), fingerprint(whole), also=also)
    return {key: fact for key, fact in facts.items() if fact.rows}


def transform(asset: str, read: Mapping[str, Content], code: Code) -> dict[PartitionKey, Rows]:
    """What an asset's transformation makes of the rows that were read, by upstream asset; partitions with rows only.

    Rows that are read have the columns that their tables have by now.
    """
    if asset == LOCATIONS:
        return {NULL_KEY: tuple((number, code.twist(LOCATIONS, None)) for number in range(len(TOWNS)))}
    made: dict[PartitionKey, Rows] = {}
    if asset == RUNS:
        for key, row in _runs(read[HOURS], code):
            made[key] = (*made.get(key, ()), row)
        return made
    numbers = {row[0]: row[1:] for row in read[LOCATIONS].get(NULL_KEY, ())} if asset == HOURS else {}
    (upstream, *_) = LAKE[asset].upstream_keys or ("raw",)
    extras, reads = range(1, code.extras(asset) + 1), code.effect(asset).reads
    for key, rows in read[upstream].items():
        twist, town = code.twist(asset, key.location), key.location
        if asset == FEED:
            made[key] = tuple((*row, twist, code.locations[str(town)], town) for row in rows)
        elif asset == CLEAN:
            fit = [row for row in rows if (row[1] or 0) >= 0]
            made[key] = tuple((*row[:3], twist, town, *[(row[1] or 0) + 1000 * n for n in extras]) for row in fit)
        elif asset == QUARANTINE:
            made[key] = tuple((*row[:5], "negative", twist, town) for row in rows if (row[1] or 0) < 0)
        elif asset == HOURS:
            number = numbers.get(code.towns.index(town)) if town in code.towns else None
            at = WIDTH[CLEAN]
            made[key] = tuple(
                (*row[:3], number, twist, row[at : at + reads], town, *[(row[2] or 0) + 500 * n for n in extras])
                for row in rows
            )
        else:
            indexes, dust = [row[1] or 0 for row in rows], [row[2] or 0 for row in rows]
            at = WIDTH[HOURS]
            more = tuple(row[at : at + reads] for row in rows)
            made[key] = ((max(indexes), max(dust), len(rows), twist, more, town),) if rows else ()
    return {key: rows for key, rows in made.items() if rows}


def _runs(hours: Content, code: Code) -> Iterator[tuple[PartitionKey, Row]]:
    """Runs of at least two adjacent flagged blocks: the day on which each starts, and its row."""
    for town in NAMES:
        values = {
            block_number(key.day, row[0]): row[1:3]
            for key, rows in hours.items()
            if key.location == town and key.day is not None
            for row in rows
        }
        limit = code.threshold(town)
        flagged = sorted(at for at, (aqi, _) in values.items() if aqi is not None and aqi >= limit)
        for start in (at for at in flagged if at - 1 not in values or at - 1 not in flagged):
            end = start
            while end + 1 in flagged:
                end += 1
            if end > start:
                peak = max((values[at] for at in range(start, end + 1)), key=lambda value: value[0])
                day, block = divmod(start, BLOCKS)
                yield PartitionKey(date.fromordinal(day), town), (block, end - start + 1, *peak, town)


def block_number(day: date, block: int) -> int:
    """Blocks counted through all days."""
    return day.toordinal() * BLOCKS + block
