"""What was added to tables since the kept warehouses were made: nullable columns, which their rows do not have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.support import oracle
from tests.support.kept.trees import commits

ADDED: Mapping[str, tuple[str, ...]] = {
    oracle.FACT_HOURLY: ("concentrations_measured", "ts_local", "date_local", "hour_local"),
    oracle.CITY_DAILY: ("has_last_hour",),
    oracle.EPISODE: ("end_exclusive_ts_utc", "is_open"),
}


def lacks(key: str) -> tuple[str, ...]:
    """The marks of a table's partitions of then."""
    return (f"without {', '.join(ADDED[key])}",) if key in ADDED else ()


def of_then(rows: Iterable[Mapping[str, Any]], key: str) -> list[dict[str, Any]]:
    """Rows in the columns of then."""
    return [{name: value for name, value in row.items() if name not in ADDED.get(key, ())} for row in rows]


def grown(before: Mapping[str, int], warehouse: Path) -> set[str]:
    """The tables that have a commit more; none has two."""
    more = {key: number - before[key] for key, number in commits(warehouse).items()}
    assert set(more.values()) <= {0, 1}
    return {key for key, number in more.items() if number}


def columns_of_then(key: str) -> list[str]:
    """The columns that a table had, as the oracle names them."""
    return [name for name in oracle.COLUMNS[key] if name not in ADDED.get(key, ())]
