"""The partitions of a dataset in OpenLineage's subset facets.

A few partitions are listed. More are written as ranges: comparisons of the table's day and location columns. If too
many comparisons were needed, nothing is said: half of the condition would be wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from orchestration.core.partitions.keys import PartitionSet
from orchestration.core.partitions.scheme import PartitionColumns

LISTED = 100
"""At most this many partitions are listed."""
COMPARISONS = 1_000
"""A condition has at most this many comparisons, some 100 KB of JSON."""


def condition(partitions: PartitionSet, columns: PartitionColumns | None) -> dict[str, Any] | None:
    """The condition that selects ``partitions``.

    | partitions                  | result                                                               |
    |-----------------------------|----------------------------------------------------------------------|
    | none                        | a list of no partition                                               |
    | at most 100                 | a list of them, by the values of their columns                       |
    | more                        | location = … and (day between … or …), equal ranges once             |
    | too many ranges             | None                                                                 |
    | of an unpartitioned table   | None: the whole table is meant                                       |

    columns: those of the table that say to which partition a row belongs; None for an unpartitioned table.
    """
    if columns is None or partitions.has_null:
        return None
    if len(partitions) <= LISTED:
        listed = [_listed(str(key.day), str(key.location), str(key), columns) for key in partitions]
        return {"type": "partition", "partitions": listed}
    groups = _alike(partitions)
    if sum(len(locations) + 2 * len(ranges) for ranges, locations in groups) > COMPARISONS:
        return None
    return _together("OR", [_group(ranges, locations, columns) for ranges, locations in groups])


Ranges = tuple[tuple[date, date], ...]


def _alike(partitions: PartitionSet) -> list[tuple[Ranges, list[str]]]:
    """Ranges of days, each with the locations that have exactly these."""
    of: dict[str, list[tuple[date, date]]] = {}
    for location, first, last in partitions.pieces():
        of.setdefault(location, []).append((first, last))
    groups: dict[Ranges, list[str]] = {}
    for location, ranges in of.items():
        groups.setdefault(tuple(ranges), []).append(location)
    return list(groups.items())


def _listed(day: str, location: str, key: str, columns: PartitionColumns) -> dict[str, Any]:
    return {"identifier": key, "dimensions": {columns.day: day, columns.location: location}}


def _group(ranges: Ranges, locations: Sequence[str], columns: PartitionColumns) -> dict[str, Any]:
    at = _together("OR", [_compared(columns.location, "EQUAL", name) for name in locations])
    return _together("AND", [at, _together("OR", [_between(columns.day, first, last) for first, last in ranges])])


def _between(column: str, first: date, last: date) -> dict[str, Any]:
    if first == last:
        return _compared(column, "EQUAL", str(first))
    after = _compared(column, "GREATER_EQUAL_THAN", str(first))
    return _together("AND", [after, _compared(column, "LESS_EQUAL_THAN", str(last))])


def _compared(column: str, how: str, value: str) -> dict[str, Any]:
    return {
        "type": "compare",
        "comparison": how,
        "left": {"type": "field", "field": column},
        "right": {"type": "literal", "value": value},
    }


def _together(operator: str, conditions: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """All of ``conditions`` joined by one operator. They are nested in halves, as JSON readers limit the depth."""
    if len(conditions) == 1:
        return conditions[0]
    half = len(conditions) // 2
    left, right = _together(operator, conditions[:half]), _together(operator, conditions[half:])
    return {"type": "binary", "operator": operator, "left": left, "right": right}
