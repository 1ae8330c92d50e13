"""Records of days of August 2025, and the snapshot of a table as an earlier format had it. Without a file."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from orchestration.core.partitions.keys import PartitionKey, PartitionSet
from orchestration.core.state.provenance import PartitionRecord
from orchestration.core.state.table_state import FileSpan

AT = "2025-08-20T06:00:00Z"
RECORD = PartitionRecord(24, "f", {"silver.clean": {"2025-08-01/hue": "x"}}, "c1", "k1", {"late": 2})


def key(day: int, location: str = "hue") -> PartitionKey:
    """A day counted from the first of August 2025."""
    return PartitionKey(date(2025, 8, 1) + timedelta(day - 1), location)


def keys(*days: int, location: str = "hue") -> PartitionSet:
    return PartitionSet.from_keys(key(day, location) for day in days)


def file_of(one: int, other: int) -> FileSpan:
    """What a file holds whose rows lie between two days, in either order."""
    return FileSpan(date(2025, 8, min(one, other)), date(2025, 8, max(one, other)), "hue", "hue")


FORMAT_1: dict[str, Any] = {
    "format": 1,
    "version": 5,
    "commit": "digest",
    "records": [
        [
            3,
            {
                "aqi": 1,
                "run": "run-1",
                "asset": "",
                "at": AT,
                "all": {"code": "c1", "contract": "k1"},
                "partitions": {
                    "2025-08-01/hue": {
                        "rows": 24,
                        "fp": "f",
                        "in": {"silver.clean": {"2025-08-01/hue": "x"}},
                        "checks": {"late": 2},
                    }
                },
            },
        ],
        [5, {"aqi": 1, "run": "run-2", "asset": "", "at": AT, "all": {}, "partitions": {}}],
    ],
    "unrecorded": [["hue", "2025-08-02", "2025-08-03"]],
    "files": {"a.parquet": ["2025-08-01", "2025-08-03", "hue", "hue"]},
}
"""A snapshot as commit d35dc26 wrote it."""
