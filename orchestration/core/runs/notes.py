"""Notes on what a source sent, as sentences for people: columns without any value, values that it no longer has,
incomplete days, values that stand still. A sentence names many partitions together. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from orchestration.core.declarations.asset import Asset
from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.runs.decisions import Made, Sourced
from orchestration.core.state.freshness import Current
from orchestration.core.state.incomplete_days import incomplete_notes
from orchestration.core.state.table_state import TableState

NAMED = 6
"""At most this many columns are named."""


def notes_of(
    asset: Asset,
    partitions: PartitionSet,
    made: Made[Any],
    state: TableState,
    current: Current,
    sourced: Mapping[PartitionKey, Sourced],
) -> list[str]:
    """The notes on ``partitions`` of a fetched asset. state: of its table after the step. sourced: from where the rows
    come."""
    sent = {key: sourced[key] for key in partitions if key in sourced}
    lacking = _of_columns("is null", {key: one.lacking for key, one in sent.items()})
    lacking += _of_columns("has values", {key: one.unasked for key, one in sent.items()})
    if asset.hours is None or not made.folded:
        return lacking
    return [
        *lacking,
        *_turned_away(partitions, made),
        *_faded(partitions, made),
        *_frozen({key: mask for key, mask in made.frozen_over.items() if key in partitions}),
        *incomplete_notes(asset, partitions, state, current),
    ]


def _of_columns(what: str, found: Mapping[PartitionKey, Mapping[str, str]]) -> list[str]:
    """Sentences about columns of an answer. Columns with the same reason share a sentence."""
    groups: dict[tuple[str, str], list[PartitionKey]] = {}
    for key, columns in found.items():
        for column, why in columns.items():
            groups.setdefault((column, why), []).append(key)
    return [f"{column} {what} in {PartitionSet.from_keys(of)}: {why}" for (column, why), of in groups.items()]


def _turned_away(partitions: PartitionSet, made: Made[Any]) -> list[str]:
    """Rows that stayed, because the answer has no value where the row has one."""
    found: dict[tuple[str, ...], list[tuple[PartitionKey, int]]] = {}
    for key in partitions:
        folded = made.folded.get(key)
        for one in () if folded is None else folded.new_regressions:
            found.setdefault(one.variables, []).append((key, one.hours))
    lines = []
    for columns, of in found.items():
        count = sum(mask.bit_count() for _, mask in of)
        what = f"no value any more for {_named(columns)}" if columns else "no row any more"
        where = hours_in_words(of[0][1]) if len(of) == 1 else ""
        at = f"{PartitionSet.from_keys(key for key, _ in of)}{f' {where}' if where else ''}"
        lines.append(f"{_hours(count)} of {at} stay as they were: the source has {what}")
    return lines


def _faded(partitions: PartitionSet, made: Made[Any]) -> list[str]:
    """Optional columns that became null with a new row."""
    faded = {key: made.folded[key].faded for key in partitions if key in made.folded and made.folded[key].faded}
    if not faded:
        return []
    names = sorted({name for masks in faded.values() for name in masks})
    return [f"{_named(names)} turned null in hours of {PartitionSet.from_keys(faded)}"]


def _frozen(frozen: Mapping[PartitionKey, int]) -> list[str]:
    """Hours in which the source's values stand still."""
    return [
        f"{key}: every variable is the same for {_hours(mask.bit_count())} ({hours_in_words(mask)}): "
        "the feed may stand still"
        for key, mask in frozen.items()
        if mask
    ]


def hours_in_words(mask: int) -> str:
    """Hours of a UTC day.

    | mask         | result                      |
    |--------------|-----------------------------|
    | 0b1          | ``00:00Z``                  |
    | 0b1011       | ``00:00Z..01:00Z, 03:00Z``  |
    | 0            | nothing                     |
    """
    parts: list[str] = []
    hour = 0
    while mask >> hour:
        length = 0
        while mask >> (hour + length) & 1:
            length += 1
        if length:
            last = hour + length - 1
            parts.append(f"{hour:02}:00Z" if length == 1 else f"{hour:02}:00Z..{last:02}:00Z")
        hour += max(length, 1)
    return ", ".join(parts)


def _hours(count: int) -> str:
    return "1 hour" if count == 1 else f"{count} hours"


def _named(columns: Iterable[str]) -> str:
    names = list(columns)
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
