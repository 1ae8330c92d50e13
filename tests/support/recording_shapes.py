"""Answers of the API as people keep them: made from the same hours, in many shapes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.oracle.names import API_TO_COLUMN, INDEXES

ALL = tuple(API_TO_COLUMN)
START = datetime(2025, 9, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
HANOI = (21.0278, 105.8342)
API_UNITS = {
    name: "USAQI" if column in INDEXES else {"aod": "", "uv_index": "", "co2": "ppm"}.get(column, "\u03bcg/m³")
    for name, column in API_TO_COLUMN.items()
}

Values = Mapping[str, Sequence[Any]]


def values_of(hours: int, variables: Sequence[str] = ALL, first: int = 0) -> dict[str, list[Any]]:
    """Values that differ by variable and hour, plausible in any table; the fifth hour of each day is null."""
    numbers = range(first, first + hours)
    return {
        name: [None if n % 24 == 5 else 300 + n if name == "carbon_dioxide" else k / 2 % 9 // 1 + n for n in numbers]
        for k, name in enumerate(variables)
    }


def document(
    values: Values,
    start: datetime = START,
    where: tuple[float, float] = HANOI,
    *,
    offset: timedelta = timedelta(0),
    zone: str = "GMT",
    unix: bool = False,
    units: Mapping[str, str] = API_UNITS,
) -> dict[str, Any]:
    """An answer about adjacent hours from ``start``, as the API writes it for a zone."""
    hours = len(next(iter(values.values())))
    moments = [start + number * HOUR for number in range(hours)]
    times = [int(it.timestamp()) if unix else f"{it + offset:%Y-%m-%dT%H:%M}" for it in moments]
    return {
        "latitude": where[0],
        "longitude": where[1],
        "generationtime_ms": 0.2,
        "utc_offset_seconds": int(offset.total_seconds()),
        "timezone": zone,
        "timezone_abbreviation": zone,
        "elevation": 10.0,
        "hourly_units": {"time": "unixtime" if unix else "iso8601"} | {name: units[name] for name in values},
        "hourly": {"time": times, **{name: list(cells) for name, cells in values.items()}},
    }


def as_json(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode()


def as_lines(*contents: Any) -> bytes:
    return b"\n".join(as_json(content) for content in contents) + b"\n"


WRAPPERS: Mapping[str, tuple[str, Callable[[Any], bytes]]] = {
    "bare": ("a.json", as_json),
    "data": ("a.json", lambda it: as_json({"fetched_at": "2025-09-02T06:00:00Z", "data": it})),
    "beside its request": (
        "a.json",
        lambda it: as_json({"request": {"latitude": 1, "longitude": 2, "hourly": ["pm2_5"]}, "response": it}),
    ),
    "deep": ("a.json", lambda it: as_json({"error": None, "result": {"status": 200, "body": [it]}})),
    "text": ("a.json", lambda it: as_json({"payload": json.dumps(it)})),
    "text of text": ("a.json", lambda it: as_json(json.dumps(json.dumps(it)))),
    "list of wrappers": ("a.json", lambda it: as_json([{"city": "hanoi", "data": it}, {"city": "hue", "data": None}])),
    "lines": ("a.jsonl", lambda it: as_lines({"started": True}, {"data": it})),
    "lines in json": ("a.json", lambda it: as_lines(it, it)),
    "one line": ("a.ndjson", lambda it: as_lines(it)),
    "packed": ("a.json.gz", lambda it: gzip.compress(as_json(it), mtime=0)),
    "packed lines": ("A.JSONL.GZ", lambda it: 2 * gzip.compress(as_lines(it), mtime=0)),
    "byte order mark": ("a.json", lambda it: b"\xef\xbb\xbf" + as_json(it)),
}
"""How an answer lies in a file: the file's name, and what makes its bytes."""
